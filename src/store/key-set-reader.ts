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

interface KeySetRow {
  readonly zone_id: number;
  readonly version: number;
  readonly zone: string;
  readonly keys: KeySetEntry[];
  readonly present: Record<string, string> | null;
}

const SELECT = `
  select z.id as zone_id, v.version, z.name as zone, v.keys,
    (select jsonb_object_agg(k.id, k.secret_ref) from zoneseal.zone_keys k where k.zone_id = z.id) as present
  from zoneseal.zones z join zoneseal.key_set_versions v on v.zone_id = z.id`;

/** Key sets of many zones, each at a version, by `zoneId version`; those that are not there are left out. */
export async function readKeySetVersions(
  database: Queryable,
  wanted: readonly { readonly zoneId: string; readonly version: number }[],
): Promise<ReadonlyMap<string, readonly ZoneKey[]>> {
  const rows = await database.query<KeySetRow>(
    `${SELECT} join unnest($1::bigint[], $2::bigint[]) t (zone_id, version) on t.zone_id = z.id and t.version = v.version`,
    [wanted.map(({ zoneId }) => zoneId), wanted.map(({ version }) => version)],
  );
  return new Map(rows.map((row) => [`${row.zone_id} ${row.version}`, keysOf(row)]));
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
  const [row] = await database.query<KeySetRow>(`${SELECT} where z.id = $1 and v.version = $2`, [
    zoneId,
    version,
  ]);
  if (row === undefined) {
    throw new ZonesealError('NOT_HELD', `zone ${zoneId}: its key set has no version ${version}`, {
      zoneId,
      version,
    });
  }
  return keysOf(row);
}

function keysOf({ zone, keys, present }: KeySetRow): readonly ZoneKey[] {
  return keys.map(({ id, publicKey, secretRef, ...rest }) => ({
    ...rest,
    id: String(id),
    zone,
    publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')),
    secretRef: present?.[String(id)] ?? secretRef,
  }));
}
