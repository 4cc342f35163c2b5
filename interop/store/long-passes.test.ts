import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import type { RowContent, ZoneRow } from '../../src/zone/row.js';
import { Fixture } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

let server: TestPostgres;
let f: Fixture;

/** Milliseconds that a statement may take; what is tried here takes longer, all of it together. */
const STATEMENT_MS = 1500;

beforeAll(async () => {
  server = await startPostgres();
  const patient = new Database({ url: server.url });
  await migrate(patient);
  await patient.close();
  f = new Fixture(new Database({ url: server.url, statementTimeout: STATEMENT_MS }));
  await f.prepare();
});

afterAll(async () => {
  await f?.database.close();
  server?.remove();
});

/** More than two reads of rows. */
const COUNT = 11_000;

function rows(zone: string): ZoneRow[] {
  return Array.from({ length: COUNT }, (_, i) => {
    const owner = `h${String(i).padStart(7, '0')}.${zone}`;
    const sortKey = Name.parse(owner).sortKey();
    return { owner, sortKey, type: 'A', ttl: 60, data: ['192.0.2.1'], views: ['external'] };
  });
}

async function* slowly<T>(batches: AsyncIterable<T> | Iterable<T>, milliseconds: number): AsyncGenerator<T> {
  for await (const batch of batches) {
    yield batch;
    await sleep(milliseconds);
  }
}

async function count(batches: AsyncIterable<readonly unknown[]>): Promise<number> {
  let total = 0;
  for await (const batch of batches) total += batch.length;
  return total;
}

describe('a pass that takes longer than a statement may', () => {
  let zone: { name: string; id: string };

  it('imports a zone, through COPY and in place of what there is', { timeout: 60_000 }, async () => {
    zone = await f.newZone(undefined, ['external']);
    const all = rows(zone.name);
    const half = COUNT / 2;
    // longer than a client waits for a statement, which is ten seconds more than the server does
    const parts = slowly([all.slice(0, half), all.slice(half)], STATEMENT_MS + 5000);
    expect(await f.rrsets.import({ zone: zone.name, tag: ['external'], rows: parts })).toMatchObject({
      added: COUNT,
    });
    const same = slowly([all.slice(0, half), all.slice(half)], STATEMENT_MS);
    const replacing = { zone: zone.name, tag: ['external'], rows: same, replace: true };
    expect(await f.rrsets.import(replacing)).toMatchObject({ unchanged: COUNT });
  });

  it('reads the zone as it is, for exports and checks', async () => {
    expect(await count(slowly(f.rrsets.readAll(zone.name), STATEMENT_MS))).toBe(COUNT + 1);
  });

  it('reads the version of a publication, also when the zone has changed since', async () => {
    const { zoneVersion } = await f.publish(zone);
    const read = (): AsyncGenerator<readonly RowContent[]> =>
      slowly(f.publications.readRows(zone.id, zoneVersion), STATEMENT_MS);
    expect(await count(read())).toBe(COUNT + 1);
    await f.insert(zone.name, [['new', 'A', '192.0.2.1']]);
    expect(await count(read())).toBe(COUNT + 1);
  });

  it('has one snapshot, and each of its reads a bound', async () => {
    const reading = f.rrsets.readAll(zone.name);
    const first = (await reading.next()).value as readonly ZoneRow[];
    await f.database.execute("delete from zoneseal.rrsets where zone_id = $1 and type <> 'SOA'", [zone.id]);
    expect(first.length + (await count(reading))).toBe(COUNT + 2);
    // a read that waits is ended: the table is locked before the snapshot is taken
    await f.database.transaction(async (transaction) => {
      await transaction.query('lock table zoneseal.rrsets in access exclusive mode');
      await expect(f.rrsets.readAll(zone.name).next()).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' });
    });
  });
});
