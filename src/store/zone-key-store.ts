import { ZonesealError } from '../errors.js';
import type { KeyRole, KeySet, ZoneKey } from '../keys/key-set.js';
import type { ManagedKey } from '../keys/rollover/model.js';
import type { Database, Queryable } from './database.js';
import { alreadyHeld, breaks, findZone, notHeld } from './held.js';
import { readKeySetVersion } from './key-set-reader.js';

/** A key to be added to a zone's key set. */
export type NewZoneKey = Omit<ZoneKey, 'id' | 'zone'>;

/** A row of zone_keys as KEY_COLUMNS selects it. */
export interface KeyRow {
  readonly id: number;
  readonly zone: string;
  readonly role: KeyRole;
  readonly algorithm: number;
  readonly flags: number;
  readonly key_tag: number;
  /** Base64. */
  readonly public_key: string;
  readonly secret_ref: string;
  readonly secret_expires_at: number | null;
  readonly view: string | null;
  readonly signs: boolean;
  readonly published: boolean;
  readonly key_sets_only: boolean;
  readonly parent: boolean;
  readonly goal: ManagedKey['goal'];
  readonly replaces: number | null;
  readonly created_at: number;
  readonly active_at: number | null;
  readonly removed_at: number | null;
}

const seconds = (column: string): string => `floor(extract(epoch from ${column}))::bigint`;

/** Selects a KeyRow from `zone_keys k join zones z`. */
export const KEY_COLUMNS = `k.id, z.name as zone, k.role, k.algorithm, k.flags, k.key_tag,
  translate(encode(k.public_key, 'base64'), E'\\n', '') as public_key, k.secret_ref, k.view, k.signs, k.published, k.key_sets_only, ${seconds('k.secret_expires_at')} as secret_expires_at,
  k.parent, k.goal, k.replaces, ${seconds('k.created_at')} as created_at, ${seconds('k.active_at')} as active_at,
  ${seconds('k.removed_at')} as removed_at`;

/** The key that a row is. */
export function keyOf(row: KeyRow): ManagedKey {
  return {
    id: String(row.id),
    zone: row.zone,
    role: row.role,
    algorithm: row.algorithm,
    keyTag: row.key_tag,
    flags: row.flags,
    publicKey: new Uint8Array(Buffer.from(row.public_key, 'base64')),
    secretRef: row.secret_ref,
    ...(row.secret_expires_at === null ? {} : { secretExpires: row.secret_expires_at }),
    view: row.view,
    signs: row.signs,
    published: row.published,
    keySetsOnly: row.key_sets_only,
    parent: row.parent,
    goal: row.goal,
    createdAt: row.created_at,
    replaces: row.replaces === null ? null : String(row.replaces),
    activeAt: row.active_at,
    removedAt: row.removed_at,
  };
}

const KEY_TWICE = 'zone_keys_zone_id_algorithm_public_key_key';

/** Adds a key to a zone; returns its id. */
export async function insertKey(
  transaction: Queryable,
  zoneId: number,
  key: NewZoneKey,
  { isActive = false, replaces = null }: { readonly isActive?: boolean; readonly replaces?: string | null },
): Promise<string> {
  const [row] = await transaction.query<{ id: number }>(
    `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref, view, signs, published,
       key_sets_only, parent, replaces, active_at, secret_expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, case when $14 then now() end, to_timestamp($15)) returning id`,
    [
      zoneId,
      key.role,
      key.algorithm,
      key.flags,
      key.keyTag,
      Buffer.from(key.publicKey),
      key.secretRef,
      key.view,
      key.signs,
      key.published,
      key.keySetsOnly ?? false,
      key.parent ?? false,
      replaces,
      isActive,
      key.secretExpires ?? null,
    ],
  );
  return String(row?.id);
}

