import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../lib/cluster.js';
import { differences, shapeByCommand } from '../lib/from-scratch.js';
import { Random } from '../lib/random.js';
import { ZONE_VIEWS } from '../lib/random-zone.js';
import { SOAK_SECONDS, Soak } from './soak.js';

describe('three gateways on one PostgreSQL', () => {
  let cluster: Cluster;
  let soak: Soak;

  beforeAll(async () => {
    cluster = await Cluster.start({ gateways: 3 });
    soak = new Soak(cluster, Random.fromEnvironment('gateways that agree'));
    await soak.prepare();
  }, 180_000);

  afterAll(async () => {
    await soak?.stop();
    await cluster?.stop();
  });

  test(
    `serve the same octets under the same serials for ${SOAK_SECONDS} s of random changes, and secondaries hold them`,
    async () => {
      await soak.run(SOAK_SECONDS);
      console.log(`agreement: ${soak.summary()}`);
      expect(soak.counts.judgements).toBeGreaterThan(0);
      expect(soak.wholeTakers()).toEqual([]);
    },
    (SOAK_SECONDS + 240) * 1000,
  );

  test('what they serve is what `zoneseal sign` makes of the same rows', async () => {
    for (const { zone, writer } of soak.judged) {
      for (const view of ZONE_VIEWS) {
        const records = await cluster.take(1, zone.apex, view);
        const shape = await shapeByCommand(zone, view, writer.rows, cluster.gateway(1));
        expect(differences(records, shape), `${zone.apex} (${view})`).toEqual([]);
      }
    }
  });
});
