import { maxRdataOctets } from '../dns/largest-record.js';
import { HEADER_OCTETS, MAX_MESSAGE_OCTETS } from '../dns/message.js';
import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType, typeToText } from '../dns/types.js';
import { findRRset, type ZoneNode } from './node.js';
import type { Report, ZoneRule } from './problem.js';

/** What the signatures of an RRset, EDNS and TSIG may need beside it. */
const SIGNATURE_RESERVE_OCTETS = 1024;
/** BIND's defaults for max-records-per-type and max-types-per-name: it refuses a zone that has more. */
const BIND_MAX_RECORDS = 100;
const BIND_MAX_TYPES = 100;

/** Types of which a name can have one record alone, and the rule that says so (RFC 2181 §10.1, RFC 6672 §2.4, RFC 1035). */
const SINGLE = new Map<number, ZoneRule>([
  [RRType.CNAME, 'cname-several'],
  [RRType.DNAME, 'dname-several'],
  [RRType.SOA, 'soa-several'],
]);

/** Types that mean something at an apex alone (RFC 4034 §2.1.1, RFC 5155 §4, RFC 7344 §4.1). */
const APEX_TYPES: ReadonlySet<number> = new Set([
  RRType.DNSKEY,
  RRType.NSEC3PARAM,
  RRType.CDS,
  RRType.CDNSKEY,
]);

/** Judges one node by what can be seen of it alone. */
export function judgeNode(node: ZoneNode, report: Report): void {
  for (const rrset of node.rrsets) {
    judgeSize(rrset, report);
    const rule = SINGLE.get(rrset.type);
    if (rule !== undefined && rrset.rdata.length > 1) {
      report({
        ...at(rrset),
        severity: 'error',
        rule,
        reason: `has ${rrset.rdata.length} records`,
        next: 'leave one',
      });
    }
    if (rrset.type === RRType.NS) judgeNameServers(rrset, report);
    if (node.kind !== 'apex' && APEX_TYPES.has(rrset.type)) {
      report({
        ...at(rrset),
        severity: 'warning',
        rule: 'apex-type-elsewhere',
        reason: 'means something at the apex of a zone alone, and some validators refuse it elsewhere',
        next: 'delete it',
      });
    }
  }
  if (node.rrsets.length > 1) judgeCompany(node, report);
  judgePlace(node, report);
  judgeTypeCount(node, report);
}

/** Records that must not stand beside others at one name. */
function judgeCompany(node: ZoneNode, report: Report): void {
  const cname = findRRset(node, RRType.CNAME);
  if (cname !== undefined) {
    const others = node.rrsets
      .filter(({ type }) => type !== RRType.CNAME)
      .map(({ type }) => typeToText(type));
    report({
      ...at(cname),
      severity: 'error',
      rule: 'cname-beside-data',
      reason: `stands beside other data (${others.join(', ')}), which an alias cannot have (RFC 2181 §10.1)`,
      next: 'delete the CNAME or the other data',
    });
  }
  const dname = findRRset(node, RRType.DNAME);
  if (dname !== undefined && node.kind === 'delegation') {
    report({
      ...at(dname),
      severity: 'error',
      rule: 'dname-beside-ns',
      reason: 'stands beside the NS of a delegation (RFC 6672 §2.3)',
      next: 'put the DNAME into the child zone, or delete the NS',
    });
  }
}

/** Records that belong at the apex alone, or anywhere but there. */
function judgePlace(node: ZoneNode, report: Report): void {
  const soa = findRRset(node, RRType.SOA);
  if (soa !== undefined && node.kind !== 'apex') {
    report({
      ...at(soa),
      severity: 'error',
      rule: 'soa-misplaced',
      reason: 'is not at the apex',
      next: 'delete it, or make this name a zone of its own',
    });
  }
  const ds = findRRset(node, RRType.DS);
  if (ds === undefined) return;
  if (node.kind === 'apex') {
    report({
      ...at(ds),
      severity: 'error',
      rule: 'ds-at-apex',
      reason: 'stands at the apex, but belongs to the parent zone (RFC 4035 §2.4)',
      next: 'delete it here',
    });
  } else if (node.kind === 'authoritative') {
    report({
      ...at(ds),
      severity: 'warning',
      rule: 'ds-without-ns',
      reason: 'stands where there is no delegation',
      next: 'add the NS of the child zone, or delete the DS',
    });
  }
}

