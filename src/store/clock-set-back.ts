import type { Database } from './database.js';

/** By so many seconds clocks differ without being told of: a lease lasts as much longer. */
const TOLERATED = "interval '30 s'";

/** Signs of life that gateways gave later than now. */
const AHEAD = `select name, seen_at from zoneseal.gateways where seen_at > clock_timestamp() + ${TOLERATED}`;

/** Those signs are of now, from here on; whoever comes second finds none. */
const TAKE_BACK = `
  with ahead as (${AHEAD} for update), taken as (
    update zoneseal.gateways g set seen_at = clock_timestamp() from ahead a where g.name = a.name
  )
  select extract(epoch from max(seen_at) - clock_timestamp())::float8 as seconds from ahead`;

/** What is waited for, taken back by $1 seconds. */
const taken = (column: string): string => `${column} - make_interval(secs => $1::float8)`;
/** What is held, the same; but who lives has time to prolong it, and may have done so by the clock as it is. */
const released = (column: string): string => `greatest(${taken(column)}, clock_timestamp() + ${TOLERATED})`;
const isAhead = (column: string): string => `${column} > clock_timestamp() + ${TOLERATED}`;

/** Each reads its table once. What is current of peers stays: it is asked late, and told of changes in time. */
const FOLLOW = [
  `update zoneseal.serial_lines set building_until = ${released('building_until')} where ${isAhead('building_until')}`,
  `update zoneseal.serial_lines set retry_at = ${taken('retry_at')} where ${isAhead('retry_at')}`,
  `update zoneseal.leases set expires_at = ${released('expires_at')} where ${isAhead('expires_at')}`,
  `update zoneseal.peer_states set claimed_until = ${released('claimed_until')} where ${isAhead('claimed_until')}`,
  `update zoneseal.peer_states set due_at = ${taken('due_at')}
   where state <> 'current' and due_at < 'infinity' and ${isAhead('due_at')}`,
];

/**
 * Leases, claims and retries are rows with a time by the database's clock. Where that was set back, as gateways' signs of life from
 * later than now show, they would all last so much longer, those of gateways that are gone above all: they are taken back as far.
 * @returns the seconds by which the clock was set back; 0: it was not, or another gateway has seen to it
 */
export async function followClock(database: Database): Promise<number> {
  if ((await database.query(AHEAD)).length === 0) return 0;
  return database.transaction(async (transaction) => {
    const [row] = await transaction.query<{ seconds: number | null }>(TAKE_BACK);
    const seconds = row?.seconds ?? 0;
    if (seconds > 0) for (const statement of FOLLOW) await transaction.execute(statement, [seconds]);
    return seconds;
  });
}
