import type { Name } from '../../dns/name.js';
import { typeToText } from '../../dns/types.js';

/** What the verifier judges, and the clause behind it. */
export const VERIFY_RULES = {
  'out-of-zone': 'owners are at or below the apex (RFC 1035 §5.2)',
  class: 'a zone has one class, here IN (RFC 1035 §5.2)',
  'meta-type': 'query and meta types are in no zone (RFC 6895 §3.1)',
  'rdata-malformed': 'rdata is well formed for its type',
  'duplicate-record': 'no record is there twice (RFC 2181 §5)',
  'rrset-ttl': 'the records of an RRset have one TTL (RFC 2181 §5.2)',
  'soa-missing': 'the apex has an SOA (RFC 1035 §5.2)',
  'soa-multiple': 'there is one SOA (RFC 1035 §5.2)',
  'soa-misplaced': 'an SOA is at the apex only (RFC 1035 §5.2)',
  'ns-missing': 'the apex has NS records (RFC 1034 §4.2.1)',
  'cname-other-data': 'a CNAME is alone but for RRSIG, NSEC and KEY (RFC 2181 §10.1, RFC 4035 §2.5)',
  'cname-multiple': 'an owner has one CNAME (RFC 2181 §10.1)',
  'dname-multiple': 'an owner has one DNAME (RFC 6672 §2.4)',
  'dname-with-ns': 'NS and DNAME are together at the apex only (RFC 6672 §2.3)',
  'below-dname': 'nothing is below a DNAME (RFC 6672 §2.4)',
  'ds-misplaced': 'DS records are at zone cuts (RFC 4035 §2.4)',
  'ds-digest': 'a digest is as long as its type says (RFC 4034 §5.1.4, RFC 4509, RFC 6605 §2)',
  'dnskey-missing': 'the apex of a signed zone has a DNSKEY RRset with a zone key (RFC 4035 §2.1)',
  'dnskey-misplaced': 'zone keys are at the apex (RFC 4035 §2.1)',
  'dnskey-malformed': 'a public key can be read (RFC 3110, RFC 6605, RFC 8080)',
  'dnskey-flags': 'a DNSKEY is a zone key with protocol 3 (RFC 4034 §2.1)',
  'dnskey-algorithm': 'the algorithm is one the verifier knows and signing may use (RFC 8624 §3.1)',
  'dnskey-revoked': 'a revoked key signs the DNSKEY RRset (RFC 5011 §2.1)',
  'dnskey-not-signed-by-sep': 'secure entry points sign the DNSKEY RRset (RFC 4035 §2.1)',
  'rrsig-missing': 'every authoritative RRset is signed (RFC 4035 §2.2)',
  'rrsig-missing-algorithm':
    'a signature is there for every algorithm of the DNSKEY RRset (RFC 4035 §2.2, RFC 6840 §5.11)',
  'rrsig-unexpected': 'delegation NS, glue and what is occluded are not signed (RFC 4035 §2.2)',
  'rrsig-covers-nothing': 'a signature covers an RRset of its owner (RFC 4035 §2.2)',
  'rrsig-signer': 'the signer is the zone (RFC 4035 §5.3.1)',
  'rrsig-labels': 'the label count is that of the owner, a wildcard label not counted (RFC 4034 §3.1.3)',
  'rrsig-original-ttl': 'the original TTL is that of the RRset (RFC 4034 §3.1.4)',
  'rrsig-ttl': 'the TTL is that of the RRset it covers (RFC 4034 §3)',
  'rrsig-not-yet-valid': 'the inception has passed (RFC 4035 §5.3.1)',
  'rrsig-expired': 'the expiration has not passed (RFC 4035 §5.3.1)',
  'rrsig-expires-soon': 'the signature stays valid for the margin asked for',
  'rrsig-period': 'the inception is before the expiration (RFC 4034 §3.1.5)',
  'rrsig-unknown-key': 'the key is in the DNSKEY RRset (RFC 4035 §5.3.1)',
  'rrsig-revoked-key': 'a revoked key signs nothing but the DNSKEY RRset (RFC 5011 §2.1)',
  'rrsig-bogus': 'the signature is right (RFC 4035 §5.3.3)',
  'signed-record': 'a zone that is to be unsigned has no DNSKEY, RRSIG, NSEC, NSEC3 or NSEC3PARAM records',
  'denial-missing': 'a signed zone has NSEC or NSEC3 records (RFC 4035 §2.3, RFC 5155 §7.1)',
  'denial-mixed': 'a zone has NSEC or NSEC3 records and not both (RFC 5155 §10.4)',
  'nsec-missing': 'every authoritative owner and every delegation has an NSEC record (RFC 4035 §2.3)',
  'nsec-unexpected': 'no other owner has one (RFC 4035 §2.3)',
  'nsec-multiple': 'an owner has one NSEC record (RFC 4034 §4)',
  'nsec-next': 'it names the next owner in canonical order, the last one the apex (RFC 4034 §4.1.1)',
  'nsec-bitmap': 'the bitmap has exactly the types at the owner (RFC 4034 §4.1.2)',
  'denial-ttl': 'the TTL is the lesser of the SOA TTL and minimum (RFC 9077 §3)',
  'nsec3param-missing': 'a zone with NSEC3 records has one NSEC3PARAM record (RFC 5155 §7.1)',
  'nsec3param-multiple': 'the verifier judges one chain',
  'nsec3param-flags': 'the flags of NSEC3PARAM are zero (RFC 5155 §4.1.2)',
  'nsec3-iterations': 'there are no additional iterations (RFC 9276 §3.1)',
  'nsec3-parameters': 'every NSEC3 record has the parameters of NSEC3PARAM (RFC 5155 §7.1)',
  'nsec3-flags': 'no flag but opt-out is set (RFC 5155 §3.1.2)',
  'nsec3-owner': 'the owner is a hash below the apex (RFC 5155 §3)',
  'nsec3-multiple': 'a hash has one NSEC3 record (RFC 5155 §7.1)',
  'nsec3-missing':
    'every authoritative owner, empty non-terminal and secure delegation has one (RFC 5155 §7.1)',
  'nsec3-unexpected': 'no hash is of a name that does not exist (RFC 5155 §7.1)',
  'nsec3-opt-out': 'a delegation without one is covered by an opt-out record (RFC 5155 §7.1)',
  'nsec3-next': 'it has the next hash in order, the last one the first (RFC 5155 §7.1)',
  'nsec3-bitmap': 'the bitmap has exactly the types at the original owner (RFC 5155 §7.1)',
  'nsec3-collision': 'no two names have one hash (RFC 5155 §7.2.2)',
  'zonemd-missing': 'the zone has a ZONEMD record, if one is required',
  'zonemd-malformed': 'there is one digest of a length that fits for each scheme and algorithm (RFC 8976 §2)',
  'zonemd-serial': 'its serial is that of the SOA (RFC 8976 §4)',
  'zonemd-digest': 'its digest is that of the zone (RFC 8976 §4)',
  'zonemd-unsupported': 'its scheme and algorithm are known (RFC 8976 §4)',
} as const;

