import { ZonesealError } from '../errors.js';
import { parsePolicy } from '../keys/policy.js';
import { ABANDONED_KEPT } from './abandoned-pages.js';
import type { Database, Transaction } from './database.js';
import { boundJournals, boundRecentJournals } from './journal-bound.js';
import { releaseLease, takeLease } from './lease.js';
import { VERSION_KEPT } from './publication-record.js';

/** What a run of `prune` may do. */
export interface PruneOptions {
  /** Who prunes; one at a time does. */
  readonly holder: string;
  /** Ready publications kept of each (zone, view), the newest one included; default 10. */
  readonly keep?: number;
  /** Seconds for which a publication is kept that another one has replaced; default: for ever. */
  readonly keepSeconds?: number;
  /** Octets of journals kept of each (zone, view), the newest; default: as many as the zone has. */
  readonly journalOctets?: number;
  /** Zones looked at in one run; default 5000. */
  readonly zones?: number;
  /** Seconds for which what was queued is left alone; default 0. */
  readonly minAge?: number;
  /** Rows of one kind that one transaction removes; default 20,000. */
  readonly rows?: number;
}

/** What one run removed. */
export interface PruneResult {
  /** False when another holder is at it. */
  readonly ran: boolean;
  readonly zones: number;
  readonly publications: number;
  readonly rows: number;
}

const LEASE_SECONDS = 120;

/** Zones pruned with one transaction, and rows of one kind that it removes at the most: where there are more, each zone has one of its own. */
const ZONES_TOGETHER = 100;
const ROWS_TOGETHER = 5000;

/** A zone that was queued, and up to which entry of the queue. */
interface Queued {
  readonly zone_id: number;
  readonly until: number;
}

/** What one transaction removed. */
interface Removed {
  /** Zones that nobody was at. */
  readonly zones: number;
  readonly publications: number;
  readonly rows: number;
  /** Whether there may be more, so that they stay queued. */
  readonly isMore: boolean;
}

/**
 * Removes publications and journals beyond those that are kept, and the history, changes and key sets that no remaining one needs. Transactions
 * are short: for many zones of which there is little to remove, or for one; zones that are being written to are left for another run, as is
 * whatever goes beyond the limits.
 */
export async function prune(database: Database, options: PruneOptions): Promise<PruneResult> {
  const lease = await takeLease(database, 'prune', options.holder, LEASE_SECONDS);
  if (lease === undefined) return { ran: false, zones: 0, publications: 0, rows: 0 };
  try {
    await boundRecentJournals(database, options.journalOctets);
    const queued = await database.query<Queued>(
      `select zone_id, max(id) as until from (
         select zone_id, id from zoneseal.prune_queue
         where queued_at <= clock_timestamp() - make_interval(secs => $2::float8) order by id limit 10000
       ) q group by zone_id order by min(id) limit $1`,
      [options.zones ?? 5000, options.minAge ?? 0],
    );
    const total = { ran: true, zones: 0, publications: 0, rows: 0 };
    const pruneOf = async (zones: readonly Queued[], limit: number): Promise<Removed> => {
      const removed = await database.transaction(
        (transaction) => pruneZones(transaction, zones, limit, options),
        { byIndex: true },
      );
      total.publications += removed.publications;
      total.rows += removed.rows;
      return removed;
    };
    const { rows = 20_000 } = options;
    for (let i = 0; i < queued.length; i += ZONES_TOGETHER) {
      const some = queued.slice(i, i + ZONES_TOGETHER);
      const { zones, isMore } = await pruneOf(some, Math.min(rows, ROWS_TOGETHER));
      total.zones += zones;
      if (isMore) for (const one of some) await pruneOf([one], rows);
    }
    return total;
  } finally {
    await releaseLease(database, lease);
  }
}

const RETIRED = `
  delete from zoneseal.publications p
  where p.zone_id = any ($1::bigint[]) and p.state <> 'building'
    and p.id in (
      select id from (
        select q.id, q.state, row_number() over newest_first as place, lag(q.finished_at) over newest_first as replaced_at
        from zoneseal.publications q where q.zone_id = any ($1::bigint[])
        window newest_first as (partition by q.zone_id, q.view, q.state order by q.id desc)
      ) t
      where t.state = 'failed' or t.place > $2 or t.replaced_at <= clock_timestamp() - make_interval(secs => $3::float8)
    )
    and not exists (
      select from zoneseal.serial_lines l
      where l.zone_id = p.zone_id and (l.ready = p.id or l.failed = p.id or l.building = p.id)
    )`;

/** Looks at zones again when the next of their publications has been kept for long enough, though nothing else happens to them. */
const LOOK_AGAIN = `
  insert into zoneseal.prune_queue (zone_id, queued_at)
    select t.zone_id, min(t.replaced_at) + make_interval(secs => $2::float8) from (
      select q.zone_id, lag(q.finished_at) over (partition by q.zone_id, q.view order by q.id desc) as replaced_at
      from zoneseal.publications q where q.zone_id = any ($1::bigint[]) and q.state = 'ready'
    ) t where t.replaced_at is not null group by t.zone_id`;

