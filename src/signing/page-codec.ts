import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { nsec3Owner } from '../dnssec/nsec3.js';
import { HASH_OCTETS } from '../dnssec/nsec3-table.js';
import {
  expirationOf,
  type RrsigFields,
  rrsigHeaderOctets,
  rrsigLabels,
  writeRrsigHeader,
} from '../dnssec/rrsig.js';
import { ZonesealError } from '../errors.js';
import { nodeKey, type SignedKind, type SignedNode, type SignedRRset } from './signed-node.js';

/**
 * Pages hold signed nodes in order, packed for the database. Big endian, no alignment:
 *
 * | part | octets |
 * | --- | --- |
 * | format | 1: `PAGE_FORMAT` |
 * | keys | 1: count; each: algorithm 1, key tag 2, print 6 |
 * | node | kind 1; its name without the zone's labels: length 1, octets (of NSEC3 records: hash 20, children 4); RRsets 2 |
 * | RRset | type 2, TTL 4, records 2; each: length 2, rdata; signatures 1; each: key 1, inception 4, expiration 4, length 2, octets |
 *
 * What an RRSIG says besides follows from its RRset and key. SOA and ZONEMD of the apex are not in pages: they
 * are of one publication, pages are of many.
 */
export const PAGE_FORMAT = 1;

const KINDS: readonly SignedKind[] = ['apex', 'authoritative', 'delegation', 'occluded', 'nsec3'];
const EMPTY = new Uint8Array();
const CHAIN_KIND = KINDS.indexOf('nsec3');

/** Types at the apex that change with each publication, and so are kept with it. */
export function isOfPublication(kind: SignedKind, type: number): boolean {
  return kind === 'apex' && (type === RRType.SOA || type === RRType.ZONEMD);
}

/** A page that is ready to be stored. */
export interface PackedPage {
  /** Whether it is of the NSEC3 section; else of the names. */
  readonly chain: boolean;
  /** `nodeKey` of its first node. */
  readonly firstKey: Uint8Array;
  /** Whether a node of it is part of the denial chain: not all are occluded. */
  readonly chained: boolean;
  /** When the first of its signatures expires, seconds since 1970; null where nothing in it is signed. */
  readonly expires: number | null;
  readonly content: Uint8Array;
}

/** Packs nodes into one page. @param zone the apex, whose labels are left out of names */
export function packPage(nodes: readonly SignedNode[], zone: Name): PackedPage {
  const first = nodes[0];
  if (first === undefined) throw new TypeError('a page has a node');
  const writer = new PageWriter(zone);
  for (const node of nodes) writer.node(node);
  return {
    chain: first.kind === 'nsec3',
    firstKey: nodeKey(first),
    chained: nodes.some(({ kind }) => kind !== 'occluded'),
    expires: firstExpiry(nodes),
    content: writer.finish(),
  };
}

/** When the first signature of nodes expires, seconds since 1970; null where there is none that pages hold. */
export function firstExpiry(nodes: readonly SignedNode[]): number | null {
  let first: number | null = null;
  for (const { kind, rrsets } of nodes) {
    for (const { rrset, signatures } of rrsets) {
      if (isOfPublication(kind, rrset.type)) continue;
      for (const rdata of signatures) {
        const expiration = expirationOf(rdata);
        if (first === null || expiration < first) first = expiration;
      }
    }
  }
  return first;
}

/** What a node takes in a page, about: for deciding where one ends. */
export function packedOctets({ name, rrsets }: SignedNode): number {
  let octets = 6 + name.wire.length;
  for (const { rrset, signatures } of rrsets) {
    octets += 9;
    for (const rdata of rrset.rdata) octets += 2 + rdata.length;
    for (const rdata of signatures) octets += rdata.length;
  }
  return octets;
}

/** A key as the page that has signatures of it names it. */
interface PageKey {
  readonly algorithm: number;
  readonly tag: number;
  readonly print: number;
}

function isKey(key: PageKey, algorithm: number, tag: number, print: number): boolean {
  return key.print === print && key.algorithm === algorithm && key.tag === tag;
}

/** A node as a page has it: put into another page as the octets that it is there. */
class StoredNode implements SignedNode {
  readonly name: Name;
  readonly kind: SignedKind;
  readonly hash: Uint8Array | undefined;
  readonly children: number;
  readonly rrsets: readonly SignedRRset[];
  // private, so that no copy with other RRsets has it
  readonly #place: Place;

  constructor({ name, kind, hash, children, rrsets }: SignedNode, place: Place) {
    this.name = name;
    this.kind = kind;
    this.hash = hash;
    this.children = children;
    this.rrsets = rrsets;
    this.#place = place;
  }

  get place(): Place {
    return this.#place;
  }
}

/** Where a node is in a page. */
interface Place {
  readonly page: Uint8Array;
  readonly from: number;
  readonly to: number;
  /** That the page names. */
  readonly keys: readonly PageKey[];
}

/** Room for a page while it is put together; nothing is kept in it between calls. */
let scratch = Buffer.allocUnsafe(24_576);

