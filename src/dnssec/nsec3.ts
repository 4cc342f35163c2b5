import { hash } from 'node:crypto';
import { lowerOctets, Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { isInsecureDelegation, provenTypes, type ZoneNode } from '../zone/node.js';
import { base32hex } from './base32hex.js';
import { BitmapPool } from './bitmap.js';
import { HASH_OCTETS, Nsec3Table } from './nsec3-table.js';

/** The NSEC3 hash algorithm number of SHA-1, the only one there is (RFC 5155 §11). */
export const NSEC3_SHA1 = 1;
/** The opt-out flag of an NSEC3 record (RFC 5155 §3.1.2.1). */
export const NSEC3_OPT_OUT = 0x01;

/** The parameters that hashed owner names depend on. */
export interface Nsec3Parameters {
  /** Additional iterations, 0 to 65,535 (0 recommended, RFC 9276 §3.1). */
  readonly iterations: number;
  /** 0 to 255 octets (none recommended, RFC 9276 §3.1). */
  readonly salt: Uint8Array;
}

/** What an NSEC3 chain needs to know of its zone. */
export interface Nsec3Options extends Nsec3Parameters {
  readonly apex: Name;
  readonly optOut: boolean;
  /** Seconds: the lesser of the SOA's TTL and its minimum field (RFC 9077 §3). */
  readonly ttl: number;
  /** Stands in for `nsec3Hash` where a test needs a collision. */
  readonly hash?: (name: Name) => Uint8Array;
}

/** The hashed form of a name (RFC 5155 §5): SHA-1 over the lower-cased wire name and the salt, then iterated. 20 octets. */
export function nsec3Hash(name: Name, { iterations, salt }: Nsec3Parameters): Uint8Array {
  let digest = sha1(withSalt(lowerOctets(name.wire), salt));
  for (let i = 0; i < iterations; i++) digest = sha1(withSalt(digest, salt));
  return digest;
}

function withSalt(octets: Uint8Array, salt: Uint8Array): Uint8Array {
  if (salt.length === 0) return octets;
  const salted = new Uint8Array(octets.length + salt.length);
  salted.set(octets);
  salted.set(salt, octets.length);
  return salted;
}

/** SHA-1 of a few octets. A digest that comes as a string costs a quarter of one that comes as a buffer. */
function sha1(octets: Uint8Array): Uint8Array {
  const text = hash('sha1', octets, 'binary');
  const digest = new Uint8Array(HASH_OCTETS);
  for (let i = 0; i < HASH_OCTETS; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

/** The owner of the NSEC3 record of a hash: its base32hex label before the apex (RFC 5155 §3). */
export function nsec3Owner(hash: Uint8Array, apex: Name): Name {
  const label = base32hex(hash);
  const wire = new Uint8Array(1 + label.length + apex.wire.length);
  wire[0] = label.length;
  wire.set(label, 1);
  wire.set(apex.wire, 1 + label.length);
  return Name.fromWire(wire);
}

/** NSEC3PARAM rdata (RFC 5155 §4): the flags are zero, opt-out or not. */
export function nsec3ParamRdata({ iterations, salt }: Nsec3Parameters): Uint8Array {
  const rdata = new Uint8Array(5 + salt.length);
  rdata.set([NSEC3_SHA1, 0, iterations >> 8, iterations & 0xff, salt.length]);
  rdata.set(salt, 5);
  return rdata;
}

/** NSEC3 rdata (RFC 5155 §3.2). */
export function nsec3Rdata(
  parameters: Nsec3Parameters,
  flags: number,
  next: Uint8Array,
  bitmap: Uint8Array,
): Uint8Array {
  const { iterations, salt } = parameters;
  const rdata = new Uint8Array(6 + salt.length + next.length + bitmap.length);
  rdata.set([NSEC3_SHA1, flags, iterations >> 8, iterations & 0xff, salt.length]);
  rdata.set(salt, 5);
  rdata[5 + salt.length] = next.length;
  rdata.set(next, 6 + salt.length);
  rdata.set(bitmap, 6 + salt.length + next.length);
  return rdata;
}

/** The next hash and the bitmap in NSEC3 rdata. */
export function splitNsec3(rdata: Uint8Array): { next: Uint8Array; bitmap: Uint8Array } {
  const at = 5 + (rdata[4] as number);
  const end = at + 1 + (rdata[at] as number);
  return { next: rdata.subarray(at + 1, end), bitmap: rdata.subarray(end) };
}

/** One record of a chain. */
export interface Nsec3Entry {
  readonly hash: Uint8Array;
  /** Names of the chain directly below the one that was hashed: an empty non-terminal with none has no place in it. */
  readonly children: number;
  readonly rrset: RRset;
}

/** A name of the chain, and its number in the table. */
interface Entered {
  readonly name: Name;
  readonly entry: number;
}

/** Whether a node has an NSEC3 record (RFC 5155 §7.1): with opt-out, insecure delegations have none (§6). */
export function hasNsec3(node: ZoneNode, optOut: boolean): boolean {
  return node.kind !== 'occluded' && !(optOut && isInsecureDelegation(node));
}

/** The types that the NSEC3 of a node proves (RFC 5155 §7.1). `extraTypes` are those that are not among its RRsets yet. */
export function nsec3Types(node: ZoneNode, extraTypes: readonly number[] = []): number[] {
  const types = [...provenTypes(node), ...extraTypes];
  // an insecure delegation has nothing that is signed at its own name
  if (!isInsecureDelegation(node)) types.push(RRType.RRSIG);
  return types;
}

/**
 * The NSEC3 chain of a zone (RFC 5155 §7.1): nodes are added in canonical order, then the records come out in hash order,
 * which is the canonical order of their owners. Empty non-terminals are found on the way. With opt-out, insecure
 * delegations are left out, and the empty non-terminals that exist only for them. Some 36 octets of memory a name.
 */
export class Nsec3Chain {
  readonly #options: Nsec3Options;
  readonly #hash: (name: Name) => Uint8Array;
  readonly #table = new Nsec3Table();
  readonly #bitmaps = new BitmapPool(Number.POSITIVE_INFINITY);
  #previous: Name | undefined;
  /** The name entered last and those it lies under. */
  readonly #line: Entered[] = [];

  /** @throws ZonesealError ZONE_INVALID when the iterations or the salt are out of range */
  constructor(options: Nsec3Options) {
    this.#options = options;
    this.#hash = options.hash ?? ((name) => nsec3Hash(name, options));
    const { iterations, salt } = options;
    if (!Number.isInteger(iterations) || iterations < 0 || iterations > 0xffff) {
      throw this.#broken('needs 0 to 65,535 iterations');
    }
    if (salt.length > 255) throw this.#broken('needs a salt of at most 255 octets');
  }

  /** How many records the chain has so far. */
  get size(): number {
    return this.#table.size;
  }

  /**
   * Takes the next node. `extraTypes` are types that the node will have but that are not among its RRsets yet
   * (NSEC3PARAM, ZONEMD).
   * @throws ZonesealError ZONE_INVALID when nodes are not in canonical order or the apex is not the first
   */
  add(node: ZoneNode, extraTypes: readonly number[] = []): void {
    if (node.kind === 'occluded') return;
    const { apex, optOut } = this.#options;
    const previous = this.#previous;
    if (previous === undefined) {
      if (!node.name.equals(apex))
        throw this.#broken(`begins at ${node.name.toString()} and not at the apex`);
    } else if (previous.compare(node.name) >= 0) {
      throw this.#broken(
        `has ${node.name.toString()} after ${previous.toString()}, which is not the canonical order`,
      );
    }
    if (!hasNsec3(node, optOut)) return;
    this.#previous = node.name;
    this.#enter(node.name, this.#bitmaps.encode(nsec3Types(node, extraTypes)));
  }

  /**
   * The NSEC3 RRsets in hash order, made one by one as they are asked for. The chain takes no further nodes.
   * @throws ZonesealError ZONE_INVALID when two names have the same hash (RFC 5155 §7.1) or there was no node
   */
  *finish(): Generator<Nsec3Entry, void, undefined> {
    const { apex, optOut, ttl } = this.#options;
    const table = this.#table;
    if (table.size === 0) throw this.#broken('has no apex');
    const order = table.sort();
    if (order === undefined) throw this.#broken('has two names with the same hash; choose another salt');
    const flags = optOut ? NSEC3_OPT_OUT : 0;
    for (let i = 0; i < order.length; i++) {
      const entry = order[i] as number;
      const next = order[i + 1 < order.length ? i + 1 : 0] as number;
      const rdata = nsec3Rdata(this.#options, flags, table.hash(next), table.bitmap(entry));
      const hash = table.hash(entry).slice();
      const rrset = { owner: nsec3Owner(hash, apex), type: RRType.NSEC3, ttl, rdata: [rdata] };
      yield { hash, children: table.children(entry), rrset };
    }
  }

  /**
   * Enters a name and the empty non-terminals above it that are new (RFC 5155 §7.1): in canonical order an ancestor comes
   * before its descendants, so the names that this one lies under are the end of the line of those entered last.
   */
  #enter(name: Name, bitmap: Uint8Array): void {
    const line = this.#line;
    while (line.length > 0 && !name.isAtOrBelow((line.at(-1) as Entered).name)) line.pop();
    const above = line.at(-1)?.name.labelCount ?? name.labelCount - 1;
    for (let labels = above + 1; labels < name.labelCount; labels++) {
      this.#enterOne(name.parent(name.labelCount - labels), EMPTY);
    }
    this.#enterOne(name, bitmap);
  }

  #enterOne(name: Name, bitmap: Uint8Array): void {
    const parent = this.#line.at(-1);
    if (parent !== undefined) this.#table.addChild(parent.entry);
    this.#line.push({ name, entry: this.#table.add(this.#hash(name), bitmap) });
  }

  #broken(reason: string): ZonesealError {
    const zone = this.#options.apex.toString();
    return new ZonesealError('ZONE_INVALID', `zone ${zone}: the NSEC3 chain ${reason}`, { zone, reason });
  }
}

const EMPTY = new Uint8Array(0);
