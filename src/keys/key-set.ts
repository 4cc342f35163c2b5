import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { DNSKEY_SEP, DNSKEY_ZONE, dnskeyRdata } from '../dnssec/dnskey.js';

/** What a key is for: signing the key sets alone, the rest of the zone, or both. */
export type KeyRole = 'KSK' | 'ZSK' | 'CSK';

/**
 * One key of a zone's key set as the database knows it. The private half is where `secretRef` says, never here.
 * Whether a key signs and whether it is published are two facts.
 */
export interface ZoneKey {
  readonly id: string;
  /** The zone's name, absolute presentation format. */
  readonly zone: string;
  readonly role: KeyRole;
  /** The DNSSEC algorithm number (RFC 8624). */
  readonly algorithm: number;
  /** RFC 4034 appendix B, over the DNSKEY rdata with these flags. */
  readonly keyTag: number;
  /** DNSKEY flags: 256 for a ZSK, 257 for a KSK or CSK; 128 is added when it is revoked. */
  readonly flags: number;
  /** The public key field of the DNSKEY rdata. */
  readonly publicKey: Uint8Array;
  /** The Barbican reference (a URL) of the private key. */
  readonly secretRef: string;
  /** When Barbican deletes the private key by itself, seconds since 1970; left out: never, or it is not known. */
  readonly secretExpires?: number;
  /** The one view in which a ZSK signs; null for a key that signs in every view. */
  readonly view: string | null;
  readonly signs: boolean;
  readonly published: boolean;
  /** Of a CSK: it signs the key sets, and not the rest of the zone. Left out: it signs both. */
  readonly keySetsOnly?: boolean;
  /** Whether CDS and CDNSKEY name it: the parent is to have its DS. Left out: it is not. */
  readonly parent?: boolean;
}

/** A zone's keys at a version, and what is said of all of them. */
export interface KeySet {
  readonly keys: readonly ZoneKey[];
  /** CDS and CDNSKEY say that all DS are to go (RFC 8078 §4). */
  readonly deleteSentinel: boolean;
}

/** The keys that sign in one view. */
export interface SigningKeys {
  /** Sign the DNSKEY, CDS and CDNSKEY RRsets: every KSK and CSK that signs. */
  readonly keySigning: readonly ZoneKey[];
  /** Sign every other authoritative RRset. */
  readonly zoneSigning: readonly ZoneKey[];
}

/** A rule that a key set breaks. An error stops the zone's publications; a warning does not. */
export interface KeySetProblem {
  readonly severity: 'error' | 'warning';
  readonly rule: string;
  /** The view in which it is so; null when it is so in all. */
  readonly view: string | null;
  readonly algorithm?: number;
  readonly keyTag?: number;
  readonly message: string;
}

/** The flags of a key that is not revoked, by its role (RFC 4034 §2.1.1). */
export function flagsOfRole(role: KeyRole): number {
  return role === 'ZSK' ? DNSKEY_ZONE : DNSKEY_ZONE | DNSKEY_SEP;
}

/** Whether a role signs the DNSKEY, CDS and CDNSKEY RRsets. */
export function signsKeySets(role: KeyRole): boolean {
  return role !== 'ZSK';
}

/** Whether a role signs the rest of the zone. */
export function signsZoneData(role: KeyRole): boolean {
  return role !== 'KSK';
}

/**
 * The DNSKEY RRset of a key set, the same in all views: every published key, in canonical order, duplicates removed.
 * Undefined when nothing is published.
 */
export function dnskeyRrset(keys: readonly ZoneKey[], zone: Name, ttl: number): RRset | undefined {
  const rdata = keys.filter((key) => key.published).map(dnskeyRdata);
  if (rdata.length === 0) return undefined;
  rdata.sort((a, b) => Buffer.compare(a, b));
  const distinct = rdata.filter(
    (octets, i) => i === 0 || Buffer.compare(octets, rdata[i - 1] as Uint8Array) !== 0,
  );
  return { owner: zone, type: RRType.DNSKEY, ttl, rdata: distinct };
}

/**
 * The keys that sign in a view (null: one that has no keys of its own). A view's own ZSKs sign there instead of the
 * general ZSKs and CSKs of the same algorithm; a CSK may sign the key sets alone; the key sets are signed by the KSKs and CSKs in every view, so that the
 * DNSKEY RRset and its signatures are the same in all.
 */
export function signingKeys(keys: readonly ZoneKey[], view: string | null): SigningKeys {
  const signing = keys.filter((key) => key.signs);
  const own = signing.filter((key) => key.view !== null && key.view === view && signsZoneData(key.role));
  const replaced = new Set(own.map((key) => key.algorithm));
  const general = signing.filter(
    (key) =>
      key.view === null &&
      signsZoneData(key.role) &&
      key.keySetsOnly !== true &&
      !replaced.has(key.algorithm),
  );
  return {
    keySigning: signing.filter((key) => key.view === null && signsKeySets(key.role)).sort(byIdentity),
    zoneSigning: [...general, ...own].sort(byIdentity),
  };
}

/** The keys of the set that sign an RRset type at the apex or elsewhere in the view. */
export function keysForType(keys: SigningKeys, type: number): readonly ZoneKey[] {
  return isKeySetType(type) ? keys.keySigning : keys.zoneSigning;
}

/** Whether a type belongs to what the key-signing keys sign (RFC 7344 §4.1 for CDS and CDNSKEY). */
export function isKeySetType(type: number): boolean {
  return type === RRType.DNSKEY || type === RRType.CDS || type === RRType.CDNSKEY;
}

function byIdentity(a: ZoneKey, b: ZoneKey): number {
  return a.algorithm - b.algorithm || a.keyTag - b.keyTag || Buffer.compare(a.publicKey, b.publicKey);
}
