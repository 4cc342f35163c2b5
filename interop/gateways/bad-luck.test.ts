import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agreedEverywhere, dumpFaults, secondaryHas } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import { canonicalDigest } from '../lib/content-digest.js';
import { CuttingProxy } from '../lib/cutting-proxy.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { ServedHistory } from '../lib/history.js';
import { waitUntil } from '../lib/processes.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS } from '../lib/random-zone.js';
import { takeWhole } from '../lib/serving-watch.js';
import { serialOf } from '../lib/soa.js';

const VARIANT = { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false } as const;

describe('connections that are cut in the middle of a message', () => {
  const ZONE = 'cut.example.';
  const VIEW = 'internal';
  /** Where they are cut, at the most: in the first message, in a difference, in a whole zone. */
  const DEPTHS = [60, 600, 20_000];
  const random = Random.fromEnvironment('cut connections');
  let cluster: Cluster;
  let writer: RandomWriter;
  let history: ServedHistory;
  let proxy: CuttingProxy;

  beforeAll(async () => {
    cluster = await Cluster.start({ gateways: 2 });
    const zone = await cluster.addZone(ZONE, VARIANT);
    writer = await RandomWriter.fill(cluster.writerUrl, ZONE, random, 300);
    cluster.serve(ZONE);
    history = new ServedHistory(cluster, zone, writer);
    await history.keep();
    proxy = await CuttingProxy.start(cluster.gateway(0).target);
    await cluster.startSecondaries([ZONE], [VIEW], undefined, { primary: proxy.target, morePrimaries: [] });
    await everywhere();
  }, 240_000);

  afterAll(async () => {
    await proxy?.stop();
    await writer?.close();
    await cluster?.stop();
  });

  async function everywhere(): Promise<void> {
    const { records } = history.newest(VIEW);
    await Promise.all(cluster.secondaries.map((held) => secondaryHas(held, ZONE, records)));
  }

  /** Whatever a secondary serves, it is what was served under that serial, whole. */
  async function faults(): Promise<string[]> {
    const found: string[] = [];
    for (const { secondary } of cluster.secondaries) {
      const held = await takeWhole({ target: secondary.target }, ZONE);
      const [soa] = held ?? [];
      if (held === undefined || soa === undefined) {
        found.push(`${secondary.label} serves nothing whole`);
        continue;
      }
      const served = history.of(VIEW).get(serialOf(soa));
      if (served === undefined || canonicalDigest(served) !== canonicalDigest(held)) {
        found.push(`${secondary.label} serves what was never published as ${serialOf(soa)}`);
      }
    }
    return found;
  }

  test('leave secondaries with what was published, whole, and they go on when connections hold', async () => {
    for (const depth of DEPTHS) {
      proxy.octets = () => 1 + random.below(depth);
      const before = proxy.cuts;
      await history.change(2);
      await waitUntil('no secondary asks', () => proxy.cuts > before + 3);
      expect(await faults()).toEqual([]);
      await history.change(1);
      await sleep(2000);
      expect(await faults()).toEqual([]);
      proxy.octets = undefined;
      await everywhere();
    }
    console.log(`cut connections: ${proxy.cuts}, ${history.of(VIEW).size} serials`);
  }, 300_000);
});

describe('a spool that has no room on one of two gateways', () => {
  const ZONE = 'spool.example.';
  /** Some 3 MB as it is sent, more than the one gateway has room for, and a tenth of it. */
  const HOSTS = 8000;
  const small = { limits: { imageMemoryOctets: '64K', memoryOctets: '1M', spoolOctets: '1M' } };
  let cluster: Cluster;
  let zone: JudgedZone;
  let writer: RandomWriter;

  beforeAll(async () => {
    cluster = await Cluster.start({ gateways: 1 });
    const cramped = await cluster.prepareGateway(1, small);
    await cramped.serve();
    cluster.gateways.unshift(cramped);
    zone = await cluster.addZone(ZONE, VARIANT);
    writer = await RandomWriter.fill(cluster.writerUrl, ZONE, Random.fromEnvironment('full spool'), 50);
    cluster.psql(`
      insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
      select zoneseal.zone_id('${ZONE}'), 'bulk' || i || '.${ZONE}', 'A', 300, array['192.0.2.' || i % 256]
      from generate_series(1, ${HOSTS}) i`);
    await cluster.startSecondaries([ZONE], ['internal']);
  }, 240_000);

  afterAll(async () => {
    await writer?.close();
    await cluster?.stop();
  });

  test('keeps no secondary from having the zone from the other, and all is well when it fits', async () => {
    cluster.serve(ZONE);
    const serial = await cluster.serialAfter(1, ZONE, 'internal', undefined);
    await Promise.all(
      cluster.secondaries.map(({ secondary }) => secondary.waitForSerial(ZONE, serial, 90_000)),
    );
    expect(
      await takeWhole({ target: cluster.gateway(0).target, key: cluster.tsigKey('internal') }, ZONE),
    ).toBe(undefined);
    cluster.psql(
      `delete from zoneseal.rrsets where zone_id = zoneseal.zone_id('${ZONE}') and owner ~ '^bulk[0-9]*[1-9]\\.'`,
    );
    const expected = { zone, rows: await writer.stored() };
    for (const view of ZONE_VIEWS) {
      const { dump } = await agreedEverywhere(cluster, expected, view);
      expect(await dumpFaults(expected, view, dump)).toEqual([]);
    }
  }, 400_000);
});