const DEQUEUE = `
  delete from zoneseal.prune_queue q using unnest($1::bigint[], $2::bigint[]) t (zone_id, until)
  where q.zone_id = t.zone_id and q.id <= t.until and q.id <= (select max(u) from unnest($2::bigint[]) u)`;

/**
 * How long pages are kept that the newest ready publication has not: for gateways and transfers that still read the one before.
 */
export const PAGES_KEPT_SECONDS = 600;

/** Of a line, the oldest publication that may still be read: the newest that was ready that long ago. */
const OLDEST_READ = `
  select coalesce(
    (select max(p.id) from zoneseal.publications p
      where p.zone_id = l.zone_id and p.view = l.view and p.state = 'ready' and p.id <= l.ready
        and p.finished_at < clock_timestamp() - interval '${PAGES_KEPT_SECONDS} s'),
    (select min(p.id) from zoneseal.publications p where p.zone_id = l.zone_id and p.view = l.view and p.state = 'ready')
  )`;

/** Versions of zone `z` that can still be asked for: of publications, and that at which it is frozen. */
const NEEDED = `(
  select p.zone_version as version from zoneseal.publications p where p.zone_id = z.id and ${VERSION_KEPT}
  union
  select f.frozen_version from zoneseal.zones f where f.id = z.id and f.frozen_version is not null
)`;

/** Generations of zone `z` that neither a publication which may be read has, nor one that is being made or is still to be. */
const DEAD_GENERATIONS = `
  select g.id from zoneseal.serial_lines l
    join zoneseal.signed_generations g on g.zone_id = l.zone_id and g.view = l.view
  where l.zone_id = z.id and g.id is distinct from l.building and g.id not in ${ABANDONED_KEPT} and not exists (
    select from zoneseal.publications p
    where p.zone_id = l.zone_id and p.view = l.view and p.state = 'ready' and p.generation = g.id
      and p.id >= (${OLDEST_READ})
  )`;

/** What is older is not needed; all of it where nothing is. Found once for a zone. */
const OLDEST = `lateral (select coalesce(min(n.version), ${2n ** 63n - 1n}) as version from ${NEEDED} n offset 0) oldest`;

/** For how long what rolls look at is kept at the least, after the largest TTL that it was served with. */
export const ROLL_FACTS_KEPT_DAYS = 90;

const DAY = 86_400;

/**
 * For how many seconds what rolls look at is kept after the largest TTL that it was served with: longer than decisions by the zone's policy look back. What a
 * nameserver was not seen without stays, however old.
 * @param document the policy as it is stored; where it cannot be read no roll is decided on, and all is kept
 */
function rollFactsKept(policy: string, document: unknown): number {
  const least = ROLL_FACTS_KEPT_DAYS * DAY;
  try {
    const { propagationDelay, publishSafety, parentPropagationDelay, parentDsTtl } = parsePolicy(
      policy,
      document,
    );
    // a day for clocks that differ
    return Math.max(least, propagationDelay + publishSafety + parentPropagationDelay + parentDsTtl + DAY);
  } catch (error) {
    if (!(error instanceof ZonesealError)) throw error;
    return KEPT_FOR_EVER;
  }
}

/** A century. */
const KEPT_FOR_EVER = 36_525 * DAY;

/** For how long it is known what became of keys, and why. */
const EVENTS_KEPT_DAYS = 1100;

/**
 * Removes up to $3 rows of a table that belong to zones $1.
 * @param found selects their `ctid` of zone `z`; what is looked at is kept for `z.kept` seconds after caches are without it
 */
const remove = (table: string, found: string): string => `
  delete from zoneseal.${table} where ctid = any (array(
    select d.ctid from unnest($1::bigint[], $2::float8[]) z (id, kept) cross join lateral (${found}) d limit $3))`;

/** The time before which what caches keep for some seconds is in none any more. */
const longAgo = (ttl: string): string => `clock_timestamp() - make_interval(secs => z.kept + ${ttl})`;

