import type { Database, Queryable, Transaction } from './database.js';

/** Zones looked at with one statement. */
const ZONES = 200;

/** Journals younger than this are bounded at each run, however soon their zone is pruned: time for some runs, seconds. */
const RECENT_SECONDS = 300;

/** The part of what is kept that a journal has at the least for its zone to be looked at so soon. */
const LARGE_PART = 1000;

/**
 * Ends differences that are never sent, and those that are more than is to be kept, the oldest first. Journals that are together larger
 * than the zone are of no use, now or later: the zone grows by no more than what further ones add.
 */
const BOUND = `
  with wide as (
    select t.id from (
      select q.id, q.journal_octets,
        sum(q.journal_octets) over newest_first as way, first_value(q.octets) over newest_first as zone_octets
      from zoneseal.publications q where q.zone_id = any ($1::bigint[]) and q.state = 'ready'
      window newest_first as (partition by q.zone_id, q.view order by q.id desc)
    ) t where t.journal_octets is not null and t.way > least($2::bigint, t.zone_octets)
  ), parts as (
    delete from zoneseal.journal_parts where publication_id in (select id from wide)
  )
  update zoneseal.publications set journal_octets = null where id in (select id from wide)`;

/** Removes journals of zones beyond what is kept of each line. @param octets default: as many as the zone has */
export async function boundJournals(
  database: Queryable | Transaction,
  zones: readonly number[],
  octets: number | undefined,
): Promise<void> {
  await database.query(BOUND, [zones, octets ?? null]);
}

/** Does so for zones that got large ones a moment ago: the rest of what is pruned of them is left alone for longer. */
export async function boundRecentJournals(database: Database, octets: number | undefined): Promise<void> {
  if (octets === undefined) return;
  const rows = await database.query<{ zone_id: number }>(
    `select distinct l.zone_id from zoneseal.prune_queue q
       join zoneseal.serial_lines l on l.zone_id = q.zone_id join zoneseal.publications p on p.id = l.ready
     where q.queued_at between clock_timestamp() - make_interval(secs => ${RECENT_SECONDS}) and clock_timestamp()
       and p.journal_octets >= $1`,
    [Math.floor(octets / LARGE_PART)],
  );
  for (let i = 0; i < rows.length; i += ZONES) {
    await boundJournals(
      database,
      rows.slice(i, i + ZONES).map((row) => row.zone_id),
      octets,
    );
  }
}
