import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agreedDump, dumpFaults } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { removeFolder, temporaryFolder, waitUntil } from '../lib/processes.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS } from '../lib/random-zone.js';
import { ServingWatch } from '../lib/serving-watch.js';
import { watchedServers } from '../lib/watched-servers.js';

const ZONE = 'moments.example.';
const preload = fileURLToPath(new URL('kill-at-statement.mjs', import.meta.url));

/** Which of the statements that write is the last one: all of the first ones, then some. */
const MOMENTS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 22];
/** Gateways that are not reached any more after so many rounds have come to the end of their statements. */
const SURVIVALS = 2;

const folder = temporaryFolder('kill-order');
const order = join(folder, 'order');
let cluster: Cluster;
let zone: JudgedZone;
let writer: RandomWriter;
let watch: ServingWatch;

beforeAll(async () => {
  const environment = { NODE_OPTIONS: `--import=${preload}`, KILL_ORDER_FILE: order };
  cluster = await Cluster.start({
    gateways: 2,
    postgres: { durable: true },
    environment: (index) => (index === 0 ? environment : {}),
  });
  zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec3', zonemd: false });
  writer = await RandomWriter.fill(cluster.writerUrl, ZONE, Random.fromEnvironment('moments'), 150);
  cluster.serve(ZONE);
  await cluster.startSecondaries([ZONE], ['internal'], ['knotd']);
  watch = new ServingWatch(watchedServers(cluster), [ZONE]);
  watch.start();
}, 240_000);

afterAll(async () => {
  // one that is stopped does not end when it is told to
  cluster?.gateways[1]?.signal('SIGCONT');
  await watch?.stop();
  await writer?.close();
  await cluster?.stop();
  removeFolder(folder);
});

/** One change, which the gateway that is to be killed has to publish alone; whether it was killed. */
async function round(moment: number, when: 'before' | 'after'): Promise<boolean> {
  const [victim, other] = [cluster.gateway(0), cluster.gateway(1)];
  const before = await cluster.serial(0, ZONE, 'internal');
  other.signal('SIGSTOP');
  try {
    writeFileSync(order, `${moment}-${when} ${moment} ${when} `);
    const from = writer.rows.find(({ owner, type }) => owner === ZONE && type === 'NS');
    if (from === undefined) throw new Error('the zone has no NS');
    await writer.apply('another TTL', [{ kind: 'update', from, to: { ...from, ttl: from.ttl + 1 } }]);
    const isServed = async (): Promise<boolean> => (await cluster.serial(0, ZONE, 'internal')) !== before;
    await waitUntil(
      `the gateway is neither killed at statement ${moment} nor done\n${cluster.tail(0)}`,
      async () => !victim.isRunning || (await isServed()),
      30_000,
    );
    // what is done after the serial is served is a moment, too
    if (victim.isRunning) await waitUntil('', () => !victim.isRunning, 2000).catch(() => undefined);
  } finally {
    rmSync(order);
    other.signal('SIGCONT');
  }
  const wasKilled = !victim.isRunning;
  if (wasKilled) await victim.serve();
  return wasKilled;
}

describe('a gateway that is killed at a statement of its own choice', () => {
  test.each(['before', 'after'] as const)(
    '%s it is sent leaves nothing that does not heal',
    async (when) => {
      for (const view of ZONE_VIEWS) await agreedDump(cluster, { zone, rows: writer.rows }, view);
      let survivals = 0;
      const killed: number[] = [];
      for (const moment of MOMENTS) {
        if (survivals === SURVIVALS) break;
        if (await round(moment, when)) killed.push(moment);
        else survivals++;
        const expected = { zone, rows: writer.rows };
        for (const view of ZONE_VIEWS) {
          const dump = await agreedDump(cluster, expected, view);
          expect(await dumpFaults(expected, view, dump)).toEqual([]);
        }
        expect(watch.faults).toEqual([]);
      }
      console.log(`moments: killed ${when} statements ${killed.join(', ')} ${JSON.stringify(watch.counts)}`);
      expect(killed.length).toBeGreaterThan(2);
    },
    400_000,
  );
});
