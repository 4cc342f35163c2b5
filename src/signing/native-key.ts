import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { createRequire } from 'node:module';

/**
 * P-256 and Ed25519 by the OpenSSL that Node.js itself is linked to, called without node:crypto in between: `crypto.sign` looks up digest and
 * provider again for each signature, which costs a fifth of it. docs/adr/0003-signing-calls.md says why, and what is done where this cannot be.
 */

/** A private key that OpenSSL holds ready. */
export interface NativeKey {
  /**
   * A signature of 64 octets of its own: r | s of ECDSA with SHA-256 (RFC 6605 §4), or Ed25519 (RFC 8080 §4).
   * @throws Error when OpenSSL fails
   */
  sign(octets: Uint8Array): Uint8Array;
  /** Has OpenSSL wipe and free the key; it is not used after. */
  free(): void;
}

type Pointer = object | null;

/** What is called of OpenSSL (3.0 and later), as its manual declares it. */
interface Calls {
  readonly d2i_AutoPrivateKey: (key: null, der: readonly [Uint8Array], length: number) => Pointer;
  readonly EVP_PKEY_free: (key: Pointer) => void;
  readonly EVP_PKEY_CTX_new: (key: Pointer, engine: null) => Pointer;
  readonly EVP_PKEY_CTX_free: (context: Pointer) => void;
  readonly EVP_PKEY_sign_init: (context: Pointer) => number;
  readonly EVP_PKEY_sign: (
    context: Pointer,
    signature: Uint8Array,
    size: BigUint64Array,
    digest: Uint8Array,
    length: number,
  ) => number;
  readonly EVP_MD_CTX_new: () => Pointer;
  readonly EVP_MD_CTX_free: (context: Pointer) => void;
  readonly EVP_DigestSignInit: (
    context: Pointer,
    use: null,
    digest: null,
    engine: null,
    key: Pointer,
  ) => number;
  readonly EVP_DigestSign: (
    context: Pointer,
    signature: Uint8Array,
    size: BigUint64Array,
    octets: Uint8Array,
    length: number,
  ) => number;
  readonly EVP_MD_fetch: (library: null, name: string, properties: null) => Pointer;
  readonly EVP_MD_free: (kind: Pointer) => void;
  readonly EVP_Digest: (
    octets: Uint8Array,
    length: number,
    digest: Uint8Array,
    size: null,
    kind: Pointer,
    engine: null,
  ) => number;
}

const DECLARATIONS: Readonly<Record<keyof Calls, string>> = {
  d2i_AutoPrivateKey: 'void *d2i_AutoPrivateKey(void *key, const uint8_t **der, long length)',
  EVP_PKEY_free: 'void EVP_PKEY_free(void *key)',
  EVP_PKEY_CTX_new: 'void *EVP_PKEY_CTX_new(void *key, void *engine)',
  EVP_PKEY_CTX_free: 'void EVP_PKEY_CTX_free(void *context)',
  EVP_PKEY_sign_init: 'int EVP_PKEY_sign_init(void *context)',
  EVP_PKEY_sign:
    'int EVP_PKEY_sign(void *context, uint8_t *signature, size_t *size, const uint8_t *digest, size_t length)',
  EVP_MD_CTX_new: 'void *EVP_MD_CTX_new()',
  EVP_MD_CTX_free: 'void EVP_MD_CTX_free(void *context)',
  EVP_DigestSignInit:
    'int EVP_DigestSignInit(void *context, void *use, void *digest, void *engine, void *key)',
  EVP_DigestSign:
    'int EVP_DigestSign(void *context, uint8_t *signature, size_t *size, const uint8_t *octets, size_t length)',
  EVP_MD_fetch: 'void *EVP_MD_fetch(void *library, const char *name, const char *properties)',
  EVP_MD_free: 'void EVP_MD_free(void *kind)',
  EVP_Digest:
    'int EVP_Digest(const uint8_t *octets, size_t length, uint8_t *digest, void *size, void *kind, void *engine)',
};

let calls: Calls | undefined | null = null;

/** The calls, or undefined where the package is not installed or Node.js has other cryptography than OpenSSL; looked up once. */
function openssl(): Calls | undefined {
  if (calls !== null) return calls;
  try {
    // optional: only on platforms that it has a build for
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(path: null): { func(declaration: string): unknown };
    };
    const own = koffi.load(null);
    const found = Object.entries(DECLARATIONS).map(([name, text]) => [name, own.func(text)] as const);
    calls = Object.fromEntries(found) as unknown as Calls;
  } catch {
    calls = undefined;
  }
  return calls;
}

