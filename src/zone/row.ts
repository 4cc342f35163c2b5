import type { Name } from '../dns/name.js';
import { octetKey } from '../dns/octet-key.js';

/**
 * One row of the store: the records that one owner and type have in some views. `data` holds one rdata each in
 * presentation format; `ttl` is in seconds; `views` null stands for all views.
 */
export interface RowContent {
  /** Absolute name in presentation format, ASCII only. */
  readonly owner: string;
  /** A type mnemonic or TYPEnnn (RFC 3597 §5). */
  readonly type: string;
  readonly ttl: number;
  readonly data: readonly string[];
  readonly views: readonly string[] | null;
}

/** A row with its place in the zone. */
export interface ZoneRow extends RowContent {
  /** `Name.sortKey()` of the owner; rows arrive in its bytewise order. */
  readonly sortKey: Uint8Array;
}

/**
 * Whether a view sees a row: an untagged row is seen by all views, a tagged one by the views it names alone. View null
 * stands for a zone without views (a master file, say) and sees every row.
 */
export function isVisible(row: Pick<ZoneRow, 'views'>, view: string | null): boolean {
  return row.views === null || view === null || row.views.includes(view);
}

/** Rows of owners other than the apex of which some row is not for all views. */
export function rowsOfTaggedOwners(rows: readonly ZoneRow[], apex: Name): ZoneRow[] {
  const tagged = new Set(rows.filter(({ views }) => views !== null).map(({ sortKey }) => octetKey(sortKey)));
  tagged.delete(octetKey(apex.sortKey()));
  return rows.filter(({ sortKey }) => tagged.has(octetKey(sortKey)));
}
