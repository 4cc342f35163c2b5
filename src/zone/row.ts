/**
 * One row of the store: the records that one owner and type have in some views. `data` holds one rdata each in
 * presentation format; `ttl` is in seconds; `views` null stands for all views.
 */
export interface ZoneRow {
  /** Absolute name in presentation format, ASCII only. */
  readonly owner: string;
  /** `Name.sortKey()` of the owner; rows arrive in its bytewise order. */
  readonly sortKey: Uint8Array;
  /** A type mnemonic or TYPEnnn (RFC 3597 §5). */
  readonly type: string;
  readonly ttl: number;
  readonly data: readonly string[];
  readonly views: readonly string[] | null;
}

/**
 * Whether a view sees a row: an untagged row is seen by all views, a tagged one by the views it names alone. View null
 * stands for a zone without views (a master file, say) and sees every row.
 */
export function isVisible(row: Pick<ZoneRow, 'views'>, view: string | null): boolean {
  return row.views === null || view === null || row.views.includes(view);
}
