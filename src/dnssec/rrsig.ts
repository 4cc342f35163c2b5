import { lowerOctets, Name, writeLower } from '../dns/name.js';
import { canonicalRdata, compareOctets } from '../dns/rdata/index.js';
import type { RRset } from '../dns/record.js';
import { RRClass } from '../dns/types.js';
import { ZonesealError } from '../errors.js';

/** The fields of an RRSIG before its signature (RFC 4034 §3.1). Times are seconds since 1970; TTLs are seconds. */
export interface RrsigFields {
  readonly typeCovered: number;
  readonly algorithm: number;
  readonly labels: number;
  readonly originalTtl: number;
  readonly expiration: number;
  readonly inception: number;
  readonly keyTag: number;
  readonly signer: Name;
}

/** RRSIG rdata taken apart; times are modulo 2^32 (RFC 4034 §3.1.5). */
export interface RrsigRdata extends RrsigFields {
  readonly signature: Uint8Array;
}

const FIXED_OCTETS = 18;

/** The labels field for an owner (RFC 4034 §3.1.3): neither the root nor a leading wildcard label counts. */
export function rrsigLabels(owner: Name): number {
  return owner.labelCount - (owner.isWildcard ? 1 : 0);
}

/** How long RRSIG rdata is before its signature. */
export function rrsigHeaderOctets(signer: Name): number {
  return FIXED_OCTETS + signer.wire.length;
}

/**
 * Writes RRSIG rdata without the signature, the signer's name in lower case (RFC 4034 §3.1, §6.2), into octets from `at` on; returns where it
 * ends.
 */
export function writeRrsigHeader(octets: Uint8Array, at: number, fields: RrsigFields): number {
  const { typeCovered, keyTag } = fields;
  octets[at] = typeCovered >> 8;
  octets[at + 1] = typeCovered;
  octets[at + 2] = fields.algorithm;
  octets[at + 3] = fields.labels;
  writeUint32(octets, at + 4, fields.originalTtl);
  writeUint32(octets, at + 8, fields.expiration);
  writeUint32(octets, at + 12, fields.inception);
  octets[at + 16] = keyTag >> 8;
  octets[at + 17] = keyTag;
  return writeLower(octets, at + FIXED_OCTETS, fields.signer.wire);
}

/** Short runs cost less octet by octet than by a call. */
function writeOctets(octets: Uint8Array, at: number, source: Uint8Array): number {
  const { length } = source;
  if (length > 32) octets.set(source, at);
  else for (let i = 0; i < length; i++) octets[at + i] = source[i] as number;
  return at + length;
}

/** Octets of a typed array take the low eight bits of what is written to them. */
function writeUint32(octets: Uint8Array, at: number, value: number): void {
  octets[at] = value >>> 24;
  octets[at + 1] = value >>> 16;
  octets[at + 2] = value >>> 8;
  octets[at + 3] = value;
}

/**
 * RRSIG rdata taken apart.
 * @throws ZonesealError RDATA_INVALID, NAME_INVALID
 */
export function parseRrsig(rdata: Uint8Array): RrsigRdata {
  if (rdata.length <= FIXED_OCTETS) {
    throw new ZonesealError('RDATA_INVALID', 'RRSIG rdata is cut off', { reason: 'cut off' });
  }
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const signer = Name.readWire(rdata, FIXED_OCTETS);
  return {
    typeCovered: view.getUint16(0),
    algorithm: view.getUint8(2),
    labels: view.getUint8(3),
    originalTtl: view.getUint32(4),
    expiration: view.getUint32(8),
    inception: view.getUint32(12),
    keyTag: view.getUint16(16),
    signer,
    signature: rdata.subarray(FIXED_OCTETS + signer.wire.length),
  };
}

/**
 * The rdata of an RRset in canonical form and order, without duplicates (RFC 4034 §6.2, §6.3). Costs nothing but the
 * comparison when it is in order already.
 */
