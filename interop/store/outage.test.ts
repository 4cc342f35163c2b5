import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ChangeListener } from '../../src/store/change-listener.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { Fixture } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { POSTGRES_BIN } from '../lib/tools.js';

let server: TestPostgres;
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres({ durable: true });
  const database = new Database({ url: server.url, connectTimeout: 2000, statementTimeout: 5000 });
  await migrate(database);
  f = new Fixture(database);
  await f.prepare();
});

afterAll(async () => {
  await f?.database.close();
  server?.remove();
});

async function waitFor(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await check()) return;
    await sleep(50);
  }
  throw new Error(`not in time: ${what}`);
}

function rows(zone: string, count: number): ZoneRow[] {
  return Array.from({ length: count }, (_, i) => {
    const owner = `h${String(i).padStart(7, '0')}.${zone}`;
    return {
      owner,
      sortKey: Name.parse(owner).sortKey(),
      type: 'A',
      ttl: 60,
      data: ['192.0.2.1'],
      views: null,
    };
  });
}

describe('a server that is killed', () => {
  it('in the middle of an import leaves nothing of it, and the next call finds it back', async () => {
    const zone = await f.newZone();
    const source = async function* () {
      yield rows(zone.name, 3000);
      server.stop('immediate');
      yield rows(`b.${zone.name}`, 3000);
    };
    await expect(
      f.rrsets.import({ zone: zone.name, tag: ['internal'], rows: source() }),
    ).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await expect(f.zones.listZones()).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      fields: { retriable: true },
    });
    await server.start();
    expect(await f.zones.showZone(zone.name)).toMatchObject({ version: 1, rrsets: 1 });
    expect(await f.changes(zone.name, 2)).toEqual([]);
  });

  it('with kill -9 of one backend loses that transaction alone', async () => {
    const zone = await f.newZone();
    const failing = f.database.transaction(async (t) => {
      const [row] = await t.query<{ pid: number }>('select pg_backend_pid() as pid');
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
      execFileSync('kill', ['-9', String(row?.pid)]);
      await t.query('select pg_sleep(3)');
    });
    await expect(failing).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await waitFor('recovery', () =>
      f.version(zone.name).then(
        (version) => version === 1,
        () => false,
      ),
    );
    await f.insert(zone.name, [['b', 'A', '192.0.2.1']]);
    expect(await f.changes(zone.name, 2)).toEqual(['2 b A - *']);
  });

  it('while rows are read ends the reading with an error, not early', async () => {
    const zone = await f.newZone([]);
    await f.rrsets.import({ zone: zone.name, tag: null, rows: [rows(zone.name, 20_000)] });
    let seen = 0;
    const read = async (): Promise<void> => {
      for await (const batch of f.publications.readRows(zone.id, 1)) {
        seen += batch.length;
        if (seen === batch.length) server.stop('immediate');
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(seen).toBeLessThan(20_000);
    await server.start();
    expect(await f.read(zone.id, 1)).toHaveLength(20_000);
  });
});

describe('listening', () => {
  it('goes on after a restart, and says that something may have been missed', async () => {
    const zone = await f.newZone();
    const heard: (string | undefined)[] = [];
    const errors: string[] = [];
    const listener = new ChangeListener(f.database, {
      onChange: (what) => heard.push(what),
      onError: (error) => errors.push(error.code),
      firstDelay: 50,
    });
    await waitFor('listening', () => listener.connected);
    expect(heard).toEqual([undefined]);
    await f.insert(zone.name, [['a', 'A', '192.0.2.1', ['internal']]]);
    await waitFor('a notification', () => heard.includes(zone.id));
    await server.restart('immediate');
    await waitFor('listening again', () => listener.connected);
    expect(errors[0]).toBe('DATABASE_UNAVAILABLE');
    expect(heard.filter((what) => what === undefined)).toHaveLength(2);
    heard.length = 0;
    await f.tsig.add({ name: 'k.', algorithm: 'hmac-sha256', secretRef: 'x', grants: [] });
    await waitFor('a notification', () => heard.includes('tsig'));
    await listener.close();
    expect(listener.connected).toBe(false);
  });

  it('hears nothing of what nets to nothing, or was rolled back', async () => {
    const zone = await f.newZone();
    const heard: (string | undefined)[] = [];
    const listener = new ChangeListener(f.database, { onChange: (what) => heard.push(what) });
    await waitFor('listening', () => listener.connected);
    heard.length = 0;
    await f.database.transaction(async (t) => {
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
      await t.execute("delete from zoneseal.rrsets where zone_id = $1 and owner like 'a.%'", [zone.id]);
    });
    await f.database
      .transaction(async (t) => {
        await f.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
        throw new Error('no');
      })
      .catch(() => undefined);
    await f.insert(zone.name, [['b', 'A', '192.0.2.1']]);
    await waitFor('a notification', () => heard.length > 0);
    await sleep(100);
    expect(heard).toEqual([zone.id]);
    await listener.close();
  });
});

describe('time-outs', () => {
  it('end a statement that takes too long', async () => {
    await expect(f.database.query('select pg_sleep(20)')).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' });
  });

  it('end the wait for a connection when all are in use', async () => {
    const database = new Database({ url: server.url, poolSize: 1, connectTimeout: 300 });
    await database.transaction(async () => {
      await expect(database.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
      expect(database.statistics).toMatchObject({ connections: 1, used: 1 });
    });
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
  });
});

describe('backup and restore', () => {
  it('with pg_dump keeps everything, and versions go on', async () => {
    const zone = await f.newZone([
      ['@', 'SOA', 'ns. h. 1 1 1 1 1'],
      ['\\001\\.x', 'A', '192.0.2.1'],
    ]);
    await f.publish(zone);
    await f.insert(zone.name, [['new', 'A', '192.0.2.1', ['internal']]]);
    const url = server.createDatabase('restored');
    const connection = ['-h', server.socketFolder, '-p', String(server.port), '-U', 'postgres'];
    const dump = execFileSync(`${POSTGRES_BIN}/pg_dump`, [...connection, 'zoneseal'], { maxBuffer: 1 << 28 });
    execFileSync(
      `${POSTGRES_BIN}/psql`,
      [...connection, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'restored'],
      {
        input: dump,
        stdio: ['pipe', 'ignore', 'pipe'],
      },
    );
    const restored = new Fixture(new Database({ url }));
    expect(await migrate(restored.database)).toMatchObject({ applied: [] });
    expect(await restored.show(zone, 1)).toEqual(await f.show(zone, 1));
    expect(await restored.publications.newestReady(zone.id, 'external')).toEqual(
      await f.publications.newestReady(zone.id, 'external'),
    );
    await restored.insert(zone.name, [['later', 'A', '192.0.2.1']]);
    expect(await restored.version(zone.name)).toBe(3);
    expect(await restored.changes(zone.name, 3)).toEqual(['3 later A - *']);
    expect(await restored.due(zone)).toEqual(['external', 'internal']);
    await restored.database.close();
  });
});
