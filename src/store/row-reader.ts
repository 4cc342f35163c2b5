import type pg from 'pg';
import { ZonesealError } from '../errors.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import type { Database, Queryable } from './database.js';
import { databaseError } from './database-errors.js';
import { VERSION_KEPT } from './publication-record.js';

/** A replica has not come so far as is needed; the primary has. */
export class NotReached extends Error {
  constructor() {
    super('the replica is behind');
    this.name = 'NotReached';
  }
}

/**
 * Rows of one read; few of the first, and twice as many with each: while rows are taken in nothing else is done, and a transfer waits for
 * what was read first.
 */
const BATCH_ROWS = 5000;
const FIRST_ROWS = 200;

/** Columns in the order of `Columns`. */
const CONTENT = 'owner, type, ttl, data, views';
/** The same with the row's place: a column that reading a large zone is the slower for. */
const PLACED = `${CONTENT}, sort_key`;
type Columns = [
  owner: string,
  type: string,
  ttl: number,
  data: string[],
  views: string[] | null,
  sortKey: Buffer,
];

/** The zone as it is now. */
function now(columns: string): string {
  return `select ${columns} from zoneseal.rrsets where zone_id = $1 order by sort_key, type`;
}

/** The zone at version $2: what is there since then or before, and what has gone or changed since; each part in order. */
function then(order: string, further = '', columns = PLACED): string {
  return `select ${columns} from (
    (select ${PLACED} from zoneseal.rrsets r where zone_id = $1
       and coalesce((select b.version from zoneseal.rrset_births b where b.row_id = r.id), 0) <= $2 ${further}
     order by ${order})
    union all
    (select ${PLACED} from zoneseal.rrset_history where zone_id = $1 and valid_from <= $2 and valid_to > $2 ${further}
     order by ${order})
  ) t order by ${order}`;
}

/** A statement with its parameters written into it: DECLARE takes none. @throws where one is no whole number */
function withNumbers(text: string, ...values: readonly (string | number | null)[]): string {
  return text.replace(/\$(\d)/g, (_, place: string) =>
    String(BigInt(values[Number(place) - 1] as string | number)),
  );
}

/** Makes the planner take the rows in the order of the indexes, so that the first ones come at once. */
export const IN_ORDER =
  'set local enable_sort = off; set local enable_seqscan = off; set local enable_bitmapscan = off';

/**
 * A zone's rows at a version in canonical order of their owners. On PostgreSQL in one snapshot through a cursor; on PGlite,
 * where an open transaction would stop everyone else, page by page: what a retained version holds does not change.
 * @throws ZonesealError NOT_HELD, VERSION_NOT_RETAINED
 */
export function readRows(
  database: Database,
  zoneId: string,
  version: number,
): AsyncGenerator<readonly RowContent[], void, undefined> {
  return database.embedded
    ? readPages(database, zoneId, version)
    : readCursor(database, { zoneId, version, columns: CONTENT }, contentOf);
}

/**
 * The same, each row with its place.
 * @param incarnation of a replica: the trusted one of the database, which it must have reached, and the version
 * @throws ZonesealError NOT_HELD, VERSION_NOT_RETAINED; NotReached
 */
export function readPlacedRows(
  database: Database,
  zoneId: string,
  version: number,
  incarnation?: string,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  return database.embedded
    ? readPages(database, zoneId, version)
    : readCursor(database, { zoneId, version, columns: PLACED, incarnation }, rowOf);
}

/** The same for the zone as it is now. On PGlite it fails when the zone is written to meanwhile: DATABASE_CONFLICT. */
export function readCurrentRows(
  database: Database,
  zoneId: string,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  return database.embedded
    ? readPages(database, zoneId, null)
    : readCursor(database, { zoneId, version: null, columns: PLACED }, rowOf);
}

/** What a cursor is opened for. */
interface CursorOf {
  readonly zoneId: string;
  /** null: the present one */
  readonly version: number | null;
  readonly columns: string;
  readonly incarnation?: string | undefined;
}

async function* readCursor<Row extends RowContent>(
  database: Database,
  { zoneId, version, columns, incarnation }: CursorOf,
  make: (columns: Columns) => Row,
): AsyncGenerator<readonly Row[], void, undefined> {
  const client = await database.connect();
  const query = async <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> =>
    (await client.query<Row>(text, [...values])).rows;
  let clean = false;
  try {
    // the lock before the snapshot is taken: a TRUNCATE that came between the two would show no rows at all
    await client.query(
      `begin isolation level repeatable read read only;
       lock table zoneseal.zones, zoneseal.rrsets, zoneseal.rrset_births, zoneseal.rrset_history in access share mode;
       ${IN_ORDER}`,
    );
    if (incarnation !== undefined && !(await hasReached(query, zoneId, version, incarnation)))
      throw new NotReached();
    const { current } = await findVersion(query, zoneId, version);
    const text = current ? now(columns) : then('sort_key, type', '', columns);
    // each FETCH is a statement of its own, so that the statements' time-out bounds a read and not the whole pass; a portal of
    // the protocol would be timed from its first read to its end. The first one goes with the cursor: a transfer waits for it
    let before = `declare zone_rows no scroll cursor for ${withNumbers(text, zoneId, version)}; `;
    for (let wanted = FIRST_ROWS; ; wanted = Math.min(2 * wanted, BATCH_ROWS)) {
      const result = await client.query<Columns>({
        text: `${before}fetch ${wanted} from zone_rows`,
        rowMode: 'array',
      });
      before = '';
      // of several statements there are as many results
      const { rows } = [result].flat().at(-1) as pg.QueryArrayResult<Columns>;
      if (rows.length > 0) yield rows.map(make);
      if (rows.length < wanted) break;
    }
    await client.query('commit');
    clean = true;
  } catch (error) {
    throw error instanceof ZonesealError || error instanceof NotReached ? error : databaseError(error);
  } finally {
    // a reader that stops early, or any error, ends the transaction with its connection
    client.release(!clean);
  }
}

