import { type ErrorCode, ZonesealError } from '../errors.js';
import type { KeyRole } from './key-set.js';

/** What a person needs to know of a key to find it. */
export interface NamedKey {
  readonly id?: string;
  readonly zone: string;
  readonly keyTag: number;
  readonly algorithm: number;
  readonly role: KeyRole;
  /** When the key store deletes its secret by itself, where it is known that it does. */
  readonly secretExpires?: number;
}

/** By what the key store did not allow (`fields.refusal` of its errors), where that is known. */
const BY_REFUSAL: Readonly<Record<string, string>> = {
  role: 'give the user a role in the project that may: observer to read, creator to store and delete',
  change:
    'a secret that is closed (barbican.privateSecrets) is deleted by the user who stored it, or by an administrator of the project; others need the role creator',
  acl: 'let the user in again (openstack acl user add), or open the secret to the project',
  quota:
    'raise the quota of secrets of the project (openstack secret quota), or delete secrets that nobody uses',
  credentials:
    'correct the credentials: files that hold them are read again without a restart, the configuration and the environment are not',
};

const BY_CODE: Partial<Record<ErrorCode, string>> = {
  KEYSTORE_UNAVAILABLE: 'it is asked again when the key is needed next',
  KEYSTORE_FORBIDDEN: "give the gateway's user the role and the ACL to read this secret",
  KEY_MISSING: 'restore the secret in Barbican or replace the key',
  KEY_MISMATCH:
    'the secret is that of another key: restore the one that was there, or have the key point to where it is stored anew',
  KEY_PASSPHRASE_NEEDED: 'give the passphrase in the configuration',
  KEY_PASSPHRASE_WRONG: 'correct the passphrase in the configuration',
};

/** What is to be done about a secret that the key store deletes by itself. */
export const WITHOUT_EXPIRATION =
  'store the key again without an expiration and use that secret, or take another key';

/**
 * An error about a key, of any cause: names zone, tag, algorithm and role, the cause, and what to do.
 * @param now seconds since 1970, to tell a secret that has expired from one that was deleted
 */
export function keyError(key: NamedKey, error: unknown, now?: number): ZonesealError {
  const known = error instanceof ZonesealError ? error : undefined;
  const code = known?.code ?? 'KEY_UNREADABLE';
  const expired = code === 'KEY_MISSING' ? expiryOf(key, now) : undefined;
  const next =
    (expired === undefined ? undefined : WITHOUT_EXPIRATION) ??
    BY_REFUSAL[String(known?.fields['refusal'])] ??
    BY_CODE[code] ??
    'check which secret belongs to this key, and restore it or have the key point there';
  const reason = `${known?.message ?? 'the private key cannot be read'}${expired ?? ''}`;
  const { zone, keyTag, algorithm, role, id } = key;
  return new ZonesealError(
    code,
    `zone ${zone}, key ${keyTag} (algorithm ${algorithm}, ${role}): ${reason}; ${next}`,
    { ...known?.fields, zone, keyTag, algorithm, ...(id === undefined ? {} : { keyId: id }) },
  );
}

function expiryOf({ secretExpires }: NamedKey, now: number | undefined): string | undefined {
  if (secretExpires === undefined || now === undefined || now < secretExpires) return undefined;
  const at = new Date(secretExpires * 1000).toISOString().replace('.000', '');
  return `; the secret has expired at ${at}, as it was stored with that expiration`;
}
