import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Name } from '../../src/dns/name.js';
import { Database } from '../../src/store/database.js';
import { migrate } from '../../src/store/migrate.js';
import { PostgresPeerStateStore } from '../../src/store/peer-state-store.js';
import { PeerStore } from '../../src/store/peer-store.js';
import type { RowContent, ZoneRow } from '../../src/zone/row.js';
import { Fixture } from '../../test/store/fixture.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';

let server: TestPostgres;
let f: Fixture;

beforeAll(async () => {
  server = await startPostgres({ durable: true });
  const database = new Database({ url: server.url });
  await migrate(database);
  f = new Fixture(database);
  await f.prepare();
});

afterAll(async () => {
  await f?.database.close();
  server?.remove();
});

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const before = systemClock.milliseconds();
  await work();
  return (systemClock.milliseconds() - before) / 1000;
}

/** 100,000 names with 155,000 records in the proportions of the benchmark's zone. */
function bigZone(zone: string): ZoneRow[] {
  const rows: ZoneRow[] = [];
  const add = (owner: string, type: string, ...data: string[]): void => {
    rows.push({ owner, sortKey: Name.parse(owner).sortKey(), type, ttl: 3600, data, views: null });
  };
  add(zone, 'SOA', `ns1.${zone} h.${zone} 1 3600 600 86400 300`);
  add(zone, 'NS', `ns1.${zone}`, `ns2.${zone}`);
  for (let i = 0; i < 100_000; i++) {
    const owner = `host-${i}.${zone}`;
    if (i % 10 === 0) add(owner, 'NS', `ns1.provider-${i}.example.`, `ns2.provider-${i}.example.`);
    else if (i % 10 === 1) add(owner, 'CNAME', `host-${i + 1}.${zone}`);
    else add(owner, 'A', `192.0.${(i >> 8) & 255}.${i & 255}`);
    if (i % 10 > 6) add(owner, 'AAAA', `2001:db8::${i.toString(16)}`);
    if (i % 20 === 2) add(owner, 'MX', `10 mail.${zone}`);
    if (i % 20 === 3) add(owner, 'TXT', '"v=spf1 -all"', `"note ${i}"`);
  }
  return rows.sort((a, b) => Buffer.compare(a.sortKey, b.sortKey));
}

describe('100,000 names', () => {
  it('come in and go out in seconds', async () => {
    const zone = 'big.test.';
    const rows = bigZone(zone);
    const batches = Array.from({ length: Math.ceil(rows.length / 2000) }, (_, i) =>
      rows.slice(i * 2000, i * 2000 + 2000),
    );
    let zoneId = '';
    const copied = await seconds(async () => {
      ({ zoneId } = await f.rrsets.import({
        zone,
        tag: null,
        rows: batches,
        create: { views: ['external'] },
      }));
    });
    let read: RowContent[] = [];
    const out = await seconds(async () => {
      read = await f.read(zoneId, 1);
    });
    expect(read.length).toBe(rows.length);
    expect(read.every((row, i) => row.owner === rows[i]?.owner)).toBe(true);
    await f.publish({ name: zone, id: zoneId });
    const same = await seconds(async () => {
      expect(await f.rrsets.import({ zone, tag: null, rows: batches, replace: true })).toMatchObject({
        unchanged: rows.length,
        version: 1,
      });
    });
    const changed = batches.map((batch, i) =>
      i % 10 === 0 ? batch.map((row) => ({ ...row, ttl: 60 })) : batch,
    );
    const tenth = await seconds(async () => {
      expect(
        (await f.rrsets.import({ zone, tag: null, rows: changed, replace: true })).changed,
      ).toBeGreaterThan(10_000);
    });
    const then = await seconds(async () => {
      expect(JSON.stringify(await f.read(zoneId, 1)) === JSON.stringify(read)).toBe(true);
    });
    const first = await seconds(async () => {
      for await (const batch of f.publications.readRows(zoneId, 1)) {
        // few, so that the first message is sent soon
        expect(batch.length).toBe(200);
        break;
      }
    });
    const one = await seconds(() =>
      f.database.execute(
        "update zoneseal.rrsets set ttl = 5 where zone_id = $1 and owner = 'host-7.big.test.'",
        [zoneId],
      ),
    );
    const everything = await seconds(() =>
      f.database.execute('update zoneseal.rrsets set ttl = ttl + 1 where zone_id = $1', [zoneId]),
    );
    const gone = await seconds(() => f.zones.deleteZone(zone));
    const show = (label: string, time: number): string => `${label} ${time.toFixed(2)} s`;
    console.log(
      [
        `${rows.length} rows (RRsets):`,
        show('import by COPY', copied),
        show('read', out),
        show('import --replace of the same', same),
        show('of a tenth changed', tenth),
        show('read at the version before', then),
        show('its first rows', first),
        show('one row updated', one),
        show('all rows updated', everything),
        show('zone deleted', gone),
      ].join('\n  '),
    );
    expect(copied).toBeLessThan(60);
    expect(first).toBeLessThan(out);
    expect(one).toBeLessThan(1);
  });
});

