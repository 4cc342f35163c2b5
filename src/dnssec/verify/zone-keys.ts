import { createPublicKey, type KeyObject } from 'node:crypto';

const ZONE_KEY = 0x0100;
const REVOKED = 0x0080;
const SECURE_ENTRY_POINT = 0x0001;
const DNSSEC_PROTOCOL = 3;

/** How signatures of an algorithm are checked. */
interface AlgorithmCheck {
  readonly hash: string | null;
  readonly toJwk: (publicKey: Uint8Array) => Record<string, string>;
  /** SHA-1: good for reading old zones, not for signing (RFC 8624 §3.1, RFC 9905). */
  readonly outdated?: boolean;
}

const base64url = (octets: Uint8Array) => Buffer.from(octets).toString('base64url');

/** RFC 3110 §2: the length of the exponent in one octet, or in two after a zero; exponent; modulus. */
function rsaJwk(octets: Uint8Array): Record<string, string> {
  const long = octets[0] === 0;
  const length = long ? ((octets[1] ?? 0) << 8) | (octets[2] ?? 0) : (octets[0] ?? 0);
  const start = long ? 3 : 1;
  if (length === 0 || octets.length <= start + length) throw new Error('it ends inside the exponent');
  const exponent = octets.subarray(start, start + length);
  const modulus = octets.subarray(start + length);
  if (modulus[0] === 0 || exponent[0] === 0) throw new Error('a number begins with zero octets');
  return { kty: 'RSA', e: base64url(exponent), n: base64url(modulus) };
}

/** RFC 6605 §4: the two coordinates. */
const ecJwk = (curve: string, octets: number) => (publicKey: Uint8Array) => {
  if (publicKey.length !== 2 * octets) throw new Error(`it has not ${2 * octets} octets`);
  return {
    kty: 'EC',
    crv: curve,
    x: base64url(publicKey.subarray(0, octets)),
    y: base64url(publicKey.subarray(octets)),
  };
};

/** RFC 8080 §3. */
const edJwk = (curve: string, octets: number) => (publicKey: Uint8Array) => {
  if (publicKey.length !== octets) throw new Error(`it has not ${octets} octets`);
  return { kty: 'OKP', crv: curve, x: base64url(publicKey) };
};

const ALGORITHMS = new Map<number, AlgorithmCheck>([
  [5, { hash: 'sha1', toJwk: rsaJwk, outdated: true }],
  [7, { hash: 'sha1', toJwk: rsaJwk, outdated: true }],
  [8, { hash: 'sha256', toJwk: rsaJwk }],
  [10, { hash: 'sha512', toJwk: rsaJwk }],
  [13, { hash: 'sha256', toJwk: ecJwk('P-256', 32) }],
  [14, { hash: 'sha384', toJwk: ecJwk('P-384', 48) }],
  [15, { hash: null, toJwk: edJwk('Ed25519', 32) }],
  [16, { hash: null, toJwk: edJwk('Ed448', 57) }],
]);

/** Whether the verifier knows an algorithm by number. */
export function isKnownAlgorithm(algorithm: number): boolean {
  return ALGORITHMS.has(algorithm);
}

/** Whether signing with an algorithm has to end (RFC 8624 §3.1). */
export function isOutdatedAlgorithm(algorithm: number): boolean {
  return ALGORITHMS.get(algorithm)?.outdated === true;
}

/** One DNSKEY record, read. */
export interface ZoneKey {
  readonly flags: number;
  readonly protocol: number;
  readonly algorithm: number;
  readonly tag: number;
  readonly isZoneKey: boolean;
  readonly isSecureEntryPoint: boolean;
  readonly isRevoked: boolean;
  /** The hash to verify with, null where the algorithm brings its own. */
  readonly hash: string | null;
  /** Undefined where the algorithm is unknown or the key malformed; `problem` then says why. */
  readonly publicKey: KeyObject | undefined;
  readonly problem: string | undefined;
}

/** Reads the rdata of a DNSKEY record (RFC 4034 §2.1). */
export function readZoneKey(rdata: Uint8Array): ZoneKey {
  const flags = ((rdata[0] ?? 0) << 8) | (rdata[1] ?? 0);
  const protocol = rdata[2] ?? 0;
  const algorithm = rdata[3] ?? 0;
  const check = ALGORITHMS.get(algorithm);
  let publicKey: KeyObject | undefined;
  let problem: string | undefined;
  if (check !== undefined) {
    try {
      publicKey = createPublicKey({ key: check.toJwk(rdata.subarray(4)), format: 'jwk' });
    } catch (cause) {
      problem = cause instanceof Error ? cause.message : String(cause);
    }
  }
  return {
    flags,
    protocol,
    algorithm,
    tag: keyTagOf(rdata),
    isZoneKey: (flags & ZONE_KEY) !== 0 && protocol === DNSSEC_PROTOCOL,
    isSecureEntryPoint: (flags & SECURE_ENTRY_POINT) !== 0,
    isRevoked: (flags & REVOKED) !== 0,
    hash: check?.hash ?? null,
    publicKey,
    problem,
  };
}

/** The key tag (RFC 4034 Appendix B). */
function keyTagOf(rdata: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < rdata.length; i++)
    sum += (i & 1) === 0 ? (rdata[i] as number) << 8 : (rdata[i] as number);
  return (sum + (sum >>> 16)) & 0xffff;
}
