import { ZonesealError } from '../errors.js';
import type { KeyRole, KeySet, ZoneKey } from '../keys/key-set.js';
import type { Queryable } from './database.js';

/** One key as a version of a key set holds it (zoneseal.key_set_document). */
export interface KeySetEntry {
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
  /** This and the next are not in documents of before migration 012. */
  readonly keySetsOnly?: boolean;
  readonly parent?: boolean;
}

interface KeySetRow {
  readonly zone_id: number;
  readonly version: number;
  readonly zone: string;
  readonly keys: KeySetEntry[];
  readonly delete_sentinel: boolean;
  readonly present: Record<string, string> | null;
  /** Of those secrets that expire, when. */
  readonly expire: Record<string, number> | null;
}

const SELECT = `
  select z.id as zone_id, v.version, z.name as zone, v.keys, v.delete_sentinel,
    (select jsonb_object_agg(k.id, k.secret_ref) from zoneseal.zone_keys k where k.zone_id = z.id) as present,
    (select jsonb_object_agg(k.id, floor(extract(epoch from k.secret_expires_at))) from zoneseal.zone_keys k
      where k.zone_id = z.id and k.secret_expires_at is not null) as expire
  from zoneseal.zones z join zoneseal.key_set_versions v on v.zone_id = z.id`;

/** Key sets of many zones, each at a version, by `zoneId version`; those that are not there are left out. */
export async function readKeySetVersions(
  database: Queryable,
  wanted: readonly { readonly zoneId: string; readonly version: number }[],
): Promise<ReadonlyMap<string, KeySet>> {
  const rows = await database.query<KeySetRow>(
    `${SELECT} join unnest($1::bigint[], $2::bigint[]) t (zone_id, version) on t.zone_id = z.id and t.version = v.version`,
    [wanted.map(({ zoneId }) => zoneId), wanted.map(({ version }) => version)],
  );
  return new Map(rows.map((row) => [`${row.zone_id} ${row.version}`, keySetOf(row)]));
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
): Promise<KeySet> {
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
  return keySetOf(row);
}

function keySetOf({ zone, keys, delete_sentinel: deleteSentinel, present, expire }: KeySetRow): KeySet {
  return {
    keys: keysOfDocument(zone, keys).map((key) => {
      const secretExpires = expire?.[key.id];
      return {
        ...key,
        secretRef: present?.[key.id] ?? key.secretRef,
        ...(secretExpires === undefined ? {} : { secretExpires }),
      };
    }),
    deleteSentinel,
  };
}

/** The keys that a document of a key set holds. */
export function keysOfDocument(zone: string, keys: readonly KeySetEntry[]): ZoneKey[] {
  return keys.map(({ id, publicKey, keySetsOnly = false, parent = false, ...rest }) => ({
    ...rest,
    id: String(id),
    zone,
    publicKey: new Uint8Array(Buffer.from(publicKey, 'base64')),
    keySetsOnly,
    parent,
  }));
}
