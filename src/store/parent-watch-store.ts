import type { ParentClaim, ParentWatchStore, SeenDs } from '../fleet/parent-watch.js';
import type { LookedZone } from '../keys/rollover/keeper.js';
import type { RolloverStore } from '../keys/rollover/ports.js';
import type { Database } from './database.js';
import { type ParentDescription, ParentStore } from './parent-store.js';

interface ClaimRow {
  readonly zone_id: number;
  readonly zone: string;
  readonly awaits: boolean;
  readonly told: number | null;
  readonly waited: number;
}

/** When parents are asked, and what they were seen with, in PostgreSQL. */
export class PostgresParentWatchStore implements ParentWatchStore {
  readonly #database: Database;
  readonly #rollovers: Pick<RolloverStore, 'recordDs'>;
  readonly #parents: ParentStore;

  constructor(database: Database, rollovers: Pick<RolloverStore, 'recordDs'>) {
    this.#database = database;
    this.#rollovers = rollovers;
    this.#parents = new ParentStore(database);
  }

  /** Notes that a zone's keys were looked at: its parent is asked from now on, at once where a roll has begun to wait for it. */
  async schedule({ zoneId, hasEntry, awaitsParent }: LookedZone): Promise<void> {
    if (!hasEntry) {
      await this.#database.execute('delete from zoneseal.parent_looks where zone_id = $1', [zoneId]);
      return;
    }
    await this.#database.execute(
      `insert into zoneseal.parent_looks as l (zone_id, awaits)
         select z.id, $2 from zoneseal.zones z where z.id = $1
       on conflict (zone_id) do update set awaits = excluded.awaits, since = now(), told_at = null,
         due_at = case when excluded.awaits then now() else l.due_at end
         where l.awaits <> excluded.awaits`,
      [zoneId, awaitsParent],
    );
  }

  async claim(limit: number, claimSeconds: number): Promise<ParentClaim[]> {
    // now(), which an index can be asked for; clock_timestamp() would have all zones read each time
    const rows = await this.#database.query<ClaimRow>(
      `update zoneseal.parent_looks l set due_at = clock_timestamp() + make_interval(secs => $2::float8)
       from (
         select zone_id from zoneseal.parent_looks where due_at <= now()
         order by due_at limit $1 for update skip locked
       ) due join zoneseal.zones z on z.id = due.zone_id
       where l.zone_id = due.zone_id
       returning l.zone_id, z.name as zone, l.awaits,
         extract(epoch from clock_timestamp() - l.told_at)::float8 as told,
         extract(epoch from clock_timestamp() - l.since)::float8 as waited`,
      [limit, claimSeconds],
    );
    return rows.map(({ zone_id: zoneId, zone, awaits, told, waited }) => ({
      zoneId: String(zoneId),
      zone,
      awaits,
      toldSeconds: told,
      waitedSeconds: waited,
    }));
  }

  findAbove(zone: string): Promise<ParentDescription | undefined> {
    return this.#parents.findAbove(zone);
  }

  record(zone: string, servers: readonly string[], seen: readonly SeenDs[]): Promise<void> {
    return this.#rollovers.recordDs(zone, servers, seen);
  }

  async noteAsked(zoneId: string, nextSeconds: number, isTold: boolean): Promise<void> {
    await this.#database.execute(
      `update zoneseal.parent_looks set due_at = clock_timestamp() + make_interval(secs => $2::float8),
         told_at = case when $3 then clock_timestamp() else told_at end where zone_id = $1`,
      [zoneId, nextSeconds, isTold],
    );
  }
}
