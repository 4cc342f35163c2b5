import type { KeyRole, ZoneKey } from '../keys/key-set.js';
import type { Database } from './database.js';
import { alreadyHeld, breaks, findZone, notHeld } from './held.js';

/** A key to be added to a zone's key set. */
export type NewZoneKey = Omit<ZoneKey, 'id' | 'zone'>;

interface KeyRow {
  readonly id: number;
  readonly zone: string;
  readonly role: KeyRole;
  readonly algorithm: number;
  readonly flags: number;
  readonly key_tag: number;
  readonly public_key: Buffer;
  readonly secret_ref: string;
  readonly view: string | null;
  readonly signs: boolean;
  readonly published: boolean;
}

/** The key sets of zones as they are now. */
export class ZoneKeyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Adds keys to a zone in one new version of its key set.
   * @returns their ids
   * @throws ZonesealError NOT_HELD, ALREADY_HELD where the zone has one of them
   */
  async add(zone: string, keys: readonly NewZoneKey[]): Promise<string[]> {
    try {
      return await this.#database.transaction(async (transaction) => {
        const { id } = await findZone(transaction, zone, 'write');
        const ids: string[] = [];
        for (const key of keys) {
          const [row] = await transaction.query<{ id: number }>(
            `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref, view, signs,
               published) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id`,
            [
              id,
              key.role,
              key.algorithm,
              key.flags,
              key.keyTag,
              Buffer.from(key.publicKey),
              key.secretRef,
              key.view,
              key.signs,
              key.published,
            ],
          );
          ids.push(String(row?.id));
        }
        return ids;
      });
    } catch (error) {
      if (breaks(error, 'zone_keys_zone_id_algorithm_public_key_key')) {
        throw alreadyHeld('key', zone, 'see: zoneseal keys list');
      }
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

  /** The keys of a zone, or of all zones. @throws ZonesealError NOT_HELD */
  async list(zone?: string): Promise<ZoneKey[]> {
    const id = zone === undefined ? null : (await findZone(this.#database, zone)).id;
    const rows = await this.#database.query<KeyRow>(
      `select k.id, z.name as zone, k.role, k.algorithm, k.flags, k.key_tag, k.public_key, k.secret_ref, k.view, k.signs,
         k.published
       from zoneseal.zone_keys k join zoneseal.zones z on z.id = k.zone_id
       where $1::bigint is null or z.id = $1 order by z.sort_key, k.id`,
      [id],
    );
    return rows.map((row) => ({
      id: String(row.id),
      zone: row.zone,
      role: row.role,
      algorithm: row.algorithm,
      keyTag: row.key_tag,
      flags: row.flags,
      publicKey: new Uint8Array(row.public_key),
      secretRef: row.secret_ref,
      view: row.view,
      signs: row.signs,
      published: row.published,
    }));
  }

  /** Changes whether a key signs or is published, or where its private half is. @throws ZonesealError NOT_HELD */
  async update(
    id: string,
    change: { readonly signs?: boolean; readonly published?: boolean; readonly secretRef?: string },
  ): Promise<void> {
    const updated = await this.#database.execute(
      `update zoneseal.zone_keys set signs = coalesce($2, signs), published = coalesce($3, published),
         secret_ref = coalesce($4, secret_ref) where id = $1`,
      [id, change.signs ?? null, change.published ?? null, change.secretRef ?? null],
    );
    if (updated === 0) throw notHeld('key with id', id, 'see: zoneseal keys list');
  }

  /** Takes a key out of its zone's key set; its private half stays where it is. @throws ZonesealError NOT_HELD */
  async delete(id: string): Promise<void> {
    const deleted = await this.#database.execute('delete from zoneseal.zone_keys where id = $1', [id]);
    if (deleted === 0) throw notHeld('key with id', id, 'see: zoneseal keys list');
  }
}
