import { createHash, type Hash } from 'node:crypto';
import { Name } from '../dns/name.js';
import { canonicalRdata, compareOctets } from '../dns/rdata/index.js';
import type { RRset } from '../dns/record.js';
import { RRClass, RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';

/** The one scheme, and the hash algorithm used (RFC 8976 §2.2.2, §2.2.3). */
export const ZONEMD_SIMPLE = 1;
export const ZONEMD_SHA384 = 1;
export const ZONEMD_SHA384_OCTETS = 48;

/** All RRsets of one owner in a stream, its RRSIGs included (as any number of RRsets, their TTLs may differ). */
export interface OwnerRecords {
  readonly name: Name;
  readonly rrsets: readonly RRset[];
}

/** ZONEMD rdata (RFC 8976 §2.2) with scheme SIMPLE and SHA-384. */
export function zonemdRdata(serial: number, digest: Uint8Array): Uint8Array {
  const rdata = new Uint8Array(6 + digest.length);
  new DataView(rdata.buffer).setUint32(0, serial);
  rdata[4] = ZONEMD_SIMPLE;
  rdata[5] = ZONEMD_SHA384;
  rdata.set(digest, 6);
  return rdata;
}

/** Octets gathered before the hash sees them: a call for each record would cost more than the hashing. */
const BUFFER_OCTETS = 64 * 1024;

/** A record in canonical form before it is known which comes first. */
interface Canonical {
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

/**
 * The digest of a zone (RFC 8976 §3.3, scheme SIMPLE, SHA-384): every record in canonical form, owners in canonical order,
 * then types, then rdata. Left out are the ZONEMD RRset of the apex and the RRSIGs that cover it; glue and occluded
 * data are part of it.
 */
export class ZonemdDigest {
  readonly #apex: Name;
  readonly #hash: Hash = createHash('sha384');
  readonly #buffer = new Uint8Array(BUFFER_OCTETS);
  #filled = 0;
  #previous: Name | undefined;

  constructor(apex: Name) {
    this.#apex = apex;
  }

  /**
   * Takes all records of the next owner; RRsets in any order, RRSIGs among them.
   * @throws ZonesealError ZONE_INVALID when owners are not in canonical order
   */
  addOwner(owner: OwnerRecords): void {
    const { name } = owner;
    if (this.#previous !== undefined && this.#previous.compare(name) >= 0) {
      const zone = this.#apex.toString();
      const reason = `${name.toString()} comes after ${this.#previous.toString()}, which is not the canonical order`;
      throw new ZonesealError(
        'ZONE_INVALID',
        `zone ${zone}: the zone digest needs owners in order: ${reason}`,
        {
          zone,
          owner: name.toString(),
          reason,
        },
      );
    }
    this.#previous = name;
    const wire = name.toLower().wire;
    const isApex = name.equals(this.#apex);
    const rrsets = isApex ? withoutZonemd(owner.rrsets) : owner.rrsets;
    for (const [type, records] of byType(rrsets)) {
      for (const record of records) this.#addRecord(wire, type, record);
    }
  }

  /** The digest, 48 octets; no further owners can be added. */
  digest(): Uint8Array {
    this.#flush();
    return this.#hash.digest();
  }

  #addRecord(owner: Uint8Array, type: number, { ttl, rdata }: Canonical): void {
    const size = owner.length + 10 + rdata.length;
    if (this.#filled + size > BUFFER_OCTETS) this.#flush();
    const buffer = size > BUFFER_OCTETS ? new Uint8Array(size) : this.#buffer;
    let at = buffer === this.#buffer ? this.#filled : 0;
    buffer.set(owner, at);
    at += owner.length;
    buffer[at++] = type >> 8;
    buffer[at++] = type & 0xff;
    buffer[at++] = 0;
    buffer[at++] = RRClass.IN;
    buffer[at++] = ttl >>> 24;
    buffer[at++] = (ttl >> 16) & 0xff;
    buffer[at++] = (ttl >> 8) & 0xff;
    buffer[at++] = ttl & 0xff;
    buffer[at++] = rdata.length >> 8;
    buffer[at++] = rdata.length & 0xff;
    buffer.set(rdata, at);
    if (buffer === this.#buffer) this.#filled = at + rdata.length;
    else this.#hash.update(buffer);
  }

  #flush(): void {
    // a copy is not needed: update reads the octets before it returns
    this.#hash.update(this.#buffer.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** The records of one owner grouped by ascending type, each group in canonical rdata order without duplicates. */
function byType(rrsets: readonly RRset[]): [number, Canonical[]][] {
  const groups = new Map<number, Canonical[]>();
  for (const { type, ttl, rdata } of rrsets) {
    const group = groups.get(type) ?? [];
    for (const octets of rdata) group.push({ ttl, rdata: canonicalRdata(type, octets) });
    groups.set(type, group);
  }
  for (const [type, group] of groups) {
    if (group.length < 2) continue;
    group.sort((a, b) => compareOctets(a.rdata, b.rdata));
    const distinct = group.filter(
      (r, i) => i === 0 || compareOctets((group[i - 1] as Canonical).rdata, r.rdata) !== 0,
    );
    groups.set(type, distinct);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** The apex's RRsets without ZONEMD and without the RRSIGs that cover it (RFC 8976 §3.3.1). */
function withoutZonemd(rrsets: readonly RRset[]): RRset[] {
  const kept: RRset[] = [];
  for (const rrset of rrsets) {
    if (rrset.type === RRType.ZONEMD) continue;
    if (rrset.type !== RRType.RRSIG) {
      kept.push(rrset);
      continue;
    }
    const rdata = rrset.rdata.filter(
      (octets) => (((octets[0] as number) << 8) | (octets[1] as number)) !== RRType.ZONEMD,
    );
    if (rdata.length > 0) kept.push({ ...rrset, rdata });
  }
  return kept;
}
