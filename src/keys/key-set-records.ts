import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { CDNSKEY_DELETE, CDS_DELETE, dnskeyRdata, dsRdata } from '../dnssec/dnskey.js';
import { sortRdata } from '../zone/rrset.js';
import { dnskeyRrset, type KeySet } from './key-set.js';
import type { Policy } from './policy.js';

/** What of a policy says how a key set shows. */
export type KeySetPolicy = Pick<Policy, 'signed' | 'dnskeyTtl' | 'cdsDigests' | 'cdnskey'>;

/**
 * The RRsets at the apex that a key set makes, the same in every view: DNSKEY, and CDS and CDNSKEY where a key is wanted at the parent or
 * all DS are to go. None where nothing is published.
 */
export function keySetRrsets(keySet: KeySet, zone: Name, policy: KeySetPolicy): RRset[] {
  const dnskeys = dnskeyRrset(keySet.keys, zone, policy.dnskeyTtl);
  return dnskeys === undefined ? [] : [dnskeys, ...parentRrsets(keySet, zone, policy)];
}

/**
 * Whether a zone is served without signatures: its policy wants that, and the roll that takes the keys out is through. A zone
 * whose policy wants no signatures and whose keys are still published stays signed.
 */
export function isUnsigned({ keys }: KeySet, { signed }: Pick<Policy, 'signed'>): boolean {
  return !signed && !keys.some((key) => key.published || key.signs);
}

/** What the parent is asked for (RFC 7344 §3): a policy without digests asks for nothing. */
function parentRrsets({ keys, deleteSentinel }: KeySet, zone: Name, policy: KeySetPolicy): RRset[] {
  if (policy.cdsDigests.length === 0) return [];
  const wanted = keys.filter((key) => key.parent === true).map(dnskeyRdata);
  const cds = deleteSentinel
    ? [CDS_DELETE]
    : wanted.flatMap((rdata) => policy.cdsDigests.map((digest) => dsRdata(zone, rdata, digest)));
  const cdnskeys = deleteSentinel ? [CDNSKEY_DELETE] : wanted;
  const rrset = (type: number, rdata: readonly Uint8Array[]): RRset[] =>
    rdata.length === 0 ? [] : [{ owner: zone, type, ttl: policy.dnskeyTtl, rdata: sortRdata(type, rdata) }];
  return [...rrset(RRType.CDS, cds), ...(policy.cdnskey ? rrset(RRType.CDNSKEY, cdnskeys) : [])];
}
