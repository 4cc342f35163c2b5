import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { agreedDump, agreedEverywhere, dumpFaults } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import type { GatewayProcess } from '../lib/gateway.js';
import { IXFR_PROGRAMS, transfersInto } from '../lib/ixfr-signs.js';
import { announcePeers } from '../lib/peers.js';
import { startReplica, type TestPostgres, userUrl } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS } from '../lib/random-zone.js';
import { SECONDARY_PROGRAMS } from '../lib/secondary.js';
import { ServingWatch } from '../lib/serving-watch.js';
import { watchedServers } from '../lib/watched-servers.js';

const ZONE = 'replica.example.';
/** Seconds by which the replica lags. */
const DELAY = 5;
const CHANGES = 25;
/** The view of the nameservers, whose primaries are the gateways with the replica. */
const SECONDARY_VIEW = 'internal';

let cluster: Cluster;
let replica: TestPostgres;
let zone: JudgedZone;
let writer: RandomWriter;

beforeAll(async () => {
  cluster = await Cluster.start({
    gateways: 1,
    postgres: { settings: ['wal_level=replica', 'max_wal_senders=4'], durable: true },
  });
  replica = await startReplica(cluster.postgres, {
    settings: [`recovery_min_apply_delay=${DELAY}s`, 'hot_standby=on'],
    durable: true,
  });
  zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false });
  writer = await RandomWriter.fill(cluster.writerUrl, ZONE, Random.fromEnvironment('replica'), 300);
  cluster.serve(ZONE);
  for (let i = 1; i <= 2; i++) {
    const reading = { database: { replicaUrl: userUrl(replica, 'suite_gateway') } };
    const gateway = await cluster.prepareGateway(i, reading);
    cluster.gateways.push(gateway);
    await gateway.serve();
  }
  const [, primary, ...morePrimaries] = cluster.gateways.map(({ target }) => target);
  if (primary === undefined) throw new Error('no gateway has the replica');
  await cluster.startSecondaries([ZONE], [SECONDARY_VIEW], SECONDARY_PROGRAMS, { primary, morePrimaries });
  await announcePeers(cluster);
}, 300_000);

afterAll(async () => {
  await writer?.close();
  await cluster?.stop();
  replica?.remove();
});

const versionIn = (server: TestPostgres): number =>
  Number(server.psql(`select version from zoneseal.zones where name = '${ZONE}'`).trim() || -1);

describe(`a streaming replica that is ${DELAY} s behind`, () => {
  test('shows a version seconds after the primary, and then shows it', async () => {
    await waitUntil('the replica never has the zone', () => versionIn(replica) > 0, 30_000);
    await writer.change();
    await writer.apply('another TTL', [touch()]);
    const version = versionIn(cluster.postgres);
    const committed = systemClock.milliseconds();
    expect(versionIn(replica)).toBeLessThan(version);
    await waitUntil('the replica stays behind', () => versionIn(replica) >= version, 30_000);
    expect(systemClock.milliseconds() - committed).toBeGreaterThan((DELAY - 1) * 1000);
  });

  test('lends nothing old to a new serial, nor a serial that goes back', async () => {
    const watch = new ServingWatch(watchedServers(cluster), [ZONE]);
    watch.start();
    try {
      for (let i = 0; i < CHANGES; i++) {
        await writer.change();
        // the dump of every gateway, and what nameservers hold, is that of the rows that were committed just now
        for (const view of ZONE_VIEWS) await agreedEverywhere(cluster, { zone, rows: writer.rows }, view);
      }
    } finally {
      await watch.stop();
    }
    expect(watch.faults).toEqual([]);
    const transfers = cluster.secondaries.map(({ secondary }) => {
      const { ixfr, axfr } = transfersInto(secondary, [ZONE]);
      if (IXFR_PROGRAMS.includes(secondary.name))
        expect(ixfr, secondary.log.slice(-3000)).toBeGreaterThan(axfr);
      return `${secondary.label} ${ixfr} IXFR ${axfr} AXFR`;
    });
    const expected = { zone, rows: await writer.stored() };
    for (const view of ZONE_VIEWS) {
      expect(await dumpFaults(expected, view, await agreedDump(cluster, expected, view))).toEqual([]);
    }
    console.log(`replica: ${CHANGES} changes, ${JSON.stringify(watch.counts)}, ${transfers.join(', ')}`);
  }, 400_000);

  test('does not hold back gateways that start while it is behind', async () => {
    for (let i = 0; i < 3; i++) {
      await writer.apply('another TTL', [touch()]);
      const before = versionIn(replica);
      const gateway = cluster.gateway(2);
      await gateway.kill();
      await gateway.serve();
      for (const view of ZONE_VIEWS) await agreedDump(cluster, { zone, rows: writer.rows }, view);
      expect(before).toBeLessThan(versionIn(cluster.postgres));
    }
  });

  test('that stops altogether keeps nobody from serving, and one that is back is read again', async () => {
    replica.stop('immediate');
    await writer.apply('another TTL', [touch()]);
    for (const view of ZONE_VIEWS) await agreedDump(cluster, { zone, rows: writer.rows }, view);
    await replica.start();
    await writer.apply('another TTL', [touch()]);
    for (const view of ZONE_VIEWS) await agreedEverywhere(cluster, { zone, rows: writer.rows }, view);
  });

  test('is what its gateways read from once it has caught up', async () => {
    const version = versionIn(cluster.postgres);
    await waitUntil('the replica stays behind', () => versionIn(replica) >= version, 30_000);
    const gateway: GatewayProcess = cluster.gateway(2);
    const scans = (): number =>
      Number(
        replica.psql(`select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)
          from pg_stat_user_tables where relname in ('rrsets', 'rrset_history', 'signed_pages')`),
      );
    const before = scans();
    await gateway.kill();
    await gateway.serve();
    await cluster.take(2, ZONE, 'internal');
    // a connection that idles tells its statistics after 10 s
    await waitUntil('nothing was read from the replica', () => scans() > before, 30_000);
  });
});

/** A change of one TTL, which both views see. */
function touch(): { readonly kind: 'update'; readonly from: Row; readonly to: Row } {
  const from = writer.rows.find(({ owner, type }) => owner === ZONE && type === 'MX') ?? writer.rows[0];
  if (from === undefined) throw new Error('the zone has no rows');
  return { kind: 'update', from, to: { ...from, ttl: from.ttl + 1 } };
}

type Row = RandomWriter['rows'][number];
