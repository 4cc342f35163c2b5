import { createHash } from 'node:crypto';
import type { Name } from '../dns/name.js';
import { dnskeyRdata, keyTag } from '../dnssec/dnskey.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { type DecodedKey, decodePrivateKey } from './formats/decode.js';
import type { NewKey } from './generate.js';
import type { FolderKeys } from './key-folder.js';
import type { SecretSource } from './key-ring.js';
import { flagsOfRole, type KeyRole, type ZoneKey } from './key-set.js';

/** The port to where secrets are kept, for whoever puts them there (Barbican). */
export interface SecretKeeper extends SecretSource {
  /** Stores a secret and gives its reference. */
  storeSecret(secret: {
    readonly name: string;
    readonly type: 'private' | 'symmetric';
    readonly payload: Uint8Array;
    readonly contentType: 'application/pkcs8' | 'application/octet-stream';
    readonly algorithm?: string;
  }): Promise<string>;
  /** Deletes a secret; one that is gone already is no error. */
  deleteSecret(reference: string): Promise<void>;
  readMetadata(reference: string): Promise<Readonly<Record<string, string>>>;
  writeMetadata(reference: string, metadata: Readonly<Record<string, string>>): Promise<void>;
  listSecrets(filter: { readonly namePrefix: string }): AsyncIterable<{ readonly reference: string }>;
}

/** A reference as an operator gives it, perhaps with the role and algorithm that its key has. */
export interface KeyReference {
  readonly reference: string;
  readonly role?: KeyRole;
  readonly algorithm?: number;
}

/** Names in Barbican have at most 255 characters; a zone's may be longer once it is escaped. */
const MAX_ZONE_CHARACTERS = 180;

/**
 * Stores a zone's private key as a secret that says in its name and metadata what it is, so that it can be found without
 * the database. The reference is what a zone key holds.
 */
export async function storeZoneKey(
  keeper: SecretKeeper,
  zone: Name,
  key: Pick<NewKey, 'algorithm' | 'role' | 'keyTag' | 'flags' | 'pkcs8'>,
  view: string | null,
): Promise<string> {
  const { algorithm, role } = key;
  const reference = await keeper.storeSecret({
    name: `${namePrefix(zone)}${role} ${algorithm} ${key.keyTag}`,
    type: 'private',
    payload: key.pkcs8,
    contentType: 'application/pkcs8',
  });
  try {
    await keeper.writeMetadata(reference, {
      zone: zone.toLower().toString(),
      role,
      algorithm: String(algorithm),
      'key-tag': String(key.keyTag),
      ...(view === null ? {} : { view }),
    });
  } catch (error) {
    await keeper.deleteSecret(reference).catch(() => undefined);
    throw error;
  }
  return reference;
}

/**
 * The keys of a zone that the key store marks as such, general ones alone (a key of one view signs in that view alone).
 * @throws ZonesealError KEY_MISSING when there are none, and what reading and decoding throw
 */
export async function findStoredKeys(
  keeper: SecretKeeper,
  zone: Name,
  passphrase?: string,
): Promise<FolderKeys> {
  const wanted = zone.toLower().toString();
  const references: KeyReference[] = [];
  for await (const { reference } of keeper.listSecrets({ namePrefix: namePrefix(zone) })) {
    const metadata = await keeper.readMetadata(reference);
    if (metadata['zone'] === wanted && metadata['view'] === undefined) references.push({ reference });
  }
  if (references.length === 0) {
    throw new ZonesealError(
      'KEY_MISSING',
      `zone ${zone}: the key store has no secret that is marked as a key of this zone; make keys with "zoneseal keys generate ${zone}"`,
      { zone: wanted },
    );
  }
  return readStoredKeys(keeper, zone, references, passphrase);
}

/**
 * The keys behind references. Role and algorithm are what is given, or what the metadata says; a key without any is a CSK,
 * and an RSA key is of algorithm 8.
 * @throws ZonesealError as the key store and decodePrivateKey, naming the reference
 */
export async function readStoredKeys(
  keeper: SecretKeeper,
  zone: Name,
  references: readonly KeyReference[],
  passphrase?: string,
): Promise<FolderKeys> {
  const read = references.map(async ({ reference, role, algorithm }) => {
    try {
      const metadata = await keeper.readMetadata(reference);
      const { payload } = await keeper.fetchPayload(reference);
      const decoded = await decodePrivateKey(payload, passphrase === undefined ? {} : { passphrase });
      payload.fill(0);
      decoded.pkcs8.fill(0);
      const given = {
        ...(role === undefined ? {} : { role }),
        ...(algorithm === undefined ? {} : { algorithm: String(algorithm) }),
      };
      const key = zoneKeyOf(zone, reference, decoded, { ...metadata, ...given });
      return [key, decoded.privateKey] as const;
    } catch (error) {
      const code = error instanceof ZonesealError ? error.code : 'KEY_UNREADABLE';
      throw new ZonesealError(code, `zone ${zone}, key ${reference}: ${errorMessage(error)}`, { reference });
    }
  });
  const keys = await Promise.all(read);
  return {
    keys: keys.map(([key]) => key),
    privateKeys: new Map(keys.map(([key, privateKey]) => [key.id, privateKey])),
  };
}

function zoneKeyOf(
  zone: Name,
  reference: string,
  decoded: DecodedKey,
  metadata: Readonly<Record<string, string>>,
): ZoneKey {
  const role = roleOf(metadata['role']);
  const named = metadata['algorithm'];
  const algorithm = named === undefined ? (decoded.algorithms[0] as number) : Number(named);
  if (!decoded.algorithms.includes(algorithm)) {
    throw new ZonesealError(
      'KEY_MISMATCH',
      `it is said to be of algorithm ${named}, but the key is of ${decoded.algorithms.join(' or ')}`,
    );
  }
  const { publicKey } = decoded;
  const flags = flagsOfRole(role);
  return {
    id: reference,
    zone: zone.toLower().toString(),
    role,
    algorithm,
    keyTag: keyTag(dnskeyRdata({ flags, algorithm, publicKey })),
    flags,
    publicKey,
    secretRef: reference,
    view: null,
    signs: true,
    published: true,
  };
}

function roleOf(text: string | undefined): KeyRole {
  return text === 'KSK' || text === 'ZSK' ? text : 'CSK';
}

/** What the names of all secrets of a zone's keys begin with. */
function namePrefix(zone: Name): string {
  const text = zone.toLower().toString();
  const short =
    text.length <= MAX_ZONE_CHARACTERS ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`;
  return `zoneseal key ${short} `;
}
