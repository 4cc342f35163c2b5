import { createHash } from 'node:crypto';
import { ZonesealError } from '../errors.js';
import { blockItems } from './batch.js';
import type { Signer } from './signer.js';

/** The signatures of one block: what a signer answered, and of what. */
export interface SignaturePage {
  /** Place among the pages of its publication, from 0. */
  readonly page: number;
  /** The first 16 octets of SHA-256 over what was signed, keys' handles left out. */
  readonly input: Uint8Array;
  readonly signatures: Uint8Array;
}

/** Pages saved with one call; some 400 KiB of P-256 signatures. */
const PAGES_AT_ONCE = 32;

/**
 * A signer for one publication whose signatures are given out only after they were stored. Pages are numbered in the order in
 * which blocks are handed in, and are saved as many at a time as have come while others were being saved.
 */
export class RecordingSigner implements Signer {
  readonly window: number;
  readonly #signer: Signer;
  readonly #save: (pages: readonly SignaturePage[]) => Promise<void>;
  #next = 0;
  #waiting: {
    readonly page: SignaturePage;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
  }[] = [];
  #saving = false;

  /** @param save stores pages for good; once it has thrown, so does every signature asked for */
  constructor(signer: Signer, save: (pages: readonly SignaturePage[]) => Promise<void>) {
    this.#signer = signer;
    this.#save = save;
    // while some are being stored, others can be signed
    this.window = signer.window * 2;
  }

  register(key: Parameters<Signer['register']>[0]): number {
    return this.#signer.register(key);
  }

  unregister(handle: number): void {
    this.#signer.unregister(handle);
  }

  async sign(block: Uint8Array): Promise<Uint8Array> {
    const page = this.#next++;
    const input = inputOf(block);
    const signatures = await this.#signer.sign(block);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ page: { page, input, signatures }, resolve, reject });
      void this.#saveWaiting();
    });
    return signatures;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #saveWaiting(): Promise<void> {
    if (this.#saving) return;
    this.#saving = true;
    while (this.#waiting.length > 0) {
      const some = this.#waiting.splice(0, PAGES_AT_ONCE);
      try {
        await this.#save(some.map(({ page }) => page));
        for (const { resolve } of some) resolve();
      } catch (error) {
        for (const { reject } of some) reject(error as Error);
      }
    }
    this.#saving = false;
  }
}

/**
 * A signer that makes nothing: it gives out the signatures which were stored for the same blocks, in the same order. Needs no
 * keys.
 */
export class ReplayingSigner implements Signer {
  readonly window = 2;
  readonly #pages: AsyncIterator<SignaturePage>;
  #last: Promise<unknown> = Promise.resolve();

  /** @param pages of one publication, in order */
  constructor(pages: AsyncIterable<SignaturePage>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  register(): number {
    return 0;
  }

  unregister(): void {
    // nothing is held
  }

  /** @throws ZonesealError SIGNATURES_LOST when what is stored is not for this block */
  sign(block: Uint8Array): Promise<Uint8Array> {
    const input = inputOf(block);
    const signed = this.#last.then(async () => {
      const next = await this.#pages.next();
      if (next.done !== true && Buffer.compare(next.value.input, input) === 0) return next.value.signatures;
      throw new ZonesealError(
        'SIGNATURES_LOST',
        'its stored signatures are gone, or are not those of its records',
      );
    });
    this.#last = signed.catch(() => undefined);
    return signed;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#pages.return?.();
  }
}

/** What a block wants signed, as a fingerprint that does not depend on which handles its keys have here. */
function inputOf(block: Uint8Array): Uint8Array {
  const hash = createHash('sha256');
  for (const item of blockItems(block)) hash.update(item.octets);
  return new Uint8Array(hash.digest().subarray(0, 16));
}
