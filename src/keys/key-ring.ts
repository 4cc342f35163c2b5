import type { KeyObject } from 'node:crypto';
import { ZonesealError } from '../errors.js';
import { decodePrivateKey } from './formats/decode.js';
import type { DecodeThread } from './formats/decode-thread.js';
import { checkHalves } from './halves.js';
import type { ZoneKey } from './key-set.js';
import { SecretCache } from './secret-cache.js';

/** What a secret store answers for one reference. */
export interface SecretPayload {
  /** The stored content type, without parameters: `application/pkcs8`, `application/octet-stream`, `text/plain`. */
  readonly contentType: string;
  readonly payload: Uint8Array;
}

/** The port of the key ring to where secrets are kept (Barbican). */
export interface SecretSource {
  /**
   * The payload behind a reference.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEY_MISSING
   */
  fetchPayload(reference: string): Promise<SecretPayload>;
}

export interface KeyRingOptions {
  /** How many private keys are kept in memory; the least recently used ones go first. Default 4096. */
  readonly maxKeys?: number;
  /** The passphrase of encrypted keys, where there are any. */
  readonly passphrase?: string;
  readonly thread?: DecodeThread;
}

/** What the key ring has in memory and what became of its fetches, for metrics. */
export interface KeyRingState {
  readonly cached: number;
  readonly fetching: number;
  readonly fetched: number;
  readonly failed: number;
}

/**
 * The private keys of zones in the memory of this process, fetched at need and kept while the key store is away. A
 * key is used only after its public half was found equal to that of its DNSKEY and a signature made with it was verified:
 * once for a secret and a DNSKEY, so that zones which share a key do not each have it fetched and proved.
 */
export class KeyRing {
  readonly #source: SecretSource;
  readonly #options: KeyRingOptions;
  readonly #cache: SecretCache<KeyObject>;

  constructor(source: SecretSource, options: KeyRingOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#cache = new SecretCache(options.maxKeys ?? 4096);
  }

  /**
   * The private key of a zone key; concurrent callers share one fetch. A failure is not remembered.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEY_MISSING, KEY_MISMATCH, KEY_UNREADABLE,
   * KEY_UNSUPPORTED, KEY_PASSPHRASE_NEEDED, KEY_PASSPHRASE_WRONG, naming zone, key tag, reason and next step
   */
  async privateKey(key: ZoneKey): Promise<KeyObject> {
    const id = identity(key);
    try {
      return await this.#cache.get(id, id, () => this.#fetch(key));
    } catch (error) {
      throw named(key, error);
    }
  }

  /** The private keys of several zone keys by their id; fails as privateKey when one of them does. */
  async privateKeys(keys: readonly ZoneKey[]): Promise<ReadonlyMap<string, KeyObject>> {
    const entries = keys.map(async (key) => [key.id, await this.privateKey(key)] as const);
    return new Map(await Promise.all(entries));
  }

  /** Whether the key is in memory, so that it can be had without the key store. */
  has(key: ZoneKey): boolean {
    const id = identity(key);
    return this.#cache.peek(id, id) !== undefined;
  }

  /** Forgets a key; zones that share it have it fetched anew. */
  drop(key: ZoneKey): void {
    this.#cache.drop(identity(key));
  }

  /** Forgets all keys. */
  clear(): void {
    this.#cache.clear();
  }

  get state(): KeyRingState {
    return this.#cache.state;
  }

  async #fetch({ secretRef, algorithm, publicKey }: ZoneKey): Promise<KeyObject> {
    const { payload } = await this.#source.fetchPayload(secretRef);
    const { passphrase, thread } = this.#options;
    const decoded = await decodePrivateKey(payload, {
      ...(passphrase === undefined ? {} : { passphrase }),
      ...(thread === undefined ? {} : { thread }),
    });
    payload.fill(0);
    checkHalves({ algorithm, publicKey }, decoded);
    decoded.pkcs8.fill(0);
    return decoded.privateKey;
  }
}

/** All that a key's proof is about: one that got another reference, or another DNSKEY under the same id, is fetched anew. */
function identity({ secretRef, algorithm, publicKey }: ZoneKey): string {
  return `${secretRef} ${algorithm} ${Buffer.from(publicKey).toString('base64')}`;
}

const NEXT_STEPS: Partial<Record<string, string>> = {
  KEYSTORE_UNAVAILABLE: 'it is asked again when the key is needed next',
  KEYSTORE_FORBIDDEN: "give the gateway's user the role and the ACL to read this secret",
  KEY_MISSING: 'restore the secret in Barbican or replace the key',
  KEY_PASSPHRASE_NEEDED: 'give the passphrase in the configuration',
  KEY_PASSPHRASE_WRONG: 'correct the passphrase in the configuration',
};

function named(key: ZoneKey, error: unknown): ZonesealError {
  const known = error instanceof ZonesealError ? error : undefined;
  const code = known?.code ?? 'KEY_UNREADABLE';
  const next = NEXT_STEPS[code] ?? 'check which secret belongs to this key and import it anew';
  const reason = known?.message ?? 'the private key cannot be read';
  return new ZonesealError(
    code,
    `zone ${key.zone}, key ${key.keyTag} (algorithm ${key.algorithm}, ${key.role}): ${reason}; ${next}`,
    { ...known?.fields, zone: key.zone, keyTag: key.keyTag, algorithm: key.algorithm, keyId: key.id },
  );
}