export function canonicalRdatas(type: number, rdata: readonly Uint8Array[]): readonly Uint8Array[] {
  const [first] = rdata;
  if (first === undefined) return rdata;
  if (rdata.length === 1) {
    const one = canonicalRdata(type, first);
    return one === first ? rdata : [one];
  }
  const canonical = rdata.map((octets) => canonicalRdata(type, octets));
  for (let i = 1; i < canonical.length; i++) {
    if (compareOctets(canonical[i - 1] as Uint8Array, canonical[i] as Uint8Array) >= 0) {
      canonical.sort(compareOctets);
      return canonical.filter(
        (octets, at) => at === 0 || compareOctets(canonical[at - 1] as Uint8Array, octets) !== 0,
      );
    }
  }
  return canonical;
}

/**
 * What a signature of an RRset is made over (RFC 4034 §3.1.8.1): the RRSIG's header, then each record in canonical form
 * and order with the original TTL of the header. An owner with more labels than the header counts was made from a
 * wildcard, which takes its place (RFC 4035 §5.3.2); when a zone signs, owner and labels agree.
 * @throws ZonesealError RDATA_INVALID when the header counts more labels than the owner has
 */
export function signedOctets(header: Uint8Array, rrset: RRset): Uint8Array {
  const owner = signedOwner(rrset.owner, header[3] as number);
  const records = canonicalRdatas(rrset.type, rrset.rdata);
  const out = new Uint8Array(header.length + signedRecordsOctets(owner, records));
  out.set(header);
  const originalTtl = new DataView(header.buffer, header.byteOffset).getUint32(4);
  writeSignedRecords(out, header.length, owner, rrset.type, originalTtl, records);
  return out;
}

/** The expiration field of RRSIG rdata (RFC 4034 §3.1.5), seconds since 1970. */
export function expirationOf(rdata: Uint8Array): number {
  return uint32At(rdata, 8);
}

/** The inception field of RRSIG rdata (RFC 4034 §3.1.5), seconds since 1970. */
export function inceptionOf(rdata: Uint8Array): number {
  return uint32At(rdata, 12);
}

function uint32At(octets: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) value = value * 256 + (octets[i] as number);
  return value;
}

/** How long the records of an RRset are as a signature is made over them. @param records `canonicalRdatas` */
export function signedRecordsOctets(owner: Uint8Array, records: readonly Uint8Array[]): number {
  let size = 0;
  for (const rdata of records) size += owner.length + 10 + rdata.length;
  return size;
}

/**
 * Writes the records of an RRset as a signature is made over them (RFC 4034 §3.1.8.1) into octets from `at` on.
 * @param owner in wire format, any case
 * @param records `canonicalRdatas`
 */
export function writeSignedRecords(
  octets: Uint8Array,
  at: number,
  owner: Uint8Array,
  type: number,
  ttl: number,
  records: readonly Uint8Array[],
): void {
  for (const rdata of records) {
    at = writeLower(octets, at, owner);
    octets[at] = type >> 8;
    octets[at + 1] = type;
    octets[at + 2] = 0;
    octets[at + 3] = RRClass.IN;
    writeUint32(octets, at + 4, ttl);
    octets[at + 8] = rdata.length >> 8;
    octets[at + 9] = rdata.length;
    at = writeOctets(octets, at + 10, rdata);
  }
}

const WILDCARD = Uint8Array.of(1, 0x2a);

function signedOwner(owner: Name, labels: number): Uint8Array {
  const surplus = rrsigLabels(owner) - labels;
  if (surplus < 0) {
    throw new ZonesealError(
      'RDATA_INVALID',
      `RRSIG of ${owner.toString()}: it counts more labels than its owner has`,
      {
        owner: owner.toString(),
        reason: 'too many labels',
      },
    );
  }
  if (surplus === 0) return lowerOctets(owner.wire);
  const encloser = lowerOctets(owner.parent(owner.labelCount - labels).wire);
  const out = new Uint8Array(WILDCARD.length + encloser.length);
  out.set(WILDCARD);
  out.set(encloser, WILDCARD.length);
  return out;
}
