import type { Queryable } from './database.js';

/** How far the pages of a generation reach: stored in order, what is there of them is a beginning. Octets, to be compared. */
export function reachOf(generation: string): string {
  return `coalesce((
    select (case when s.chain then '\\x01'::bytea else '\\x00'::bytea end) || s.first_key from zoneseal.signed_pages s
    where s.generation = ${generation} order by s.chain desc, s.first_key desc limit 1), ''::bytea)`;
}

/** Generations of line l that no ready publication has, and nobody writes any more: newer than what is ready. */
export const ABANDONED = `
  select a.id from zoneseal.signed_generations a
  where a.zone_id = l.zone_id and a.view = l.view and a.id > coalesce(l.ready, 0) and a.id is distinct from l.building`;

/**
 * Those of them that are kept until something is ready: the newest, and the one that reaches furthest. A nameserver may have
 * got their signatures while they were made, so the next attempt has the same ones.
 */
export const ABANDONED_KEPT = `(
  (select id from (${ABANDONED}) n order by id desc limit 1)
  union
  (select id from (${ABANDONED}) f order by ${reachOf('f.id')} desc, id desc limit 1)
)`;

/** See PublicationStore.listAbandoned. */
export async function listAbandoned(database: Queryable, zoneId: string): Promise<string[]> {
  const rows = await database.query<{ id: number }>(
    `select k.id from zoneseal.serial_lines l, lateral ${ABANDONED_KEPT} k where l.zone_id = $1 order by k.id desc`,
    [zoneId],
  );
  return rows.map(({ id }) => String(id));
}
