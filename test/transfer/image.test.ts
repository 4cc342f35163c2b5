import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ZonesealError } from '../../src/errors.js';
import type { Image } from '../../src/transfer/image.js';
import { ImageStore, type ImageStoreOptions } from '../../src/transfer/image-store.js';
import type { ImageReader } from '../../src/transfer/ports.js';
import { type Spool, SpoolFile } from '../../src/transfer/spool-file.js';

let folder: string;
let images: Image[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zoneseal-spool-test-'));
});

afterEach(async () => {
  for (const image of images) image.release();
  images = [];
  await rm(folder, { recursive: true, force: true });
});

function openStore(options: Partial<ImageStoreOptions> = {}): Promise<ImageStore> {
  return ImageStore.open({ folder, ...options });
}

function create(store: ImageStore, label = 'example.'): Image {
  const image = store.create(label);
  images.push(image);
  return image;
}

/** Message `i` of a sequence: its octets say which one it is. */
function message(i: number, octets = 1000): Uint8Array {
  return new Uint8Array(octets).fill(i % 251);
}

async function readAll(reader: ImageReader): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  try {
    for await (const it of reader.messages()) parts.push(it);
  } finally {
    reader.release();
  }
  return Buffer.concat(parts);
}

async function fill(image: Image, count: number, octets = 1000): Promise<Uint8Array> {
  const parts = Array.from({ length: count }, (_, i) => message(i, octets));
  for (const it of parts) await image.append(it);
  return Buffer.concat(parts);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ZonesealError) return error.code;
    throw error;
  }
  return 'none';
}

describe('an image', () => {
  test('a small one stays in memory; a large one moves to a file, whole', async () => {
    const store = await openStore({ memoryImageOctets: 10_000 });
    const image = create(store, 'example. (internal)');
    const reader = image.open();
    const start = await fill(image, 10);
    expect(store.usage).toEqual({ images: 1, memoryOctets: 10_000, spoolOctets: 0 });
    const rest = await fill(image, 500);
    await image.complete();
    expect(store.usage).toEqual({ images: 1, memoryOctets: 0, spoolOctets: 510_000 });
    expect(image).toMatchObject({ messageCount: 510, octets: 510_000, state: 'complete', readerCount: 1 });
    const expected = Buffer.concat([start, rest]);
    expect(Buffer.compare(await readAll(reader), expected)).toBe(0);
    expect(Buffer.compare(await readAll(image.open()), expected)).toBe(0);
  });

  test('the spool file has no name from the start', async () => {
    const store = await openStore({ memoryImageOctets: 0 });
    const image = create(store, 'example.');
    await image.append(message(1));
    expect(image.spoolOctets).toBe(1000);
    expect(await readdir(folder)).toEqual([]);
    image.release();
  });

  test('each message can be read as soon as it exists', async () => {
    const store = await openStore();
    const image = create(store, 'example.');
    const messages = image.open().messages()[Symbol.asyncIterator]();
    for (let i = 0; i < 5; i++) {
      const next = messages.next();
      await tick();
      await image.append(message(i));
      expect((await next).value).toEqual(message(i));
    }
    const last = messages.next();
    await image.complete();
    expect((await last).done).toBe(true);
  });

  test('twenty followers of one growing image get identical octets', async () => {
    const store = await openStore({ memoryImageOctets: 50_000 });
    const image = create(store, 'example.');
    const early = Array.from({ length: 10 }, () => readAll(image.open()));
    const first = await fill(image, 100, 3001);
    const late = Array.from({ length: 10 }, () => readAll(image.open()));
    const second = await fill(image, 300, 3001);
    await image.complete();
    const expected = Buffer.concat([first, second]);
    for (const it of await Promise.all([...early, ...late])) expect(Buffer.compare(it, expected)).toBe(0);
  });

  test('messages of impossible length are refused', async () => {
    const image = create(await openStore());
    expect(await codeOf(image.append(new Uint8Array(11)))).toBe('MESSAGE_TOO_LARGE');
    expect(await codeOf(image.append(new Uint8Array(65_536)))).toBe('MESSAGE_TOO_LARGE');
    await image.append(new Uint8Array(65_535));
  });

  test('appends that overlap are a fault of the program', async () => {
    const image = create(await openStore({ memoryImageOctets: 0 }));
    const first = image.append(message(1));
    await expect(image.append(message(2))).rejects.toThrow(TypeError);
    await first;
  });
});

