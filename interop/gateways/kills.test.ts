import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../lib/cluster.js';
import type { StopMode } from '../lib/postgres.js';
import { Random } from '../lib/random.js';
import { SOAK_SECONDS, Soak } from './soak.js';

/** PostgreSQL is restarted when so much of the time is over: once as an operator does, once as if it had lost power. */
const RESTARTS: readonly { readonly share: number; readonly mode: StopMode }[] = [
  { share: 1 / 4, mode: 'fast' },
  { share: 1 / 2, mode: 'immediate' },
];

describe('three gateways that are killed every few seconds, on a PostgreSQL that is restarted twice', () => {
  const counts = { kills: 0, restarts: 0 };
  let cluster: Cluster;
  let soak: Soak;

  beforeAll(async () => {
    // what is committed is on the disk, as it has to be when power is lost
    cluster = await Cluster.start({ gateways: 3, postgres: { durable: true } });
    soak = new Soak(cluster, Random.fromEnvironment('gateways that are killed'));
    await soak.prepare();
  }, 180_000);

  afterAll(async () => {
    await soak?.stop();
    await cluster?.stop();
  });

  async function disturb(share: number): Promise<void> {
    const due = RESTARTS[counts.restarts];
    if (due !== undefined && share >= due.share) {
      counts.restarts++;
      await cluster.postgres.restart(due.mode);
      return;
    }
    await sleep(300 + soak.random.below(900));
    counts.kills++;
    const gateway = soak.random.pick(cluster.gateways);
    await gateway.kill();
    await sleep(soak.random.below(1000));
    await gateway.serve();
  }

  test(
    `agree all the same for ${SOAK_SECONDS} s of random changes, and so do secondaries`,
    async () => {
      await soak.run(SOAK_SECONDS, disturb);
      console.log(`kills: ${JSON.stringify(counts)} ${soak.summary()}`);
      expect(counts.restarts).toBe(RESTARTS.length);
      expect(counts.kills).toBeGreaterThan(1);
      expect(soak.wholeTakers()).toEqual([]);
    },
    (SOAK_SECONDS + 400) * 1000,
  );
});
