import { createHash } from 'node:crypto';
import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';

/** DNSKEY flags (RFC 4034 §2.1.1, RFC 5011 §7). */
export const DNSKEY_ZONE = 0x0100;
export const DNSKEY_REVOKE = 0x0080;
export const DNSKEY_SEP = 0x0001;
/** The one value of the protocol field (RFC 4034 §2.1.2). */
export const DNSKEY_PROTOCOL = 3;

/** DNSKEY rdata taken apart; CDNSKEY has the same form (RFC 7344 §3.2). */
export interface DnskeyRdata {
  readonly flags: number;
  readonly protocol: number;
  readonly algorithm: number;
  readonly publicKey: Uint8Array;
}

/** DNSKEY or CDNSKEY rdata (RFC 4034 §2.1). */
export function dnskeyRdata(key: Omit<DnskeyRdata, 'protocol'> & { readonly protocol?: number }): Uint8Array {
  const rdata = new Uint8Array(4 + key.publicKey.length);
  rdata.set([key.flags >> 8, key.flags & 0xff, key.protocol ?? DNSKEY_PROTOCOL, key.algorithm]);
  rdata.set(key.publicKey, 4);
  return rdata;
}

/**
 * DNSKEY or CDNSKEY rdata taken apart; the public key is a view.
 * @throws ZonesealError RDATA_INVALID when it is cut off
 */
export function parseDnskey(rdata: Uint8Array): DnskeyRdata {
  if (rdata.length < 5) {
    throw new ZonesealError('RDATA_INVALID', 'DNSKEY rdata is cut off', { reason: 'cut off' });
  }
  return {
    flags: ((rdata[0] as number) << 8) | (rdata[1] as number),
    protocol: rdata[2] as number,
    algorithm: rdata[3] as number,
    publicKey: rdata.subarray(4),
  };
}

/** The key tag of DNSKEY rdata (RFC 4034 appendix B; B.1 for the retired algorithm 1). */
export function keyTag(rdata: Uint8Array): number {
  if (rdata[3] === 1) {
    return ((rdata[rdata.length - 3] as number) << 8) | (rdata[rdata.length - 2] as number);
  }
  let sum = 0;
  for (let i = 0; i < rdata.length; i++)
    sum += (i & 1) === 0 ? (rdata[i] as number) << 8 : (rdata[i] as number);
  // the rdata is at most 65,535 octets, so the sum stays below 2^32
  return (sum + Math.floor(sum / 0x1_0000)) & 0xffff;
}

/** DS digest types (IANA): SHA-1 is for reading what exists alone (RFC 8624 §3.3). */
export const DsDigest = { SHA1: 1, SHA256: 2, SHA384: 4 } as const;

/** The digest types a DS is made with. */
export const DS_DIGESTS_MADE = [DsDigest.SHA256, DsDigest.SHA384] as const;

const DIGEST_NAMES = new Map<number, string>([
  [DsDigest.SHA1, 'sha1'],
  [DsDigest.SHA256, 'sha256'],
  [DsDigest.SHA384, 'sha384'],
]);

/** DS rdata taken apart; CDS has the same form (RFC 7344 §3.1). */
export interface DsRdata {
  readonly keyTag: number;
  readonly algorithm: number;
  readonly digestType: number;
  readonly digest: Uint8Array;
}

/**
 * The DS (or CDS) rdata of a key (RFC 4034 §5.1): a digest over the lower-cased owner and the DNSKEY rdata.
 * @throws ZonesealError RDATA_INVALID for a digest type that is unknown
 */
export function dsRdata(owner: Name, dnskey: Uint8Array, digestType: number): Uint8Array {
  const name = DIGEST_NAMES.get(digestType);
  if (name === undefined) {
    throw new ZonesealError(
      'RDATA_INVALID',
      `DS of ${owner.toString()}: digest type ${digestType} is unknown; use 2 or 4`,
      {
        owner: owner.toString(),
        digestType,
      },
    );
  }
  const digest = createHash(name).update(owner.toLower().wire).update(dnskey).digest();
  const rdata = new Uint8Array(4 + digest.length);
  const tag = keyTag(dnskey);
  rdata.set([tag >> 8, tag & 0xff, dnskey[3] as number, digestType]);
  rdata.set(digest, 4);
  return rdata;
}

/**
 * DS or CDS rdata taken apart; the digest is a view.
 * @throws ZonesealError RDATA_INVALID when it is cut off
 */
export function parseDs(rdata: Uint8Array): DsRdata {
  if (rdata.length < 5) {
    throw new ZonesealError('RDATA_INVALID', 'DS rdata is cut off', { reason: 'cut off' });
  }
  return {
    keyTag: ((rdata[0] as number) << 8) | (rdata[1] as number),
    algorithm: rdata[2] as number,
    digestType: rdata[3] as number,
    digest: rdata.subarray(4),
  };
}

/** Whether a DS (any digest type known here) stands for a DNSKEY. */
export function dsMatches(owner: Name, ds: Uint8Array, dnskey: Uint8Array): boolean {
  const { digestType } = parseDs(ds);
  return DIGEST_NAMES.has(digestType) && Buffer.compare(dsRdata(owner, dnskey, digestType), ds) === 0;
}

/**
 * What is left of a DS RRset for validators that take the strongest digest only, of the types known here: of the whole set, as unbound does,
 * or of each algorithm. RFC 4509 §3 has them all ignore SHA-1 beside SHA-256. What is of no known type stays: it may be the strongest to others.
 */
export function strongestDs(ds: readonly Uint8Array[], among: 'all' | 'algorithm'): Uint8Array[] {
  const parsed = ds.map((rdata) => ({ rdata, ...parseDs(rdata) }));
  const isKnown = (it: DsRdata): boolean => DIGEST_NAMES.has(it.digestType);
  const isStronger = (a: DsRdata, b: DsRdata): boolean =>
    isKnown(a) && a.digestType > b.digestType && (among === 'all' || a.algorithm === b.algorithm);
  return parsed
    .filter((it) => !isKnown(it) || !parsed.some((other) => isStronger(other, it)))
    .map(({ rdata }) => rdata);
}

/** The CDS and CDNSKEY rdata that ask a parent to remove its DS (RFC 8078 §4). */
export const CDS_DELETE: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0);
export const CDNSKEY_DELETE: Uint8Array = Uint8Array.of(0, 0, DNSKEY_PROTOCOL, 0, 0);

/** The tags that a DNSKEY has without and with the REVOKE flag (RFC 5011 §7: revoking changes it). */
export function tagsOf(key: {
  readonly flags: number;
  readonly algorithm: number;
  readonly publicKey: Uint8Array;
}): readonly [number, number] {
  const { algorithm, publicKey } = key;
  const plain = dnskeyRdata({ flags: key.flags & ~DNSKEY_REVOKE, algorithm, publicKey });
  const revoked = dnskeyRdata({ flags: key.flags | DNSKEY_REVOKE, algorithm, publicKey });
  return [keyTag(plain), keyTag(revoked)];
}
