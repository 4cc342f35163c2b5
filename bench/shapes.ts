import { randomBytes, randomInt } from 'node:crypto';
import pg from 'pg';
import { startPostgres } from '../interop/lib/postgres.js';
import { during, say } from './progress.js';
import { median, type Outcome, type Row, row } from './rows.js';

interface ShapesOptions {
  /** Signatures of the zone. */
  readonly signatures: number;
}

/** What one way to keep signatures cost. */
interface Figures {
  readonly writeSeconds: number;
  readonly readSeconds: number;
  readonly bytesPerSignature: number;
  /** Of a change to one signature: milliseconds, and octets of write-ahead log. */
  readonly changeMs: number;
  readonly changeOctets: number;
}

/** A way to keep signatures. */
interface Shape {
  readonly name: string;
  readonly tables: readonly string[];
  readonly create: string;
  /** Writes some signatures in canonical order. */
  readonly write: (client: pg.Client, from: number, some: readonly Signature[]) => Promise<unknown>;
  /** Reads all in canonical order. */
  readonly read: string;
  readonly change: (client: pg.Client, old: Signature, changed: Signature) => Promise<unknown>;
}

interface Signature {
  /** As the sort key of an owner and the type: canonical order is that of the octets. */
  readonly key: Buffer;
  readonly content: Buffer;
  readonly rrsig: Buffer;
}

/** RRSIG rdata of P-256: 18 octets, the signer's name, 64 of the signature. */
const RRSIG_OCTETS = 97;
const PAGE = 160;
const BATCH = 4000;
const CHANGES = 200;

const pageOf = (some: readonly Signature[]): Buffer =>
  Buffer.concat(
    some.flatMap(({ key, content, rrsig }) => [Buffer.of(key.length), key, content.subarray(0, 8), rrsig]),
  );

const singles = (name: string, by: 'key' | 'content', primary: string): Shape => ({
  name,
  tables: ['s'],
  create: `create table s (zone bigint not null, key bytea not null, content bytea not null, slot bigint not null, rrsig bytea not null, primary key (${primary}))`,
  write: (client, _, some) =>
    client.query(
      'insert into s select 1, t.key, t.content, 5, t.rrsig from unnest($1::bytea[], $2::bytea[], $3::bytea[]) t (key, content, rrsig)',
      [some.map(({ key }) => key), some.map(({ content }) => content), some.map(({ rrsig }) => rrsig)],
    ),
  read: `select key, rrsig from s where zone = 1 order by key`,
  change: async (client, old, { key, content, rrsig }) => {
    await client.query(`delete from s where zone = 1 and ${by} = $1`, [old[by]]);
    await client.query('insert into s values (1, $1, $2, 6, $3)', [key, content, rrsig]);
  },
});

const PAGES = `create table p (zone bigint not null, first_key bytea not null, since bigint not null, until bigint, content bytea not null, primary key (zone, first_key, since));
  alter table p alter column content set storage external`;

const writePages: Shape['write'] = async (client, _, some) => {
  const pages: { first: Buffer; content: Buffer }[] = [];
  for (let i = 0; i < some.length; i += PAGE) {
    const part = some.slice(i, i + PAGE);
    pages.push({ first: (part[0] as Signature).key, content: pageOf(part) });
  }
  await client.query(
    'insert into p select 1, t.first_key, 1, null, t.content from unnest($1::bytea[], $2::bytea[]) t (first_key, content)',
    [pages.map(({ first }) => first), pages.map(({ content }) => content)],
  );
};

const FIND_PAGE =
  'select first_key, content from p where zone = 1 and until is null and first_key <= $1 order by first_key desc limit 1';

