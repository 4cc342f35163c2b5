import { ZonesealError } from '../errors.js';
import { refuseUnsafe } from '../keys/policy-fit.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import { sameViews } from '../zone/row-diff.js';
import type { Database, Queryable } from './database.js';
import { findZone } from './held.js';
import { readCurrentRows } from './row-reader.js';
import { insertRows } from './row-writer.js';
import { type ImportOptions, type ImportResult, importZone } from './zone-import.js';
import { judgeZone } from './zone-store.js';

/** One RRset to be written. */
export type NewRrset = RowContent;

/** What writing one RRset did. */
export interface SetResult {
  readonly outcome: 'added' | 'changed' | 'unchanged';
  /** The zone's version afterwards. */
  readonly version: number;
}

/** Which RRsets of a zone. */
export interface RrsetFilter {
  readonly owner?: string;
  /** Those of any of these owners. */
  readonly owners?: readonly string[];
  readonly type?: string;
  /** Those tagged for exactly these views; null: those for all. */
  readonly tag?: readonly string[] | null;
  /** Those that this view sees. */
  readonly view?: string;
}

/** A zone's rows, as the command line writes and reads them. */
export class RrsetStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Puts a whole zone, or its part for some views, into the database. See importZone. */
  import(options: ImportOptions): Promise<ImportResult> {
    return importZone(this.#database, options);
  }

  /**
   * Adds an RRset, or changes the one that is tagged for the same views.
   * @throws ZonesealError VIEWS_OVERLAP when a view would see two rows of one owner and type; NOT_HELD, DATA_REFUSED;
   *   POLICY_INVALID when the zone's policy is unsafe for its TTL
   */
  set(zone: string, rrset: NewRrset): Promise<SetResult> {
    return this.#database.transaction(async (transaction) => {
      const { id, name, policy } = await findZone(transaction, zone, 'write');
      const rows = await transaction.query<NewRrset & { id: number }>(
        `select id, owner, type, ttl, data, views from zoneseal.rrsets
         where zone_id = $1 and sort_key = zoneseal.sort_key($2) and type = $3`,
        [id, rrset.owner, rrset.type],
      );
      const present = rows.find((row) => sameViews(row.views, rrset.views));
      const overlapping = rows.find((row) => row !== present && viewsOverlap(row.views, rrset.views));
      if (overlapping !== undefined) throw overlap(name, rrset, overlapping.views);
      let outcome: SetResult['outcome'] = 'unchanged';
      if (present === undefined) {
        await insertRows(transaction, id, [{ ...rrset, sortKey: new Uint8Array() }]);
        outcome = 'added';
      } else if (!sameRow(present, rrset)) {
        await transaction.execute(
          'update zoneseal.rrsets set owner = $2, ttl = $3, data = $4 where id = $1',
          [present.id, rrset.owner, rrset.ttl, rrset.data],
        );
        outcome = 'changed';
      }
      // one that has a larger TTL already is no reason to refuse this one
      if (rrset.ttl > (present?.ttl ?? 0)) refuseUnsafe(policy, await judgeZone(transaction, id, rrset));
      return { outcome, version: await versionOf(transaction, id) };
    });
  }

  /**
   * Deletes the RRsets of an owner: of all types and views, or of those given.
   * @returns the rows that were deleted, and the zone's version afterwards
   * @throws ZonesealError NOT_HELD
   */
  delete(
    zone: string,
    filter: RrsetFilter & { readonly owner: string },
  ): Promise<{ readonly deleted: readonly NewRrset[]; readonly version: number }> {
    return this.#database.transaction(async (transaction) => {
      const { id } = await findZone(transaction, zone, 'write');
      const { condition, values } = conditionOf(id, filter);
      const deleted = await transaction.query<NewRrset>(
        `delete from zoneseal.rrsets where ${condition} returning owner, type, ttl, data, views`,
        values,
      );
      return { deleted, version: await versionOf(transaction, id) };
    });
  }

  /**
   * The rows of a zone as it is now, in canonical order; all that match the filter at once, so for an owner or a type.
   * @throws ZonesealError NOT_HELD
   */
  async list(zone: string, filter: RrsetFilter = {}): Promise<ZoneRow[]> {
    const { id } = await findZone(this.#database, zone);
    const { condition, values } = conditionOf(id, filter);
    return this.#database.query<ZoneRow>(
      `select owner, sort_key as "sortKey", type, ttl, data, views from zoneseal.rrsets where ${condition}
       order by sort_key, type, coalesce(views, '{}')`,
      values,
    );
  }

  /**
   * Whether some record of these types ends with a name, in whatever case: whether an NS, MX or SRV points to it.
   * @throws ZonesealError NOT_HELD
   */
  async isTarget(zone: string, name: string, types: readonly string[]): Promise<boolean> {
    const { id } = await findZone(this.#database, zone);
    const rows = await this.#database.query(
      `select 1 from zoneseal.rrsets where zone_id = $1 and type = any ($2::text[]) and exists (
         select 1 from unnest(data) record where right(' ' || lower(record), length($3) + 1) = ' ' || lower($3))
       limit 1`,
      [id, types, name],
    );
    return rows.length > 0;
  }

  /** All rows of a zone as it is now, in canonical order of their owners. @throws ZonesealError NOT_HELD */
  async *readAll(zone: string): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    const { id } = await findZone(this.#database, zone);
    yield* readCurrentRows(this.#database, String(id));
  }
}

function conditionOf(zoneId: number, filter: RrsetFilter): { condition: string; values: unknown[] } {
  const values: unknown[] = [zoneId];
  const conditions = ['zone_id = $1'];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  const { owner, owners, type, tag, view } = filter;
  if (owner !== undefined) add((p) => `sort_key = zoneseal.sort_key(${p})`, owner);
  if (owners !== undefined) {
    add((p) => `sort_key = any (select zoneseal.sort_key(o) from unnest(${p}::text[]) o)`, owners);
  }
  if (type !== undefined) add((p) => `type = ${p}`, type);
  if (tag === null) conditions.push('views is null');
  else if (tag !== undefined) add((p) => `(views @> ${p}::text[] and views <@ ${p}::text[])`, tag);
  if (view !== undefined) add((p) => `(views is null or ${p} = any (views))`, view);
  return { condition: conditions.join(' and '), values };
}

/** Whether some view sees both of two rows. */
export function viewsOverlap(a: readonly string[] | null, b: readonly string[] | null): boolean {
  return a === null || b === null || a.some((view) => b.includes(view));
}

function sameRow(a: NewRrset, b: NewRrset): boolean {
  return (
    a.owner === b.owner &&
    a.ttl === b.ttl &&
    a.data.length === b.data.length &&
    a.data.every((text, i) => text === b.data[i])
  );
}

function overlap(
  zone: string,
  { owner, type, views }: NewRrset,
  other: readonly string[] | null,
): ZonesealError {
  const show = (tag: readonly string[] | null): string => (tag === null ? 'all views' : tag.join(', '));
  const reason = `a row for ${show(views)} would overlap with the one for ${show(other)}`;
  return new ZonesealError(
    'VIEWS_OVERLAP',
    `zone ${zone}: ${owner} ${type}: ${reason}; delete that one first`,
    {
      zone,
      owner,
      type,
    },
  );
}

async function versionOf(transaction: Queryable, zoneId: number): Promise<number> {
  const [row] = await transaction.query<{ version: number }>(
    'select version from zoneseal.zones where id = $1',
    [zoneId],
  );
  return row?.version ?? 0;
}
