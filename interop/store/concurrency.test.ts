import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAfter, nextSerial } from '../../src/publication/serial.js';
import { Database } from '../../src/store/database.js';
import { releaseLease, renewLease, takeLease } from '../../src/store/lease.js';
import { migrate } from '../../src/store/migrate.js';
import { prune } from '../../src/store/prune.js';
import { PostgresPublicationStore } from '../../src/store/publication-store.js';
import { Fixture, FORMAT, resultOf } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

let server: TestPostgres;
let databases: Database[];
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres();
  // separate pools, as separate gateways and writers have them
  databases = Array.from({ length: 8 }, () => new Database({ url: server.url, poolSize: 4 }));
  await Promise.all(databases.map((database) => migrate(database)));
  f = new Fixture(databases[0] as Database);
  await f.prepare();
});

afterAll(async () => {
  await Promise.all((databases ?? []).map((database) => database.close()));
  server?.remove();
});

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 0x1_0000_0000;
  };
}

describe('migrations', () => {
  it('run once, whoever begins', async () => {
    const [row] = await f.database.query<{ n: number; top: number }>(
      'select count(*) as n, max(id) as top from zoneseal.migrations',
    );
    expect(row?.n).toBe(row?.top);
    expect((await migrate(f.database)).applied).toEqual([]);
  });

  it('refuse a database that is newer, or was migrated otherwise', async () => {
    const url = server.createDatabase('newer');
    const database = new Database({ url });
    await migrate(database);
    await database.execute("update zoneseal.migrations set checksum = 'x' where id = 2");
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('002-zones'),
    });
    await database.execute(
      "insert into zoneseal.migrations (id, name, checksum) values (999, '999-later', 'y')",
    );
    await database.execute('delete from zoneseal.migrations where id = 2');
    await expect(migrate(database)).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      message: expect.stringContaining('999-later'),
    });
    await database.close();
  });

  it('change nothing when one fails', async () => {
    const database = new Database({ url: server.createDatabase('broken') });
    const broken = [
      {
        id: 1,
        name: '001-broken',
        sql: 'create table zoneseal.half (a int); select nonsense',
        checksum: 'x',
      },
    ];
    await expect(migrate(database, broken)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(await database.query("select to_regclass('zoneseal.half') as t")).toEqual([{ t: null }]);
    expect((await migrate(database)).applied.length).toBeGreaterThan(3);
    await database.close();
  });
});

