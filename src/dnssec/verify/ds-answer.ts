import { createHash, timingSafeEqual, verify } from 'node:crypto';
import { Name } from '../../dns/name.js';
import { canonicalRdata, compareOctets } from '../../dns/rdata/index.js';
import type { ResourceRecord } from '../../dns/record.js';
import { RRClass, RRType } from '../../dns/types.js';
import { hashOf, hashOfLabel, type Nsec3Record, readNsec3 } from './nsec3-record.js';
import type { RecordSet } from './record-table.js';
import { readSignature, type Signature, signedOctets } from './signature.js';
import { readTypes } from './type-set.js';
import { keyInput } from './verify-pool.js';
import { readZoneKey, type ZoneKey } from './zone-keys.js';

/** An answer about the DS of a zone that came from a nameserver of its parent. */
export interface DsAnswer {
  readonly parent: Name;
  readonly zone: Name;
  /** DS rdatas of the parent's keys that are trusted. */
  readonly anchors: readonly Uint8Array[];
  /** The answer section for the parent's DNSKEY. */
  readonly dnskeys: readonly ResourceRecord[];
  /** The answer and authority sections for the zone's DS. */
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Seconds since 1970. */
  readonly now: number;
}

const MAX_ITERATIONS = 500;
const MINIMUM_OCTETS = 4;
const DIGESTS = new Map([
  [1, 'sha1'],
  [2, 'sha256'],
  [4, 'sha384'],
]);

/** An answer that stands, or why it does not. */
export type DsVerdict =
  /** For how many seconds caches keep it at the most, as the parent's signatures say. */
  { readonly kind: 'proved'; readonly ttl: number } | { readonly kind: 'unproved'; readonly problem: string };

/**
 * Judges an answer about DS by the parent's trusted keys (RFC 4035 §5): the DS RRset is signed, or that there is none is proved by NSEC or
 * NSEC3 (RFC 4035 §5.2, RFC 5155 §8.6; §8.9 for opt-out). TTLs are those that were signed (RFC 4034 §3.1.4): anyone on the way can write
 * others into an answer. That there is none is kept as the SOA says (RFC 2308 §5), and by resolvers that
 * conclude it from the NSEC records for as long as these (RFC 8198 §5).
 */
export function judgeDsAnswer(answer: DsAnswer): DsVerdict {
  const { parent, zone, now } = answer;
  const keys = trustedKeys(answer);
  if (typeof keys === 'string') return { kind: 'unproved', problem: keys };
  const provedTtl = (section: readonly ResourceRecord[], owner: Name, type: number): number | undefined =>
    signedTtl(section, owner, type, { parent, keys, now });
  if (answer.answer.some(({ owner, type }) => type === RRType.DS && owner.equals(zone))) {
    const ttl = provedTtl(answer.answer, zone, RRType.DS);
    return ttl === undefined
      ? { kind: 'unproved', problem: 'its DS RRset has no signature that is valid by the trust anchor' }
      : { kind: 'proved', ttl };
  }
  const denials = answer.authority
    .filter(({ type }) => type === RRType.NSEC || type === RRType.NSEC3)
    .map((record) => ({ record, ttl: provedTtl(answer.authority, record.owner, record.type) }))
    .filter((it): it is { record: ResourceRecord; ttl: number } => it.ttl !== undefined);
  const records = denials.map(({ record }) => record);
  if (!deniesDs(records, parent, zone)) {
    const problem =
      'that there is no DS is not proved by NSEC or NSEC3 records which are valid by the trust anchor';
    return { kind: 'unproved', problem };
  }
  const soaTtl = provedTtl(answer.authority, parent, RRType.SOA);
  const soa = answer.authority.find(({ owner, type }) => type === RRType.SOA && owner.equals(parent));
  if (soaTtl === undefined || soa === undefined)
    return { kind: 'unproved', problem: 'its SOA has no signature that is valid by the trust anchor' };
  return {
    kind: 'proved',
    ttl: Math.max(Math.min(soaTtl, soaMinimum(soa.rdata)), ...denials.map(({ ttl }) => ttl)),
  };
}

/** MINIMUM, the last field of an SOA (RFC 1035 §3.3.13). */
export function soaMinimum({ buffer, byteOffset, length }: Uint8Array): number {
  return new DataView(buffer, byteOffset + length - MINIMUM_OCTETS).getUint32(0);
}

/** The parent's keys, where one that an anchor names signs them all; else why not. */
function trustedKeys({ parent, anchors, dnskeys, now }: DsAnswer): ZoneKey[] | string {
  const rdatas = dnskeys.filter(({ owner, type }) => type === RRType.DNSKEY && owner.equals(parent));
  if (rdatas.length === 0) return `${parent} has no DNSKEY`;
  const entries = rdatas
    .filter(({ rdata }) => anchors.some((anchor) => isNamed(parent, rdata, anchor)))
    .map(({ rdata }) => readZoneKey(rdata))
    .filter(({ isZoneKey, isRevoked }) => isZoneKey && !isRevoked);
  if (entries.length === 0) return `no DNSKEY of ${parent} is the one that the trust anchor names`;
  if (signedTtl(dnskeys, parent, RRType.DNSKEY, { parent, keys: entries, now }) === undefined) {
    return `the DNSKEY RRset of ${parent} has no valid signature by the key that the trust anchor names`;
  }
  return rdatas
    .map(({ rdata }) => readZoneKey(rdata))
    .filter(({ isZoneKey, isRevoked }) => isZoneKey && !isRevoked);
}

