import type { RowContent } from '../zone/row.js';
import type { Database } from './database.js';
import { findVersion, IN_ORDER } from './row-reader.js';

/** Owners that are read with one statement; few of the first, for whoever waits for the zone to begin. */
const OWNERS = 1000;
const FIRST_OWNERS = 100;

/** The next owners behind the key $3 but for the apex, of which some row of a table is not for all views; whatever version it is of. */
function owners(table: 'rrsets' | 'rrset_history'): string {
  return `(select distinct t.sort_key from zoneseal.${table} t
    where t.zone_id = $1 and t.views is not null and t.sort_key > $3
      and t.sort_key <> (select zoneseal.sort_key(z.name) from zoneseal.zones z where z.id = $1)
    order by t.sort_key limit $4)`;
}

/** The rows of those owners at version $2, by owner and type: the few keys lead to the rows, whatever the size of the zone. */
const TAGGED = `
  select k.sort_key, r.owner, r.type, r.ttl, r.data, r.views
  from (select u.sort_key from (${owners('rrsets')} union ${owners('rrset_history')}) u order by u.sort_key limit $4) k
    left join lateral (
      select c.owner, c.type, c.ttl, c.data, c.views from zoneseal.rrsets c
        where c.zone_id = $1 and c.sort_key = k.sort_key
          and coalesce((select b.version from zoneseal.rrset_births b where b.row_id = c.id), 0) <= $2
      union all
      select h.owner, h.type, h.ttl, h.data, h.views from zoneseal.rrset_history h
        where h.zone_id = $1 and h.sort_key = k.sort_key and h.valid_from <= $2 and h.valid_to > $2
    ) r on true
  order by k.sort_key, r.type`;

/** A row, or nulls where an owner has none at the version. */
interface TaggedRow {
  readonly sort_key: Buffer;
  readonly owner: string | null;
  readonly type: string;
  readonly ttl: number;
  readonly data: string[];
  readonly views: string[] | null;
}

/**
 * Rows at a version of owners other than the apex of which some row is, or was at another version, not for all views; owners in canonical
 * order, their rows by type. Nothing is held open in between: what a retained version holds does not change.
 * @throws ZonesealError NOT_HELD, VERSION_NOT_RETAINED
 */
export async function* readTaggedRows(
  database: Database,
  zoneId: string,
  version: number,
): AsyncGenerator<readonly RowContent[], void, undefined> {
  const query = database.query.bind(database);
  let after = Buffer.alloc(0);
  for (let wanted = FIRST_OWNERS; ; wanted = OWNERS) {
    const rows = await database.transaction(async (transaction) => {
      await transaction.query(IN_ORDER);
      return transaction.query<TaggedRow>(TAGGED, [zoneId, version, after, wanted]);
    });
    const read = new Set(rows.map(({ sort_key: key }) => key.toString('latin1'))).size;
    // what was pruned meanwhile must not look as if it had not been there
    await findVersion(query, zoneId, version);
    const found = rows.flatMap(({ owner, type, ttl, data, views }) =>
      owner === null ? [] : [{ owner, type, ttl, data, views }],
    );
    if (found.length > 0) yield found;
    if (read < wanted) return;
    after = (rows.at(-1) as TaggedRow).sort_key as Buffer<ArrayBuffer>;
  }
}