describe('writers at the same time', () => {
  it('give each committed transaction one version of each zone it wrote', async () => {
    const zones = await Promise.all(Array.from({ length: 6 }, () => f.newZone([])));
    const committed = new Map(zones.map((zone) => [zone.id, 0]));
    const next = random(42);
    await Promise.all(
      databases.flatMap((database, w) =>
        Array.from({ length: 12 }, async (_, i) => {
          const chosen = zones.filter(() => next() < 0.5);
          const names = chosen.map((zone) => zone.name).sort(() => next() - 0.5);
          if (names.length === 0) return;
          const wanted = next() < 0.8;
          try {
            await database.transaction(
              async (t) => {
                // one statement over several zones; then single rows in whatever order, which may deadlock and is then repeated
                await t.execute(
                  `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
                 select zoneseal.zone_id(n), 'w${w}-${i}.' || n, 'A', 60, '{192.0.2.1}' from unnest($1::text[]) n`,
                  [names],
                );
                for (const name of names)
                  await t.execute(
                    `update zoneseal.rrsets set ttl = 61 where zone_id = zoneseal.zone_id($1) and owner = 'w${w}-${i}.' || $1`,
                    [name],
                  );
                if (!wanted) throw new Error('rolled back');
              },
              { attempts: 20 },
            );
            for (const zone of chosen) committed.set(zone.id, (committed.get(zone.id) ?? 0) + 1);
          } catch (error) {
            if ((error as Error).message !== 'rolled back') throw error;
          }
        }),
      ),
    );
    for (const zone of zones) {
      expect(await f.version(zone.name)).toBe(committed.get(zone.id));
      const [row] = await f.database.query<{ rows: number; changed: number; versions: number }>(
        `select (select count(*) from zoneseal.rrsets where zone_id = $1 and ttl = 61) as rows,
           (select count(*) from zoneseal.changes where zone_id = $1) as changed,
           (select count(distinct version) from zoneseal.changes where zone_id = $1) as versions`,
        [zone.id],
      );
      expect(row).toEqual({
        rows: committed.get(zone.id),
        changed: committed.get(zone.id),
        versions: committed.get(zone.id),
      });
    }
  });

  it('of one statement each over the same zones never deadlock', async () => {
    const zones = await Promise.all(Array.from({ length: 8 }, () => f.newZone([['a', 'A', '192.0.2.1']])));
    const next = random(7);
    const before = server
      .psql('select deadlocks from pg_stat_database where datname = current_database()')
      .trim();
    await Promise.all(
      databases.flatMap((database) =>
        Array.from({ length: 10 }, () =>
          database.execute(
            `with r as (select id from zoneseal.rrsets where zone_id = any ($1::bigint[]) order by id for update)
             insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
             select i, 'x' || md5(random()::text) || '.', 'A', 60, '{192.0.2.1}' from unnest($1::bigint[]) i`,
            [zones.map((zone) => zone.id).sort(() => next() - 0.5)],
          ),
        ),
      ),
    );
    for (const zone of zones) expect(await f.version(zone.name)).toBe(81);
    expect(
      server.psql('select deadlocks from pg_stat_database where datname = current_database()').trim(),
    ).toBe(before);
  });

  it('do not keep allocation waiting, which takes what is committed', async () => {
    const zone = await f.newZone([['a', 'A', '192.0.2.1']]);
    await (databases[1] as Database).transaction(async (t) => {
      await f.insert(zone.name, [['b', 'A', '192.0.2.1']], t);
      const publication = await f.publish(zone);
      expect(publication.zoneVersion).toBe(1);
    });
    expect(await f.due(zone)).toEqual(['external', 'internal']);
    expect(await f.publish(zone)).toMatchObject({ zoneVersion: 2 });
  });

  it('and an assignment to a view lose no change', async () => {
    for (let i = 0; i < 20; i++) {
      const zone = await f.newZone([['a', 'A', '192.0.2.1']], []);
      const [a, b] = databases as [Database, Database];
      await Promise.all([
        a.execute("update zoneseal.rrsets set data = '{192.0.2.2}' where zone_id = $1", [zone.id]),
        b.execute("insert into zoneseal.zone_views (zone_id, view) values ($1, 'external')", [zone.id]),
        (async () => {
          for (;;) if ((await f.allocate(zone)).kind === 'allocated') break;
        })(),
      ]);
      const [line] = await f.database.query<{ ahead: boolean }>(
        `select l.changed_version <= p.zone_version and p.zone_version < z.version as ahead from zoneseal.serial_lines l
           join zoneseal.publications p on p.id = l.building join zoneseal.zones z on z.id = l.zone_id where l.zone_id = $1`,
        [zone.id],
      );
      expect(line?.ahead).toBe(false);
    }
  });
});

