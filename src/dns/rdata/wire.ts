import { encodeName, type Name, nameOctetsAt } from '../name.js';
import { rdataError } from './tokens.js';

/** The largest rdata (RFC 1035 §3.2.1: RDLENGTH has 16 bits). */
export const MAX_RDATA_OCTETS = 0xffff;

const SMALL = 64;

/** A copy of a range as a plain Uint8Array, whatever subclass the source is (a Buffer's slice shares memory). */
export function copyOctets(octets: Uint8Array, start = 0, end = octets.length): Uint8Array {
  const length = end - start;
  const out = new Uint8Array(length);
  if (length <= SMALL) for (let i = 0; i < length; i++) out[i] = octets[start + i] as number;
  else out.set(octets.subarray(start, end));
  return out;
}

/** Collects the octets of one rdata. What exceeds the largest rdata is counted and dropped; `finish` then says so. */
export class WireWriter {
  readonly octets = new Uint8Array(MAX_RDATA_OCTETS + 1 + 256);
  length = 0;

  u8(value: number): void {
    this.octets[this.length++] = value;
  }

  u16(value: number): void {
    this.octets[this.length] = value >>> 8;
    this.octets[this.length + 1] = value;
    this.length += 2;
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  bytes(value: Uint8Array): void {
    if (this.length + value.length <= MAX_RDATA_OCTETS) this.octets.set(value, this.length);
    this.length += value.length;
  }

  /** Writes a name in presentation format. @throws ZonesealError NAME_INVALID */
  name(text: string, origin: Name | undefined): void {
    const at = Math.min(this.length, MAX_RDATA_OCTETS + 1);
    this.length += encodeName(text, origin, this.octets, at);
  }

  /** The octets written since the last `reset`, copied; undefined when they are more than an rdata can have. */
  finish(): Uint8Array | undefined {
    return this.length > MAX_RDATA_OCTETS ? undefined : copyOctets(this.octets, 0, this.length);
  }

  reset(): void {
    this.length = 0;
  }
}

/** Reads the octets of one plain rdata, strictly. */
export class WireReader {
  readonly type: number;
  readonly octets: Uint8Array;
  readonly #column: number | undefined;
  at = 0;

  /** @param column where the text stands that the octets were made from */
  constructor(type: number, octets: Uint8Array, column?: number) {
    this.type = type;
    this.octets = octets;
    this.#column = column;
  }

  get remaining(): number {
    return this.octets.length - this.at;
  }

  u8(): number {
    const value = this.octets[this.at];
    if (value === undefined) this.fail('it is cut off');
    this.at++;
    return value;
  }

  u16(): number {
    const high = this.u8();
    return high * 256 + this.u8();
  }

  u32(): number {
    const high = this.u16();
    return high * 65536 + this.u16();
  }

  /** The next octets, as a view. */
  take(length: number): Uint8Array {
    const start = this.at;
    this.skip(length);
    return this.octets.subarray(start, this.at);
  }

  /** Everything that is left, as a view. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  skip(length: number): void {
    if (length > this.remaining) this.fail('it is cut off');
    this.at += length;
  }

  /** The length of the uncompressed name here, which is passed over. */
  skipName(): number {
    const length = nameOctetsAt(this.octets, this.at);
    this.at += length;
    return length;
  }

  /** @throws ZonesealError RDATA_INVALID when octets are left */
  expectEnd(): void {
    if (this.at !== this.octets.length) this.fail(`${this.remaining} octets follow where it should end`);
  }

  fail(reason: string): never {
    throw rdataError(this.type, reason, this.#column);
  }
}
