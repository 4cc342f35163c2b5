import { octetKey } from '../dns/octet-key.js';
import { ZonesealError } from '../errors.js';
import type {
  FinishedPublication,
  JournalPart,
  PageChanges,
  PageReference,
  PublishedRRset,
  StoredPage,
} from '../publication/ports.js';
import type { PackedPage } from '../signing/page-codec.js';
import type { Queryable, Transaction } from './database.js';
import { NotReached } from './row-reader.js';

/** A row of signed_pages, and where the next page begins. */
export interface PageRow {
  readonly chain: boolean;
  readonly first_key: Buffer;
  readonly since: number;
  readonly chained: boolean;
  readonly expires: number | null;
  readonly content: Buffer;
  readonly next_key: Buffer | null;
}

/** Pages read with one statement: some 640 KiB. */
const READ_PAGES = 40;

const COLUMNS = 'p.chain, p.first_key, p.since, p.chained, p.expires, p.content';

/** Where the next present page of the section of `p` begins. */
const NEXT_KEY = `(select n.first_key from zoneseal.signed_pages n
  where n.generation = p.generation and n.chain = p.chain and n.until is null and n.first_key > p.first_key
  order by n.first_key limit 1) as next_key`;

/** The pages of publication $2 in section $3 after the key $4, in order. */
const OF_PUBLICATION = `
  select ${COLUMNS}, null::bytea as next_key from zoneseal.signed_pages p
  where p.generation = $1 and p.chain = $3 and p.since <= $2 and (p.until is null or p.until > $2)
    and ($4::bytea is null or p.first_key > $4)
  order by p.first_key limit ${READ_PAGES}`;

/** Pages of a publication that are read with those of others at the most. */
const FEW_PAGES = 8;

/** The pages of publications $1, of generations $2, numbered by their place in the arrays; one more than are few at the most. */
const OF_PUBLICATIONS = `
  select p.*, null::bytea as next_key from zoneseal.few_pages($1, $2, ${FEW_PAGES + 1}) p`;

/** The same of a replica of incarnation $3 of the database: a publication that it has not come to has no row, what has no pages one. */
const OF_REACHED_PUBLICATIONS = `
  select t.i, p.chain, p.first_key, p.since, p.chained, p.expires, p.content, null::bytea as next_key
  from unnest($1::bigint[], $2::bigint[]) with ordinality t (id, generation, i)
    join zoneseal.publications q on q.id = t.id and q.state = 'ready'
    join zoneseal.clusters c on c.current and c.incarnation = $3
    left join lateral (
      select * from zoneseal.signed_pages p
      where p.generation = t.generation and p.since <= t.id and (p.until is null or p.until > t.id)
      limit ${FEW_PAGES + 1}
    ) p on true
  order by t.i, p.chain, p.first_key`;

/**
 * What a replica is asked: whether it has a publication ready as the trusted incarnation of the database has it, and in the same snapshot
 * what is wanted. It answers by one row at the least. Both are given by the number of their parameter.
 */
function ifReached(wanted: string, publication: string, incarnation: string): string {
  return `select r.reached, t.* from (
      select exists (select from zoneseal.publications q where q.id = ${publication} and q.state = 'ready')
        and exists (select from zoneseal.clusters c where c.current and c.incarnation = ${incarnation}) as reached
    ) r left join lateral (${wanted}) t on r.reached`;
}

/** Where to read on, and what a replica must have reached to be read. */
export interface ReadFrom {
  /** Of a replica: the trusted incarnation of the database. */
  readonly incarnation?: string;
}

const HOLDING = `
  select distinct on (p.first_key) ${COLUMNS}, ${NEXT_KEY}
  from unnest($3::bytea[]) k (key), lateral (
    select * from (
      (select q.* from zoneseal.signed_pages q
        where q.generation = $1 and q.chain = $2 and q.until is null and q.first_key <= k.key
        order by q.first_key desc limit 1)
      union all
      (select q.* from zoneseal.signed_pages q
        where q.generation = $1 and q.chain = $2 and q.until is null order by q.first_key limit 1)
    ) either limit 1
  ) p
  order by p.first_key`;

const BEFORE = `
  select ${COLUMNS}, ${NEXT_KEY} from zoneseal.signed_pages p
  where p.generation = $1 and p.chain = $2 and p.until is null and p.chained and ($3::bytea is null or p.first_key < $3)
  order by p.first_key desc limit 1`;

