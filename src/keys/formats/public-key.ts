import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { ALGORITHMS, type Algorithm } from '../../dnssec/algorithm.js';
import { ZonesealError } from '../../errors.js';

/** RSA moduli that both algorithms 8 and 10 allow (RFC 5702 §2) and that are not too weak to be used. */
export const MIN_RSA_BITS = 1024;
export const MAX_RSA_BITS = 4096;
/** BIND refuses larger public exponents. */
const MAX_RSA_EXPONENT = 0xffff_ffffn;

/**
 * The DNSSEC algorithms that a key can be used with: two for RSA, else one.
 * @throws ZonesealError KEY_UNSUPPORTED with the reason
 */
export function algorithmsOfKey(key: KeyObject): readonly number[] {
  const type = key.asymmetricKeyType;
  const details = key.asymmetricKeyDetails ?? {};
  if (type === 'rsa') {
    const bits = details.modulusLength ?? 0;
    if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
      throw unsupported(`an RSA key of ${bits} bits; ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are allowed`);
    }
    if ((details.publicExponent ?? 0n) > MAX_RSA_EXPONENT)
      throw unsupported('an RSA key with a public exponent over 2^32');
    return [8, 10];
  }
  for (const algorithm of ALGORITHMS.values()) {
    if (algorithm.family === 'ecdsa' && type === 'ec' && details.namedCurve === algorithm.namedCurve) {
      return [algorithm.number];
    }
    if (algorithm.family === 'eddsa' && type === algorithm.curve.toLowerCase()) return [algorithm.number];
  }
  const kind =
    type === 'ec'
      ? `an EC key on the curve ${details.namedCurve ?? 'without a name'}`
      : `a key of type ${type}`;
  throw unsupported(`${kind}; RSA, P-256, P-384, Ed25519 and Ed448 are supported`);
}

function unsupported(what: string): ZonesealError {
  return new ZonesealError('KEY_UNSUPPORTED', `the key material is ${what}`);
}

/**
 * The public key field of a DNSKEY for a private or public key: exponent and modulus (RFC 3110 §2), x and y
 * (RFC 6605 §4), or the EdDSA public key (RFC 8080 §3).
 * @throws ZonesealError KEY_UNSUPPORTED
 */
export function dnskeyPublicKey(key: KeyObject): Uint8Array {
  algorithmsOfKey(key);
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const jwk = publicKey.export({ format: 'jwk' });
  if (jwk.kty === 'RSA') {
    const exponent = base64url(jwk.e);
    const modulus = base64url(jwk.n);
    // an exponent over 255 octets would need the long form; algorithmsOfKey refuses such
    return Buffer.concat([Uint8Array.of(exponent.length), exponent, modulus]);
  }
  if (jwk.kty === 'EC') return Buffer.concat([base64url(jwk.x), base64url(jwk.y)]);
  return base64url(jwk.x);
}

/**
 * The public key that the public key field of a DNSKEY stands for.
 * @throws ZonesealError KEY_UNSUPPORTED for an algorithm that Zoneseal does not sign with, KEY_UNREADABLE for octets
 * that are no key of it
 */
export function publicKeyFromDnskey(algorithm: number, octets: Uint8Array): KeyObject {
  const known = ALGORITHMS.get(algorithm);
  if (known === undefined)
    throw new ZonesealError('KEY_UNSUPPORTED', `DNSKEY algorithm ${algorithm} is not supported`);
  const jwk = publicJwk(known, octets);
  try {
    if (jwk !== undefined) return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    // OpenSSL's reason says no more than that it is no key
  }
  const message = `the public key of a DNSKEY is no key of algorithm ${algorithm} (${known.mnemonic})`;
  throw new ZonesealError('KEY_UNREADABLE', message, { algorithm });
}

function publicJwk(algorithm: Algorithm, octets: Uint8Array): JsonWebKey | undefined {
  if (algorithm.family === 'rsa') return rsaJwk(octets);
  if (algorithm.family === 'ecdsa') {
    const half = algorithm.coordinateOctets;
    if (octets.length !== 2 * half) return undefined;
    const [x, y] = [octets.subarray(0, half), octets.subarray(half)];
    return { kty: 'EC', crv: algorithm.curve, x: toBase64url(x), y: toBase64url(y) };
  }
  if (octets.length !== algorithm.publicKeyOctets) return undefined;
  return { kty: 'OKP', crv: algorithm.curve, x: toBase64url(octets) };
}

/** RFC 3110 §2: a length of one octet, or a zero and two octets. */
function rsaJwk(octets: Uint8Array): JsonWebKey | undefined {
  const short = octets[0];
  if (short === undefined) return undefined;
  const start = short === 0 ? 3 : 1;
  const length = short === 0 ? (octets[1] ?? 0) * 256 + (octets[2] ?? 0) : short;
  const exponent = octets.subarray(start, start + length);
  const modulus = octets.subarray(start + length);
  if (exponent.length === 0 || modulus.length < 64) return undefined;
  return { kty: 'RSA', e: toBase64url(exponent), n: toBase64url(modulus) };
}

function base64url(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

function toBase64url(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64url');
}
