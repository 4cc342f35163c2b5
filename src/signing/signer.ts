import type { KeyObject } from 'node:crypto';
import { type SigningKey, signBatch } from './batch.js';

/** The port to whatever makes signatures in bulk. Several publications use one signer at the same time. */
export interface Signer {
  /** How many blocks are worth having under way at once. */
  readonly window: number;
  /** Takes a private key and returns the handle under which items name it; the same key gets the same handle. */
  register(key: SigningKey): number;
  /** Gives a key back; when as many were given back as registered, it is forgotten everywhere. */
  unregister(handle: number): void;
  /**
   * Signs a block of a BatchWriter (which is handed over, not copied).
   * @throws ZonesealError SIGNER_CLOSED, SIGNER_FAILED
   */
  sign(block: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Handles for keys, counted; a key is known by the identity of its KeyObject. Handles are reused only when free. */
export class KeyHandles {
  readonly #entries = new Map<number, { readonly key: SigningKey; holders: number }>();
  readonly #handles = new Map<KeyObject, number>();
  #next = 1;

  /** The handle, and whether the key is new here. */
  register(key: SigningKey): { handle: number; isNew: boolean } {
    const known = this.#handles.get(key.key);
    const entry = known === undefined ? undefined : this.#entries.get(known);
    if (known !== undefined && entry !== undefined) {
      entry.holders++;
      return { handle: known, isNew: false };
    }
    while (this.#entries.has(this.#next)) this.#next = this.#next === 0xffff ? 1 : this.#next + 1;
    const handle = this.#next;
    this.#next = handle === 0xffff ? 1 : handle + 1;
    this.#entries.set(handle, { key, holders: 1 });
    this.#handles.set(key.key, handle);
    return { handle, isNew: true };
  }

  /** Whether the last holder has given the key back. */
  unregister(handle: number): boolean {
    const entry = this.#entries.get(handle);
    if (entry === undefined || --entry.holders > 0) return false;
    this.#entries.delete(handle);
    this.#handles.delete(entry.key.key);
    return true;
  }

  *[Symbol.iterator](): Generator<[number, SigningKey]> {
    for (const [handle, entry] of this.#entries) yield [handle, entry.key];
  }
}

/** Signs on the calling thread: for small jobs and for tests. */
export class InlineSigner implements Signer {
  readonly window = 1;
  readonly #handles = new KeyHandles();
  readonly #keys = new Map<number, SigningKey>();

  register(key: SigningKey): number {
    const { handle } = this.#handles.register(key);
    this.#keys.set(handle, key);
    return handle;
  }

  unregister(handle: number): void {
    if (this.#handles.unregister(handle)) this.#keys.delete(handle);
  }

  sign(block: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve().then(() => signBatch(block, this.#keys));
  }

  close(): Promise<void> {
    this.#keys.clear();
    return Promise.resolve();
  }
}
