import { RRType } from '../../dns/types.js';
import type { RecordSet } from './record-table.js';
import type { FaultList } from './report.js';
import { isSigned, type VerifiedNode } from './verified-node.js';

/** Digest octets by DS digest type (RFC 4034 §5.1.4, RFC 4509, RFC 5933, RFC 6605, RFC 9558, RFC 9563). */
const DIGEST_OCTETS: ReadonlyMap<number, number> = new Map([
  [1, 20],
  [2, 32],
  [3, 32],
  [4, 48],
  [5, 32],
  [6, 32],
]);
const BESIDE_CNAME: ReadonlySet<number> = new Set([
  RRType.CNAME,
  RRType.RRSIG,
  RRType.NSEC,
  RRType.NSEC3,
  RRType.KEY,
]);

/** What DNS itself asks of an owner, signed or not. */
export function checkOwner(faults: FaultList, node: VerifiedNode, belowDname: boolean): void {
  const { kind, sets } = node;
  for (const set of sets.values()) checkSet(faults, node, set);
  if (kind === 'occluded') {
    if (belowDname) faults.error('below-dname', node, undefined, 'an owner of the zone is below a DNAME');
    return;
  }
  checkAliases(faults, node);
  if (kind !== 'apex' && sets.has(RRType.SOA)) {
    faults.error('soa-misplaced', node, RRType.SOA, 'an SOA is not at the apex');
  }
  if (kind !== 'apex' && sets.has(RRType.DNSKEY)) {
    faults.error('dnskey-misplaced', node, RRType.DNSKEY, 'a DNSKEY is not at the apex');
  }
  if (kind !== 'delegation' && sets.has(RRType.DS)) {
    faults.error('ds-misplaced', node, RRType.DS, 'DS records are at an owner that is no delegation');
  }
  for (const { rdata } of sets.get(RRType.DS)?.records ?? []) {
    const digestType = rdata[3] ?? 0;
    const octets = DIGEST_OCTETS.get(digestType);
    if (octets !== undefined && rdata.length !== 4 + octets) {
      const message = `a digest of type ${digestType} has ${rdata.length - 4} octets instead of ${octets}`;
      faults.error('ds-digest', node, RRType.DS, message);
    }
  }
}

const SIGNING_TYPES: readonly number[] = [RRType.RRSIG, RRType.NSEC, RRType.NSEC3];
const SIGNING_TYPES_AT_APEX: readonly number[] = [RRType.DNSKEY, RRType.NSEC3PARAM];

/** What a zone that is not signed has at no owner. */
export function checkUnsigned(faults: FaultList, node: VerifiedNode): void {
  const types = node.kind === 'apex' ? [...SIGNING_TYPES, ...SIGNING_TYPES_AT_APEX] : SIGNING_TYPES;
  for (const type of types) {
    if (node.sets.has(type))
      faults.error(
        'signed-record',
        node,
        type,
        'the zone is to be unsigned, and has a record of a signed one',
      );
  }
}

function checkSet(faults: FaultList, node: VerifiedNode, set: RecordSet): void {
  if (set.duplicates > 0) {
    faults.error('duplicate-record', node, set.type, `${set.duplicates} records are there more than once`);
  }
  if (set.type === RRType.RRSIG) return; // each has the TTL of what it covers
  const ttls = new Set(set.records.map(({ ttl }) => ttl));
  if (ttls.size > 1) {
    const severity = isSigned(node, set.type) ? 'error' : 'warning';
    faults[severity]('rrset-ttl', node, set.type, `the records have the TTLs ${[...ttls].join(', ')}`);
  }
}

function checkAliases(faults: FaultList, node: VerifiedNode): void {
  const { sets } = node;
  const cnames = sets.get(RRType.CNAME);
  if (cnames !== undefined) {
    if (cnames.records.length > 1)
      faults.error('cname-multiple', node, RRType.CNAME, 'there is more than one CNAME');
    if ([...sets.keys()].some((type) => !BESIDE_CNAME.has(type))) {
      faults.error('cname-other-data', node, RRType.CNAME, 'other data is beside a CNAME');
    }
  }
  const dnames = sets.get(RRType.DNAME);
  if (dnames === undefined) return;
  if (dnames.records.length > 1)
    faults.error('dname-multiple', node, RRType.DNAME, 'there is more than one DNAME');
  if (node.kind === 'delegation')
    faults.error('dname-with-ns', node, RRType.DNAME, 'a DNAME is at a delegation');
}
