import { ZonesealError } from '../errors.js';
import { type Edns, ednsLength, ednsRdata, ednsTtl } from './edns.js';
import { HEADER_OCTETS, MAX_MESSAGE_OCTETS } from './message.js';
import { Name } from './name.js';
import { type RdataPart, rdataParts } from './rdata/names.js';
import { RRType } from './types.js';

/** The sections that records go to, in the order in which they have to be written. */
export type MessageSection = 'answer' | 'authority' | 'additional';

/** Compression pointers have 14 bits (RFC 1035 §4.1.4). */
const POINTER_LIMIT = 0x4000;

/** Room beyond the limit, so that a record is written first and measured afterwards. */
const SLACK = 1024;

/** The most that two compressible names can save in one rdata. */
const MAX_SAVING = 2 * 253;

/** Up to this many octets a loop is faster than TypedArray.set. */
const SMALL = 48;

const COUNT_OFFSET = { answer: 6, authority: 8, additional: 10 } as const;

/**
 * Writes one message, with name compression (RFC 1035 §4.1.4) of owners and of rdata names that may be compressed
 * (RFC 3597 §4). A pointer replaces only octets that are identical, so names keep their case. What does not fit is not
 * written at all: the compression table is rolled back too. Reusable: `reset` starts the next message.
 */
export class MessageWriter {
  /** The largest message in octets, header and what is reserved included. */
  readonly limit: number;

  readonly #octets: Uint8Array;
  readonly #view: DataView;
  /** Open-addressed: (offset of the parent suffix) << 14 | (offset of the label); zero is free. */
  readonly #slots: Int32Array;
  readonly #mask: number;
  /** The slots in use, in the order in which they were taken. */
  readonly #taken: Int32Array;
  #takenCount = 0;
  readonly #labels = new Uint8Array(128);
  #at = HEADER_OCTETS;
  #reserved = 0;
  #sectionOffset = 0;
  #lastOwner: Name | undefined;
  #lastOwnerOffset = 0;

  /**
   * @param limit octets, 12 to 65,535
   * @throws ZonesealError MESSAGE_TOO_LARGE when the limit is not in that range
   */
  constructor(limit: number) {
    if (!(limit >= HEADER_OCTETS && limit <= MAX_MESSAGE_OCTETS)) {
      throw new ZonesealError('MESSAGE_TOO_LARGE', `a message of at most ${limit} octets cannot be written`, {
        limit,
      });
    }
    this.limit = limit;
    this.#octets = new Uint8Array(limit + SLACK);
    this.#view = new DataView(this.#octets.buffer);
    // a label takes two octets or more, so at most half the slots are ever in use
    const reachable = Math.min(limit + SLACK, POINTER_LIMIT);
    const slots = 2 ** Math.ceil(Math.log2(reachable));
    this.#slots = new Int32Array(slots);
    this.#mask = slots - 1;
    this.#taken = new Int32Array(reachable / 2 + 1);
  }

  /** The octets written so far, the header included. */
  get length(): number {
    return this.#at;
  }

  /** The octets that are left for records, apart from what is reserved. */
  get remaining(): number {
    return this.limit - this.#reserved - this.#at;
  }

  /** Starts the next message; a reservation stays. */
  reset(): void {
    this.#forget(0);
    this.#octets.fill(0, 0, HEADER_OCTETS);
    this.#at = HEADER_OCTETS;
    this.#sectionOffset = 0;
    this.#lastOwner = undefined;
  }

  /** Keeps octets at the end free (for OPT, TSIG), in place of an earlier reservation; zero gives them back. */
  reserve(octets: number): void {
    this.#reserved = octets;
  }

  /** Sets the header's id and its 16-bit flags word (see FLAG; OPCODE and RCODE included). */
  writeHeader(id: number, flags: number): void {
    this.#view.setUint16(0, id);
    this.#view.setUint16(2, flags);
  }