/** Half of a signature: r or s. */
const HALF = 32;
/** More than any P-256 signature takes in DER: 72. */
const MOST_DER = 80;
const TRIAL = Buffer.from('zoneseal tries a key before it signs with it');

/**
 * A P-256 or Ed25519 private key for many signatures; undefined where it is of another kind or cannot be had, or its first signature is
 * not good by node:crypto: then `crypto.sign` is to be used.
 */
export function nativeKey(key: KeyObject): NativeKey | undefined {
  const isEcdsa = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (!isEcdsa && key.asymmetricKeyType !== 'ed25519') return undefined;
  const api = openssl();
  const pkey = api && load(api, key);
  if (api === undefined || pkey === undefined) return undefined;
  const native = isEcdsa ? ecdsa(api, pkey) : ed25519(api, pkey);
  try {
    const signature = native?.sign(TRIAL);
    const publicKey = { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' } as const;
    if (signature !== undefined && verify(isEcdsa ? 'sha256' : null, TRIAL, publicKey, signature))
      return native;
  } catch {
    // as if it could not be had
  }
  if (native === undefined) api.EVP_PKEY_free(pkey);
  else native.free();
  return undefined;
}

function load(api: Calls, key: KeyObject): object | undefined {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const pkey = api.d2i_AutoPrivateKey(null, [der], der.length);
  der.fill(0);
  return pkey ?? undefined;
}

function ecdsa(api: Calls, pkey: object): NativeKey | undefined {
  const context = api.EVP_PKEY_CTX_new(pkey, null);
  // once: SHA256() looks it up again for each digest, in a table that all threads share
  const sha256 = api.EVP_MD_fetch(null, 'SHA256', null);
  const freeOwn = (): void => {
    api.EVP_PKEY_CTX_free(context);
    api.EVP_MD_free(sha256);
  };
  if (context === null || sha256 === null || api.EVP_PKEY_sign_init(context) !== 1) {
    freeOwn();
    return undefined;
  }
  const digest = new Uint8Array(32);
  const der = new Uint8Array(MOST_DER);
  const size = new BigUint64Array(1);
  const sign = (octets: Uint8Array): Uint8Array => {
    size[0] = BigInt(MOST_DER);
    if (
      api.EVP_Digest(octets, octets.length, digest, null, sha256, null) !== 1 ||
      api.EVP_PKEY_sign(context, der, size, digest, digest.length) !== 1
    )
      throw new Error('OpenSSL made no signature');
    return halvesOf(der);
  };
  const free = (): void => {
    freeOwn();
    api.EVP_PKEY_free(pkey);
  };
  return { sign, free };
}

function ed25519(api: Calls, pkey: object): NativeKey | undefined {
  const context = api.EVP_MD_CTX_new();
  if (context === null) return undefined;
  if (api.EVP_DigestSignInit(context, null, null, null, pkey) !== 1) {
    api.EVP_MD_CTX_free(context);
    return undefined;
  }
  const size = new BigUint64Array(1);
  const sign = (octets: Uint8Array): Uint8Array => {
    const signature = new Uint8Array(2 * HALF);
    size[0] = BigInt(signature.length);
    // begins anew with the same key
    const isReady = api.EVP_DigestSignInit(context, null, null, null, null) === 1;
    if (!isReady || api.EVP_DigestSign(context, signature, size, octets, octets.length) !== 1)
      throw new Error('OpenSSL made no signature');
    return signature;
  };
  const free = (): void => {
    api.EVP_MD_CTX_free(context);
    api.EVP_PKEY_free(pkey);
  };
  return { sign, free };
}

/** ECDSA-Sig-Value (RFC 3279 §2.2.3) as RRSIGs hold it. @throws Error when it is none of P-256 */
function halvesOf(der: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 * HALF);
  let at = 2;
  for (let end = HALF; end <= 2 * HALF; end += HALF) {
    let length = der[at + 1] as number;
    at += 2;
    // an integer begins with a zero where its first bit is set
    if (length === HALF + 1 && der[at] === 0) {
      length--;
      at++;
    }
    if (length > HALF) throw new Error('OpenSSL made no signature of P-256');
    for (let i = 0; i < length; i++) out[end - length + i] = der[at + i] as number;
    at += length;
  }
  return out;
}
