import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { writeZone } from '../../bench/zone.js';
import { ArrivalPoller, percentile } from '../lib/arrival.js';
import { Cluster } from '../lib/cluster.js';
import { metricsOf } from '../lib/metrics.js';
import { announcePeers } from '../lib/peers.js';

const ZONE = 'latency.example.';
const VIEW = 'external';

/** Names of the zones, the larger one ten times the smaller one. */
const SIZES = [10_000, 100_000];
/** Changes to each. */
const CHANGES = 200;
/** Milliseconds that one change may take to be answered; nothing is asserted below that. */
const PATIENCE = 90_000;

interface Latency {
  readonly median: number;
  readonly late: number;
  readonly signatures: number | undefined;
}

describe('from commit to the new RRset answered by Knot DNS', () => {
  const measured = new Map<number, Latency>();
  const clusters: Cluster[] = [];
  afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())));

  test.each(SIZES)(
    'every change to a zone of %i names arrives',
    async (names) => {
      const cluster = await Cluster.start({ gateways: 1, config: { publication: { poll: 1 } } });
      clusters.push(cluster);
      await addLargeZone(cluster, names);
      const latency = await measure(cluster);
      measured.set(names, latency);
      console.log(`latency: ${names} names: ${describeLatency(latency)}`);
      await clusters.pop()?.stop();
    },
    500_000,
  );

  test('is told', () => {
    const [small, large] = SIZES.map((names) => measured.get(names));
    if (small === undefined || large === undefined) throw new Error('nothing was measured');
    const ratio = (large.median / small.median).toFixed(2);
    console.log(
      `latency: ${SIZES.join(' and ')} names, medians ${ratio} to 1 (aim: under 1.3, under 150 ms)`,
    );
    expect(large.median).toBeGreaterThan(0);
  });
});

async function addLargeZone(cluster: Cluster, names: number): Promise<void> {
  await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false });
  const file = join(cluster.folder, 'large.zone');
  await writeZone(file, ZONE, names);
  const gateway = cluster.gateway(0);
  const policy = ZONE.replaceAll('.', '-').replace(/-$/, '');
  await gateway.command(['zone', 'import', file, '--zone', ZONE, '--policy', policy]);
  cluster.serve(ZONE, [VIEW]);
  const serial = await cluster.serialAfter(0, ZONE, VIEW, undefined, 240_000);
  // else Knot writes the whole zone to its file and looks through it at each change, which takes longer than all the rest
  const settings = '    zonefile-sync: -1\n    dnssec-validation: off\n';
  await cluster.startSecondaries([ZONE], [VIEW], ['knotd'], { settings });
  await announcePeers(cluster);
  await cluster.secondaries[0]?.secondary.waitForSerial(ZONE, serial, 120_000);
}

async function measure(cluster: Cluster): Promise<Latency> {
  const client = new pg.Client({ connectionString: cluster.writerUrl });
  const target = cluster.secondaries[0]?.secondary.target;
  if (target === undefined) throw new Error('there is no secondary');
  const poller = await ArrivalPoller.open(target);
  await client.connect();
  const before = await signatures(cluster);
  const taken: number[] = [];
  try {
    const owners = await addressOwners(client);
    for (let i = 0; i < CHANGES; i++) {
      const owner = owners[i % owners.length] as string;
      const address = `203.0.${113 + (i >> 8)}.${i & 0xff}`;
      await client.query(
        `update zoneseal.rrsets set data = array[$3::text]
         where zone_id = zoneseal.zone_id($1) and sort_key = zoneseal.sort_key($2) and type = 'A'`,
        [ZONE, owner, address],
      );
      const committed = performance.now();
      const arrived = await poller.arrival(owner, address, PATIENCE);
      if (arrived === undefined) {
        const log = cluster.secondaries[0]?.secondary.log.slice(-3000);
        throw new Error(`change ${i} of ${owner} does not arrive\n${cluster.tail(0)}\n${log}`);
      }
      taken.push(arrived - committed);
    }
  } finally {
    poller.close();
    await client.end();
  }
  const after = await signatures(cluster);
  expect(taken).toHaveLength(CHANGES);
  return {
    median: percentile(taken, 0.5),
    late: percentile(taken, 0.99),
    signatures: before === undefined || after === undefined ? undefined : (after - before) / CHANGES,
  };
}

/** Names with one address, spread over the zone. */
async function addressOwners(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ owner: string }>(
    `select owner from zoneseal.rrsets where zone_id = zoneseal.zone_id($1) and type = 'A' and cardinality(data) = 1
     order by md5(owner) limit ${CHANGES}`,
    [ZONE],
  );
  return rows.map(({ owner }) => owner);
}

/** Signatures made by the gateway since its start; undefined when it does not count them. */
async function signatures(cluster: Cluster): Promise<number | undefined> {
  const metrics = await metricsOf(cluster.gateway(0));
  const found = [...metrics].filter(([name]) => /^zoneseal_signatures(_made)?_total/.test(name));
  if (found.length === 0) throw new Error('no metric counts signatures');
  return found.length === 0 ? undefined : found.reduce((sum, [, value]) => sum + value, 0);
}

function describeLatency({ median, late, signatures: made }: Latency): string {
  const each = made === undefined ? 'signatures not counted' : `${made.toFixed(1)} signatures each`;
  return `${CHANGES} changes, median ${median.toFixed(1)} ms, 99th percentile ${late.toFixed(1)} ms, ${each}`;
}
