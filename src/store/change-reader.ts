import type { ChangedOwners } from '../publication/ports.js';
import type { Queryable } from './database.js';

/** Between which versions of a zone changes are asked for, and for which view. */
export interface ChangeQuestion {
  readonly zoneId: string;
  readonly view: string;
  readonly after: number;
  readonly upTo: number;
  /** More owners than this are too many to list. */
  readonly limit: number;
}

/**
 * The owners whose data a view sees differently after some versions. Change rows that say "all" for the view, or
 * more owners than can be listed, are `all`.
 */
export async function readChanges(database: Queryable, question: ChangeQuestion): Promise<ChangedOwners> {
  const { zoneId, view, after, upTo, limit } = question;
  const rows = await database.query<{ sort_key: Buffer | null }>(
    `select distinct c.sort_key from zoneseal.changes c
     where c.zone_id = $1 and c.version > $2 and c.version <= $3
       and (c.views_before is null or $4 = any (c.views_before) or c.views_after is null or $4 = any (c.views_after))
     order by c.sort_key nulls first limit $5`,
    [zoneId, after, upTo, view, limit + 1],
  );
  if (rows.length > limit) return { kind: 'all' };
  const keys: Uint8Array[] = [];
  for (const { sort_key: key } of rows) {
    if (key === null) return { kind: 'all' };
    keys.push(key);
  }
  return { kind: 'owners', keys };
}