/** Publications and uses first: which versions are still named decides on the rest. */
const SUPERFLUOUS = [
  remove(
    'key_set_uses',
    `select u.ctid from zoneseal.key_set_uses u
     where u.zone_id = z.id and u.gone_at < ${longAgo('greatest(u.max_ttl, u.dnskey_ttl)')}`,
  ),
  remove(
    'signed_pages',
    `select s.ctid from zoneseal.serial_lines l
       cross join lateral (select (${OLDEST_READ}) as id offset 0) oldest
       join zoneseal.signed_generations g on g.zone_id = l.zone_id and g.view = l.view
       join zoneseal.signed_pages s on s.generation = g.id
     where l.zone_id = z.id and s.until is not null and s.until <= oldest.id`,
  ),
  // before what they belong to, so that no statement takes more than the limit
  remove(
    'signed_pages',
    `select s.ctid from (${DEAD_GENERATIONS}) d join zoneseal.signed_pages s on s.generation = d.id`,
  ),
  remove(
    'signed_generations',
    `select g.ctid from (${DEAD_GENERATIONS}) d join zoneseal.signed_generations g on g.id = d.id
     where not exists (select from zoneseal.signed_pages s where s.generation = d.id)`,
  ),
  remove(
    'rrset_history',
    `select h.ctid from lateral (select array_agg(n.version) as versions from ${NEEDED} n) needed, zoneseal.rrset_history h
     where h.zone_id = z.id and not exists (
       select from unnest(needed.versions) v where v >= h.valid_from and v < h.valid_to)`,
  ),
  remove(
    'rrset_births',
    `select b.ctid from ${OLDEST}, zoneseal.rrset_births b where b.zone_id = z.id and b.version <= oldest.version`,
  ),
  remove(
    'changes',
    `select c.ctid from ${OLDEST}, zoneseal.changes c where c.zone_id = z.id and c.version <= oldest.version`,
  ),
  remove(
    'key_set_versions',
    `select v.ctid from zoneseal.key_set_versions v join zoneseal.zones o on o.id = v.zone_id
     where v.zone_id = z.id and v.version < o.key_set_version and not exists (
       select from zoneseal.publications p where p.zone_id = z.id and p.key_set_version = v.version
     ) and not exists (
       select from zoneseal.key_set_uses u where u.zone_id = z.id and u.version = v.version)`,
  ),
  remove(
    'ds_uses',
    `select u.ctid from zoneseal.ds_uses u where u.zone_id = z.id and u.until < ${longAgo('coalesce(u.ttl, 0)')}`,
  ),
  remove(
    'ds_sightings',
    `select s.ctid from zoneseal.ds_sightings s
     where s.zone_id = z.id and s.last_seen < ${longAgo('0')} and (not s.listed or exists (
       select from zoneseal.ds_sightings t where t.zone_id = z.id and t.server = s.server and t.id > s.id))`,
  ),
  remove(
    'key_events',
    `select e.ctid from zoneseal.key_events e
     where e.zone_id = z.id and e.at < clock_timestamp() - interval '${EVENTS_KEPT_DAYS} days'`,
  ),
];

async function pruneZones(
  transaction: Transaction,
  queued: readonly Queued[],
  limit: number,
  { keep = 10, keepSeconds, journalOctets }: PruneOptions,
): Promise<Removed> {
  const zones = await lockZones(transaction, queued);
  const ids = zones.map((zone) => zone.zone_id);
  if (ids.length === 0) return { zones: 0, publications: 0, rows: 0, isMore: false };
  const publications = await transaction.execute(RETIRED, [ids, keep, keepSeconds ?? null]);
  await boundJournals(transaction, ids, journalOctets);
  const kept = await secondsKept(transaction, ids);
  let rows = 0;
  let isMore = false;
  for (const statement of SUPERFLUOUS) {
    const removed = await transaction.execute(statement, [ids, kept, limit]);
    rows += removed;
    isMore ||= removed === limit;
  }
  if (!isMore) {
    await transaction.execute(DEQUEUE, [ids, zones.map(({ until }) => until)]);
    if (keepSeconds !== undefined) await transaction.execute(LOOK_AGAIN, [ids, keepSeconds]);
  }
  return { zones: zones.length, publications, rows, isMore };
}

/**
 * Those of the zones that nobody is at, and those that were deleted. The lock keeps out allocation, which would name a version that is being removed;
 * writers hold a weaker one, and are not waited for.
 */
async function lockZones(transaction: Transaction, queued: readonly Queued[]): Promise<Queued[]> {
  const ids = queued.map((zone) => zone.zone_id);
  const idsOf = async (text: string): Promise<ReadonlySet<number>> =>
    new Set((await transaction.query<{ id: number }>(text, [ids])).map(({ id }) => id));
  const held = 'select id from zoneseal.zones where id = any ($1::bigint[])';
  const locked = await idsOf(`${held} order by id for update skip locked`);
  const all = locked.size === ids.length ? locked : await idsOf(held);
  return queued.filter((zone) => locked.has(zone.zone_id) || !all.has(zone.zone_id));
}

/** For how many seconds what rolls look at is kept of each zone, by its policy. */
async function secondsKept(transaction: Transaction, ids: readonly number[]): Promise<number[]> {
  const policies = await transaction.query<{ name: string; document: unknown; zones: readonly string[] }>(
    `select p.name, p.document, array_agg(z.id::text) as zones from zoneseal.zones z join zoneseal.policies p on p.name = z.policy
     where z.id = any ($1::bigint[]) group by p.name`,
    [ids],
  );
  const kept = new Map(
    policies.flatMap(({ name, document, zones }) => {
      const seconds = rollFactsKept(name, document);
      return zones.map((zone): [string, number] => [zone, seconds]);
    }),
  );
  // of a deleted zone nothing is looked at any more
  return ids.map((id) => kept.get(String(id)) ?? ROLL_FACTS_KEPT_DAYS * DAY);
}
