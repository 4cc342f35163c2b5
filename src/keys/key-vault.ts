import type { Name } from '../dns/name.js';
import { dnskeyRdata, keyTag } from '../dnssec/dnskey.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { type DecodedKey, decodePrivateKey } from './formats/decode.js';
import type { FolderKeys } from './key-folder.js';
import { flagsOfRole, type KeyRole, type ZoneKey } from './key-set.js';
import { type SecretKeeper, zoneKeyPrefix } from './secret-keeper.js';

/** A reference as an operator gives it, perhaps with the role and algorithm that its key has. */
export interface KeyReference {
  readonly reference: string;
  readonly role?: KeyRole;
  readonly algorithm?: number;
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
  for await (const { reference } of keeper.listSecrets({ namePrefix: zoneKeyPrefix(zone) })) {
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
 * and an RSA key is of algorithm 8. Their references are those that the key store has itself, however they were given.
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
      const { payload, reference: whole = reference, expiration } = await keeper.fetchPayload(reference);
      const decoded = await decodePrivateKey(payload, passphrase === undefined ? {} : { passphrase });
      payload.fill(0);
      decoded.pkcs8.fill(0);
      const given = {
        ...(role === undefined ? {} : { role }),
        ...(algorithm === undefined ? {} : { algorithm: String(algorithm) }),
      };
      const known = zoneKeyOf(zone, whole, decoded, { ...metadata, ...given });
      const key = expiration === undefined ? known : { ...known, secretExpires: Math.floor(expiration) };
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
