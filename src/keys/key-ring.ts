import type { KeyObject } from 'node:crypto';
import { type Clock, systemClock } from '../clock.js';
import { decodePrivateKey } from './formats/decode.js';
import type { DecodeThread } from './formats/decode-thread.js';
import { checkHalves } from './halves.js';
import { keyError } from './key-error.js';
import type { ZoneKey } from './key-set.js';
import { SecretCache } from './secret-cache.js';

/** What a secret store answers for one reference. */
export interface SecretPayload {
  /** The stored content type, without parameters: `application/pkcs8`, `application/octet-stream`, `text/plain`. */
  readonly contentType: string;
  readonly payload: Uint8Array;
  /** The whole reference as the secret store has it, where it says so: it can be asked with another one. */
  readonly reference?: string;
  /** When the secret store deletes it by itself, seconds since 1970; left out: never. */
  readonly expiration?: number;
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
  readonly clock?: Clock;
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
    this.#cache = new SecretCache(options.maxKeys ?? 4096, { clock: options.clock ?? systemClock });
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
      throw keyError(key, error, (this.#options.clock ?? systemClock).seconds());
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

  /**
   * Forgets keys that nobody asked for in so many seconds, but for those that are still to sign: with these, signatures are renewed while
   * the key store is away.
   * @param inUse the references, among those given, of keys that sign
   * @returns how many were forgotten
   */
  async dropIdle(
    seconds: number,
    inUse: (references: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number> {
    const idle = this.#cache.idle(seconds * 1000);
    if (idle.length === 0) return 0;
    const references = [...new Set(idle.map(referenceIn))];
    const used = await inUse(references);
    const dropped = idle.filter((id) => !used.has(referenceIn(id)));
    // what was asked for meanwhile is in use again
    const still = new Set(this.#cache.idle(seconds * 1000));
    for (const id of dropped) if (still.has(id)) this.#cache.drop(id);
    return dropped.length;
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

/** The reference of the secret in an identity; it has no spaces. */
function referenceIn(id: string): string {
  return id.slice(0, id.indexOf(' '));
}