describe('failure', () => {
  test('followers get it at once, even those that have not read what exists; memory and file go', async () => {
    const store = await openStore({ memoryImageOctets: 5000 });
    const image = create(store, 'example.');
    const slow = image.open();
    const waiting = image.open().messages()[Symbol.asyncIterator]();
    await fill(image, 20);
    for (let i = 0; i < 20; i++) await waiting.next();
    const next = waiting.next();
    image.fail(new ZonesealError('SIGNER_FAILED', 'no'));
    expect(await codeOf(next)).toBe('SIGNER_FAILED');
    expect(await codeOf(readAll(slow))).toBe('SIGNER_FAILED');
    expect(await codeOf(image.append(message(1)))).toBe('SIGNER_FAILED');
    expect(() => image.open()).toThrow('no');
    expect(store.usage).toEqual({ images: 1, memoryOctets: 0, spoolOctets: 0 });
  });

  test('SPOOL_FULL when the spool of all images has reached its limit; room comes back', async () => {
    const store = await openStore({ memoryImageOctets: 0, maxSpoolOctets: 10_000 });
    const first = create(store, 'a.');
    await fill(first, 1, 6000);
    const second = create(store, 'b.');
    expect(await codeOf(fill(second, 1, 6000))).toBe('SPOOL_FULL');
    expect(second.state).toBe('failed');
    expect(() => second.open()).toThrow(/^image of b\.: the spool has reached its limit/);
    second.release();
    first.release();
    await fill(create(store, 'c.'), 1, 10_000);
    expect(store.usage).toEqual({ images: 1, memoryOctets: 0, spoolOctets: 10_000 });
  });

  test('before it is refused, the owner may make room', async () => {
    const asked: string[] = [];
    const idle: Image[] = [];
    const store = await openStore({
      memoryImageOctets: 0,
      maxSpoolOctets: 10_000,
      makeRoom: (kind, octets) => {
        asked.push(`${kind} ${octets}`);
        idle.pop()?.release();
      },
    });
    const first = create(store, 'a.');
    await fill(first, 1, 6000);
    idle.push(first);
    await fill(create(store, 'b.'), 1, 6000);
    expect(asked).toEqual(['spool 6000']);
  });

  test('images go to the spool earlier when memory is short', async () => {
    const store = await openStore({ maxMemoryOctets: 5000 });
    const first = create(store, 'a.');
    await fill(first, 5);
    const second = create(store, 'b.');
    const expected = await fill(second, 5);
    await second.complete();
    expect(store.usage).toEqual({ images: 2, memoryOctets: 5000, spoolOctets: 5000 });
    expect(Buffer.compare(await readAll(second.open()), expected)).toBe(0);
  });

  test('a disk that is full fails the image and nothing else', async () => {
    let isFull = false;
    const store = await openStore({
      memoryImageOctets: 0,
      createSpool: async (it) => {
        const spool = await SpoolFile.create(it);
        const write: Spool['write'] = async (chunks, position) => {
          if (isFull) throw new ZonesealError('SPOOL_FULL', 'disk full');
          await spool.write(chunks, position);
        };
        return { write, read: spool.read.bind(spool), close: spool.close.bind(spool) };
      },
    });
    const image = create(store, 'a.');
    const reader = image.open();
    await fill(image, 1);
    isFull = true;
    expect(await codeOf(fill(image, 2, 300_000 / 5))).toBe('none');
    expect(await codeOf(fill(image, 5, 60_000))).toBe('SPOOL_FULL');
    expect(await codeOf(readAll(reader))).toBe('SPOOL_FULL');
    expect(store.usage.spoolOctets).toBe(0);
  });

  test('an error of the file system has a code and no path', async () => {
    const store = await openStore({ memoryImageOctets: 0 });
    await rm(folder, { recursive: true });
    expect(await codeOf(fill(create(store, 'a.'), 1))).toBe('SPOOL_FAILED');
    expect(await codeOf(ImageStore.open({ folder: '/dev/null/no' }))).toBe('SPOOL_FAILED');
  });
});