class PageWriter {
  readonly #zone: Name;
  readonly #keys: PageKey[] = [];
  /** The keys of another page that this one names in the same way. */
  #like: readonly PageKey[] | undefined;
  #octets = scratch;
  #length = 0;

  constructor(zone: Name) {
    this.#zone = zone;
  }

  node(node: SignedNode): void {
    if (node instanceof StoredNode) {
      const { page, from, to, keys } = node.place;
      if (this.#namesLike(keys)) {
        this.#put(page, from, to);
        return;
      }
    }
    const { name, kind, hash, children, rrsets } = node;
    const code = KINDS.indexOf(kind);
    this.#uint8(code);
    if (code === CHAIN_KIND) {
      this.#put(hash as Uint8Array);
      this.#uint32(children);
    } else {
      const own = name.wire.length - this.#zone.wire.length;
      this.#uint8(own);
      this.#put(name.wire, 0, own);
    }
    const kept = kind === 'apex' ? rrsets.filter(({ rrset }) => !isOfPublication(kind, rrset.type)) : rrsets;
    this.#uint16(kept.length);
    for (const signed of kept) this.#rrset(signed);
  }

  /** Whether this page names keys by the same numbers as another one, from now on if need be. */
  #namesLike(keys: readonly PageKey[]): boolean {
    if (keys === this.#like) return true;
    const own = this.#keys;
    for (let i = 0; i < keys.length && i < own.length; i++) {
      const { algorithm, tag, print } = keys[i] as PageKey;
      if (!isKey(own[i] as PageKey, algorithm, tag, print)) return false;
    }
    for (let i = own.length; i < keys.length; i++) own.push(keys[i] as PageKey);
    this.#like = keys;
    return true;
  }

  finish(): Uint8Array {
    const head = Buffer.alloc(2 + 9 * this.#keys.length);
    head[0] = PAGE_FORMAT;
    head[1] = this.#keys.length;
    this.#keys.forEach(({ algorithm, tag, print }, i) => {
      head.writeUInt8(algorithm, 2 + 9 * i);
      head.writeUInt16BE(tag, 3 + 9 * i);
      head.writeUIntBE(print, 5 + 9 * i, 6);
    });
    return Buffer.concat([head, this.#octets.subarray(0, this.#length)]);
  }

  #rrset({ rrset, signatures, prints }: SignedRRset): void {
    this.#uint16(rrset.type);
    this.#uint32(rrset.ttl);
    this.#uint16(rrset.rdata.length);
    for (const rdata of rrset.rdata) {
      this.#uint16(rdata.length);
      this.#put(rdata);
    }
    this.#uint8(signatures.length);
    for (let i = 0; i < signatures.length; i++) {
      const rdata = signatures[i] as Uint8Array;
      this.#uint8(this.#key(rdata, prints[i] as number));
      this.#put(rdata, 12, 16);
      this.#put(rdata, 8, 12);
      const signature = 18 + this.#zone.wire.length;
      this.#uint16(rdata.length - signature);
      this.#put(rdata, signature);
    }
  }

  #key(rdata: Uint8Array, print: number): number {
    const algorithm = rdata[2] as number;
    const tag = ((rdata[16] as number) << 8) | (rdata[17] as number);
    for (let i = 0; i < this.#keys.length; i++)
      if (isKey(this.#keys[i] as PageKey, algorithm, tag, print)) return i;
    if (this.#keys.length === 0xff) throw new RangeError('a page has signatures of 255 keys at most');
    return this.#keys.push({ algorithm, tag, print }) - 1;
  }

  #uint8(value: number): void {
    this.#grow(1);
    this.#octets[this.#length++] = value;
  }

  #uint16(value: number): void {
    this.#uint8(value >>> 8);
    this.#uint8(value);
  }

  #uint32(value: number): void {
    this.#uint16(value >>> 16);
    this.#uint16(value);
  }

  #put(octets: Uint8Array, from = 0, to = octets.length): void {
    this.#grow(to - from);
    const target = this.#octets;
    let at = this.#length;
    // what is short costs less octet by octet than a view of it would
    if (to - from <= 128) for (let i = from; i < to; i++) target[at++] = octets[i] as number;
    else target.set(octets.subarray(from, to), at);
    this.#length += to - from;
  }

  #grow(size: number): void {
    if (this.#length + size <= this.#octets.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#octets.length, this.#length + size));
    larger.set(this.#octets.subarray(0, this.#length));
    this.#octets = larger;
    // a page is larger than most only where a node is
    if (larger.length <= 1024 * 1024) scratch = larger;
  }
}

/**
 * The nodes of a page; their rdata are views into it.
 * @throws ZonesealError PAGE_INVALID when it is cut off or of a format that this release does not know
 */
export function unpackPage(content: Uint8Array, zone: Name): SignedNode[] {
  try {
    return new PageReader(content, zone).nodes();
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'PAGE_INVALID') throw error;
    throw invalid('it is damaged', error);
  }
}

