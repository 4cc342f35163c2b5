import { parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import type { ZoneTimes } from '../keys/policy-fit.js';
import { expireOf } from '../publication/soa-fields.js';
import type { Queryable } from './database.js';

interface Row {
  readonly id: number;
  readonly name: string;
  readonly has_keys: boolean;
  readonly soa: string | null;
  readonly published_ttl: number | null;
}

/** Zones of a policy that are looked at when it is changed; gateways judge each publication by itself. */
export const MOST_JUDGED = 10_000;

/** Zones of which the rows are looked at together. */
const AT_ONCE = 500;

const FACTS = `
  select z.id, z.name,
    exists (select from zoneseal.zone_keys k where k.zone_id = z.id and (k.signs or k.published)) as has_keys,
    (select r.data[1] from zoneseal.rrsets r
      where r.zone_id = z.id and r.sort_key = z.sort_key and r.type = 'SOA' limit 1) as soa,
    -- of what is published, where that is what is stored
    (select max(p.max_ttl) from zoneseal.serial_lines l join zoneseal.publications p on p.id = l.ready
      where l.zone_id = z.id
      having bool_and(l.ready_zone_version >= l.changed_version and p.max_ttl is not null)) as published_ttl
  from zoneseal.zones z`;

/**
 * The times of one zone, by its id, of the rows as they are.
 * @param largest taken for the RRset with the largest TTL; without, it is looked for
 */
export async function timesOfZone(
  database: Queryable,
  zoneId: number,
  largest?: ZoneTimes['largest'],
): Promise<ZoneTimes | undefined> {
  const [row] = await database.query<Row>(`${FACTS} where z.id = $1`, [zoneId]);
  if (row === undefined) return undefined;
  if (largest !== undefined) return timesOf(row, largest);
  return timesOf(row, (await largestOf(database, [row.id])).get(row.id) ?? null);
}

/**
 * The times of the zones that are signed by a policy, of up to `MOST_JUDGED` of them. All rows are looked at only of those of which what is published
 * does not say it, or says that it is too large: a publication may name a larger TTL than it has.
 * @param isTooLarge whether a TTL, in seconds, is
 */
export async function timesByPolicy(
  database: Queryable,
  policy: string,
  isTooLarge: (ttl: number) => boolean,
): Promise<ZoneTimes[]> {
  const rows = await database.query<Row>(
    `${FACTS} where z.policy = $1 order by z.name limit ${MOST_JUDGED}`,
    [policy],
  );
  const unknown = rows.filter(({ published_ttl: ttl }) => ttl === null || isTooLarge(ttl));
  const found = new Map<number, ZoneTimes['largest']>();
  for (let at = 0; at < unknown.length; at += AT_ONCE) {
    const ids = unknown.slice(at, at + AT_ONCE).map(({ id }) => id);
    for (const [id, largest] of await largestOf(database, ids)) found.set(id, largest);
  }
  return rows.map((row) => {
    const published =
      row.published_ttl === null ? null : { owner: row.name, type: 'SOA', ttl: row.published_ttl };
    return timesOf(row, unknown.includes(row) ? (found.get(row.id) ?? null) : published);
  });
}

async function largestOf(
  database: Queryable,
  zoneIds: readonly number[],
): Promise<Map<number, NonNullable<ZoneTimes['largest']>>> {
  const rows = await database.query<{ zone_id: number; owner: string; type: string; ttl: number }>(
    `select i.zone_id, r.owner, r.type, r.ttl from unnest($1::bigint[]) i (zone_id), lateral (
       select owner, type, ttl from zoneseal.rrsets where zone_id = i.zone_id order by ttl desc, sort_key, type limit 1
     ) r`,
    [zoneIds],
  );
  return new Map(rows.map(({ zone_id: id, owner, type, ttl }) => [id, { owner, type, ttl }]));
}

function timesOf({ name, has_keys: hasKeys, soa }: Row, largest: ZoneTimes['largest']): ZoneTimes {
  return { zone: name, hasKeys, largest, soaExpire: expireIn(soa) };
}

/** EXPIRE of a stored SOA; null where there is none or it does not parse, which is for the publication to say. */
function expireIn(soa: string | null): number | null {
  if (soa === null) return null;
  try {
    return expireOf(parseRdataText(RRType.SOA, soa));
  } catch {
    return null;
  }
}
