import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceRecord } from '../../src/dns/record.js';
import { agreedDump, agreedEverywhere, dumpFaults } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { announcePeers } from '../lib/peers.js';
import type { TestPostgres } from '../lib/postgres.js';
import { Random } from '../lib/random.js';
import { contentOf, RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS, type ZoneView } from '../lib/random-zone.js';
import { ServingWatch } from '../lib/serving-watch.js';
import { isLater, serialOf } from '../lib/soa.js';
import { watchedServers } from '../lib/watched-servers.js';

const ZONE = 'setback.example.';
/** What is lost: what was written since the backup. */
const LOST_CHANGES = 12;
/** Past every id that was given out before the setback and is given out again, where that is minded. */
const CHANGES_AFTER = LOST_CHANGES + 5;

/** Ways of keeping a database and of getting it back. */
interface Backup {
  save(postgres: TestPostgres): Promise<void>;
  restore(postgres: TestPostgres): Promise<void>;
}

function fileBackup(): Backup {
  return {
    save: async (postgres) => {
      postgres.stop();
      postgres.saveFiles('backup');
      await postgres.start();
    },
    restore: async (postgres) => {
      postgres.stop('immediate');
      postgres.restoreFiles('backup');
      await postgres.start();
    },
  };
}

function dumpBackup(): Backup {
  let dump = '';
  return {
    save: (postgres) => {
      dump = postgres.dump();
      return Promise.resolve();
    },
    restore: (postgres) => {
      postgres.restoreDump(dump);
      return Promise.resolve();
    },
  };
}

describe.each([
  { title: 'files of an hour ago, serials that count', backup: fileBackup(), serial: 'increment' },
  { title: 'a dump of an hour ago, serials that tell the time', backup: dumpBackup(), serial: 'unixtime' },
])('a database that was restored from $title', ({ backup, serial }) => {
  let cluster: Cluster;
  let zone: JudgedZone;
  let writer: RandomWriter;
  let kept = '';
  const before = new Map<ZoneView, number>();

  beforeAll(async () => {
    cluster = await Cluster.start({ gateways: 2, postgres: { durable: true }, policy: { serial } });
    zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec3', zonemd: false });
    const random = Random.fromEnvironment(`setback (${serial})`);
    writer = await RandomWriter.fill(cluster.writerUrl, ZONE, random, 150);
    cluster.serve(ZONE);
    await cluster.startSecondaries([ZONE]);
    await announcePeers(cluster);
    await everywhere();
    kept = contentOf(await writer.stored());
    await writer.close();
    await backup.save(cluster.postgres);
    for (let i = 0; i < LOST_CHANGES; i++) {
      await writer.change();
      for (const view of ZONE_VIEWS) await agreedDump(cluster, { zone, rows: writer.rows }, view);
    }
    for (const [view, dump] of await everywhere()) before.set(view, serialOf(dump[0] as ResourceRecord));
  }, 300_000);

  afterAll(async () => {
    await writer?.close();
    await cluster?.stop();
  });

  /** Waits until gateways and secondaries hold what is stored. */
  async function everywhere(): Promise<ReadonlyMap<ZoneView, readonly ResourceRecord[]>> {
    const dumps = new Map<ZoneView, readonly ResourceRecord[]>();
    for (const view of ZONE_VIEWS) {
      const { dump } = await agreedEverywhere(cluster, { zone, rows: writer.rows }, view);
      dumps.set(view, dump);
    }
    return dumps;
  }

  test('is served again by all gateways, as it was', async () => {
    const watch = new ServingWatch(watchedServers(cluster), [ZONE]);
    watch?.start();
    await writer.close();
    await backup.restore(cluster.postgres);
    await writer.reload();
    expect(contentOf(writer.rows)).toBe(kept);
    try {
      for (const view of ZONE_VIEWS) {
        const expected = { zone, rows: writer.rows };
        const dump = await agreedDump(cluster, expected, view);
        expect(await dumpFaults(expected, view, dump)).toEqual([]);
        expect(isLater(serialOf(dump[0] as ResourceRecord), before.get(view) ?? 0)).toBe(true);
      }
      await everywhere();
    } finally {
      await watch?.stop();
    }
    expect(watch?.faults ?? []).toEqual([]);
  }, 240_000);

  test('takes changes as ever', async () => {
    for (let i = 0; i < CHANGES_AFTER; i++) {
      await writer.change();
      for (const view of ZONE_VIEWS) {
        const expected = { zone, rows: writer.rows };
        expect(await dumpFaults(expected, view, await agreedDump(cluster, expected, view))).toEqual([]);
      }
    }
    await everywhere();
  }, 240_000);
});
