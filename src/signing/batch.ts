import { type KeyObject, sign } from 'node:crypto';
import { ALGORITHMS } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';

/**
 * What crosses to a signing worker: per item a key handle (u16), a length (u32) and that many octets to be signed.
 * What comes back: per item a length (u16) and the signature. Big endian, no alignment.
 */
const ITEM_HEADER = 6;

/** A private key as a signer uses it. */
export interface SigningKey {
  readonly key: KeyObject;
  /** DNSSEC algorithm number. */
  readonly algorithm: number;
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

  /** Adds octets that are to be signed with the key of a handle. */
  add(handle: number, octets: Uint8Array): void {
    this.#grow(ITEM_HEADER + octets.length);
    this.#view.setUint16(this.#length, handle);
    this.#view.setUint32(this.#length + 2, octets.length);
    this.#octets.set(octets, this.#length + ITEM_HEADER);
    this.#length += ITEM_HEADER + octets.length;
    this.#count++;
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
export function signOctets(octets: Uint8Array, { key, algorithm }: SigningKey): Uint8Array {
  const parameters = ALGORITHMS.get(algorithm);
  if (parameters === undefined) {
    throw new ZonesealError('ALGORITHM_UNSUPPORTED', `algorithm ${algorithm} cannot be signed with`, {
      algorithm,
    });
  }
  return sign(parameters.digest, octets, { key, dsaEncoding: 'ieee-p1363' });
}

/** What a block of a BatchWriter holds; views into it. */
export function* blockItems(
  block: Uint8Array,
): Generator<{ readonly handle: number; readonly octets: Uint8Array }> {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  for (let at = 0; at < block.length; ) {
    const from = at + ITEM_HEADER;
    const end = from + view.getUint32(at + 2);
    yield { handle: view.getUint16(at), octets: block.subarray(from, end) };
    at = end;
  }
}

/** How many items a block has. */
export function countItems(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let count = 0;
  for (let at = 0; at < block.length; at += ITEM_HEADER + view.getUint32(at + 2)) count++;
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
  const signatures: Uint8Array[] = [];
  let size = 0;
  for (const { handle, octets } of blockItems(block)) {
    const key = keys.get(handle);
    if (key === undefined)
      throw new ZonesealError('KEY_UNKNOWN', `no key is registered as ${handle}`, { handle });
    const signature = signOctets(octets, key);
    signatures.push(signature);
    size += 2 + signature.length;
  }
  const out = new Uint8Array(size);
  let to = 0;
  for (const signature of signatures) {
    out[to] = signature.length >> 8;
    out[to + 1] = signature.length & 0xff;
    out.set(signature, to + 2);
    to += 2 + signature.length;
  }
  return out;
}

/** The signatures of a signed block, in the order in which items were added; views into it. */
export function* readSignatures(signed: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < signed.length; ) {
    const length = ((signed[at] as number) << 8) | (signed[at + 1] as number);
    yield signed.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
}