describe('allocation by many gateways', () => {
  it('gives no serial twice that may have been seen, one publication at a time, and serials that only grow', async () => {
    const zones = await Promise.all(Array.from({ length: 3 }, () => f.newZone([['a', 'A', '0']])));
    await f.zones.setPolicy('counting', { serial: 'increment' });
    await f.zones.assignPolicy((zones[0] as { name: string }).name, 'counting');
    const next = random(99);
    const given = new Map<string, number[]>();
    const ENOUGH = 61;
    const countGiven = (): number => [...given.values()].flat().length;
    const until = new AbortController();
    const writer = (async () => {
      while (!until.signal.aborted) {
        for (const zone of zones)
          await f.database.execute('update zoneseal.rrsets set data = $2 where zone_id = $1', [
            zone.id,
            [String(next())],
          ]);
        await prune(f.database, { holder: 'pruner', keep: 3, rows: 5 });
      }
    })();
    await Promise.all(
      databases.map(async (database, g) => {
        const store = new PostgresPublicationStore(database, { formatVersion: FORMAT });
        for (let i = 0; i < 40 || (countGiven() < ENOUGH && i < 1000); i++) {
          for (const zone of zones) {
            for (const view of ['internal', 'external']) {
              const served = { zoneId: zone.id, zone: zone.name, view };
              const allocation = await store.allocate(served, {
                gateway: `g${g}`,
                leaseSeconds: next() < 0.1 ? 0 : 30,
                formatVersion: FORMAT,
                nextSerial,
              });
              if (allocation.kind !== 'allocated') continue;
              const { id, serial, time, zoneVersion, previous } = allocation.publication;
              const line = given.get(`${zone.id} ${view}`) ?? [];
              given.set(`${zone.id} ${view}`, line);
              // a first one is streamed before it is ready
              if (previous === null) line.push(serial);
              let rows = 0;
              for await (const batch of store.readRows(zone.id, zoneVersion)) rows += batch.length;
              expect(rows).toBe(1);
              if (next() < 0.2) continue; // as if the gateway had died: its lease is 30 s, or has run out
              if (next() < 0.2) await store.markFailed(id, `g${g}`, 'no', 0);
              else if (await store.markReady(id, `g${g}`, resultOf({ id, time }, { resignAt: time + 5 }))) {
                if (previous !== null) line.push(serial);
              }
            }
          }
          if (i % 10 === 0)
            await database.execute(
              "update zoneseal.serial_lines set building_until = now() where building_until > now() + interval '20 s'",
            );
        }
      }),
    );
    until.abort();
    await writer;
    for (const [line, serials] of given) {
      const inOrder = serials.toSorted((a, b) => (isAfter(a, b) ? 1 : -1));
      expect(new Set(serials).size, line).toBe(serials.length);
      const [zoneId, view] = line.split(' ');
      const [row] = await f.database.query<{ last: number }>(
        'select last_serial as last from zoneseal.serial_lines where zone_id = $1 and view = $2',
        [zoneId, view],
      );
      const newest = inOrder.at(-1) as number;
      expect(row?.last === newest || isAfter(row?.last as number, newest), line).toBe(true);
    }
    expect(countGiven()).toBeGreaterThanOrEqual(ENOUGH);
    const counted = given.get(`${(zones[0] as { id: string }).id} internal`) as number[];
    expect(Math.max(...counted) - Math.min(...counted) + 1).toBe(counted.length);
  });
});

