/** How node:crypto and WebCrypto name what a DNSSEC algorithm needs. */
interface AlgorithmBase {
  /** IANA "DNS Security Algorithm Numbers". */
  readonly number: number;
  readonly mnemonic: string;
  /** The digest argument of node:crypto's sign and verify; null where the algorithm brings its own. */
  readonly digest: 'sha256' | 'sha384' | 'sha512' | null;
}

/** RSASSA-PKCS1-v1_5 (RFC 5702). A signature is as long as the modulus. */
export interface RsaAlgorithm extends AlgorithmBase {
  readonly family: 'rsa';
  readonly webcrypto: { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: 'SHA-256' | 'SHA-512' };
}

/** ECDSA (RFC 6605): a key is x and y, a signature r and s, each a coordinate long. */
export interface EcdsaAlgorithm extends AlgorithmBase {
  readonly family: 'ecdsa';
  readonly curve: 'P-256' | 'P-384';
  /** The curve's name in OpenSSL. */
  readonly namedCurve: 'prime256v1' | 'secp384r1';
  readonly coordinateOctets: number;
  readonly webcrypto: {
    readonly name: 'ECDSA';
    readonly hash: 'SHA-256' | 'SHA-384';
    readonly namedCurve: string;
  };
}

/** EdDSA (RFC 8080). */
export interface EddsaAlgorithm extends AlgorithmBase {
  readonly family: 'eddsa';
  readonly curve: 'Ed25519' | 'Ed448';
  readonly publicKeyOctets: number;
  readonly signatureOctets: number;
  readonly webcrypto: { readonly name: 'Ed25519' | 'Ed448' };
}

export type Algorithm = RsaAlgorithm | EcdsaAlgorithm | EddsaAlgorithm;

const rsa = (number: number, mnemonic: string, bits: 256 | 512): RsaAlgorithm => ({
  number,
  mnemonic,
  family: 'rsa',
  digest: `sha${bits}`,
  webcrypto: { name: 'RSASSA-PKCS1-v1_5', hash: `SHA-${bits}` },
});

/** The algorithms that Zoneseal signs with, by number. */
export const ALGORITHMS: ReadonlyMap<number, Algorithm> = new Map<number, Algorithm>([
  [8, rsa(8, 'RSASHA256', 256)],
  [10, rsa(10, 'RSASHA512', 512)],
  [
    13,
    {
      number: 13,
      mnemonic: 'ECDSAP256SHA256',
      family: 'ecdsa',
      digest: 'sha256',
      curve: 'P-256',
      namedCurve: 'prime256v1',
      coordinateOctets: 32,
      webcrypto: { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
    },
  ],
  [
    14,
    {
      number: 14,
      mnemonic: 'ECDSAP384SHA384',
      family: 'ecdsa',
      digest: 'sha384',
      curve: 'P-384',
      namedCurve: 'secp384r1',
      coordinateOctets: 48,
      webcrypto: { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' },
    },
  ],
  [
    15,
    {
      number: 15,
      mnemonic: 'ED25519',
      family: 'eddsa',
      digest: null,
      curve: 'Ed25519',
      publicKeyOctets: 32,
      signatureOctets: 64,
      webcrypto: { name: 'Ed25519' },
    },
  ],
  [
    16,
    {
      number: 16,
      mnemonic: 'ED448',
      family: 'eddsa',
      digest: null,
      curve: 'Ed448',
      publicKeyOctets: 57,
      signatureOctets: 114,
      webcrypto: { name: 'Ed448' },
    },
  ],
]);

/** The mnemonic of an algorithm number, or the number where it has none here. */
export function algorithmToText(number: number): string {
  return ALGORITHMS.get(number)?.mnemonic ?? String(number);
}

/** The algorithm of a number or mnemonic (case-insensitive); undefined for one that Zoneseal does not sign with. */
export function algorithmFromText(text: string): Algorithm | undefined {
  if (/^[0-9]{1,3}$/.test(text)) return ALGORITHMS.get(Number(text));
  const wanted = text.toUpperCase();
  for (const algorithm of ALGORITHMS.values()) if (algorithm.mnemonic === wanted) return algorithm;
  return undefined;
}