const SHAPES: readonly Shape[] = [
  singles('single rows by sort key', 'key', 'zone, key, slot'),
  singles('single rows by content', 'content', 'content, slot'),
  {
    name: `pages of ${PAGE}, rewritten by a change`,
    tables: ['p'],
    create: PAGES,
    write: writePages,
    read: 'select first_key, content from p where zone = 1 and until is null order by first_key',
    change: async (client, _, { key }) => {
      const { rows } = await client.query<{ first_key: Buffer; content: Buffer }>(FIND_PAGE, [key]);
      const [page] = rows as [{ first_key: Buffer; content: Buffer }];
      randomBytes(64).copy(page.content, page.content.length - 64);
      await client.query('update p set until = 2 where zone = 1 and first_key = $1 and until is null', [
        page.first_key,
      ]);
      await client.query('insert into p values (1, $1, $2, null, $3)', [
        page.first_key,
        randomInt(3, 2 ** 40),
        page.content,
      ]);
    },
  },
  {
    name: `pages of ${PAGE}, single rows on top for what changed`,
    tables: ['p', 's'],
    create: `${PAGES};
      create table s (zone bigint not null, key bytea not null, since bigint not null, rrsig bytea not null, primary key (zone, key, since))`,
    write: writePages,
    read: `select p.first_key, p.content, (select array_agg(s.rrsig order by s.key) from s where s.zone = 1 and s.key >= p.first_key
        and s.key < coalesce((select n.first_key from p n where n.zone = 1 and n.first_key > p.first_key order by n.first_key limit 1), '\\xff')) as top
      from p where p.zone = 1 and p.until is null order by p.first_key`,
    change: (client, _, { key, rrsig }) =>
      client.query('insert into s values (1, $1, $2, $3)', [key, randomInt(2, 2 ** 40), rrsig]),
  },
];

/** The ways to keep signatures that were considered: what writing, reading and changing one costs, and what they take. */
export async function shapes({ signatures }: ShapesOptions): Promise<Outcome> {
  say(`shapes: ${signatures} signatures of algorithm 13`);
  const postgres = await startPostgres({
    durable: true,
    settings: ['max_wal_size=16GB', 'checkpoint_timeout=1d', 'full_page_writes=off'],
  });
  try {
    const all = Array.from(
      { length: signatures },
      (_, i): Signature => ({
        key: Buffer.from(`\u0001example\u0000h${String(i).padStart(9, '0')}\u0000A`),
        content: randomBytes(32),
        rrsig: randomBytes(RRSIG_OCTETS),
      }),
    );
    const rows: Row[] = [];
    for (const [i, shape] of SHAPES.entries()) {
      const url = postgres.createDatabase(`shape${i}`);
      const figures = await during(shape.name, () => measureShape(shape, all, url));
      const named = (what: string, value: number, unit: string): Row =>
        row(`shapes, ${shape.name}, ${what}`, value, unit);
      rows.push(
        named('written', figures.writeSeconds, 's'),
        named('read in order', figures.readSeconds, 's'),
        named('on disk, indexes included, a signature', figures.bytesPerSignature, 'octets'),
        named('one changed, median', figures.changeMs, 'ms'),
        named('one changed, write-ahead log, median', figures.changeOctets, 'octets'),
      );
      say(`  ${shape.name}: ${JSON.stringify(figures)}`);
    }
    return { rows };
  } finally {
    postgres.remove();
  }
}

async function measureShape(shape: Shape, all: readonly Signature[], url: string): Promise<Figures> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(shape.create);
    const begun = performance.now();
    for (let i = 0; i < all.length; i += BATCH) await shape.write(client, i, all.slice(i, i + BATCH));
    const writeSeconds = (performance.now() - begun) / 1000;
    await client.query('vacuum analyze');
    const sizes = shape.tables.map((table) => `pg_total_relation_size('${table}')`).join(' + ');
    const { rows } = await client.query<{ octets: string }>(`select ${sizes} as octets`);
    const change: number[] = [];
    const wal: number[] = [];
    const lsn = async (): Promise<number> => {
      const found = await client.query<{ at: string }>("select pg_current_wal_insert_lsn() - '0/0' as at");
      return Number(found.rows[0]?.at);
    };
    for (let i = 0; i < CHANGES; i++) {
      const old = all[randomInt(all.length)] as Signature;
      const changed = { ...old, content: randomBytes(32), rrsig: randomBytes(RRSIG_OCTETS) };
      const before = await lsn();
      const start = performance.now();
      await client.query('begin');
      await shape.change(client, old, changed);
      await client.query('commit');
      change.push(performance.now() - start);
      wal.push((await lsn()) - before);
    }
    // with what was changed in it, as it is read later
    const readSeconds = await readAll(client, shape.read);
    return {
      writeSeconds,
      readSeconds,
      bytesPerSignature: Number(rows[0]?.octets) / all.length,
      changeMs: median(change),
      changeOctets: median(wal),
    };
  } finally {
    await client.end();
  }
}

async function readAll(client: pg.Client, text: string): Promise<number> {
  const begun = performance.now();
  await client.query('begin');
  await client.query(`declare everything no scroll cursor for ${text}`);
  while ((await client.query('fetch 1000 from everything')).rows.length > 0);
  await client.query('commit');
  return (performance.now() - begun) / 1000;
}