describe('holders', () => {
  test('the file goes with the last of them, however they come and go', async () => {
    const store = await openStore({ memoryImageOctets: 0 });
    const image = create(store, 'a.');
    const reader = image.open();
    const expected = await fill(image, 400);
    await image.complete();
    image.release();
    image.release();
    expect(store.usage.spoolOctets).toBe(400_000);
    expect(Buffer.compare(await readAll(reader), expected)).toBe(0);
    reader.release();
    reader.release();
    expect(store.usage).toEqual({ images: 0, memoryOctets: 0, spoolOctets: 0 });
    expect(() => image.open()).toThrow('given up');
  });

  test('a reader that is released while it waits, or between messages, ends with an error, never as if complete', async () => {
    const image = create(await openStore());
    const waiting = image.open();
    const next = waiting.messages()[Symbol.asyncIterator]().next();
    await tick();
    waiting.release();
    expect(await codeOf(next)).toBe('IMAGE_CLOSED');
    const other = image.open();
    await fill(image, 2);
    const messages = other.messages()[Symbol.asyncIterator]();
    await messages.next();
    other.release();
    expect(await codeOf(messages.next())).toBe('IMAGE_CLOSED');
  });

  test('one that is released by all while it is written stops its producer and leaves nothing', async () => {
    const store = await openStore({ memoryImageOctets: 0 });
    const image = create(store, 'a.');
    const appended = image.append(message(1));
    image.release();
    expect(await codeOf(appended)).toBe('IMAGE_CLOSED');
    expect(store.usage).toEqual({ images: 0, memoryOctets: 0, spoolOctets: 0 });
  });

  test('reads under way end before the file is closed', async () => {
    const image = create(await openStore({ memoryImageOctets: 0 }));
    await fill(image, 50);
    await image.complete();
    const reader = image.open();
    const next = reader.messages()[Symbol.asyncIterator]().next();
    reader.release();
    image.release();
    // not SPOOL_FAILED for a file that was closed under it
    expect(await codeOf(next)).toBe('IMAGE_CLOSED');
  });
});

test('opening a store removes what a killed gateway left, and only that', async () => {
  const inner = join(folder, 'spool');
  await openStore({ folder: inner });
  expect((await stat(inner)).mode & 0o777).toBe(0o700);
  await writeFile(join(inner, 'zoneseal-image-0123'), 'left');
  await writeFile(join(inner, 'other'), 'kept');
  await openStore({ folder: inner });
  expect(await readdir(inner)).toEqual(['other']);
});

test('property: any number of readers at any pace get what was appended', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 12, max: 65_535 }), { maxLength: 40 }),
      fc.nat(200_000),
      fc.array(fc.nat(40), { minLength: 1, maxLength: 4 }),
      fc.scheduler(),
      async (sizes, memoryImageOctets, startAt, scheduler) => {
        const store = await openStore({ memoryImageOctets });
        const image = create(store, 'a.');
        const readers: Promise<Uint8Array>[] = [];
        const follow = async (reader: ImageReader): Promise<Uint8Array> => {
          const parts: Uint8Array[] = [];
          for await (const it of reader.messages()) {
            parts.push(it);
            await scheduler.schedule(Promise.resolve());
          }
          reader.release();
          return Buffer.concat(parts);
        };
        const produced: Uint8Array[] = [];
        const produce = async (): Promise<void> => {
          for (let i = 0; i <= 40; i++) {
            for (const at of startAt) if (at === i) readers.push(follow(image.open()));
            const size = sizes[i];
            if (size === undefined) continue;
            produced.push(message(i, size));
            await image.append(message(i, size));
          }
          await image.complete();
        };
        await scheduler.waitFor(produce());
        const read = await scheduler.waitFor(Promise.all(readers));
        for (const it of read) expect(Buffer.compare(it, Buffer.concat(produced))).toBe(0);
        image.release();
        expect(store.usage).toEqual({ images: 0, memoryOctets: 0, spoolOctets: 0 });
      },
    ),
    { numRuns: 30 },
  );
}, 60_000);