export type VerifyRule = keyof typeof VERIFY_RULES;

/** One thing that is wrong with a zone. Warnings do not make it unusable. */
export interface VerifyFault {
  readonly severity: 'error' | 'warning';
  /** Absolute presentation format, letters in lower case. */
  readonly owner: string;
  /** The mnemonic of the type concerned, for a signature the type it covers. */
  readonly type?: string;
  readonly rule: VerifyRule;
  readonly message: string;
}

/** Where a fault is. Faults are listed by `order`, which is the owner's place in canonical order. */
export interface FaultPlace {
  readonly owner: Name;
  readonly order: number;
}

/** Collects faults; keeps a bounded number of them and counts all. */
export class FaultList {
  errors = 0;
  warnings = 0;
  readonly #limit: number;
  readonly #kept: { readonly order: number; readonly fault: VerifyFault }[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  error(rule: VerifyRule, place: FaultPlace, type: number | undefined, message: string): void {
    this.errors++;
    this.#keep('error', rule, place, type, message);
  }

  warning(rule: VerifyRule, place: FaultPlace, type: number | undefined, message: string): void {
    this.warnings++;
    this.#keep('warning', rule, place, type, message);
  }

  /** The faults that were kept, in canonical order of their owners. */
  list(): VerifyFault[] {
    return this.#kept.toSorted((a, b) => a.order - b.order).map(({ fault }) => fault);
  }

  #keep(
    severity: VerifyFault['severity'],
    rule: VerifyRule,
    { owner, order }: FaultPlace,
    type: number | undefined,
    message: string,
  ): void {
    if (this.#kept.length >= this.#limit) return;
    const about = type === undefined ? {} : { type: typeToText(type) };
    this.#kept.push({ order, fault: { severity, owner: owner.toString(), ...about, rule, message } });
  }
}
