import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameError, FrameReader } from '../../src/server/frame-reader.js';
import { framed } from './client.js';

test('property: frames come out whole, however the stream is cut', () => {
  const frames = fc.array(fc.uint8Array({ minLength: 12, maxLength: 300 }), { maxLength: 10 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (messages, cuts) => {
      const stream = Buffer.concat(messages.map(framed));
      const reader = new FrameReader(300);
      const read: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const end = at + (cuts[i % cuts.length] as number);
        reader.push(stream.subarray(at, end));
        at = end;
        for (let it = reader.next(); it !== undefined; it = reader.next()) read.push(it);
      }
      expect(read).toEqual(messages);
    }),
  );
});

test('a frame that is asked for late is still there', () => {
  const reader = new FrameReader(100);
  reader.push(Buffer.concat([framed(new Uint8Array(12).fill(1)), framed(new Uint8Array(13).fill(2))]));
  reader.push(new Uint8Array(0));
  expect([reader.next()?.length, reader.next()?.length, reader.next()]).toEqual([12, 13, undefined]);
});

test('lengths of less than a header and of more than the limit', () => {
  for (const length of [0, 11, 101, 65_535]) {
    const reader = new FrameReader(100);
    reader.push(Uint8Array.of(length >>> 8));
    expect(reader.next()).toBeUndefined();
    reader.push(Uint8Array.of(length));
    expect(() => reader.next()).toThrow(FrameError);
  }
});