/** Whether DS rdata stands for a DNSKEY (RFC 4034 §5.1.4). */
function isNamed(owner: Name, dnskey: Uint8Array, ds: Uint8Array): boolean {
  const digest = DIGESTS.get(ds[3] as number);
  const key = readZoneKey(dnskey);
  const tag = ((ds[0] as number) << 8) | (ds[1] as number);
  if (digest === undefined || key.tag !== tag || key.algorithm !== ds[2]) return false;
  const made = createHash(digest).update(owner.toLower().wire).update(dnskey).digest();
  const stated = ds.subarray(4);
  return made.length === stated.length && timingSafeEqual(made, stated);
}

interface Judge {
  readonly parent: Name;
  readonly keys: readonly ZoneKey[];
  readonly now: number;
}

/** The original TTL of an RRset in a section that has a signature which is valid now, by one of the keys; undefined: it has none. */
function signedTtl(
  section: readonly ResourceRecord[],
  owner: Name,
  type: number,
  { parent, keys, now }: Judge,
): number | undefined {
  const here = section.filter((it) => it.class === RRClass.IN && it.owner.equals(owner));
  const rdatas = here.filter((it) => it.type === type).map((it) => canonicalRdata(type, it.rdata));
  const distinct = rdatas
    .sort(compareOctets)
    .filter((rdata, i) => i === 0 || compareOctets(rdata, rdatas[i - 1] as Uint8Array) !== 0);
  const set: RecordSet = { type, records: distinct.map((rdata) => ({ ttl: 0, rdata })), duplicates: 0 };
  const lower = owner.toLower();
  const signatures = here
    .filter((it) => it.type === RRType.RRSIG)
    .map((it) => readSignature(canonicalRdata(RRType.RRSIG, it.rdata), it.ttl))
    .filter((it) => it.typeCovered === type && it.signer.equals(parent) && isInTime(it, now));
  const isValid = (signature: Signature): boolean => {
    // neither DS nor NSEC is ever expanded from a wildcard
    if (signature.labels !== owner.labelCount) return false;
    return keys.some(
      ({ algorithm, tag, hash, publicKey }) =>
        publicKey !== undefined &&
        algorithm === signature.algorithm &&
        tag === signature.keyTag &&
        verify(hash, signedOctets(signature, lower, set), keyInput(publicKey), signature.signature),
    );
  };
  const ttls = signatures.filter(isValid).map(({ originalTtl }) => originalTtl);
  return ttls.length === 0 ? undefined : Math.max(...ttls);
}

/** RFC 4034 §3.1.5: times are serial numbers. */
function isInTime({ inception, expiration }: Signature, now: number): boolean {
  return ((expiration - now) | 0) >= 0 && ((now - inception) | 0) >= 0;
}

function deniesDs(denials: readonly ResourceRecord[], parent: Name, zone: Name): boolean {
  return (
    denials.some(({ owner, type, rdata }) => type === RRType.NSEC && nsecDeniesDs(owner, rdata, zone)) ||
    nsec3DeniesDs(denials, parent, zone)
  );
}

/** RFC 4035 §5.4: a record of the name itself, or one that leaves it out; not one above a cut that the name is below (RFC 6840 §4.1). */
function nsecDeniesDs(owner: Name, rdata: Uint8Array, zone: Name): boolean {
  const next = Name.readWire(rdata, 0);
  const types = readTypes(rdata.subarray(next.wire.length));
  if (owner.equals(zone)) return isCutWithoutDs(types);
  const isLast = next.compare(owner) <= 0;
  const isLeftOut = owner.compare(zone) < 0 && (isLast || zone.compare(next) < 0);
  const isBelowCut =
    zone.isAtOrBelow(owner) && (types?.includes(RRType.NS) ?? true) && !types?.includes(RRType.SOA);
  return isLeftOut && !isBelowCut;
}

function nsec3DeniesDs(denials: readonly ResourceRecord[], parent: Name, zone: Name): boolean {
  const nsec3 = denials
    .filter(({ type }) => type === RRType.NSEC3)
    .map(({ owner, rdata }) => ({ hash: hashOfOwner(owner, parent), record: readNsec3(rdata) }))
    .filter((it): it is Nsec3 => it.hash !== undefined && it.record.iterations <= MAX_ITERATIONS);
  const [first] = nsec3;
  if (first === undefined) return false;
  const hashed = (name: Name): string => hashOf(name.toLower().wire, first.record);
  const match = nsec3.find(({ hash }) => hash === hashed(zone));
  if (match !== undefined) return isCutWithoutDs(readTypes(match.record.bitmap));
  // the closest encloser is proved; the name next to it is not there, or lies where insecure delegations are left out
  for (let next = zone; next.labelCount > parent.labelCount; next = next.parent()) {
    if (!nsec3.some(({ hash }) => hash === hashed(next.parent()))) continue;
    const wanted = hashed(next);
    return nsec3.some(({ hash, record }) => isBetween(wanted, hash, record.next));
  }
  return false;
}

interface Nsec3 {
  readonly hash: string;
  readonly record: Nsec3Record;
}

/** A delegation: NS, neither SOA nor DS (RFC 5155 §8.9, RFC 6840 §4.1); or a name without a cut, where nothing can have a DS. */
function isCutWithoutDs(types: readonly number[] | undefined): boolean {
  return types !== undefined && !types.includes(RRType.DS) && !types.includes(RRType.SOA);
}

function hashOfOwner(owner: Name, parent: Name): string | undefined {
  if (owner.isRoot || !owner.parent().equals(parent)) return undefined;
  return hashOfLabel(owner.toLower().wire.subarray(1, 1 + (owner.wire[0] as number)));
}

function isBetween(hash: string, from: string, to: string): boolean {
  return from < to ? hash > from && hash < to : hash > from || hash < to;
}
