import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS } from '../name.js';
import type { RdataPart } from './field.js';
import { rdataError } from './tokens.js';
import { copyOctets, type WireWriter } from './wire.js';

/** More pointers than a name has labels lead nowhere new. */
const MAX_POINTERS = 128;

/**
 * Copies the name at an offset of a message, following compression pointers, which have to point backwards
 * (RFC 1035 §4.1.4), and returns the offset after it. `end` limits the part before the first pointer.
 * @throws what `fail` throws
 */
function expandName(
  message: Uint8Array,
  offset: number,
  end: number,
  out: WireWriter,
  fail: (reason: string) => never,
): number {
  const start = out.length;
  let after = -1;
  let at = offset;
  let limit = end; // no octet at or beyond it may belong to this run of labels
  let runStart = offset;
  for (let pointers = 0; ; ) {
    const length = at < limit ? (message[at] as number) : fail('a name is cut off');
    if (length <= MAX_LABEL_OCTETS) {
      if (at + 1 + length > limit) fail('a name is cut off');
      if (out.length - start + 1 + length > MAX_NAME_OCTETS) fail('a name is longer than 255 octets');
      for (let i = 0; i <= length; i++) out.u8(message[at + i] as number);
      at += length + 1;
      if (length === 0) return after < 0 ? at : after;
      continue;
    }
    if (length < 0xc0) fail('a label is of an unknown kind');
    if (at + 2 > limit) fail('a name is cut off');
    const target = (length & 0x3f) * 256 + (message[at + 1] as number);
    if (after < 0) after = at + 2;
    if (target >= runStart) fail('a compression pointer does not point backwards');
    if (++pointers > MAX_POINTERS) fail('a name has too many compression pointers');
    limit = runStart;
    at = runStart = target;
  }
}

/**
 * Reads rdata from a message and expands the names that may be compressed in it (RFC 3597 §4).
 * @throws ZonesealError RDATA_INVALID
 */
export function expandRdata(
  type: number,
  parts: readonly RdataPart[],
  message: Uint8Array,
  offset: number,
  length: number,
  out: WireWriter,
): Uint8Array {
  const fail = (reason: string): never => {
    throw rdataError(type, reason);
  };
  const end = offset + length;
  let at = offset;
  const copy = (octets: number): void => {
    if (at + octets > end) fail('it is cut off');
    out.bytes(message.subarray(at, at + octets));
    at += octets;
  };
  for (const part of parts) {
    if (part.kind === 'octets') copy(part.length);
    else if (part.kind === 'string') copy(1 + (message[at] as number));
    else if (part.decompress) at = expandName(message, at, end, out, fail);
    else break;
  }
  copy(end - at);
  return out.finish() ?? copyOctets(message, offset, end);
}