const AFTER = `
  select ${COLUMNS}, ${NEXT_KEY} from zoneseal.signed_pages p
  where p.generation = $1 and p.chain = $2 and p.until is null and p.chained and p.first_key >= $3
  order by p.first_key limit 1`;

/** The publication $1 where gateway $2 is building it: what may be written for. */
const OURS = `(select p.id from zoneseal.publications p where p.id = $1 and p.gateway = $2 and p.state = 'building')`;

/**
 * The pages of a section of a publication in order. Each read is a statement of its own, so that nothing is held open in
 * between: which pages a publication has does not change.
 */
export async function* readPages(
  database: Queryable,
  of: { readonly id: string; readonly generation: string },
  chain: boolean,
  { incarnation, after: begin = null }: ReadFrom & { readonly after?: Uint8Array | null } = {},
): AsyncGenerator<readonly StoredPage[], void, undefined> {
  const text =
    incarnation === undefined
      ? OF_PUBLICATION
      : `${ifReached(OF_PUBLICATION, '$2', '$5')} order by t.first_key`;
  const more = incarnation === undefined ? [] : [incarnation];
  for (let after: Uint8Array | null = begin; ; ) {
    const key = after === null ? null : Buffer.from(after);
    const values: unknown[] = [of.generation, of.id, chain, key, ...more];
    const rows: PageRow[] = await reachedRows<PageRow>(database, text, values, incarnation);
    if (rows.length > 0) yield rows.map(pageOf);
    if (rows.length < READ_PAGES) return;
    after = rows.at(-1)?.first_key ?? null;
  }
}

/** What names the pages of a publication. */
export interface PagesOf {
  readonly id: string;
  readonly generation: string;
}

/**
 * All pages of publications, each one's names and then its NSEC3 records, in order; undefined for one that has more than a few.
 * @param incarnation of a replica: the trusted one of the database. @throws NotReached where it has not come to all of them
 */
export async function readFewPages(
  database: Queryable,
  all: readonly PagesOf[],
  incarnation?: string,
): Promise<(StoredPage[] | undefined)[]> {
  const values: unknown[] = [all.map(({ id }) => id), all.map(({ generation }) => generation)];
  type Row = Omit<PageRow, 'content'> & { readonly i: number; readonly content: Buffer | null };
  const rows = await database.query<Row>(
    incarnation === undefined ? OF_PUBLICATIONS : OF_REACHED_PUBLICATIONS,
    incarnation === undefined ? values : [...values, incarnation],
  );
  const pages: StoredPage[][] = all.map(() => []);
  const reached = new Set(rows.map(({ i }) => i));
  if (incarnation !== undefined && reached.size < all.length) throw new NotReached();
  for (const { i, content, ...row } of rows)
    if (content !== null) pages[i - 1]?.push(pageOf({ ...row, content }));
  return pages.map((own) =>
    own.length > FEW_PAGES
      ? undefined
      : own.map((page, at) => {
          const next = own[at + 1];
          return { ...page, nextKey: next?.chain === page.chain ? next.firstKey : null };
        }),
  );
}

/** @throws NotReached where a replica has not come so far */
async function reachedRows<Row extends { readonly content: Buffer }>(
  database: Queryable,
  text: string,
  values: readonly unknown[],
  incarnation: string | undefined,
): Promise<Row[]> {
  const rows = await database.query<Row & { readonly reached?: boolean; readonly content: Buffer | null }>(
    text,
    values,
  );
  if (incarnation !== undefined && rows[0]?.reached !== true) throw new NotReached();
  return rows.filter((row): row is Row & { readonly content: Buffer } => row.content !== null);
}

/** The present pages of a generation that hold keys, or would. */
export async function findPages(
  database: Queryable,
  generation: string,
  chain: boolean,
  keys: readonly Uint8Array[],
): Promise<StoredPage[]> {
  if (keys.length === 0) return [];
  const rows = await database.query<PageRow>(HOLDING, [
    generation,
    chain,
    keys.map((key) => Buffer.from(key)),
  ]);
  return rows.map(pageOf);
}

/** See PublicationStore.pageBefore and pageAfter. */
export async function findNeighbour(
  database: Queryable,
  side: 'before' | 'after',
  generation: string,
  chain: boolean,
  key: Uint8Array | null,
): Promise<StoredPage | undefined> {
  const [row] = await database.query<PageRow>(side === 'before' ? BEFORE : AFTER, [
    generation,
    chain,
    key === null ? null : Buffer.from(key),
  ]);
  return row === undefined ? undefined : pageOf(row);
}

