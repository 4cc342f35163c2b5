import { type KeyObject, sign } from 'node:crypto';
import { ALGORITHMS } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import type { NativeKey } from './native-key.js';

/**
 * What crosses to a signing worker: per item a key handle (u16), the length of what it begins with (u16), its length (u32) and that
 * many octets to be signed. What comes back: per item a length (u16), then what it began with (the fields of an RRSIG) and the
 * signature: the rdata whole, so that nobody has to put it together again. Big endian, no alignment.
 */
const ITEM_HEADER = 8;

/** A private key as a signer uses it. */
export interface SigningKey {
  readonly key: KeyObject;
  /** DNSSEC algorithm number. */
  readonly algorithm: number;
  /** The same key as OpenSSL holds it, where that can be had. */
  readonly native?: NativeKey | undefined;
}

/** Collects what is to be signed into one block of octets. */
export class BatchWriter {
  /** As much as a small zone needs; larger ones grow it once. */
  #octets = new Uint8Array(4096);
  #view = new DataView(this.#octets.buffer);
  #length = 0;
  #count = 0;

  /** Items added since the last take. */
  get count(): number {
    return this.#count;
  }

  get length(): number {
    return this.#length;
  }

  /** The block as far as it is written; another array after each `reserve`. */
  get octets(): Uint8Array {
    return this.#octets;
  }

  /**
   * Makes room for an item; returns where its octets begin. All of them have to be written.
   * @param prefix how many of its first octets come back before the signature
   * @param size octets that are to be signed with the key of the handle, those included
   */
  reserve(handle: number, prefix: number, size: number): number {
    this.#grow(ITEM_HEADER + size);
    this.#view.setUint16(this.#length, handle);
    this.#view.setUint16(this.#length + 2, prefix);
    this.#view.setUint32(this.#length + 4, size);
    const at = this.#length + ITEM_HEADER;
    this.#length = at + size;
    this.#count++;
    return at;
  }

  /** The block so far in a buffer of its own; the writer begins anew. */
  take(): Uint8Array {
    const block = this.#octets.slice(0, this.#length);
    this.#length = 0;
    this.#count = 0;
    return block;
  }

  #grow(size: number): void {
    if (this.#length + size <= this.#octets.length) return;
    const larger = new Uint8Array(Math.max(this.#octets.length * 2, this.#length + size));
    larger.set(this.#octets.subarray(0, this.#length));
    this.#octets = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/**
 * One signature in the form its RRSIG holds (RFC 6605 §4: r | s).
 * @throws ZonesealError ALGORITHM_UNSUPPORTED
 */
export function signOctets(octets: Uint8Array, { key, algorithm, native }: SigningKey): Uint8Array {
  if (native !== undefined) return native.sign(octets);
  const parameters = ALGORITHMS.get(algorithm);
  if (parameters === undefined) {
    throw new ZonesealError('ALGORITHM_UNSUPPORTED', `algorithm ${algorithm} cannot be signed with`, {
      algorithm,
    });
  }
  return sign(parameters.digest, octets, { key, dsaEncoding: 'ieee-p1363' });
}

/**
 * Signs what a block of a BatchWriter holds.
 * @param sign called with a view into the block for each item
 */
export function signItems(
  block: Uint8Array,
  sign: (octets: Uint8Array, handle: number) => Uint8Array,
): Uint8Array {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const signatures: Uint8Array[] = [];
  let size = 0;
  for (let at = 0; at < block.length; ) {
    const from = at + ITEM_HEADER;
    const end = from + view.getUint32(at + 4);
    const signature = sign(block.subarray(from, end), view.getUint16(at));
    signatures.push(signature);
    size += 2 + view.getUint16(at + 2) + signature.length;
    at = end;
  }
  const out = new Uint8Array(size);
  let to = 0;
  let at = 0;
  for (const signature of signatures) {
    const prefix = view.getUint16(at + 2);
    const length = prefix + signature.length;
    out[to] = length >> 8;
    out[to + 1] = length;
    out.set(block.subarray(at + ITEM_HEADER, at + ITEM_HEADER + prefix), to + 2);
    out.set(signature, to + 2 + prefix);
    to += 2 + length;
    at += ITEM_HEADER + view.getUint32(at + 4);
  }
  return out;
}

/** How many items a block has. */
export function countItems(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let count = 0;
  for (let at = 0; at < block.length; at += ITEM_HEADER + view.getUint32(at + 4)) count++;
  return count;
}

/** Several blocks as one, in a buffer of its own. */
export function joinBlocks(blocks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(blocks.reduce((size, { length }) => size + length, 0));
  let to = 0;
  for (const block of blocks) {
    joined.set(block, to);
    to += block.length;
  }
  return joined;
}

/** Signatures of blocks that were joined, as each by itself would have come back; views into them. @param counts items of each block */
export function splitSigned(signed: Uint8Array, counts: readonly number[]): Uint8Array[] {
  let at = 0;
  return counts.map((count) => {
    const from = at;
    for (let i = 0; i < count; i++) at += 2 + (((signed[at] as number) << 8) | (signed[at + 1] as number));
    return signed.subarray(from, at);
  });
}

/**
 * Signs a block that a BatchWriter made.
 * @throws ZonesealError KEY_UNKNOWN when a handle has no key
 */
export function signBatch(block: Uint8Array, keys: ReadonlyMap<number, SigningKey>): Uint8Array {
  return signItems(block, (octets, handle) => {
    const key = keys.get(handle);
    if (key === undefined)
      throw new ZonesealError('KEY_UNKNOWN', `no key is registered as ${handle}`, { handle });
    return signOctets(octets, key);
  });
}

/** Reads a signed block item by item, in the order in which they were added. */
export class SignedReader {
  readonly #signed: Uint8Array;
  #at = 0;

  constructor(signed: Uint8Array) {
    this.#signed = signed;
  }

  /** The next item: what it began with, and its signature. A view into the block. */
  next(): Uint8Array {
    const from = this.#at + 2;
    const length = ((this.#signed[this.#at] as number) << 8) | (this.#signed[this.#at + 1] as number);
    this.#at = from + length;
    if (length === 0 || this.#at > this.#signed.length) throw new RangeError('a signed block is cut off');
    return this.#signed.subarray(from, this.#at);
  }
}
