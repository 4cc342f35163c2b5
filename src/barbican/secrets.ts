import { z } from 'zod';
import { ZonesealError } from '../errors.js';

/** Kinds of secrets that Barbican tells apart. */
export type SecretType = 'private' | 'public' | 'symmetric' | 'passphrase' | 'certificate' | 'opaque';

/** A secret to be stored. */
export interface NewSecret {
  /** At most 255 characters; not unique in Barbican. */
  readonly name: string;
  readonly type: SecretType;
  readonly payload: Uint8Array;
  /** Text must neither begin nor end with white space: Barbican would strip it. */
  readonly contentType: 'application/octet-stream' | 'application/pkcs8' | 'text/plain';
  readonly algorithm?: string;
  readonly bitLength?: number;
  /** Seconds since 1970. After it the secret is gone. */
  readonly expiration?: number;
}

/** What Barbican says about a secret. Times are in seconds since 1970, with their fractions. */
export interface SecretInfo {
  readonly reference: string;
  readonly name: string | undefined;
  readonly type: string;
  readonly status: string;
  /** Without parameters; undefined where there is no payload. */
  readonly contentType: string | undefined;
  readonly algorithm: string | undefined;
  readonly bitLength: number | undefined;
  readonly created: number;
  readonly updated: number;
  readonly expiration: number | undefined;
  readonly creatorId: string | undefined;
}

/** Who may read a secret beside its creator. */
export interface Acl {
  /** Whether everyone with a fitting role in the project may. */
  readonly projectAccess: boolean;
  /** Ids of users. */
  readonly users: readonly string[];
}

/** Barbican's times are UTC without a zone, without the fraction when it is zero. */
const time = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$/)
  .transform((text) => Date.parse(`${text}Z`) / 1000);

/** One secret as Barbican describes it. */
export const secretSchema = z.object({
  secret_ref: z.string(),
  name: z.string().nullish(),
  secret_type: z.string().default('opaque'),
  status: z.string(),
  content_types: z.object({ default: z.string() }).optional(),
  algorithm: z.string().nullish(),
  bit_length: z.number().nullish(),
  created: time,
  updated: time,
  expiration: time.nullish(),
  creator_id: z.string().nullish(),
});

/** An ACL as Barbican has it; the users are left out while it is the default one. */
export const aclSchema = z.object({
  read: z.object({ 'project-access': z.boolean(), users: z.array(z.string()).default([]) }),
});

/** A secret in our words. */
export function toSecretInfo(secret: z.infer<typeof secretSchema>): SecretInfo {
  return {
    reference: secret.secret_ref,
    name: secret.name ?? undefined,
    type: secret.secret_type,
    status: secret.status,
    contentType: secret.content_types?.default.split(';')[0]?.trim().toLowerCase(),
    algorithm: secret.algorithm ?? undefined,
    bitLength: secret.bit_length ?? undefined,
    created: secret.created,
    updated: secret.updated,
    expiration: secret.expiration ?? undefined,
    creatorId: secret.creator_id ?? undefined,
  };
}

/**
 * The id in a reference: a URL whose path ends in `/secrets/ID`, or the id alone.
 * @throws ZonesealError KEY_MISSING
 */
export function secretIdOf(reference: string): string {
  const match = /^(?:https?:\/\/[^?#]*\/secrets\/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/i.exec(
    reference,
  );
  if (match?.[1] !== undefined) return match[1].toLowerCase();
  throw new ZonesealError(
    'KEY_MISSING',
    'the reference is none of a Barbican secret; it ends in /secrets/ and an id',
  );
}

/**
 * The body of a request that stores a secret.
 * @throws ZonesealError KEYSTORE_REFUSED for what Barbican would refuse, or keep otherwise than it was given
 */
export function secretBody(secret: NewSecret): unknown {
  const { name, payload, contentType } = secret;
  if (name.length === 0 || name.length > 255) throw refused('a name has 1 to 255 characters');
  if (payload.length === 0) throw refused('its payload is empty');
  const text = contentType === 'text/plain';
  const octets = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  const plain = text ? octets.toString('utf8') : '';
  if (text && Buffer.compare(Buffer.from(plain), octets) !== 0) throw refused('its text is not UTF-8');
  if (text && plain.trim() !== plain)
    throw refused('its text begins or ends with white space, which would be lost');
  return {
    name,
    secret_type: secret.type,
    payload_content_type: contentType,
    ...(text
      ? { payload: plain }
      : { payload: octets.toString('base64'), payload_content_encoding: 'base64' }),
    ...(secret.algorithm === undefined ? {} : { algorithm: secret.algorithm }),
    ...(secret.bitLength === undefined ? {} : { bit_length: secret.bitLength }),
    ...(secret.expiration === undefined
      ? {}
      : { expiration: new Date(secret.expiration * 1000).toISOString() }),
  };
}

/**
 * User metadata as Barbican takes it.
 * @throws ZonesealError KEYSTORE_REFUSED
 */
export function checkMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const key of Object.keys(metadata)) {
    if (!/^[a-z0-9_-]{1,255}$/.test(key)) {
      throw refused(`metadata key "${key}": keys are of lower-case letters, digits, _ and -`);
    }
  }
  return metadata;
}

/**
 * A pattern for `name=` that finds at least what a filter wants. It is an SQL LIKE with no escape character that every
 * database agrees on: `%` and `_` in a name stand for more than themselves, and a backslash is written as `_`. What is
 * found too much is sorted out afterwards.
 */
export function likePattern(filter: {
  readonly name?: string;
  readonly namePrefix?: string;
}): string | undefined {
  const text = filter.name ?? filter.namePrefix;
  if (text === undefined || text === '') return undefined;
  const pattern = text.replaceAll('\\', '_');
  return filter.name === undefined ? `${pattern}%` : pattern;
}

function refused(reason: string): ZonesealError {
  return new ZonesealError('KEYSTORE_REFUSED', `the secret is not stored: ${reason}`, { reason });
}
