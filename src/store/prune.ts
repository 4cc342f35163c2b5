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
  /** Zones looked at in one run; default 1000. */
  readonly zones?: number;
  /** Seconds for which what was queued is left alone; default 0. */
  readonly minAge?: number;
  /** Rows of one kind removed from one zone in one run; default 20,000. */
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

/**
 * Removes publications and journals beyond those that are kept, and the history, changes and key sets that no remaining one needs. Each zone
 * is a short transaction; zones that are being written to are left for another run, as is whatever goes beyond the limits.
 */
export async function prune(database: Database, options: PruneOptions): Promise<PruneResult> {
  const lease = await takeLease(database, 'prune', options.holder, LEASE_SECONDS);
  if (lease === undefined) return { ran: false, zones: 0, publications: 0, rows: 0 };
  try {
    await boundRecentJournals(database, options.journalOctets);
    const queued = await database.query<{ zone_id: number; until: number }>(
      `select zone_id, max(id) as until from (
         select zone_id, id from zoneseal.prune_queue
         where queued_at <= clock_timestamp() - make_interval(secs => $2::float8) order by id limit 10000
       ) q group by zone_id order by min(id) limit $1`,
      [options.zones ?? 1000, options.minAge ?? 0],
    );
    const total = { ran: true, zones: 0, publications: 0, rows: 0 };
    for (const { zone_id: zone, until } of queued) {
      const removed = await database.transaction((transaction) =>
        pruneZone(transaction, zone, until, options),
      );
      if (removed === undefined) continue;
      total.zones++;
      total.publications += removed.publications;
      total.rows += removed.rows;
    }
    return total;
  } finally {
    await releaseLease(database, lease);
  }
}

const RETIRED = `
  delete from zoneseal.publications p
  where p.zone_id = $1 and p.state <> 'building'
    and p.id in (
      select id from (
        select q.id, q.state, row_number() over newest_first as place, lag(q.finished_at) over newest_first as replaced_at
        from zoneseal.publications q where q.zone_id = $1
        window newest_first as (partition by q.view, q.state order by q.id desc)
      ) t
      where t.state = 'failed' or t.place > $2 or t.replaced_at <= clock_timestamp() - make_interval(secs => $3::float8)
    )
    and not exists (
      select from zoneseal.serial_lines l
      where l.zone_id = $1 and (l.ready = p.id or l.failed = p.id or l.building = p.id)
    )`;

/** Looks at a zone again when the next of its publications has been kept for long enough, though nothing else happens to it. */
const LOOK_AGAIN = `
  insert into zoneseal.prune_queue (zone_id, queued_at)
    select $1, min(t.replaced_at) + make_interval(secs => $2::float8) from (
      select lag(q.finished_at) over (partition by q.view order by q.id desc) as replaced_at
      from zoneseal.publications q where q.zone_id = $1 and q.state = 'ready'
    ) t having min(t.replaced_at) is not null`;

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

/** Zone versions that can still be asked for: of publications, and that at which the zone is frozen. */
const NEEDED = `(
  select p.zone_version as version from zoneseal.publications p where p.zone_id = $1 and ${VERSION_KEPT}
  union
  select z.frozen_version from zoneseal.zones z where z.id = $1 and z.frozen_version is not null
)`;

/** Generations that neither a publication which may be read has, nor one that is being made or is still to be. */
const DEAD_GENERATIONS = `
  select g.id from zoneseal.serial_lines l
    join zoneseal.signed_generations g on g.zone_id = l.zone_id and g.view = l.view
  where l.zone_id = $1 and g.id is distinct from l.building and g.id not in ${ABANDONED_KEPT} and not exists (
    select from zoneseal.publications p
    where p.zone_id = l.zone_id and p.view = l.view and p.state = 'ready' and p.generation = g.id
      and p.id >= (${OLDEST_READ})
  )`;

/** The oldest of them; null: there is none. */
const OLDEST_VERSION = `(select min(n.version) from ${NEEDED} n)`;

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
 * Publications and uses first: which versions are still named decides on the rest.
 * @param longAgo the time before which what caches keep for some seconds is in none any more
 */