/** Rows at a version of owners, by sort key, in canonical order. The version has to be one that is retained. */
export async function readRowsAt(
  database: Queryable,
  zoneId: string,
  version: number,
  keys: readonly Uint8Array[],
): Promise<ZoneRow[]> {
  const rows = await database.query<PageRow>(then(PAGE_KEY, 'and sort_key = any ($3::bytea[])'), [
    zoneId,
    version,
    keys.map((key) => Buffer.from(key)),
  ]);
  return rows.map(pageRow);
}

/** Rows at a version of what lies below owners, in canonical order; undefined when there are more than a limit. */
export async function readRowsBelow(
  database: Queryable,
  zoneId: string,
  version: number,
  keys: readonly Uint8Array[],
  limit: number,
): Promise<ZoneRow[] | undefined> {
  const all: ZoneRow[] = [];
  const text = `${then(PAGE_KEY, 'and sort_key > $3 and sort_key < $4')} limit ${limit + 1}`;
  for (const key of keys) {
    // every name below begins with the key; its last octet, 0x00, ends the label
    const end = Buffer.from(key);
    end[end.length - 1] = 1;
    const rows = await database.query<PageRow>(text, [zoneId, version, Buffer.from(key), end]);
    all.push(...rows.map(pageRow));
    if (all.length > limit) return undefined;
  }
  return all;
}

async function* readPages(
  database: Database,
  zoneId: string,
  wanted: number | null,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  const query = database.query.bind(database);
  const { version } = await findVersion(query, zoneId, wanted);
  let after: readonly unknown[] = [];
  for (;;) {
    const text = pageQuery(after.length > 0);
    const rows = await database.transaction(async (transaction) => {
      await transaction.query(IN_ORDER);
      return transaction.query<PageRow>(text, [zoneId, version, ...after]);
    });
    const last = rows.at(-1);
    const ended = last === undefined || rows.length < BATCH_ROWS;
    // a zone that is deleted meanwhile must not look as if it ended here
    if (ended) await checkUnchanged(query, zoneId, wanted, version);
    if (rows.length > 0) yield rows.map(pageRow);
    if (ended) return;
    after = [last.sort_key, last.type, last.views ?? []];
  }
}

function pageRow({ sort_key: sortKey, ...row }: PageRow): ZoneRow {
  return { ...row, sortKey };
}

type PageRow = RowContent & { readonly sort_key: Buffer };

/** What no two rows of one version share. */
const PAGE_KEY = "sort_key, type, coalesce(views, '{}')";

function pageQuery(continued: boolean): string {
  const further = continued ? `and (${PAGE_KEY}) > ($3::bytea, $4::text, $5::text[])` : '';
  return `${then(PAGE_KEY, further)} limit ${BATCH_ROWS}`;
}

/** Whether a replica has a version of a zone that it can still give, as the trusted incarnation of the database has it. */
async function hasReached(
  query: Queryable['query'],
  zoneId: string,
  version: number | null,
  incarnation: string,
): Promise<boolean> {
  const [zone] = await query(
    `select from zoneseal.zones z where z.id = $1 and z.version >= $2
       and (z.version = $2 or z.readable_from <= $2 and exists (
         select from zoneseal.publications p where p.zone_id = z.id and p.zone_version = $2 and ${VERSION_KEPT}))
       and exists (select from zoneseal.clusters c where c.current and c.incarnation = $3)`,
    [zoneId, version, incarnation],
  );
  return zone !== undefined;
}

/** The version to read, and whether it is the present one. @throws ZonesealError NOT_HELD, VERSION_NOT_RETAINED */
export async function findVersion(
  query: Queryable['query'],
  zoneId: string,
  wanted: number | null,
): Promise<{ version: number; current: boolean }> {
  const [zone] = await query<{ name: string; version: number; retained: boolean }>(
    `select z.name, z.version, z.readable_from <= $2 and exists (
       select from zoneseal.publications p where p.zone_id = z.id and p.zone_version = $2 and ${VERSION_KEPT}
     ) as retained
     from zoneseal.zones z where z.id = $1`,
    [zoneId, wanted],
  );
  if (zone === undefined) {
    throw new ZonesealError('NOT_HELD', `the zone with id ${zoneId} was deleted`, { zoneId });
  }
  const version = wanted ?? zone.version;
  const current = version === zone.version;
  if (!current && !zone.retained) {
    const reason = `version ${version} is not retained any more; make a new publication`;
    throw new ZonesealError('VERSION_NOT_RETAINED', `zone ${zone.name}: ${reason}`, {
      zone: zone.name,
      version,
    });
  }
  return { version, current };
}

async function checkUnchanged(
  query: Queryable['query'],
  zoneId: string,
  wanted: number | null,
  version: number,
): Promise<void> {
  const now = await findVersion(query, zoneId, wanted);
  if (now.version === version) return;
  throw new ZonesealError(
    'DATABASE_CONFLICT',
    `zone ${zoneId}: it was changed while it was read; try again`,
    { zoneId },
  );
}

function contentOf([owner, type, ttl, data, views]: Columns): RowContent {
  return { owner, type, ttl, data, views };
}

function rowOf([owner, type, ttl, data, views, sortKey]: Columns): ZoneRow {
  return { owner, sortKey, type, ttl, data, views };
}
