import { ZonesealError } from '../errors.js';
import type { KeyRole, ZoneKey } from '../keys/key-set.js';
import type { Queryable } from './database.js';

/** One key as a version of a key set holds it (zoneseal.key_set_document). */
interface KeySetEntry {
  readonly id: number;
  readonly role: KeyRole;
  readonly algorithm: number;
  readonly flags: number;
  readonly keyTag: number;
  readonly publicKey: string;
  readonly secretRef: string;
  readonly view: string | null;
  readonly signs: boolean;
  readonly published: boolean;
}

/**
 * A zone's key set at a version. Where a private half has been moved since, the reference is the present one: it does not
 * change what is served.
 * @throws ZonesealError NOT_HELD when the zone or the version is not there
 */
export async function readKeySetVersion(
  database: Queryable,
  zoneId: string,
  version: number,
): Promise<readonly ZoneKey[]> {
  const [row] = await database.query<{
    zone: string;
    keys: KeySetEntry[];
    present: Record<string, string> | null;
  }>(
    `select z.name as zone, v.keys,
       (select jsonb_object_agg(k.id, k.secret_ref) from zoneseal.zone_keys k where k.zone_id = z.id) as present
     from zoneseal.zones z join zoneseal.key_set_versions v on v.zone_id = z.id
     where z.id = $1 and v.version = $2`,
    [zoneId, version],
  );
  if (row === undefined) {
    throw new ZonesealError('NOT_HELD', `zone ${zoneId}: its key set has no version ${version}`, {
      zoneId,
      version,
    });
  }
  return row.keys.map(({ id, publicKey, secretRef, ...rest }) => ({
    ...rest,
    id: String(id),
    zone: row.zone,
    publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')),
    secretRef: row.present?.[String(id)] ?? secretRef,
  }));
}
