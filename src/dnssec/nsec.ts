import { lowerOctet, type Name, writeLower } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { provenTypes, type ZoneNode } from '../zone/node.js';
import { BitmapPool } from './bitmap.js';

/** More kinds of names than a zone usually has. */
const POOLED_BITMAPS = 1024;

const NONE: readonly number[] = [];

/** What an NSEC chain needs to know of its zone. */
export interface NsecOptions {
  readonly apex: Name;
  /** Seconds: the lesser of the SOA's TTL and its minimum field (RFC 9077 §3). */
  readonly ttl: number;
}

/** An owner whose NSEC waits for the name of its successor. */
interface Waiting {
  readonly node: ZoneNode;
  readonly extraTypes: readonly number[];
}

/**
 * The NSEC chain of a zone, made while its nodes stream by (RFC 4034 §4, RFC 4035 §2.3): a record for each name with
 * authoritative data or a delegation, none for empty non-terminals and occluded names, the last pointing to the apex.
 * Next names are written in lower case, so that a secondary which rebuilds NSEC records from its own index of names
 * (PowerDNS) comes to the octets that were signed.
 */
export class NsecChain {
  readonly #apex: Name;
  readonly #ttl: number;
  readonly #bitmaps = new BitmapPool(POOLED_BITMAPS);
  #waiting: Waiting | undefined;

  constructor(options: NsecOptions) {
    this.#apex = options.apex;
    this.#ttl = options.ttl;
  }

  /**
   * Takes the next node and returns the NSEC RRset of the owner before it, now that its successor is known; undefined for
   * the apex, which comes first, and for occluded nodes, which are not part of the chain. `extraTypes` are types that
   * the node will have but that are not among its RRsets yet (ZONEMD, say).
   * @param known the NSEC of the owner before it as it was made elsewhere of the same types: what is returned where it still holds
   * @throws ZonesealError ZONE_INVALID when nodes are not in canonical order or the apex is not the first
   */
  push(node: ZoneNode, extraTypes = NONE, known?: RRset): RRset | undefined {
    if (node.kind === 'occluded') return undefined;
    const previous = this.#waiting;
    if (previous === undefined) {
      if (!node.name.equals(this.#apex))
        throw this.#broken(`begins at ${node.name.toString()} and not at the apex`);
    } else if (previous.node.name.compare(node.name) >= 0) {
      throw this.#broken(
        `has ${node.name.toString()} after ${previous.node.name.toString()}, which is not the canonical order`,
      );
    }
    this.#waiting = { node, extraTypes };
    return previous && this.#close(previous, node.name, known);
  }

  /**
   * The NSEC RRset of the last owner, which closes the circle at the apex.
   * @param known as for `push`
   * @throws ZonesealError ZONE_INVALID when there was no node
   */
  finish(known?: RRset): RRset {
    const last = this.#waiting;
    if (last === undefined) throw this.#broken('has no apex');
    this.#waiting = undefined;
    return this.#close(last, this.#apex, known);
  }

  #close({ node, extraTypes }: Waiting, next: Name, known: RRset | undefined): RRset {
    if (known?.ttl === this.#ttl && pointsTo(known, next)) return known;
    const bitmap = this.#bitmaps.encode(nsecTypes(node, extraTypes));
    return { owner: node.name, type: RRType.NSEC, ttl: this.#ttl, rdata: [nsecRdata(next, bitmap)] };
  }

  #broken(reason: string): ZonesealError {
    const zone = this.#apex.toString();
    return new ZonesealError('ZONE_INVALID', `zone ${zone}: the NSEC chain ${reason}`, { zone, reason });
  }
}

/** Whether the next name of an NSEC is just this one, in lower case. */
function pointsTo({ rdata }: RRset, { wire }: Name): boolean {
  const octets = rdata[0] as Uint8Array;
  // a name ends at its root label, so that no other begins with its octets
  for (let i = 0; i < wire.length; i++) if (octets[i] !== lowerOctet(wire[i] as number)) return false;
  return true;
}

/** The types that the NSEC of a node proves (RFC 4035 §2.3). `extraTypes` are those that are not among its RRsets yet. */
export function nsecTypes(
  node: Pick<ZoneNode, 'kind' | 'rrsets'>,
  extraTypes: readonly number[] = [],
): number[] {
  const types = provenTypes(node);
  types.push(RRType.RRSIG, RRType.NSEC);
  for (const type of extraTypes) types.push(type);
  return types;
}

/** NSEC rdata (RFC 4034 §4.1): the next name in lower case, then a type bitmap. */
export function nsecRdata(next: Name, bitmap: Uint8Array): Uint8Array {
  const rdata = new Uint8Array(next.wire.length + bitmap.length);
  rdata.set(bitmap, writeLower(rdata, 0, next.wire));
  return rdata;
}
