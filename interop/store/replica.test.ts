import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { packPage } from '../../src/signing/page-codec.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { PostgresPublicationStore } from '../../src/store/publication-store.js';
import { ReplicaReader } from '../../src/store/replica-reader.js';
import { Fixture, FORMAT, resultOf } from '../../test/store/fixture.js';
import { freePort } from '../lib/ports.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';
import { POSTGRES_BIN } from '../lib/tools.js';

let server: TestPostgres;
let fixture: Fixture;
let replica: Database;
let reader: ReplicaReader;
let store: PostgresPublicationStore;
let data: string;
let port: number;
let incarnation: string;

function run(program: string, ...args: string[]): void {
  const command = [join(POSTGRES_BIN, program), ...args];
  const asRoot = process.getuid?.() === 0;
  const [file, ...rest] = asRoot ? ['/usr/sbin/runuser', '-u', 'postgres', '--', ...command] : command;
  execFileSync(file as string, rest, { stdio: 'ignore', cwd: '/' });
}

const startReplica = (): void =>
  run(
    'pg_ctl',
    '-D',
    data,
    '-w',
    '-l',
    `${data}.log`,
    '-o',
    `-p ${port} -k ${server.socketFolder} -h 127.0.0.1 -c max_standby_streaming_delay=0`,
    'start',
  );

beforeAll(async () => {
  server = await startPostgres({ settings: ['wal_level=replica', 'max_wal_senders=4'] });
  const database = new Database({ url: server.url });
  await migrate(database);
  fixture = new Fixture(database);
  await fixture.prepare();
  data = join(server.socketFolder, 'replica');
  port = await freePort();
  run(
    'pg_basebackup',
    '-h',
    server.socketFolder,
    '-p',
    String(server.port),
    '-U',
    'postgres',
    '-D',
    data,
    '-X',
    'stream',
    '-c',
    'fast',
    '-R',
  );
  startReplica();
  const url = new URL(server.url);
  url.port = String(port);
  replica = new Database({ url: url.href, attempts: 1, connectTimeout: 2000 });
  [{ incarnation }] = (await database.query<{ incarnation: string }>(
    'select incarnation from zoneseal.clusters where current',
  )) as [{ incarnation: string }];
  reader = new ReplicaReader({ primary: database, replica, incarnation: () => incarnation, pauseMs: 100 });
  store = new PostgresPublicationStore(database, { formatVersion: FORMAT, replica: reader });
}, 60_000);

afterAll(async () => {
  await replica?.close();
  await fixture?.database.close();
  try {
    run('pg_ctl', '-D', data, '-m', 'immediate', 'stop');
  } catch {
    // it is stopped
  }
  server?.remove();
  rmSync(`${data}.log`, { force: true });
});

/** Publishes a zone with two pages, as a gateway would. */
async function publish(zone: { name: string; id: string }) {
  const allocation = await fixture.allocate(zone);
  if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
  const { publication } = allocation;
  const pages = ['a', 'b'].map((label) =>
    packPage(
      [
        {
          name: Name.parse(`${label}.${zone.name}`),
          kind: 'authoritative',
          hash: undefined,
          children: 0,
          rrsets: [],
        } as never,
      ],
      Name.parse(zone.name),
    ),
  );
  await fixture.publications.savePages(publication.id, 'g1', pages, []);
  // a version is kept for as long as journals lead from it to the newest one
  const journal = publication.previous === null ? undefined : { removed: 0, added: 0, octets: 0 };
  await fixture.publications.markReady(publication.id, 'g1', resultOf(publication, { journal }));
  return { id: publication.id, generation: publication.id, version: publication.zoneVersion };
}

async function pagesOf(of: { id: string; generation: string }): Promise<number> {
  let count = 0;
  for await (const pages of store.readPages(of, false)) count += pages.length;
  return count;
}

async function rowsOf(zone: { id: string }, version: number): Promise<string[]> {
  const rows: string[] = [];
  for await (const batch of store.readRows(zone.id, version))
    rows.push(...batch.map(({ owner, type }) => `${owner} ${type}`));
  return rows;
}