const superfluous = (longAgo: (ttl: string) => string): string[] => [
  `delete from zoneseal.key_set_uses where ctid = any (array(
     select u.ctid from zoneseal.key_set_uses u
     where u.zone_id = $1 and u.gone_at < ${longAgo('greatest(u.max_ttl, u.dnskey_ttl)')} limit $2))`,
  `delete from zoneseal.signed_pages where ctid = any (array(
     select s.ctid from zoneseal.serial_lines l
       join zoneseal.signed_generations g on g.zone_id = l.zone_id and g.view = l.view
       join zoneseal.signed_pages s on s.generation = g.id
     where l.zone_id = $1 and s.until is not null and s.until <= (${OLDEST_READ}) limit $2))`,
  // before what they belong to, so that no statement takes more than the limit
  `delete from zoneseal.signed_pages where ctid = any (array(
     select s.ctid from (${DEAD_GENERATIONS}) d join zoneseal.signed_pages s on s.generation = d.id limit $2))`,
  `delete from zoneseal.signed_generations where id = any (array(
     select d.id from (${DEAD_GENERATIONS}) d
     where not exists (select from zoneseal.signed_pages s where s.generation = d.id) limit $2))`,
  `with needed as materialized ${NEEDED}
   delete from zoneseal.rrset_history where ctid = any (array(
     select h.ctid from zoneseal.rrset_history h
     where h.zone_id = $1 and not exists (
       select from needed n where n.version >= h.valid_from and n.version < h.valid_to
     ) limit $2))`,
  `delete from zoneseal.rrset_births where ctid = any (array(
     select b.ctid from zoneseal.rrset_births b
     where b.zone_id = $1 and b.version <= coalesce(${OLDEST_VERSION}, b.version) limit $2))`,
  `delete from zoneseal.changes where ctid = any (array(
     select c.ctid from zoneseal.changes c
     where c.zone_id = $1 and c.version <= coalesce(${OLDEST_VERSION}, c.version) limit $2))`,
  `delete from zoneseal.key_set_versions where ctid = any (array(
     select v.ctid from zoneseal.key_set_versions v join zoneseal.zones z on z.id = v.zone_id
     where v.zone_id = $1 and v.version < z.key_set_version and not exists (
       select from zoneseal.publications p where p.zone_id = $1 and p.key_set_version = v.version
     ) and not exists (
       select from zoneseal.key_set_uses u where u.zone_id = $1 and u.version = v.version
     ) limit $2))`,
  `delete from zoneseal.ds_uses where ctid = any (array(
     select u.ctid from zoneseal.ds_uses u
     where u.zone_id = $1 and u.until < ${longAgo('coalesce(u.ttl, 0)')} limit $2))`,
  `delete from zoneseal.ds_sightings where ctid = any (array(
     select s.ctid from zoneseal.ds_sightings s
     where s.zone_id = $1 and s.last_seen < ${longAgo('0')} and (not s.listed or exists (
       select from zoneseal.ds_sightings t where t.zone_id = $1 and t.server = s.server and t.id > s.id)) limit $2))`,
  `delete from zoneseal.key_events where ctid = any (array(
     select e.ctid from zoneseal.key_events e
     where e.zone_id = $1 and e.at < clock_timestamp() - interval '${EVENTS_KEPT_DAYS} days' limit $2))`,
];

/** Undefined when the zone is busy. */
async function pruneZone(
  transaction: Transaction,
  zone: number,
  until: number,
  { keep = 10, keepSeconds, journalOctets, rows: limit = 20_000 }: PruneOptions,
): Promise<{ publications: number; rows: number } | undefined> {
  // keeps out allocation, which would name a version that is being removed; writers hold a weaker lock, and are not waited for
  const [locked] = await transaction.query(
    'select id from zoneseal.zones where id = $1 for update skip locked',
    [zone],
  );
  if (locked === undefined && (await isHeld(transaction, zone))) return undefined;
  const publications = await transaction.execute(RETIRED, [zone, keep, keepSeconds ?? null]);
  await boundJournals(transaction, [zone], journalOctets);
  let rows = 0;
  let left = false;
  const [policy] = await transaction.query<{ name: string; document: unknown }>(
    'select p.name, p.document from zoneseal.zones z join zoneseal.policies p on p.name = z.policy where z.id = $1',
    [zone],
  );
  const kept =
    policy === undefined ? ROLL_FACTS_KEPT_DAYS * DAY : rollFactsKept(policy.name, policy.document);
  const longAgo = (ttl: string): string =>
    `clock_timestamp() - make_interval(secs => ${kept}::float8 + ${ttl})`;
  for (const statement of superfluous(longAgo)) {
    const removed = await transaction.execute(statement, [zone, limit]);
    rows += removed;
    left ||= removed === limit;
  }
  if (!left) {
    await transaction.execute('delete from zoneseal.prune_queue where zone_id = $1 and id <= $2', [
      zone,
      until,
    ]);
    if (keepSeconds !== undefined) await transaction.execute(LOOK_AGAIN, [zone, keepSeconds]);
  }
  return { publications, rows };
}

async function isHeld(transaction: Transaction, zone: number): Promise<boolean> {
  const [row] = await transaction.query('select id from zoneseal.zones where id = $1', [zone]);
  return row !== undefined;
}
