import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { isOfPublication } from '../signing/page-codec.js';
import type { SignedNode, SignedRRset } from '../signing/signed-node.js';
import { recordChanges, sameContent } from '../zone/diff.js';
import type { JournalPart, JournalSize } from './ports.js';

/**
 * The journal of a publication: the records that it took away and put in, RRSIGs among them, the SOA and what
 * covers it not. A part is records one after the other: owner as wire name, type 2, TTL 4, length 2, rdata. Big endian.
 */
const RECORD_HEADER = 8;

/** Octets at which a part ends. */
const PART_OCTETS = 64 * 1024;

/** Collects the differences between nodes that stand for one name into the parts of a journal. */
export class JournalWriter {
  readonly #sides = { removed: new Side(false), added: new Side(true) };

  /** Notes what differs between a node and the one that takes its place; undefined: there is none. */
  add(before: SignedNode | undefined, after: SignedNode | undefined): void {
    const old = keptRRsets(before);
    const young = keptRRsets(after);
    for (let i = 0, j = 0; i < old.length || j < young.length; ) {
      const a = old[i];
      const b = young[j];
      const order = a === undefined ? 1 : b === undefined ? -1 : a.rrset.type - b.rrset.type;
      this.#differ(order <= 0 ? a : undefined, order >= 0 ? b : undefined);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
  }

  /** What has been noted. */
  get size(): JournalSize {
    const { removed, added } = this.#sides;
    return { removed: removed.count, added: added.count, octets: removed.octets + added.octets };
  }

  /** Octets by which the zone has grown; negative when it has shrunk. */
  get growth(): number {
    return this.#sides.added.octets - this.#sides.removed.octets;
  }

  /** The parts that are full, or all of them. */
  take(all: boolean): JournalPart[] {
    return [...this.#sides.removed.take(all), ...this.#sides.added.take(all)];
  }

  #differ(before: SignedRRset | undefined, after: SignedRRset | undefined): void {
    this.#note(before?.rrset, after?.rrset);
    const a = before && signaturesOf(before);
    const b = after && signaturesOf(after);
    if (a !== undefined || b !== undefined) this.#note(a, b);
  }

  #note(before: RRset | undefined, after: RRset | undefined): void {
    if (before !== undefined && after !== undefined) {
      if (sameContent(before, after)) return;
      const changes = recordChanges({ kind: 'changed', before, after });
      if (changes.removed !== undefined) this.#sides.removed.add(changes.removed);
      if (changes.added !== undefined) this.#sides.added.add(changes.added);
      return;
    }
    if (before !== undefined) this.#sides.removed.add(before);
    if (after !== undefined) this.#sides.added.add(after);
  }
}

class Side {
  readonly #isAdded: boolean;
  #parts = 0;
  #pieces: Uint8Array[] = [];
  #length = 0;
  count = 0;
  octets = 0;
  readonly #full: JournalPart[] = [];

  constructor(isAdded: boolean) {
    this.#isAdded = isAdded;
  }

  add({ owner, type, ttl, rdata }: RRset): void {
    for (const octets of rdata) {
      const record = new Uint8Array(owner.wire.length + RECORD_HEADER + octets.length);
      record.set(owner.wire);
      const view = new DataView(record.buffer, owner.wire.length);
      view.setUint16(0, type);
      view.setUint32(2, ttl);
      view.setUint16(6, octets.length);
      record.set(octets, owner.wire.length + RECORD_HEADER);
      this.#pieces.push(record);
      this.#length += record.length;
      this.octets += record.length;
      this.count++;
      if (this.#length >= PART_OCTETS) this.#end();
    }
  }

  take(all: boolean): JournalPart[] {
    if (all && this.#length > 0) this.#end();
    return this.#full.splice(0);
  }

  #end(): void {
    this.#full.push({ added: this.#isAdded, part: this.#parts++, content: Buffer.concat(this.#pieces) });
    this.#pieces = [];
    this.#length = 0;
  }
}

/** Octets of the records of a node as a journal would hold them: for comparing a difference with the zone. */
export function recordOctets({ name, rrsets }: Pick<SignedNode, 'name' | 'rrsets'>): number {
  const each = name.wire.length + RECORD_HEADER;
  let octets = 0;
  for (const { rrset, signatures } of rrsets) {
    for (const rdata of rrset.rdata) octets += each + rdata.length;
    for (const rdata of signatures) octets += each + rdata.length;
  }
  return octets;
}

/** The records of a part of a journal, an RRset each. @throws ZonesealError PAGE_INVALID when it is damaged */
export function* readJournal(content: Uint8Array): Generator<RRset, void, undefined> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  try {
    for (let at = 0; at < content.length; ) {
      const owner = Name.readWire(content, at);
      at += owner.wire.length;
      const end = at + RECORD_HEADER + view.getUint16(at + 6);
      if (end > content.length) throw new RangeError('it is cut off');
      const rdata = content.subarray(at + RECORD_HEADER, end);
      yield { owner, type: view.getUint16(at), ttl: view.getUint32(at + 2), rdata: [rdata] };
      at = end;
    }
  } catch (cause) {
    if (cause instanceof ZonesealError && cause.code !== 'NAME_INVALID') throw cause;
    throw new ZonesealError(
      'PAGE_INVALID',
      'a part of a journal cannot be read: it is damaged',
      {},
      { cause },
    );
  }
}

function keptRRsets(node: SignedNode | undefined): readonly SignedRRset[] {
  if (node?.kind !== 'apex') return node?.rrsets ?? [];
  return node.rrsets.filter(({ rrset }) => !isOfPublication(node.kind, rrset.type));
}

function signaturesOf({ rrset, signatures }: SignedRRset): RRset | undefined {
  if (signatures.length === 0) return undefined;
  return { owner: rrset.owner, type: RRType.RRSIG, ttl: rrset.ttl, rdata: signatures };
}
