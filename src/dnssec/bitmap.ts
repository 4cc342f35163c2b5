import { ZonesealError } from '../errors.js';

/**
 * The type bitmap of NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2): windows of 256 types, ascending, each without trailing
 * zero octets, empty windows left out. Types may come in any order and more than once.
 */
export function encodeBitmap(types: Iterable<number>): Uint8Array {
  const sorted = Uint16Array.from(types).sort();
  let size = 0;
  for (let i = 0; i < sorted.length; i++) {
    // the last type of a window decides how long it is
    const type = sorted[i] as number;
    const next = sorted[i + 1];
    if (next === undefined || next >> 8 !== type >> 8) size += 3 + ((type & 0xff) >> 3);
  }
  const out = new Uint8Array(size);
  let start = 0; // of the window's header
  for (let i = 0; i < sorted.length; i++) {
    const type = sorted[i] as number;
    const next = sorted[i + 1];
    const octet = (type & 0xff) >> 3;
    out[start + 2 + octet] = (out[start + 2 + octet] as number) | (0x80 >> (type & 7));
    if (next === undefined || next >> 8 !== type >> 8) {
      out[start] = type >> 8;
      out[start + 1] = octet + 1;
      start += 3 + octet;
    }
  }
  return out;
}

/** Bitmaps of types that come again and again: equal types give the same array. */
export class BitmapPool {
  readonly #limit: number;
  readonly #bitmaps = new Map<string, Uint8Array>();

  /** A pool that keeps so many bitmaps; the ones it cannot keep are made anew each time. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The bitmap of types; the same types in another order may give another array. Not to be changed. */
  encode(types: readonly number[]): Uint8Array {
    const key = String.fromCharCode(...types);
    let bitmap = this.#bitmaps.get(key);
    if (bitmap === undefined) {
      bitmap = encodeBitmap(types);
      if (this.#bitmaps.size < this.#limit) this.#bitmaps.set(key, bitmap);
    }
    return bitmap;
  }
}

/**
 * The types of a bitmap, ascending.
 * @throws ZonesealError RDATA_INVALID when windows are out of order, empty, cut off or longer than 32 octets
 */
export function decodeBitmap(bitmap: Uint8Array): number[] {
  const types: number[] = [];
  let previous = -1;
  for (let at = 0; at < bitmap.length; ) {
    const window = bitmap[at] as number;
    const length = bitmap[at + 1];
    if (window <= previous) throw invalid('windows are not in ascending order');
    if (length === undefined || length < 1 || length > 32) throw invalid('a window has 1 to 32 octets');
    if (at + 2 + length > bitmap.length) throw invalid('a window is cut off');
    for (let octet = 0; octet < length; octet++) {
      const bits = bitmap[at + 2 + octet] as number;
      for (let bit = 0; bit < 8; bit++)
        if ((bits & (0x80 >> bit)) !== 0) types.push((window << 8) | (octet << 3) | bit);
    }
    previous = window;
    at += 2 + length;
  }
  return types;
}

function invalid(reason: string): ZonesealError {
  return new ZonesealError('RDATA_INVALID', `type bitmap: ${reason}`, { reason });
}