/** See PublicationStore.expiringPages. */
export async function findExpiring(
  database: Queryable,
  generation: string,
  until: number,
  limit: number,
): Promise<StoredPage[]> {
  const rows = await database.query<PageRow>(
    `select ${COLUMNS}, ${NEXT_KEY} from zoneseal.signed_pages p
     where p.generation = $1 and p.until is null and p.expires <= $2
     order by p.expires, p.chain, p.first_key limit $3`,
    [generation, until, limit],
  );
  return rows.map(pageOf);
}

/** See PublicationStore.firstExpiry. */
export async function findFirstExpiry(
  database: Queryable,
  generation: string,
  except: readonly PageReference[],
): Promise<number | undefined> {
  const name = (chain: boolean, key: Uint8Array): string => `${chain} ${octetKey(key)}`;
  const left = new Set(except.map(({ chain, firstKey }) => name(chain, firstKey)));
  const rows = await database.query<Pick<PageRow, 'chain' | 'first_key' | 'expires'>>(
    `select p.chain, p.first_key, p.expires from zoneseal.signed_pages p
     where p.generation = $1 and p.until is null and p.expires is not null order by p.expires limit $2`,
    [generation, except.length + 1],
  );
  return rows.find((row) => !left.has(name(row.chain, row.first_key)))?.expires ?? undefined;
}

/** What is stored of a publication while it is made. */
interface Stored {
  readonly pages: readonly PackedPage[];
  readonly journal: readonly JournalPart[];
  readonly soa: PublishedRRset | undefined;
}

/**
 * Appends pages of a new generation, and parts of its journal.
 * @throws ZonesealError PUBLICATION_LOST when the publication is not being built by this gateway (any more)
 */
export async function savePages(
  database: Queryable,
  publication: string,
  gateway: string,
  { pages, journal, soa }: Stored,
): Promise<void> {
  const saved = await database.query<{ pages: number; parts: number }>(
    `with ours as ${OURS}, g as (
       insert into zoneseal.signed_generations (id, zone_id, view)
         select p.id, p.zone_id, p.view from zoneseal.publications p join ours on ours.id = p.id
         on conflict (id) do nothing
     ), pages as (
       insert into zoneseal.signed_pages (generation, chain, first_key, since, chained, expires, content)
         select ours.id, t.chain, t.first_key, ours.id, t.chained, t.expires, substring($9::bytea from t.at for t.length)
         from ours, unnest($3::boolean[], $4::bytea[], $5::boolean[], $6::bigint[], $7::integer[], $8::integer[])
           t (chain, first_key, chained, expires, at, length)
         returning 1
     ), soa as (
       update zoneseal.publications p set soa_ttl = $15, soa_rdata = $16, soa_signatures = $17
       from ours where p.id = ours.id and $16::bytea is not null
     ), parts as (
       insert into zoneseal.journal_parts (publication_id, added, part, content)
         select ours.id, t.added, t.part, substring($14::bytea from t.at for t.length)
         from ours, unnest($10::boolean[], $11::integer[], $12::integer[], $13::integer[]) t (added, part, at, length)
         returning 1
     )
     select (select count(*) from pages) as pages, (select count(*) from parts) as parts`,
    [publication, gateway, ...pageColumns(pages), ...journalColumns(journal), ...soaColumns(soa)],
  );
  if (saved[0]?.pages === pages.length && saved[0].parts === journal.length) return;
  throw lost();
}

/**
 * Writes what publications change; to be called in the transaction that marks them ready.
 * @throws ZonesealError PAGES_LOST when a page that is replaced is not there any more
 */