async function caughtUp(): Promise<void> {
  // where it is written to: with asynchronous commits the file may lag behind
  const lsn = server.psql('select pg_current_wal_insert_lsn()').trim();
  await waitUntil('the replica stays behind', async () => {
    const [row] = await replica
      .query<{ done: boolean }>('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [lsn])
      .catch(() => []);
    return row?.done === true;
  });
}

/** What was read from where since a moment. */
function since(): () => Record<string, number> {
  const before = { ...reader.counts };
  return () =>
    Object.fromEntries(
      Object.entries(reader.counts)
        .map(([key, value]) => [key, value - (before as Record<string, number>)[key]!] as const)
        .filter(([, value]) => value > 0),
    );
}

test('a replica is read once it has the publication and the version, and the primary before', async () => {
  const zone = await fixture.newZone(undefined, ['external']);
  const first = await publish(zone);
  await caughtUp();
  let counts = since();
  expect(await pagesOf(first)).toBe(2);
  expect(await rowsOf(zone, first.version)).toEqual([`${zone.name} SOA`]);
  expect(counts()).toEqual({ replica: 2 });

  await replica.query('select pg_wal_replay_pause()');
  await fixture.insert(zone.name, [['a', 'A', '192.0.2.1']]);
  const second = await publish(zone);
  counts = since();
  expect(await pagesOf(second)).toBe(2);
  expect(await rowsOf(zone, second.version)).toEqual([`${zone.name} SOA`, `a.${zone.name} A`]);
  expect(counts()).toEqual({ behind: 2 });
  // what it has is read from it meanwhile
  counts = since();
  expect(await pagesOf(first)).toBe(2);
  expect(await rowsOf(zone, first.version)).toEqual([`${zone.name} SOA`]);
  expect(counts()).toEqual({ replica: 2 });

  await replica.query('select pg_wal_replay_resume()');
  await caughtUp();
  counts = since();
  expect(await pagesOf(second)).toBe(2);
  expect(await rowsOf(zone, second.version)).toEqual([`${zone.name} SOA`, `a.${zone.name} A`]);
  // an older version is there from its history
  expect(await rowsOf(zone, first.version)).toEqual([`${zone.name} SOA`]);
  expect(counts()).toEqual({ replica: 3 });
});

test('pages of small publications are read together from a replica that has all of them, and else from the primary', async () => {
  const zones = [
    await fixture.newZone(undefined, ['external']),
    await fixture.newZone(undefined, ['external']),
  ];
  const fewOf = async (): Promise<(number | undefined)[]> => {
    const ready = await Promise.all(zones.map(({ id }) => fixture.publications.newestReady(id, 'external')));
    const all = await Promise.all(ready.flatMap((it) => (it === undefined ? [] : [store.readFewPages(it)])));
    return all.map((pages) => pages?.length);
  };
  for (const zone of zones) await publish(zone);
  await caughtUp();
  let counts = since();
  expect(await fewOf()).toEqual([2, 2]);
  expect(counts()).toEqual({ replica: 1 });
  await replica.query('select pg_wal_replay_pause()');
  await fixture.insert(zones[0]!.name, [['a', 'A', '192.0.2.1']]);
  await publish(zones[0]!);
  counts = since();
  expect(await fewOf()).toEqual([2, 2]);
  expect(counts()).toEqual({ behind: 1 });
  await replica.query('select pg_wal_replay_resume()');
});

test('a replica of another incarnation of the database is not read', async () => {
  const zone = await fixture.newZone(undefined, ['external']);
  const made = await publish(zone);
  await caughtUp();
  const trusted = incarnation;
  incarnation = '00000000-0000-4000-8000-000000000000';
  const counts = since();
  expect(await pagesOf(made)).toBe(2);
  expect(await rowsOf(zone, made.version)).toHaveLength(1);
  expect(counts()).toEqual({ behind: 2 });
  incarnation = trusted;
});

test('a replica that stops is done without, and read again when it is back', async () => {
  const zone = await fixture.newZone(undefined, ['external']);
  const made = await publish(zone);
  await caughtUp();
  run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop');
  let counts = since();
  expect(await pagesOf(made)).toBe(2);
  expect(await rowsOf(zone, made.version)).toHaveLength(1);
  expect(counts()).toEqual({ away: 2 });
  startReplica();
  await caughtUp();
  await waitUntil('it is not read again', async () => {
    counts = since();
    await pagesOf(made);
    return counts()['replica'] === 1;
  });
});

test('a query that stands in the way of replaying goes on from the primary', async () => {
  const rows = Array.from({ length: 12_000 }, (_, i) => [`n${i}`, 'A', '192.0.2.1'] as const);
  const zone = await fixture.newZone([['@', 'SOA', 'ns. host. 7 1 1 1 1']], ['external']);
  for (let i = 0; i < rows.length; i += 3000) await fixture.insert(zone.name, rows.slice(i, i + 3000));
  const made = await publish(zone);
  await caughtUp();
  const counts = since();
  const seen = new Set<string>();
  let total = 0;
  for await (const batch of store.readRows(zone.id, made.version)) {
    for (const { owner, type } of batch) seen.add(`${owner} ${type}`);
    if (total === 0) {
      server.psql('begin; lock table zoneseal.rrset_births in access exclusive mode; commit');
      await caughtUp();
    }
    total += batch.length;
  }
  expect(total).toBe(12_001);
  expect(seen.size).toBe(12_001);
  expect(counts()).toEqual({ cancelled: 1 });
});