describe('100,000 zones of which none changes', () => {
  it('cost nothing to look through, and one that changes is found', async () => {
    await f.database.transaction(
      async (t) => {
        // what the triggers would write row by row, written at once
        await t.execute(
          'alter table zoneseal.zones disable trigger user; alter table zoneseal.zone_views disable trigger user',
        );
        await t.execute(
          "insert into zoneseal.zones (name) select 'n' || i || '.many.test.' from generate_series(1, 100000) i",
        );
        await t.execute(
          "insert into zoneseal.zone_views (zone_id, view) select z.id, v.name from zoneseal.zones z, zoneseal.views v where z.name like '%.many.test.'",
        );
        await t.execute(`insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version,
            key_set_version, time, format_version, state, gateway, resign_at, soa_ttl, soa_rdata, soa_signatures)
          select v.zone_id, v.view, 1, 0, 'default', 1, 0, 0, 3, 'ready', 'g1', 4000000000, 1, 'x', '{}'
          from zoneseal.zone_views v join zoneseal.zones z on z.id = v.zone_id where z.name like '%.many.test.'`);
        await t.execute(`insert into zoneseal.serial_lines (zone, view, zone_id, policy, last_serial, ready, ready_zone_version,
            ready_policy, ready_policy_version, ready_key_set_version, ready_format_version, resign_at)
          select z.name, p.view, z.id, 'default', 1, p.id, 0, 'default', 1, 0, 3, to_timestamp(4000000000)
          from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id where z.name like '%.many.test.'`);
        await t.execute(
          'alter table zoneseal.zones enable trigger user; alter table zoneseal.zone_views enable trigger user',
        );
      },
      { statementTimeout: 0 },
    );
    await f.database.execute('analyze');
    expect(await f.publications.listDue(1000)).toEqual([]);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) times.push(await seconds(() => f.publications.listDue(1000)));
    const plan = await f.publications.explainDue(1000);
    console.log(
      `listDue of 200,000 lines: median ${((times.sort((a, b) => a - b)[10] ?? 0) * 1000).toFixed(1)} ms\n${plan.join('\n')}`,
    );
    expect(plan.filter((line) => line.includes('Seq Scan on serial_lines'))).toEqual([]);
    expect(times[10]).toBeLessThan(0.1);
    const write = await seconds(() => f.insert('n777.many.test.', [['a', 'A', '192.0.2.1', ['internal']]]));
    const due = await f.publications.listDue(1000);
    expect(due).toMatchObject([{ zone: 'n777.many.test.', view: 'internal' }]);
    const set = await seconds(() => f.zones.setPolicy('default', { validity: '20d' }));
    const found = await seconds(async () => expect(await f.publications.listDue(1000)).toHaveLength(1000));
    console.log(
      `one row written: ${(write * 1000).toFixed(1)} ms; the policy of all zones changed: ${(set * 1000).toFixed(1)} ms; the first 1,000 due: ${(found * 1000).toFixed(1)} ms`,
    );
  });
});

describe('100,000 zones of four peers each', () => {
  it('cost nothing while nothing changes, and a change little', async () => {
    const peers = new PeerStore(f.database);
    const states = new PostgresPeerStateStore(f.database);
    const room = { total: 256, perPeer: 32, exceptions: new Map<string, number>() };
    const median = async (count: number, work: (i: number) => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < count; i++) times.push(await seconds(() => work(i)));
      return (times.sort((a, b) => a - b)[Math.floor(count / 2)] ?? 0) * 1000;
    };
    const ids = await f.database.query<{ id: number; name: string }>(
      "select id, name from zoneseal.zones where name like '%.many.test.' order by id limit 200",
    );
    const publish = (i: number, view: string): Promise<unknown> => {
      const { id, name } = ids[i] as { id: number; name: string };
      return f.publish({ id: String(id), name }, view);
    };
    // its line is not current: the policy was changed
    const without = await median(50, (i) => publish(i, 'external'));
    const added = await seconds(() =>
      peers.add({ name: 'ns1', view: 'external', address: '127.0.0.1', port: 53, key: null, zones: null }),
    );
    for (const name of ['ns2', 'ns3', 'ns4']) {
      await peers.add({ name, view: 'external', address: '127.0.0.1', port: 53, key: null, zones: null });
    }
    const claimed = await median(20, () => states.claim('g1', 30, room));
    await f.database.execute(
      "update zoneseal.peer_states set state = 'current', due_at = now() + interval '1 hour', claimed_until = null",
    );
    await f.database.execute('vacuum analyze zoneseal.peer_states');
    const idle = await median(50, () => states.claim('g1', 30, room));
    const next = await median(50, () => states.nextDueSeconds());
    const plan = await states.explainClaim('g1', 30, room);
    const withPeers = await median(50, (i) => publish(50 + i, 'external'));
    const counted = await median(5, () => states.counts());
    const shown = await median(5, () => peers.status(undefined, 100));
    const [claim] = await states.claim('g1', 30, { ...room, total: 1 });
    expect(claim).toMatchObject({ state: 'pending' });
    const deleted = await seconds(() => peers.delete('ns4'));
    console.log(
      [
        `a peer added to 100,000 zones ${added.toFixed(2)} s, deleted ${deleted.toFixed(2)} s`,
        `128 of 400,000 that are due claimed in ${claimed.toFixed(1)} ms`,
        `nothing due: ${idle.toFixed(1)} ms, and when the next is: ${next.toFixed(1)} ms`,
        `a publication without peers ${without.toFixed(1)} ms, with four ${withPeers.toFixed(1)} ms`,
        `states counted in ${counted.toFixed(0)} ms, zoneseal status in ${shown.toFixed(0)} ms`,
        ...plan,
      ].join('\n  '),
    );
    expect(plan.filter((line) => line.includes('Seq Scan on peer_states'))).toEqual([]);
    expect(idle).toBeLessThan(100);
  });
});