function judgeSize(rrset: RRset, report: Report): void {
  const { owner, rdata } = rrset;
  const room = maxRdataOctets(owner);
  const largest = rdata.reduce((most, { length }) => Math.max(most, length), 0);
  // header, question, and each record with its owner compressed
  let octets = HEADER_OCTETS + owner.wire.length + 4;
  for (const record of rdata) octets += 12 + record.length;
  if (octets > MAX_MESSAGE_OCTETS) {
    report({
      ...at(rrset),
      severity: 'error',
      rule: 'rrset-too-large',
      reason: `needs a message of ${octets} octets, and the largest has ${MAX_MESSAGE_OCTETS}`,
      next: 'make it smaller',
    });
  } else if (largest > room) {
    report({
      ...at(rrset),
      severity: 'error',
      rule: 'record-too-large',
      reason: `has a record with ${largest} octets of data, and a message of a transfer has room for ${room} beside its TSIG`,
      next: 'make it smaller',
    });
  } else if (octets > MAX_MESSAGE_OCTETS - SIGNATURE_RESERVE_OCTETS) {
    report({
      ...at(rrset),
      severity: 'warning',
      rule: 'rrset-near-limit',
      reason: `needs ${octets} octets of a message of ${MAX_MESSAGE_OCTETS}, which leaves little for its signatures`,
      next: 'make it smaller',
    });
  }
  if (rdata.length > BIND_MAX_RECORDS) {
    report({
      ...at(rrset),
      severity: 'warning',
      rule: 'many-records',
      reason: `has ${rdata.length} records, and BIND refuses more than ${BIND_MAX_RECORDS} unless told`,
      next: 'have fewer, or raise max-records-per-type on the secondaries',
    });
  }
}

/** BIND counts the signatures of each type as a type, and so the denial record and its signatures. */
function judgeTypeCount(node: ZoneNode, report: Report): void {
  const types = node.rrsets.length * 2 + 2;
  if (types <= BIND_MAX_TYPES || node.kind === 'occluded') return;
  report({
    severity: 'warning',
    rule: 'many-types',
    owner: node.name.toString(),
    reason: `has ${types} types once it is signed, and BIND refuses more than ${BIND_MAX_TYPES} unless told`,
    next: 'spread them over more names, or raise max-types-per-name on the secondaries',
  });
}

/** A target such as `192.0.2.1.` is a name like any other, but hardly what was meant. */
function judgeNameServers(rrset: RRset, report: Report): void {
  if (rrset.owner.isWildcard) {
    report({
      ...at(rrset),
      severity: 'warning',
      rule: 'ns-at-wildcard',
      reason:
        'delegates a wildcard, which has no defined meaning (RFC 4592 §4.2) and which BIND refuses in master files',
      next: 'delegate each name by itself',
    });
  }
  for (const rdata of rrset.rdata) {
    // the last label of a name that is an address is a number, which no top-level domain is
    if (!lastLabelIsNumber(rdata)) continue;
    report({
      ...at(rrset),
      severity: 'warning',
      rule: 'ns-is-address',
      reason: `points to ${Name.fromWire(rdata).toString()}, which looks like an address`,
      next: 'point to the name of the server',
    });
  }
}

function lastLabelIsNumber(wire: Uint8Array): boolean {
  let label = 0;
  for (let at = 0; wire[at] !== 0; at += (wire[at] as number) + 1) label = at;
  if (wire.length < 2) return false;
  for (let i = label + 1; i < wire.length - 1; i++) {
    const octet = wire[i] as number;
    if (octet < 0x30 || octet > 0x39) return false;
  }
  return true;
}

function at({ owner, type }: RRset): { owner: string; type: string } {
  return { owner: owner.toString(), type: typeToText(type) };
}
