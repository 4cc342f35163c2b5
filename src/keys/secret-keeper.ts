import { createHash } from 'node:crypto';
import type { Name } from '../dns/name.js';
import type { SecretSource } from './key-ring.js';

/** Who says that they use a secret. */
export interface SecretConsumer {
  readonly service: string;
  readonly resourceType: string;
  readonly resourceId: string;
}

/** The port to where secrets are kept, for whoever puts them there (Barbican). */
export interface SecretKeeper extends SecretSource {
  /**
   * Stores a secret and gives its reference. Not repeated: where the error is KEYSTORE_UNAVAILABLE, and its field `unsent` is not true, the secret
   * may be there all the same.
   */
  storeSecret(secret: {
    readonly name: string;
    readonly type: 'private' | 'symmetric';
    readonly payload: Uint8Array;
    readonly contentType: 'application/pkcs8' | 'application/octet-stream';
    readonly algorithm?: string;
    readonly bitLength?: number;
  }): Promise<string>;
  /** Deletes a secret; one that is gone already is no error. */
  deleteSecret(reference: string): Promise<void>;
  readMetadata(reference: string): Promise<Readonly<Record<string, string>>>;
  writeMetadata(reference: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  /** Replaces who may read a secret beside its maker. */
  writeAcl(
    reference: string,
    acl: { readonly projectAccess: boolean; readonly users: readonly string[] },
  ): Promise<void>;
  /** Notes who uses a secret; nothing where the key store knows no consumers. */
  addConsumer(reference: string, consumer: SecretConsumer): Promise<void>;
  /** Takes the note away; nothing where it is not there. */
  removeConsumer(reference: string, consumer: SecretConsumer): Promise<void>;
  listSecrets(filter: {
    readonly namePrefix: string;
  }): AsyncIterable<{ readonly reference: string; readonly name: string | undefined }>;
}

/**
 * What became of the secret of a key that goes: deleted for good; still there because other keys use it; or kept because it was not put into the key
 * store from here.
 */
export type SecretFate = 'deleted' | 'shared' | 'kept';

/** Names in Barbican have at most 255 characters; a zone's may be longer once it is escaped. */
const MAX_NAME_CHARACTERS = 180;

/** What the names of all secrets of a zone's keys begin with. */
export function zoneKeyPrefix(zone: Name): string {
  return `zoneseal key ${shortText(zone)} `;
}

/** What the names of all secrets of a TSIG key begin with. */
export function tsigKeyPrefix(name: Name): string {
  return `zoneseal tsig ${shortText(name)} `;
}

/** A name in lower case, or a digest of one that is too long. */
export function shortText(name: Name): string {
  const text = name.toLower().toString();
  return text.length <= MAX_NAME_CHARACTERS
    ? text
    : `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
