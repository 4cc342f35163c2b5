import type { Policy } from '../keys/policy.js';
import { jumpOf } from '../publication/line-jump.js';
import type {
  DatabaseState,
  Finding,
  Incarnation,
  LineFindings,
  LineName,
  LineOutcome,
  RecoveryStore,
  Remembered,
  ServedSerial,
  UnsettledLine,
} from '../publication/recovery-ports.js';
import type { Database, Queryable, Transaction } from './database.js';
import { PAGES_KEPT } from './publication-record.js';

interface IncarnationRow {
  readonly incarnation: string;
  readonly marker: number;
  readonly current: boolean;
  readonly certain: boolean;
  readonly system_identifier: string | null;
  readonly timeline: number | null;
}

interface LineRow extends LineName {
  /** Null: it was found behind a peer by itself. */
  readonly incarnation: string | null;
  readonly last_serial: number | null;
  readonly ready_serial: number | null;
  readonly policy: Policy['serial'] | null;
  readonly now: number;
}

/** Markers only grow, from one incarnation to the next as well. */
const INCARNATIONS = `
  select incarnation, marker, current, certain, system_identifier, timeline from zoneseal.clusters order by current, marker`;

const SERVER = `
  select s.system_identifier, s.timeline, exists (select from zoneseal.publications where state = 'ready') as published,
    exists (select from zoneseal.gateways g where g.name <> $1 and g.seen_at > clock_timestamp() - interval '15 s') as others
  from zoneseal.server_identity() s`;

/** What was certain before and is not settled yet goes on being so. */
const BEGIN = `
  with before as (
    update zoneseal.clusters set current = false where current returning incarnation, marker, certain
  ), alone as (
    update zoneseal.serial_lines l set incarnation = b.incarnation from before b where l.incarnation is null
  )
  insert into zoneseal.clusters (parent, certain, system_identifier, timeline, marker, reason)
    select incarnation, $1 or (certain and exists (
        select from zoneseal.serial_lines l where l.zone_id is not null and l.incarnation <> before.incarnation)),
      $2, $3, marker + 1, $4
    from before
  returning incarnation, marker, current, certain, system_identifier, timeline`;

const UNSETTLED = `
  select zone, view, zone_id from (
    (select zone, view, zone_id from zoneseal.serial_lines
      where zone_id is not null and incarnation < $1 and (zone, view) > ($2, $3) limit $4)
    union all
    (select zone, view, zone_id from zoneseal.serial_lines
      where zone_id is not null and incarnation > $1 and (zone, view) > ($2, $3) limit $4)
    union all
    (select zone, view, zone_id from zoneseal.serial_lines
      where zone_id is not null and incarnation is null and (zone, view) > ($2, $3) limit $4)
  ) u order by zone, view limit $4`;

/** Locks lines by name, in the order of their key. */
const LOCKED = `
  select l.zone, l.view, l.incarnation, l.last_serial, b.serial as ready_serial, p.document ->> 'serial' as policy,
    floor(extract(epoch from clock_timestamp()))::bigint as now
  from zoneseal.serial_lines l
    left join zoneseal.publications b on b.id = l.ready
    left join zoneseal.policies p on p.name = l.policy
  where (l.zone, l.view) in (select * from unnest($1::text[], $2::text[]))
  order by l.zone, l.view for update of l`;

/**
 * What was being built is of the database as it was. So is every attempt that failed: what was lost may have been served under
 * its serial, which is not given out again.
 */
const MOVE = `
  with moved as (
    select * from unnest($1::text[], $2::text[], $3::bigint[]) t (zone, view, past)
  ), given_up as (
    update zoneseal.publications p
    set state = 'failed', error = 'the database was set back while it was made', finished_at = clock_timestamp()
    from zoneseal.serial_lines l join moved m on m.zone = l.zone and m.view = l.view
    where p.id = l.building and p.state = 'building'
  )
  update zoneseal.serial_lines l
  set last_serial = m.past, wanted = l.wanted + 1, building = null, building_until = null,
    barred = greatest(l.barred, l.ready, l.building, case when l.ready is not null then (
      select max(p.id) from zoneseal.publications p where p.zone_id = l.zone_id and p.view = l.view) end)
  from moved m where l.zone = m.zone and l.view = m.view`;

