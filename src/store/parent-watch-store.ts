import type { ParentClaim, ParentWatchStore, SeenDs } from '../fleet/parent-watch.js';
import type { LookedZone } from '../keys/rollover/keeper.js';
import type { RolloverStore } from '../keys/rollover/ports.js';
import type { Database } from './database.js';
import { type ParentDescription, ParentStore } from './parent-store.js';
import { IS_PARENT_SET } from './rollover-state.js';

interface ClaimRow {
  readonly zone_id: number;
  readonly zone: string;
  readonly awaits: boolean;
  readonly wanted: string | null;
  readonly tell: number | null;
  readonly told: number | null;
  readonly waited: number;
  readonly revision: number;
  readonly fault: string | null;
  readonly fault_told: number | null;
}

/** Of zones that are due, so many of the first are looked through for those of no known parent, whatever the others are. */
const LOOKED_THROUGH = 10_000;

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

  /**
   * Notes that a zone's keys were looked at: its parent is asked from now on, at once where a roll has begun to wait for it or it is to have
   * another DS set, where nameservers have the CDS that it is to be told of, and where what is wrong with its DS is another thing.
   */
  async schedule({ zoneId, hasEntry, awaitsParent, news, fault }: LookedZone): Promise<void> {
    if (!hasEntry) {
      await this.#database.execute('delete from zoneseal.parent_looks where zone_id = $1', [zoneId]);
      return;
    }
    await this.#database.execute(
      `insert into zoneseal.parent_looks as l (zone_id, awaits, wanted, tell_at, fault, fault_since)
         select z.id, $2, $3, to_timestamp($4::float8), $5::text, case when $5::text is not null then now() end from zoneseal.zones z where z.id = $1
       on conflict (zone_id) do update set awaits = excluded.awaits, wanted = excluded.wanted, tell_at = excluded.tell_at,
         revision = l.revision + 1, fault = excluded.fault,
         fault_since = case when l.fault is null then excluded.fault_since when excluded.fault is not null then l.fault_since end,
         fault_told_at = case when l.fault is not distinct from excluded.fault then l.fault_told_at end,
         since = case when l.awaits <> excluded.awaits then now() else l.since end,
         told_at = case when l.wanted is distinct from excluded.wanted then null else l.told_at end,
         due_at = case
           when excluded.fault is not null and l.fault is distinct from excluded.fault then now()
           when not excluded.awaits then l.due_at
           when not l.awaits or l.wanted is distinct from excluded.wanted then now()
           else least(l.due_at, case when excluded.tell_at is not null then greatest(now(), excluded.tell_at) end) end
         where (l.awaits, l.wanted, l.tell_at, l.fault) is distinct from (excluded.awaits, excluded.wanted, excluded.tell_at, excluded.fault)`,
      [zoneId, awaitsParent, news?.wanted ?? null, news?.tellAt ?? null, fault],
    );
  }

  async putOffUnknown(limit: number, seconds: number): Promise<number> {
    return this.#database.execute(
      `update zoneseal.parent_looks l set due_at = clock_timestamp() + make_interval(secs => $2::float8)
       from (
         select d.zone_id from (
           select zone_id, due_at from zoneseal.parent_looks where due_at <= now() and fault is null order by due_at limit $3
         ) first join zoneseal.parent_looks d on d.zone_id = first.zone_id join zoneseal.zones z on z.id = d.zone_id
         where d.due_at <= now() and d.fault is null and not ${IS_PARENT_SET}
         order by first.due_at limit $1 for update of d skip locked
       ) due
       where l.zone_id = due.zone_id`,
      [limit, seconds, LOOKED_THROUGH],
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
       returning l.zone_id, z.name as zone, l.awaits, l.wanted, l.revision, l.fault,
         extract(epoch from clock_timestamp() - l.fault_told_at)::float8 as fault_told,
         case when l.tell_at is not null then greatest(0, extract(epoch from l.tell_at - clock_timestamp())) end::float8 as tell,
         extract(epoch from clock_timestamp() - l.told_at)::float8 as told,
         extract(epoch from clock_timestamp() - l.since)::float8 as waited`,
      [limit, claimSeconds],
    );
    return rows.map((row) => ({
      zoneId: String(row.zone_id),
      zone: row.zone,
      awaits: row.awaits,
      wanted: row.wanted,
      tellSeconds: row.tell,
      toldSeconds: row.told,
      waitedSeconds: row.waited,
      revision: row.revision,
      fault: row.fault,
      faultToldSeconds: row.fault_told,
    }));
  }

  findAbove(zone: string): Promise<ParentDescription | undefined> {
    return this.#parents.findAbove(zone);
  }

  record(zone: string, servers: readonly string[], seen: readonly SeenDs[]): Promise<void> {
    return this.#rollovers.recordDs(zone, servers, seen);
  }

  async noteAsked(
    { zoneId, wanted, revision }: ParentClaim,
    nextSeconds: number,
    isTold: boolean,
  ): Promise<void> {
    await this.#database.execute(
      `update zoneseal.parent_looks set
         due_at = case when revision = $4 then clock_timestamp() + make_interval(secs => $2::float8) else now() end,
         told_at = case when $3 and wanted is not distinct from $5 then clock_timestamp() else told_at end
       where zone_id = $1`,
      [zoneId, nextSeconds, isTold, revision, wanted],
    );
  }

  async noteFaultTold({ zoneId, fault }: ParentClaim): Promise<void> {
    await this.#database.execute(
      'update zoneseal.parent_looks set fault_told_at = clock_timestamp() where zone_id = $1 and fault is not distinct from $2',
      [zoneId, fault],
    );
  }

  async countFaults(): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(
      'select count(*) from zoneseal.parent_looks where fault is not null',
    );
    return row?.count ?? 0;
  }
}
