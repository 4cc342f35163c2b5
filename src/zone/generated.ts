import { RRType } from '../dns/types.js';

const ANYWHERE = new Set<number>([RRType.RRSIG, RRType.NSEC, RRType.NSEC3]);
const AT_APEX = new Set<number>([
  RRType.DNSKEY,
  RRType.NSEC3PARAM,
  RRType.CDS,
  RRType.CDNSKEY,
  RRType.ZONEMD,
]);

/**
 * Whether records of a type are Zoneseal's to make and so cannot be stored: RRSIG, NSEC and NSEC3 anywhere; DNSKEY,
 * NSEC3PARAM, CDS, CDNSKEY and ZONEMD at the apex (elsewhere they are data like any other).
 */
export function isGeneratedType(type: number, atApex: boolean): boolean {
  return ANYWHERE.has(type) || (atApex && AT_APEX.has(type));
}

/** Why records of such a type cannot be stored, as the rest of a sentence. */
export function generatedReason(type: number): string {
  return type === RRType.CDS || type === RRType.CDNSKEY
    ? 'tells the parent of a change of keys, which this release does not make; it publishes none'
    : 'is a DNSSEC record that Zoneseal makes itself';
}
