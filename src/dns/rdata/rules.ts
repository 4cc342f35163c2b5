/** Rules that span the fields of a type. Each gets well-formed rdata and gives the reason why it is not allowed, if any. */

function lengthRule(what: string, expected: number | undefined, found: number): string | undefined {
  if (expected === undefined || found === expected) return undefined;
  return `a ${what} has ${expected} octets, not ${found}`;
}

/** Octets of a DS digest by its type: SHA-1, SHA-256, GOST R 34.11-94, SHA-384. */
const DIGEST_OCTETS: Readonly<Record<number, number>> = { 1: 20, 2: 32, 3: 32, 4: 48 };

/** The length of a digest follows from its type (DS, CDS). */
export function digestRule(rdata: Uint8Array): string | undefined {
  const type = rdata[3] as number;
  return lengthRule(`digest of type ${type}`, DIGEST_OCTETS[type], rdata.length - 4);
}

const FINGERPRINT_OCTETS: Readonly<Record<number, number>> = { 1: 20, 2: 32 };

/** The length of a fingerprint follows from its type (RFC 4255 §3.1.2, RFC 6594). */
export function fingerprintRule(rdata: Uint8Array): string | undefined {
  const type = rdata[1] as number;
  return lengthRule(`fingerprint of type ${type}`, FINGERPRINT_OCTETS[type], rdata.length - 2);
}

const ZONE_DIGEST_OCTETS: Readonly<Record<number, number>> = { 1: 48, 2: 64 };
const MIN_ZONE_DIGEST_OCTETS = 12;

/** The length of a zone digest follows from its algorithm, and is never below 12 octets (RFC 8976 §2.2.4). */
export function zoneDigestRule(rdata: Uint8Array): string | undefined {
  const algorithm = rdata[5] as number;
  const found = rdata.length - 6;
  if (ZONE_DIGEST_OCTETS[algorithm] === undefined && found < MIN_ZONE_DIGEST_OCTETS) {
    return `a digest has at least ${MIN_ZONE_DIGEST_OCTETS} octets, not ${found}`;
  }
  return lengthRule(`digest of hash algorithm ${algorithm}`, ZONE_DIGEST_OCTETS[algorithm], found);
}

/** An X.121 address is four digits or more (RFC 1183 §3.1). */
export function addressDigitsRule(rdata: Uint8Array): string | undefined {
  const digits = rdata.subarray(1).every((octet) => octet >= 0x30 && octet <= 0x39);
  return digits && rdata.length > 4 ? undefined : 'an X.121 address has four digits or more and nothing else';
}

/** An RRSIG covers names at or below its signer, so that it has no fewer labels (RFC 4035 §5.3.1). */
export function signerLabelsRule(rdata: Uint8Array): string | undefined {
  let labels = 0;
  for (let at = 18; rdata[at] !== 0; at += 1 + (rdata[at] as number)) labels++;
  return (rdata[3] as number) < labels
    ? `it says ${rdata[3]} labels, but its signer has ${labels}`
    : undefined;
}

const SHA1_OCTETS = 20;

function nextHashOctets(rdata: Uint8Array): number {
  return rdata[5 + (rdata[4] as number)] as number;
}

/** The next hash of an NSEC3 with hash algorithm 1 is a SHA-1 (RFC 5155 §11). */
export function nextHashRule(rdata: Uint8Array): string | undefined {
  return lengthRule('hash of algorithm 1', rdata[0] === 1 ? SHA1_OCTETS : undefined, nextHashOctets(rdata));
}

/** Whether the next hash of an NSEC3 fills no whole base32hex quanta, which Knot and dnspython read as hexadecimal alone. */
export function hasUnevenHash(rdata: Uint8Array): boolean {
  return nextHashOctets(rdata) % 5 !== 0;
}
