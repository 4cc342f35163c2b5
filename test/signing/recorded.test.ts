import { describe, expect, it } from 'vitest';
import { BatchWriter } from '../../src/signing/batch.js';
import { RecordingSigner, ReplayingSigner, type SignaturePage } from '../../src/signing/recorded.js';
import type { Signer } from '../../src/signing/signer.js';

function block(text: string, handle = 1): Uint8Array {
  const writer = new BatchWriter();
  writer.add(handle, Buffer.from(text));
  return writer.take();
}

/** Answers each block with a signature that says which call it was. */
class CountingSigner implements Signer {
  readonly window = 3;
  calls = 0;
  register = (): number => 1;
  unregister = (): void => undefined;
  sign = (): Promise<Uint8Array> => Promise.resolve(Uint8Array.of(0, 1, ++this.calls));
  close = (): Promise<void> => Promise.resolve();
}

async function* stored(pages: readonly SignaturePage[]): AsyncGenerator<SignaturePage> {
  yield* pages;
}

describe('signatures of a publication', () => {
  it('are given out only after they were stored, numbered as they were asked for', async () => {
    const pages: SignaturePage[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const signer = new RecordingSigner(new CountingSigner(), async (some) => {
      await gate;
      pages.push(...some);
    });
    let given = 0;
    const all = Promise.all(
      ['a', 'b', 'c'].map(async (text) => {
        const signed = await signer.sign(block(text));
        expect(pages.map(({ signatures }) => signatures)).toContainEqual(signed);
        given++;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(given).toBe(0);
    release();
    await all;
    expect(pages.map(({ page }) => page)).toEqual([0, 1, 2]);
  });

  it('are not given out when they cannot be stored', async () => {
    const signer = new RecordingSigner(new CountingSigner(), () =>
      Promise.reject(new Error('the disk is full')),
    );
    await expect(signer.sign(block('a'))).rejects.toThrow('the disk is full');
  });

  it('are replayed for the same blocks in the same order, whatever handles keys have now', async () => {
    const pages: SignaturePage[] = [];
    const recording = new RecordingSigner(new CountingSigner(), (some) =>
      Promise.resolve(void pages.push(...some)),
    );
    const first = [await recording.sign(block('a', 7)), await recording.sign(block('b', 7))];
    const replaying = new ReplayingSigner(stored(pages));
    expect(await Promise.all([replaying.sign(block('a', 0)), replaying.sign(block('b', 0))])).toEqual(first);
    await expect(replaying.sign(block('c', 0))).rejects.toMatchObject({ code: 'SIGNATURES_LOST' });
    await replaying.close();
  });

  it('are refused for anything else', async () => {
    const pages: SignaturePage[] = [];
    const recording = new RecordingSigner(new CountingSigner(), (some) =>
      Promise.resolve(void pages.push(...some)),
    );
    await recording.sign(block('a'));
    const replaying = new ReplayingSigner(stored(pages));
    await expect(replaying.sign(block('b'))).rejects.toMatchObject({ code: 'SIGNATURES_LOST' });
  });
});
