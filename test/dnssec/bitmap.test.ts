import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBitmap, encodeBitmap } from '../../src/dnssec/bitmap.js';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

describe('RFC 4034 §4.1.2 type bitmaps', () => {
  it('encodes the example of RFC 4034 §4.3', () => {
    // A MX RRSIG NSEC TYPE1234
    expect(hex(encodeBitmap([1234, 1, 47, 15, 46]))).toBe(`0006400100000003041b${'00'.repeat(26)}20`);
  });

  it('encodes no types as no octets', () => {
    expect(encodeBitmap([])).toHaveLength(0);
  });

  it('has the last type of a window and the first of the next', () => {
    expect(hex(encodeBitmap([255, 256, 65535]))).toBe(
      `0020${'00'.repeat(31)}01010180ff20${'00'.repeat(31)}01`,
    );
  });

  it('gives back sorted types without duplicates', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }), (types) => {
        const sorted = [...new Set(types)].sort((a, b) => a - b);
        expect(decodeBitmap(encodeBitmap(types))).toEqual(sorted);
      }),
    );
  });

  it.each([
    ['a window out of order', '010140000140'],
    ['a window twice', '000140000140'],
    ['an empty window', '0000'],
    ['a window of 33 octets', `0021${'ff'.repeat(33)}`],
    ['a window cut off', '000240'],
    ['a header cut off', '00'],
  ])('refuses %s', (_, text) => {
    expect(() => decodeBitmap(Buffer.from(text, 'hex'))).toThrow(
      expect.objectContaining({ code: 'RDATA_INVALID' }),
    );
  });
});