  /**
   * Adds a question; whether it fit.
   * @throws ZonesealError MESSAGE_INVALID after a record was written
   */
  writeQuestion(name: Name, type: number, klass: number): boolean {
    if (this.#sectionOffset > 4) this.#outOfOrder();
    const start = this.#at;
    const taken = this.#takenCount;
    const at = this.#writeOwner(name, start);
    this.#view.setUint16(at, type);
    this.#view.setUint16(at + 2, klass);
    return this.#commit(4, at + 4, taken);
  }

  /**
   * Adds one record of plain rdata; whether it fit.
   * @param ttl seconds, as an unsigned 32-bit number
   * @throws ZonesealError MESSAGE_INVALID when a later section was begun already; NAME_INVALID when a name in the
   *   rdata is not one; nothing is written then
   */
  writeRecord(
    section: MessageSection,
    owner: Name,
    type: number,
    klass: number,
    ttl: number,
    rdata: Uint8Array,
  ): boolean {
    const countOffset = COUNT_OFFSET[section];
    if (countOffset < this.#sectionOffset) this.#outOfOrder();
    const start = this.#at;
    // what cannot fit even when compressed is not written; the slack takes what may turn out not to fit
    if (start + 12 + rdata.length - MAX_SAVING > this.limit) return false;
    const taken = this.#takenCount;
    const octets = this.#octets;
    let at = this.#writeOwner(owner, start);
    octets[at] = type >>> 8;
    octets[at + 1] = type;
    octets[at + 2] = klass >>> 8;
    octets[at + 3] = klass;
    octets[at + 4] = ttl >>> 24;
    octets[at + 5] = ttl >>> 16;
    octets[at + 6] = ttl >>> 8;
    octets[at + 7] = ttl;
    const rdataAt = at + 10;
    const parts = compressibleParts(type);
    if (parts === undefined) {
      at = this.#copy(rdata, 0, rdata.length, rdataAt);
    } else {
      try {
        at = this.#writeParts(parts, rdata, rdataAt);
      } catch (error) {
        this.#rollBack(taken);
        throw error;
      }
    }
    const length = at - rdataAt;
    octets[rdataAt - 2] = length >>> 8;
    octets[rdataAt - 1] = length;
    return this.#commit(countOffset, at, taken);
  }

  /** Adds the OPT record (RFC 6891 §6.1) to the additional section; whether it fit. */
  writeEdns(edns: Edns): boolean {
    if (ednsLength(edns) > this.remaining) return false;
    const rdata = ednsRdata(edns.options);
    return this.writeRecord('additional', Name.root, RRType.OPT, edns.udpSize, ednsTtl(edns), rdata);
  }

  /** The message, copied. */
  finish(): Uint8Array {
    return this.#octets.slice(0, this.#at);
  }

  /** Keeps what was written up to `end` and counts it, or takes it back when it exceeds the limit. */
  #commit(countOffset: number, end: number, taken: number): boolean {
    if (end > this.limit - this.#reserved) {
      this.#rollBack(taken);
      return false;
    }
    this.#at = end;
    this.#sectionOffset = countOffset;
    const octets = this.#octets;
    const count = (((octets[countOffset] as number) << 8) | (octets[countOffset + 1] as number)) + 1;
    octets[countOffset] = count >>> 8;
    octets[countOffset + 1] = count;
    return true;
  }

  #rollBack(taken: number): void {
    this.#forget(taken);
    this.#lastOwner = undefined;
  }

  /** Frees the slots taken since; the last one first, so that no probe sequence is cut in its middle. */
  #forget(taken: number): void {
    while (this.#takenCount > taken) this.#slots[this.#taken[--this.#takenCount] as number] = 0;
  }

  #writeOwner(owner: Name, at: number): number {
    // the records of an RRset share their owner; the pointer to it needs no look-up
    if (owner === this.#lastOwner) return this.#writePointer(this.#lastOwnerOffset, at);
    const end = this.#writeName(owner.wire, 0, at);
    const octets = this.#octets;
    const first = octets[at] as number;
    const offset = first < 0xc0 ? at : ((first & 0x3f) << 8) | (octets[at + 1] as number);
    this.#lastOwner = first !== 0 && offset < POINTER_LIMIT ? owner : undefined;
    this.#lastOwnerOffset = offset;
    return end;
  }