class PageReader {
  readonly #zone: Name;
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #keys: PageKey[] = [];
  #prints: readonly number[] = [];
  #at = 0;
  #room = EMPTY;
  #roomAt = 0;

  constructor(octets: Uint8Array, zone: Name) {
    this.#zone = zone;
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  nodes(): SignedNode[] {
    const format = this.#uint8();
    if (format !== PAGE_FORMAT) {
      throw invalid(
        `it is of format ${format}, and this release knows ${PAGE_FORMAT}: run the newer release`,
      );
    }
    const keys = this.#uint8();
    for (let i = 0; i < keys; i++) {
      const algorithm = this.#uint8();
      const tag = this.#uint16();
      this.#keys.push({ algorithm, tag, print: this.#uint16() * 2 ** 32 + this.#uint32() });
    }
    const nodes: SignedNode[] = [];
    while (this.#at < this.#octets.length) nodes.push(this.#node());
    return nodes;
  }

  #node(): SignedNode {
    const from = this.#at;
    const code = this.#uint8();
    const kind = KINDS[code];
    if (kind === undefined) throw invalid(`it has a node of kind ${code}`);
    let name: Name;
    let hash: Uint8Array | undefined;
    let children = 0;
    if (code === CHAIN_KIND) {
      hash = this.#take(HASH_OCTETS);
      children = this.#uint32();
      name = nsec3Owner(hash, this.#zone);
    } else {
      name = this.#name(this.#uint8());
    }
    const count = this.#count(this.#uint16());
    const rrsets = new Array<SignedRRset>(count);
    for (let i = 0; i < count; i++) rrsets[i] = this.#rrset(name);
    const place = { page: this.#octets, from, to: this.#at, keys: this.#keys };
    return new StoredNode({ name, kind, hash, children, rrsets }, place);
  }

  #name(own: number): Name {
    if (own === 0) return this.#zone;
    const wire = new Uint8Array(own + this.#zone.wire.length);
    wire.set(this.#take(own));
    wire.set(this.#zone.wire, own);
    return Name.fromWire(wire);
  }

  #rrset(owner: Name): SignedRRset {
    const type = this.#uint16();
    const ttl = this.#uint32();
    const records = this.#count(this.#uint16());
    const rdata = new Array<Uint8Array>(records);
    for (let i = 0; i < records; i++) rdata[i] = this.#take(this.#uint16());
    const rrset: RRset = { owner, type, ttl, rdata };
    const count = this.#uint8();
    const signatures = new Array<Uint8Array>(count);
    const prints = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      const key = this.#keys[this.#uint8()];
      if (key === undefined) throw invalid('it has a signature of a key that it does not name');
      const inception = this.#uint32();
      const expiration = this.#uint32();
      const fields = {
        typeCovered: type,
        algorithm: key.algorithm,
        labels: rrsigLabels(owner),
        originalTtl: ttl,
        expiration,
        inception,
        keyTag: key.tag,
        signer: this.#zone,
      };
      signatures[i] = this.#rrsig(fields, this.#uint16());
      prints[i] = key.print;
    }
    return { rrset, signatures, prints: this.#shared(prints) };
  }

  /** Most RRsets of a page are signed by the same keys. */
  #shared(prints: readonly number[]): readonly number[] {
    const before = this.#prints;
    if (before.length === prints.length && prints.every((print, i) => print === before[i])) return before;
    this.#prints = prints;
    return prints;
  }

  /** A number of things that there are, which have an octet at the least. */
  #count(count: number): number {
    if (this.#at + count > this.#octets.length) throw invalid('it is cut off');
    return count;
  }

  /** RRSIG rdata in room that those of a page share: an array for each is what the collector would be busy with. */
  #rrsig(fields: RrsigFields, length: number): Uint8Array {
    const signature = this.#at;
    const end = signature + length;
    if (end > this.#octets.length) throw invalid('it is cut off');
    const size = rrsigHeaderOctets(fields.signer) + length;
    if (this.#roomAt + size > this.#room.length) {
      this.#room = new Uint8Array(Math.max(size, this.#octets.length));
      this.#roomAt = 0;
    }
    const from = this.#roomAt;
    const at = writeRrsigHeader(this.#room, from, fields);
    const room = this.#room;
    for (let i = 0; i < length; i++) room[at + i] = this.#octets[signature + i] as number;
    this.#at = end;
    this.#roomAt = from + size;
    return room.subarray(from, this.#roomAt);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#octets.length) throw invalid('it is cut off');
    const octets = this.#octets.subarray(this.#at, end);
    this.#at = end;
    return octets;
  }

  #uint8(): number {
    return this.#view.getUint8(this.#at++);
  }

  #uint16(): number {
    const value = this.#view.getUint16(this.#at);
    this.#at += 2;
    return value;
  }

  #uint32(): number {
    const value = this.#view.getUint32(this.#at);
    this.#at += 4;
    return value;
  }
}

function invalid(reason: string, cause?: unknown): ZonesealError {
  return new ZonesealError(
    'PAGE_INVALID',
    `a page of signed records cannot be read: ${reason}`,
    { reason },
    { cause },
  );
}