/** The key sets of zones as they are now. */
export class ZoneKeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Adds keys to a zone in one new version of its key set.
   * @param areNew they were made just now: nobody has used them before
   * @param keySetVersion the one that they are added to
   * @returns their ids
   * @throws ZonesealError NOT_HELD, ALREADY_HELD where the zone has one of them, DATABASE_CONFLICT where its key set has another version
   */
  async add(
    zone: string,
    keys: readonly NewZoneKey[],
    { areNew = false, keySetVersion }: { readonly areNew?: boolean; readonly keySetVersion?: number } = {},
  ): Promise<string[]> {
    try {
      return await this.#database.transaction(async (transaction) => {
        const { id } = await findZone(transaction, zone, 'write');
        if (keySetVersion !== undefined) await sameKeySet(transaction, zone, id, keySetVersion);
        const ids: string[] = [];
        for (const key of keys) {
          // who brings a key that signs brings one that may have done so before, and may have its DS at the parent
          ids.push(
            await insertKey(transaction, id, key, { isActive: !areNew && key.signs && key.published }),
          );
        }
        return ids;
      });
    } catch (error) {
      if (breaks(error, KEY_TWICE)) throw alreadyHeld('key', zone, 'see: zoneseal keys list');
      if (breaks(error, 'zone_keys_view_fkey')) {
        throw notHeld(
          'view',
          keys.find((key) => key.view !== null)?.view ?? '',
          'create it with: zoneseal view add',
        );
      }
      throw error;
    }
  }

  /** The key set of a zone as it is now. @throws ZonesealError NOT_HELD */
  async keySet(zone: string): Promise<KeySet> {
    const { id } = await findZone(this.#database, zone);
    const [row] = await this.#database.query<{ version: number }>(
      'select key_set_version as version from zoneseal.zones where id = $1',
      [id],
    );
    return readKeySetVersion(this.#database, String(id), row?.version ?? 0);
  }

  /** The keys of a zone, or of all zones; those that were taken out and not destroyed yet as well. @throws ZonesealError NOT_HELD */
  async list(zone?: string): Promise<ManagedKey[]> {
    const id = zone === undefined ? null : (await findZone(this.#database, zone)).id;
    const rows = await this.#database.query<KeyRow>(
      `select ${KEY_COLUMNS} from zoneseal.zone_keys k join zoneseal.zones z on z.id = k.zone_id
       where $1::bigint is null or z.id = $1 order by z.sort_key, k.id`,
      [id],
    );
    return rows.map(keyOf);
  }

  /** Changes what a key does, or where its private half is. @throws ZonesealError NOT_HELD */
  async update(
    id: string,
    change: {
      readonly signs?: boolean;
      readonly published?: boolean;
      readonly keySetsOnly?: boolean;
      readonly parent?: boolean;
      readonly secretRef?: string;
    },
  ): Promise<void> {
    const updated = await this.#database.execute(
      `update zoneseal.zone_keys set signs = coalesce($2, signs), published = coalesce($3, published),
         secret_ref = coalesce($4, secret_ref), secret_expires_at = case when $4::text is null then secret_expires_at end, key_sets_only = coalesce($5, key_sets_only), parent = coalesce($6, parent)
       where id = $1`,
      [
        id,
        change.signs ?? null,
        change.published ?? null,
        change.secretRef ?? null,
        change.keySetsOnly ?? null,
        change.parent ?? null,
      ],
    );
    if (updated === 0) throw notHeld('key with id', id, 'see: zoneseal keys list');
  }

  /** Takes a key that is used for nothing, and that no DS set of the parent may name, out of its zone's key set; false: it is used. */
  async takeOut(id: string): Promise<boolean> {
    const taken = await this.#database.execute(
      `update zoneseal.zone_keys k set removed_at = coalesce(k.removed_at, now()), goal = 'out'
       where k.id = $1 and not (k.signs or k.published or k.parent)
         and (k.removed_at is not null or not exists (
           select from zoneseal.ds_uses d where d.zone_id = k.zone_id and d.until is null and k.id::text = any (d.keys)))`,
      [id],
    );
    return taken > 0;
  }

  /** Forgets a key that was taken out; its private half stays where it is. @throws ZonesealError NOT_HELD where there is none that was */
  async delete(id: string): Promise<void> {
    const deleted = await this.#database.execute(
      'delete from zoneseal.zone_keys where id = $1 and removed_at is not null',
      [id],
    );
    if (deleted === 0) throw notHeld('key that was taken out with id', id, 'see: zoneseal keys list');
  }
}

async function sameKeySet(transaction: Queryable, zone: string, id: number, version: number): Promise<void> {
  const [row] = await transaction.query<{ version: number }>(
    'select key_set_version as version from zoneseal.zones where id = $1',
    [id],
  );
  if (row?.version === version) return;
  throw new ZonesealError(
    'DATABASE_CONFLICT',
    `zone ${zone}: its keys were changed meanwhile, and none was added; look with "zoneseal keys list ${zone}" and try again`,
    { zone },
  );
}
