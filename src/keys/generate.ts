import { createPrivateKey, type KeyObject, verify, type webcrypto } from 'node:crypto';
import { Crypto } from '@peculiar/webcrypto';
import { ALGORITHMS, type Algorithm } from '../dnssec/algorithm.js';
import { dnskeyRdata, keyTag, tagsOf } from '../dnssec/dnskey.js';
import { ZonesealError } from '../errors.js';
import { dnskeyPublicKey, MAX_RSA_BITS, MIN_RSA_BITS, publicKeyFromDnskey } from './formats/public-key.js';
import { flagsOfRole, type KeyRole } from './key-set.js';

type SubtleCrypto = webcrypto.SubtleCrypto;
type CryptoKey = webcrypto.CryptoKey;

/**
 * Who makes keys: a WebCrypto implementation, and how it calls EdDSA (`EdDSA` with a named curve, or by the curve's
 * own name as the specification has it).
 */
export interface KeyProvider {
  readonly subtle: SubtleCrypto;
  readonly edwards: 'EdDSA' | 'curve';
}

/** @peculiar/webcrypto. */
export const defaultKeyProvider: KeyProvider = {
  subtle: new Crypto().subtle,
  edwards: 'EdDSA',
};

/** A private key with what its DNSKEY needs. */
export interface NewKey {
  readonly algorithm: number;
  readonly role: KeyRole;
  readonly flags: number;
  readonly keyTag: number;
  /** The public key field of the DNSKEY. */
  readonly publicKey: Uint8Array;
  /** Unencrypted PKCS#8 DER. Handle with care. */
  readonly pkcs8: Uint8Array;
  readonly privateKey: KeyObject;
}

export interface GenerateOptions {
  readonly algorithm: number;
  readonly role: KeyRole;
  /** For RSA: the modulus in bits, 2048 where left out. */
  readonly rsaBits?: number;
  /** Tags that the key must have neither now nor once it is revoked. */
  readonly takenTags?: ReadonlySet<number>;
  readonly provider?: KeyProvider;
}

/** A zone has a few keys, and tags are 16 bits: more tries than this mean something is wrong. */
const MAX_TRIES = 20;

/**
 * Makes a key and proves it: what the provider signs verifies with the DNSKEY's octets.
 * @throws ZonesealError KEY_UNSUPPORTED, KEY_TAG_TAKEN, KEY_SELF_TEST_FAILED
 */
export async function generateKey(options: GenerateOptions): Promise<NewKey> {
  const provider = options.provider ?? defaultKeyProvider;
  const algorithm = knownAlgorithm(options.algorithm);
  const bits = options.rsaBits ?? 2048;
  if (algorithm.family === 'rsa' && (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || bits % 8 !== 0)) {
    throw new ZonesealError(
      'KEY_UNSUPPORTED',
      `RSA keys are generated with ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits in steps of 8, not ${bits}`,
    );
  }
  const { takenTags } = options;
  const parameters = generationParameters(algorithm, bits, provider);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const pair = await generatePair(provider, parameters);
    const pkcs8 = new Uint8Array(await provider.subtle.exportKey('pkcs8', pair.privateKey));
    const key = describe(pkcs8, algorithm, options.role);
    if (takenTags !== undefined && tagsOf(key).some((tag) => takenTags.has(tag))) {
      pkcs8.fill(0);
      continue;
    }
    await proveKey(key, pair.privateKey, provider);
    return key;
  }
  throw new ZonesealError('KEY_TAG_TAKEN', `${MAX_TRIES} generated keys all had the tag of a key in use`);
}

/**
 * Takes PKCS#8 through the provider and back: what it cannot import it could not use, and the self-test is the same
 * as for a generated key.
 * @throws ZonesealError KEY_UNREADABLE, KEY_UNSUPPORTED, KEY_SELF_TEST_FAILED
 */
export async function importKey(
  pkcs8: Uint8Array,
  options: { readonly algorithm: number; readonly role: KeyRole; readonly provider?: KeyProvider },
): Promise<NewKey> {
  const provider = options.provider ?? defaultKeyProvider;
  const algorithm = knownAlgorithm(options.algorithm);
  const imported = await importPrivate(pkcs8, algorithm, provider);
  const exported = new Uint8Array(await provider.subtle.exportKey('pkcs8', imported));
  const key = describe(exported, algorithm, options.role);
  await proveKey(key, imported, provider);
  return key;
}

function knownAlgorithm(number: number): Algorithm {
  const algorithm = ALGORITHMS.get(number);
  if (algorithm !== undefined) return algorithm;
  const known = [...ALGORITHMS.values()].map((it) => `${it.number} (${it.mnemonic})`).join(', ');
  throw new ZonesealError(
    'KEY_UNSUPPORTED',
    `DNSSEC algorithm ${number} is not supported; use one of ${known}`,
  );
}

function describe(pkcs8: Uint8Array, algorithm: Algorithm, role: KeyRole): NewKey {
  const privateKey = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  const publicKey = dnskeyPublicKey(privateKey);
  const flags = flagsOfRole(role);
  const tag = keyTag(dnskeyRdata({ flags, algorithm: algorithm.number, publicKey }));
  return { algorithm: algorithm.number, role, flags, keyTag: tag, publicKey, pkcs8, privateKey };
}

/** The provider signs, node:crypto verifies with the octets that the DNSKEY will publish: two implementations agree. */
async function proveKey(key: NewKey, privateKey: CryptoKey, provider: KeyProvider): Promise<void> {
  const algorithm = knownAlgorithm(key.algorithm);
  const probe = Buffer.from(`zoneseal: self-test of key ${key.keyTag}`);
  const signature = new Uint8Array(
    await provider.subtle.sign(operationParameters(algorithm, provider), privateKey, probe),
  );
  const publicKey = publicKeyFromDnskey(key.algorithm, key.publicKey);
  if (!verify(algorithm.digest, probe, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)) {
    const message = `key ${key.keyTag} (algorithm ${key.algorithm}) made a signature that does not verify; it is not used`;
    throw new ZonesealError('KEY_SELF_TEST_FAILED', message);
  }
}

type Parameters = webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams | webcrypto.Algorithm;

function generationParameters(algorithm: Algorithm, bits: number, provider: KeyProvider): Parameters {
  if (algorithm.family !== 'rsa') return operationParameters(algorithm, provider);
  return { ...algorithm.webcrypto, modulusLength: bits, publicExponent: Uint8Array.of(1, 0, 1) };
}

function operationParameters(algorithm: Algorithm, provider: KeyProvider): webcrypto.EcdsaParams {
  if (algorithm.family !== 'eddsa' || provider.edwards === 'curve')
    return algorithm.webcrypto as webcrypto.EcdsaParams;
  return { name: 'EdDSA', namedCurve: algorithm.curve } as unknown as webcrypto.EcdsaParams;
}

async function generatePair(provider: KeyProvider, parameters: Parameters): Promise<webcrypto.CryptoKeyPair> {
  const pair = await provider.subtle.generateKey(parameters as webcrypto.EcKeyGenParams, true, [
    'sign',
    'verify',
  ]);
  return pair;
}

async function importPrivate(
  pkcs8: Uint8Array,
  algorithm: Algorithm,
  provider: KeyProvider,
): Promise<CryptoKey> {
  try {
    return await provider.subtle.importKey('pkcs8', pkcs8, operationParameters(algorithm, provider), true, [
      'sign',
    ]);
  } catch {
    // a provider's reason may quote the material
    const message = `the private key is no key of algorithm ${algorithm.number} (${algorithm.mnemonic})`;
    throw new ZonesealError('KEY_UNREADABLE', message);
  }
}
