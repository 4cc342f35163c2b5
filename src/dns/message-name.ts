import { ZonesealError } from '../errors.js';
import { MAX_LABEL_OCTETS, MAX_NAME_OCTETS, Name } from './name.js';
import { checkRdata } from './rdata/index.js';
import { rdataParts } from './rdata/names.js';
import { typeToText } from './types.js';

/** The octets of a message's header (RFC 1035 §4.1.1). */
export const HEADER_OCTETS = 12;

/** Compression pointers that one name may follow; more cannot be needed, for a name has at most 127 labels. */
const MAX_JUMPS = 127;

function fail(reason: string): never {
  throw new ZonesealError('MESSAGE_INVALID', reason, { reason });
}

/**
 * Reads the possibly compressed names of one message (RFC 1035 §4.1.4) and counts what that costs. A pointer has to
 * lead to before the labels it ends, so a name always ends; the work of all names together is bounded by a budget.
 */
export class MessageNameReader {
  readonly #octets: Uint8Array;
  readonly #budget: number;
  readonly #scratch = new Uint8Array(MAX_NAME_OCTETS);
  /** The names that pointers led to, by offset: mostly few, and used by every record. */
  readonly #suffixes = new Map<number, Name>();
  #steps = 0;
  #end = 0;

  /** @param budget labels and pointers that may be read in all, over every name of the message */
  constructor(octets: Uint8Array, budget: number) {
    this.#octets = octets;
    this.#budget = budget;
  }

  /** Labels and pointers read so far, those of suffixes known already included. */
  get steps(): number {
    return this.#steps;
  }

  /** The offset after the name that was read last. */
  get end(): number {
    return this.#end;
  }

  /**
   * The name at an offset, its case kept.
   * @throws ZonesealError MESSAGE_INVALID
   */
  read(offset: number): Name {
    const first = this.#octets[offset];
    if (first === 0) {
      this.#spend(1);
      this.#end = offset + 1;
      return Name.root;
    }
    if (first !== undefined && first >= 0xc0) {
      const known = this.#suffixes.get(this.#target(offset, offset));
      if (known !== undefined) {
        this.#spend(1);
        this.#end = offset + 2;
        return known;
      }
    }
    return Name.fromWire(this.#scratch.slice(0, this.#expand(offset)));
  }

  /**
   * Writes the name at an offset to `out` as plain wire and returns where it ends there.
   * @throws ZonesealError MESSAGE_INVALID
   */
  readInto(offset: number, out: Uint8Array, at: number): number {
    const length = this.#expand(offset);
    out.set(this.#scratch.subarray(0, length), at);
    return at + length;
  }

  /** Writes the name at an offset to the scratch octets and returns its length. */
  #expand(offset: number): number {
    const octets = this.#octets;
    const out = this.#scratch;
    let length = 0;
    let labels = 0;
    let jumps = 0;
    let firstTarget = -1;
    let suffixAt = 0; // where in the scratch octets the name that the first pointer leads to begins
    let segment = offset; // where the labels began that are being read
    let at = offset;
    for (;;) {
      const label = octets[at];
      if (label === undefined) fail('a name is cut off');
      labels++;
      if (label <= MAX_LABEL_OCTETS) {
        const stop = at + label;
        if (stop >= octets.length) fail('a name is cut off');
        if (length + label >= MAX_NAME_OCTETS) fail('a name is longer than 255 octets');
        while (at <= stop) out[length++] = octets[at++] as number;
        if (label === 0) break;
        continue;
      }
      if (label < 0xc0) fail('a label type is neither a label nor a compression pointer');
      const target = this.#target(at, segment);
      if (++jumps > MAX_JUMPS) fail('a name follows too many compression pointers');
      if (jumps === 1) {
        this.#end = at + 2;
        firstTarget = target;
        suffixAt = length;
      }
      const known = this.#suffixes.get(target);
      if (known !== undefined) {
        if (length + known.wire.length > MAX_NAME_OCTETS) fail('a name is longer than 255 octets');
        out.set(known.wire, length);
        length += known.wire.length;
        labels += known.labelCount;
        break;
      }
      segment = target;
      at = target;
    }
    this.#spend(labels);
    if (firstTarget < 0) this.#end = at;
    else if (!this.#suffixes.has(firstTarget)) {
      this.#suffixes.set(firstTarget, Name.fromWire(out.slice(suffixAt, length)));
    }
    return length;
  }

  /** Where the pointer at an offset leads; it has to be before the labels that it continues. */
  #target(at: number, segment: number): number {
    const low = this.#octets[at + 1];
    if (low === undefined) fail('a compression pointer is cut off');
    const target = (((this.#octets[at] as number) & 0x3f) << 8) | low;
    if (target >= segment) fail('a compression pointer does not lead backward');
    if (target < HEADER_OCTETS) fail('a compression pointer leads into the header');
    return target;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#budget) fail('the names of the message take too much work to read');
  }
}

/**
 * Plain rdata of a record in a message: names expanded for the types that may have them compressed (RFC 3597 §4), then
 * checked as its type asks for.
 * @throws ZonesealError MESSAGE_INVALID or RDATA_INVALID
 */
export function readMessageRdata(
  names: MessageNameReader,
  octets: Uint8Array,
  type: number,
  offset: number,
  length: number,
): Uint8Array {
  const parts = rdataParts(type);
  const end = offset + length;
  let rdata = octets.slice(offset, end);
  if (parts?.some((part) => part.kind === 'name' && part.decompress)) {
    const out = new Uint8Array(length + parts.length * MAX_NAME_OCTETS);
    let at = offset;
    let to = 0;
    for (const part of parts) {
      if (part.kind === 'name') {
        if (!part.decompress) break;
        to = names.readInto(at, out, to);
        at = names.end;
      } else {
        const octetsOfPart = part.kind === 'octets' ? part.length : 1 + (octets[at] ?? 0);
        out.set(octets.subarray(at, Math.min(at + octetsOfPart, end)), to);
        at += octetsOfPart;
        to += octetsOfPart;
      }
      if (at > end) fail(`the rdata of a ${typeToText(type)} record is cut off`);
    }
    out.set(octets.subarray(at, end), to);
    rdata = out.slice(0, to + end - at);
  }
  checkRdata(type, rdata);
  return rdata;
}
