import type { KeyObject } from 'node:crypto';
import type { ZoneKey } from './key-set.js';

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
  fetchPayload(reference: string, signal?: AbortSignal): Promise<SecretPayload>;
}

export interface KeyRingOptions {
  /** How many private keys are kept in memory; the least recently used ones go first. Default 4096. */
  readonly maxKeys?: number;
  /** The passphrase of encrypted keys, where there is one. */
  readonly passphrase?: string;
}

/**
 * The private keys of zones in the memory of this process, fetched at need. A key is used only after its public half
 * was found equal to that of its DNSKEY and a signature made with it was verified.
 */
export declare class KeyRing {
  constructor(source: SecretSource, options?: KeyRingOptions);
  /**
   * The private key of a zone key, checked against its DNSKEY; concurrent callers share one fetch.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEY_MISSING, KEY_MISMATCH, KEY_UNREADABLE
   */
  privateKey(key: ZoneKey): Promise<KeyObject>;
  /** The private keys of several zone keys by their id. */
  privateKeys(keys: readonly ZoneKey[]): Promise<ReadonlyMap<string, KeyObject>>;
  /** Forgets keys that a key set no longer has. */
  drop(id: string): void;
  clear(): void;
  readonly size: number;
}