  #writePointer(offset: number, at: number): number {
    this.#octets[at] = 0xc0 | (offset >>> 8);
    this.#octets[at + 1] = offset;
    return at + 2;
  }

  /** Writes rdata whose names may be compressed; the octets after the parts are copied. */
  #writeParts(parts: readonly RdataPart[], rdata: Uint8Array, start: number): number {
    let at = start;
    let from = 0;
    for (const part of parts) {
      if (part.kind === 'name' && part.compress) {
        const end = from + Name.wireLength(rdata, from);
        at = this.#writeName(rdata, from, at);
        from = end;
        continue;
      }
      const length = partLength(part, rdata, from);
      at = this.#copy(rdata, from, Math.min(from + length, rdata.length), at);
      from += length;
    }
    return from < rdata.length ? this.#copy(rdata, from, rdata.length, at) : at;
  }

  #copy(source: Uint8Array, from: number, to: number, at: number): number {
    const octets = this.#octets;
    if (to - from <= SMALL) {
      for (let i = from; i < to; i++) octets[at++] = source[i] as number;
      return at;
    }
    octets.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
    return at + to - from;
  }

  /**
   * Writes the name in plain wire format that begins at `from`, and enters its new suffixes into the table. Suffixes
   * are looked up from the root: each is known by its first label and by the offset of the suffix that follows.
   */
  #writeName(wire: Uint8Array, from: number, at: number): number {
    const labels = this.#labels;
    let count = 0;
    let end = from;
    for (let length = wire[end] as number; length !== 0; length = wire[end] as number) {
      labels[count++] = end - from;
      end += length + 1;
    }
    const slots = this.#slots;
    const mask = this.#mask;
    let parent = 0;
    let slot = 0;
    let unknown = count; // labels that have to be written
    while (unknown > 0) {
      const label = from + (labels[unknown - 1] as number);
      slot = hashLabel(wire, label, parent) & mask;
      let found = 0;
      for (let entry = slots[slot] as number; entry !== 0; entry = slots[slot] as number) {
        if (entry >>> 14 === parent && this.#labelIsAt(wire, label, entry & 0x3fff)) {
          found = entry & 0x3fff;
          break;
        }
        slot = (slot + 1) & mask;
      }
      if (found === 0) break;
      parent = found;
      unknown--;
    }
    const stop = unknown === count ? end : from + (labels[unknown] as number);
    const suffix = parent;
    for (let i = unknown - 1; i >= 0; i--) {
      const label = from + (labels[i] as number);
      const offset = at + (labels[i] as number);
      if (offset >= POINTER_LIMIT) break;
      if (i < unknown - 1) {
        slot = hashLabel(wire, label, parent) & mask;
        while (slots[slot] !== 0) slot = (slot + 1) & mask;
      }
      slots[slot] = (parent << 14) | offset;
      this.#taken[this.#takenCount++] = slot;
      parent = offset;
    }
    const octets = this.#octets;
    for (let i = from; i < stop; i++) octets[at++] = wire[i] as number;
    if (suffix !== 0) return this.#writePointer(suffix, at);
    octets[at] = 0;
    return at + 1;
  }

  #labelIsAt(wire: Uint8Array, label: number, offset: number): boolean {
    const octets = this.#octets;
    for (let i = wire[label] as number; i >= 0; i--) if (octets[offset + i] !== wire[label + i]) return false;
    return true;
  }

  #outOfOrder(): never {
    throw new ZonesealError(
      'MESSAGE_INVALID',
      'the sections of a message have to be written in their order',
      {
        reason: 'section order',
      },
    );
  }
}

const partsByType = new Map<number, readonly RdataPart[] | undefined>();

/** The parts of a type's rdata; undefined where nothing in it may be compressed. */
function compressibleParts(type: number): readonly RdataPart[] | undefined {
  if (partsByType.has(type)) return partsByType.get(type);
  const parts = rdataParts(type);
  const compressible = parts?.some((part) => part.kind === 'name' && part.compress) ? parts : undefined;
  partsByType.set(type, compressible);
  return compressible;
}

function partLength(part: RdataPart, rdata: Uint8Array, at: number): number {
  if (part.kind === 'octets') return part.length;
  if (part.kind === 'string') return (rdata[at] ?? 0) + 1;
  return Name.wireLength(rdata, at);
}

/** FNV-1a over a label with its length, begun with the offset of what follows it. */
function hashLabel(wire: Uint8Array, label: number, parent: number): number {
  const end = label + (wire[label] as number);
  let hash = Math.imul(parent + 0x811c, 0x9e3779b1);
  for (let i = label; i <= end; i++) hash = Math.imul(hash ^ (wire[i] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}