describe('readers', () => {
  it('read the same at a retained version while writers go on', async () => {
    const zone = await f.newZone([]);
    await f.database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
       select $1, 'h' || i || '.${zone.name}', (array['A','TXT','MX'])[i % 3 + 1], 60, array['d' || i], case i % 4 when 0 then '{internal}'::text[] end
       from generate_series(1, 12000) i`,
      [zone.id],
    );
    const publication = await f.publish(zone);
    const expected = JSON.stringify(await f.read(zone.id, publication.zoneVersion));
    const until = new AbortController();
    let writes = 0;
    const writer = (async () => {
      while (!until.signal.aborted) {
        writes++;
        const kinds = [
          `update zoneseal.rrsets set data = array['w${writes}'] where zone_id = $1 and id % 7 = ${writes % 7}`,
          `delete from zoneseal.rrsets where zone_id = $1 and id % 11 = ${writes % 11}`,
          `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) select $1, 'n${writes}-' || i || '.${zone.name}', 'A', 1, '{x}' from generate_series(1, 500) i`,
        ];
        await (databases[2] as Database).execute(kinds[writes % 3] as string, [zone.id]);
        if (writes % 5 === 0) await prune(f.database, { holder: 'pruner' });
      }
    })();
    for (let i = 0; i < 6; i++)
      expect(JSON.stringify(await f.read(zone.id, publication.zoneVersion)) === expected).toBe(true);
    until.abort();
    await writer;
    expect(writes).toBeGreaterThan(3);
  });

  it('see all or nothing of a TRUNCATE', async () => {
    const database = new Database({ url: server.createDatabase('truncated') });
    await migrate(database);
    const g = new Fixture(database);
    await g.prepare();
    const zone = await g.newZone([
      ['a', 'A', '192.0.2.1'],
      ['b', 'A', '192.0.2.1'],
    ]);
    const { zoneVersion } = await g.publish(zone);
    const reads = (async () => {
      for (let i = 0; i < 30; i++) expect(await g.read(zone.id, zoneVersion)).toHaveLength(2);
    })();
    await sleep(20);
    await database.execute('truncate zoneseal.rrsets');
    await reads;
    expect(await g.read(zone.id, zoneVersion)).toHaveLength(2);
    expect(await g.version(zone.name)).toBe(2);
    expect(await g.changes(zone.name, 2)).toEqual(['2 a A * -', '2 b A * -']);
    expect(await g.due(zone)).toEqual(['external', 'internal']);
    await database.close();
  });

  it('that stop early leave nothing open', async () => {
    const zone = await f.newZone([
      ['a', 'A', '192.0.2.1'],
      ['b', 'A', '192.0.2.1'],
    ]);
    for await (const batch of f.publications.readRows(zone.id, 1)) {
      expect(batch).toHaveLength(2);
      break;
    }
    expect(server.psql("select count(*) from pg_stat_activity where state like 'idle in%'").trim()).toBe('0');
  });
});

describe('triggers', () => {
  it('fire for replicas and superusers alike', async () => {
    const zone = await f.newZone([['a', 'A', '192.0.2.1']]);
    server.psql(
      `set session_replication_role = replica; update zoneseal.rrsets set ttl = 7 where zone_id = ${zone.id}`,
    );
    expect(await f.version(zone.name)).toBe(2);
    expect(await f.changes(zone.name, 2)).toEqual(['2 a A * *']);
  });
});

describe('key set uses', () => {
  it('end when the last of several peers has the next version, whichever gateways see them, all at once', async () => {
    const zone = await f.newZone(undefined, ['external']);
    const peers = Array.from({ length: 6 }, (_, i) => `use-${i}`);
    for (const name of peers) {
      await f.database.execute(
        "insert into zoneseal.peers (name, view, address, zones) values ($1, 'external', '127.0.0.1', array[$2])",
        [name, zone.name],
      );
    }
    const gone = async (): Promise<(boolean | null)[]> =>
      (
        await f.database.query<{ gone: boolean | null }>(
          `select gone_at is not null as gone from zoneseal.key_set_uses
           where zone_id = $1 and replaced_at is not null order by id`,
          [zone.id],
        )
      ).map((row) => row.gone);
    await f.publish(zone);
    for (let round = 1; round <= 8; round++) {
      await f.database.execute(
        'update zoneseal.zones set delete_sentinel = not delete_sentinel where id = $1',
        [zone.id],
      );
      const { serial } = await f.publish(zone);
      expect((await gone()).at(-1)).toBe(false);
      // while publications become ready, which take the same rows in their order
      const busy = f
        .insert(zone.name, [[`r${round}`, 'A', '192.0.2.1']])
        .then(() => f.publish(zone))
        .then(() => undefined);
      await Promise.all([
        busy,
        ...peers.map((name, i) =>
          (databases[i % databases.length] as Database).transaction(async (transaction) => {
            await transaction.execute(
              `update zoneseal.peer_states set serial_seen = $2, seen_at = now()
               where peer_id = (select id from zoneseal.peers where name = $1)`,
              [name, serial],
            );
            await sleep(20);
          }),
        ),
      ]);
      expect(await gone()).toEqual(Array.from({ length: round }, () => true));
    }
  });
});

describe('leases', () => {
  it('have one holder at a time, and a token for each', async () => {
    const taken = await Promise.all(databases.map((database, i) => takeLease(database, 'one', `h${i}`, 30)));
    const [lease] = taken.filter((it) => it !== undefined);
    expect(taken.filter((it) => it !== undefined)).toHaveLength(1);
    if (lease === undefined) return;
    expect(await takeLease(f.database, 'one', lease.holder, 30)).toEqual(lease);
    expect(await renewLease(f.database, lease, 0)).toBe(true);
    expect(await renewLease(f.database, lease, 30)).toBe(false);
    const second = await takeLease(f.database, 'one', 'other', 30);
    expect(second?.token).toBe(lease.token + 1);
    await releaseLease(f.database, lease);
    expect(await takeLease(f.database, 'one', 'third', 30)).toBeUndefined();
  });
});