/** Recovery in PostgreSQL. */
export class PostgresRecoveryStore implements RecoveryStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async beat({ incarnation, marker }: Remembered): Promise<number | undefined> {
    const [row] = await this.#database.query<{ marker: number }>(
      `update zoneseal.clusters c set marker = c.marker + 1 from zoneseal.server_identity() s
       where c.current and c.incarnation = $1 and c.marker >= $2
         and (c.system_identifier, c.timeline) is not distinct from (s.system_identifier, s.timeline)
       returning c.marker`,
      [incarnation, marker],
    );
    return row?.marker;
  }

  look(
    gateway: string,
    rule: (state: DatabaseState) => Finding | undefined,
  ): Promise<{ readonly current: Incarnation; readonly began: Finding | undefined }> {
    return this.#database.transaction(async (transaction) => {
      await transaction.query('select from zoneseal.clusters where current for update');
      const state = await readState(transaction, gateway);
      const began = rule(state);
      if (began === undefined) return { current: state.incarnations.at(-1) as Incarnation, began };
      const [row] = await transaction.query<IncarnationRow>(BEGIN, [
        began.isCertain,
        state.systemIdentifier,
        state.timeline,
        began.reason,
      ]);
      return { current: incarnationOf(row as IncarnationRow), began };
    });
  }

  async listUnsettled(incarnation: string, from: LineName, limit: number): Promise<UnsettledLine[]> {
    const rows = await this.#database.query<LineName & { zone_id: number; peers: boolean }>(
      `select u.*, exists (select from zoneseal.peer_states s where s.zone_id = u.zone_id and s.view = u.view) as peers
       from (${UNSETTLED}) u order by zone, view`,
      [incarnation, from.zone, from.view, limit],
    );
    return rows.map(({ zone, view, zone_id, peers }) => ({
      zone,
      view,
      zoneId: String(zone_id),
      hasPeers: peers,
    }));
  }

  async countUnsettled(incarnation: string): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(
      `select (select count(*) from zoneseal.serial_lines where zone_id is not null and incarnation < $1)
         + (select count(*) from zoneseal.serial_lines where zone_id is not null and incarnation > $1)
         + (select count(*) from zoneseal.serial_lines where zone_id is not null and incarnation is null) as count`,
      [incarnation],
    );
    return row?.count ?? 0;
  }

  pushServed(serials: readonly ServedSerial[]): Promise<LineOutcome[]> {
    const lines = serials.map(({ zone, view, serial }) => ({
      zone,
      view,
      seen: [{ peer: 'this gateway', serial }],
    }));
    return this.#database.transaction(async (transaction) => {
      const outcomes = await move(transaction, lines, false);
      return outcomes.filter(({ past }) => past !== null);
    });
  }

  settle({ incarnation, isCertain }: Incarnation, lines: readonly LineFindings[]): Promise<LineOutcome[]> {
    return this.#database.transaction(async (transaction) => {
      const outcomes = await move(transaction, lines, isCertain, incarnation);
      await transaction.execute(
        `update zoneseal.serial_lines l
         set incarnation = $3, wanted = l.wanted + (
           select count(*) from zoneseal.publications p where p.id = l.ready and not ${PAGES_KEPT})
         from unnest($1::text[], $2::text[]) t (zone, view)
         where l.zone = t.zone and l.view = t.view
           and exists (select from zoneseal.clusters where current and incarnation = $3)`,
        [...namesOf(outcomes), incarnation],
      );
      // gateways have built what is to be, and ask anew what is served
      await transaction.query("select pg_notify('zoneseal', 'recovery')::text");
      return outcomes;
    });
  }

  async unsettle({ zone, view }: LineName): Promise<boolean> {
    const changed = await this.#database.execute(
      `update zoneseal.serial_lines set incarnation = null
       where zone = $1 and view = $2 and incarnation = (select incarnation from zoneseal.clusters where current)`,
      [zone, view],
    );
    return changed > 0;
  }
}

async function readState(database: Queryable, gateway: string): Promise<DatabaseState> {
  const incarnations = await database.query<IncarnationRow>(INCARNATIONS);
  const [server] = await database.query<{
    system_identifier: string | null;
    timeline: number | null;
    published: boolean;
    others: boolean;
  }>(SERVER, [gateway]);
  return {
    incarnations: incarnations.map(incarnationOf),
    systemIdentifier: server?.system_identifier ?? null,
    timeline: server?.timeline ?? null,
    hasPublications: server?.published === true,
    hasOthers: server?.others === true,
  };
}

function incarnationOf(row: IncarnationRow): Incarnation {
  const { incarnation, marker, current, certain, system_identifier: systemIdentifier, timeline } = row;
  return { incarnation, marker, isCurrent: current, isCertain: certain, systemIdentifier, timeline };
}

/**
 * Moves lines as far as what was found out of them needs. One that is not there any more has no outcome.
 * @param unless lines of this incarnation are settled already, by another gateway, and stay as they are
 */
async function move(
  transaction: Transaction,
  lines: readonly LineFindings[],
  isSafe: boolean,
  unless?: string,
): Promise<LineOutcome[]> {
  const seenOf = new Map(lines.map(({ zone, view, seen }) => [`${zone} ${view}`, seen]));
  const locked = await transaction.query<LineRow>(LOCKED, namesOf(lines));
  const rows = locked.filter(({ incarnation }) => unless === undefined || incarnation !== unless);
  const outcomes = rows.map((row): LineOutcome => {
    const { zone, view, last_serial: last, ready_serial: ready, policy, now } = row;
    const seen = seenOf.get(`${zone} ${view}`) ?? [];
    const jump = jumpOf({
      last,
      ready,
      seen,
      isSafe: isSafe && row.incarnation !== null,
      policy: policy ?? 'unixtime',
      now,
    });
    const silent = seen.filter(({ serial }) => serial === undefined).map(({ peer }) => peer);
    return { zone, view, last, silent, ...jump };
  });
  const moved = outcomes.filter(({ past }) => past !== null);
  if (moved.length > 0) {
    await transaction.execute(MOVE, [...namesOf(moved), moved.map(({ past }) => past)]);
  }
  return outcomes;
}

function namesOf(lines: readonly LineName[]): [string[], string[]] {
  return [lines.map(({ zone }) => zone), lines.map(({ view }) => view)];
}