export async function changePages(
  transaction: Transaction,
  finished: readonly FinishedPublication[],
): Promise<void> {
  const each = <T>(
    of: (changes: PageChanges) => readonly T[],
  ): (T & { readonly id: string; readonly generation: string })[] =>
    finished.flatMap(({ publication: { id }, result: { generation }, changes }) =>
      of(changes).map((it) => ({ ...it, id, generation })),
    );
  const replaced = each(({ replaced: some }) => some);
  const ended = await transaction.execute(
    `update zoneseal.signed_pages p set until = t.id
     from unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bytea[], $5::bigint[]) t (generation, id, chain, first_key, since)
     where p.generation = t.generation and p.chain = t.chain and p.first_key = t.first_key and p.since = t.since
       and p.until is null`,
    [
      replaced.map(({ generation }) => generation),
      replaced.map(({ id }) => id),
      replaced.map(({ chain }) => chain),
      replaced.map(({ firstKey }) => Buffer.from(firstKey)),
      replaced.map(({ since }) => since),
    ],
  );
  if (ended !== replaced.length) {
    throw new ZonesealError(
      'PAGES_LOST',
      `${replaced.length - ended} of the stored pages that are to be replaced are gone`,
    );
  }
  const pages = each((changes) => changes.pages);
  const journal = each((changes) => changes.journal);
  await transaction.execute(
    `with g as (
       insert into zoneseal.signed_generations (id, zone_id, view)
         select p.id, p.zone_id, p.view from zoneseal.publications p
         where p.id = any ($1::bigint[]) on conflict (id) do nothing
     ), pages as (
       insert into zoneseal.signed_pages (generation, since, chain, first_key, chained, expires, content)
         select t.generation, t.since, t.chain, t.first_key, t.chained, t.expires, substring($10::bytea from t.at for t.length)
         from unnest($2::bigint[], $3::bigint[], $4::boolean[], $5::bytea[], $6::boolean[], $7::bigint[], $8::integer[], $9::integer[])
           t (generation, since, chain, first_key, chained, expires, at, length)
     )
     insert into zoneseal.journal_parts (publication_id, added, part, content)
       select t.id, t.added, t.part, substring($16::bytea from t.at for t.length)
       from unnest($11::bigint[], $12::boolean[], $13::integer[], $14::integer[], $15::integer[]) t (id, added, part, at, length)`,
    [
      // a whole has pages of its own
      finished
        .filter(({ publication, result }) => publication.id === result.generation)
        .map(({ publication }) => publication.id),
      pages.map(({ generation }) => generation),
      pages.map(({ id }) => id),
      ...pageColumns(pages),
      journal.map(({ id }) => id),
      ...journalColumns(journal),
    ],
  );
}

const JOURNAL_PART =
  'select content from zoneseal.journal_parts where publication_id = $1 and added = $2 and part = $3';

/** The parts of one side of a publication's journal in order. */
export async function* readJournalParts(
  database: Queryable,
  publication: string,
  added: boolean,
  { incarnation, from = 0 }: ReadFrom & { readonly from?: number } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const text = incarnation === undefined ? JOURNAL_PART : ifReached(JOURNAL_PART, '$1', '$4');
  const more = incarnation === undefined ? [] : [incarnation];
  for (let part = from; ; part++) {
    const values: unknown[] = [publication, added, part, ...more];
    const [row] = await reachedRows<{ content: Buffer }>(database, text, values, incarnation);
    if (row === undefined) return;
    yield row.content;
  }
}

function pageColumns(pages: readonly PackedPage[]): unknown[] {
  return [
    pages.map(({ chain }) => chain),
    pages.map(({ firstKey }) => Buffer.from(firstKey)),
    pages.map(({ chained }) => chained),
    pages.map(({ expires }) => expires),
    ...contentColumns(pages),
  ];
}

function journalColumns(journal: readonly JournalPart[]): unknown[] {
  return [journal.map(({ added }) => added), journal.map(({ part }) => part), ...contentColumns(journal)];
}

/**
 * Where each content begins, from 1, how long it is, and all of them one after the other: one parameter goes as it is, an array of them
 * as text, twice as long, which both sides have to make and to read.
 */
function contentColumns(of: readonly { readonly content: Uint8Array }[]): [number[], number[], Buffer] {
  let at = 1;
  const places = of.map(({ content }) => {
    const place = at;
    at += content.length;
    return place;
  });
  return [places, of.map(({ content }) => content.length), Buffer.concat(of.map(({ content }) => content))];
}

function soaColumns(soa: PublishedRRset | undefined): unknown[] {
  return [
    soa?.ttl ?? null,
    soa && Buffer.from(soa.rdata),
    soa?.signatures.map((it) => Buffer.from(it)) ?? null,
  ];
}

/** The page that a row is. */
export function pageOf(row: PageRow): StoredPage {
  const { chain, first_key: firstKey, since, chained, expires, content, next_key: nextKey } = row;
  return { chain, firstKey, since: String(since), chained, expires, content, nextKey };
}

function lost(): ZonesealError {
  return new ZonesealError(
    'PUBLICATION_LOST',
    'the lease on a publication was lost while it was signed; another gateway has taken over',
  );
}
