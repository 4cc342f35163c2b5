import { RRType } from '../dns/types.js';

const ANYWHERE = new Set<number>([RRType.RRSIG, RRType.NSEC, RRType.NSEC3]);
const AT_APEX = new Set<number>([RRType.DNSKEY, RRType.NSEC3PARAM, RRType.ZONEMD]);

/**
 * Whether records of a type are Zoneseal's to make and so cannot be stored: RRSIG, NSEC and NSEC3 anywhere; DNSKEY,
 * NSEC3PARAM and ZONEMD at the apex (elsewhere they are data like any other). CDS and CDNSKEY may be stored, where the key set makes none.
 */
export function isGeneratedType(type: number, atApex: boolean): boolean {
  return ANYWHERE.has(type) || (atApex && AT_APEX.has(type));
}

/** Whether records of a type are what another signer left in a zone: what it makes, and what it told the parent of its keys. */
export function isSignersType(type: number, atApex: boolean): boolean {
  return isGeneratedType(type, atApex) || (atApex && (type === RRType.CDS || type === RRType.CDNSKEY));
}

/** Why records of a generated type cannot be stored, as the rest of a sentence. */
export const GENERATED_REASON = 'is a DNSSEC record that Zoneseal makes itself';
