import { join } from 'node:path';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { writeZone } from '../../bench/zone.js';
import { ArrivalPoller, percentile } from '../lib/arrival.js';
import { Cluster } from '../lib/cluster.js';
import { announcePeers } from '../lib/peers.js';
import type { Secondary, SecondaryProgram } from '../lib/secondary.js';

const ZONE = 'latency.example.';
const VIEW = 'external';

/** Names of the zones, the larger one ten times the smaller one. */
const SIZES = [10_000, 100_000];
/** Changes to each. */
const CHANGES = 200;
/** Milliseconds that one change may take to be answered; nothing is asserted below that. */
const PATIENCE = 90_000;
/** The work of a change in the larger zone is at the most so many times that in the smaller one. */
const MOST_WORK = 1.3;

/** The other nameservers: changes to the zone, and the largest zone, which PowerDNS takes as a whole each time. */
const OTHERS: readonly {
  readonly program: SecondaryProgram;
  readonly changes: number;
  readonly names: number;
}[] = [
  { program: 'named', changes: 20, names: 100_000 },
  { program: 'nsd', changes: 20, names: 100_000 },
  { program: 'pdns_server', changes: 5, names: 10_000 },
];

/** What the gateway did for one change on average; the load of the machine has no part in it. */
interface Work {
  readonly signatures: number;
  readonly pages: number;
  readonly journalOctets: number;
}

interface Latency {
  readonly changes: number;
  readonly median: number;
  readonly late: number;
  readonly work: Work;
}

describe('from commit to the new RRset answered', () => {
  const measured = new Map<number, Latency>();
  const clusters: Cluster[] = [];
  afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())));

  test.each(SIZES)(
    'every change to a zone of %i names arrives',
    async (names) => {
      // nothing of what is counted afterwards is pruned meanwhile
      const config = { publication: { poll: 1, retain: 1000 } };
      const cluster = await Cluster.start({ gateways: 1, config });
      clusters.push(cluster);
      await addLargeZone(cluster, names);
      const latency = await measureWith(cluster, 'knotd', CHANGES);
      measured.set(names, latency);
      console.log(`latency: ${names} names, knotd: ${describeLatency(latency)}`);
      for (const { program, changes, names: most } of OTHERS) {
        if (names > most) continue;
        const other = await measureWith(cluster, program, changes);
        console.log(`latency: ${names} names, ${program}: ${describeLatency(other)}`);
      }
      await clusters.pop()?.stop();
    },
    900_000,
  );

  test('does not take more work in a larger zone', () => {
    const [small, large] = SIZES.map((names) => measured.get(names));
    if (small === undefined || large === undefined) throw new Error('nothing was measured');
    const ratio = (large.median / small.median).toFixed(2);
    console.log(
      `latency: ${SIZES.join(' and ')} names, medians ${small.median.toFixed(1)} and ${large.median.toFixed(1)} ms, ` +
        `${ratio} to 1 (aim: under 1.3, under 150 ms)`,
    );
    for (const what of ['signatures', 'pages', 'journalOctets'] as const) {
      expect(large.work[what] / small.work[what], what).toBeLessThanOrEqual(MOST_WORK);
    }
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
  await cluster.serialAfter(0, ZONE, VIEW, undefined, 240_000);
}

// else Knot writes the whole zone to its file and looks through it at each change, which takes longer than all the rest
const KNOTD_SETTINGS = '    zonefile-sync: -1\n    dnssec-validation: off\n';
// else NSD drops most of the questions that come this fast from one address
const NSD_SETTINGS = 'server:\n    rrl-ratelimit: 0\n    rrl-whitelist-ratelimit: 0\n';
const SETTINGS: Partial<Record<SecondaryProgram, string>> = { knotd: KNOTD_SETTINGS, nsd: NSD_SETTINGS };

/** Measures with one nameserver, which is stopped afterwards, so that none is measured beside others. */
async function measureWith(cluster: Cluster, program: SecondaryProgram, changes: number): Promise<Latency> {
  const settings = SETTINGS[program];
  await cluster.startSecondaries([ZONE], [VIEW], [program], settings === undefined ? {} : { settings });
  const [held] = cluster.secondaries;
  if (held === undefined) throw new Error('there is no secondary');
  await announcePeers(cluster);
  const serial = await cluster.serial(0, ZONE, VIEW);
  await held.secondary.waitForSerial(ZONE, serial as number, 240_000);
  const latency = await measure(cluster, held.secondary, changes);
  cluster.secondaries.length = 0;
  await held.secondary.stop();
  return latency;
}

/** Addresses are given out once, so that none is answered before it is written. */
let addresses = 0;

async function measure(cluster: Cluster, secondary: Secondary, changes: number): Promise<Latency> {
  const client = new pg.Client({ connectionString: cluster.writerUrl });
  const poller = await ArrivalPoller.open(secondary.target);
  await client.connect();
  const before = newestPublication(cluster);
  const taken: number[] = [];
  try {
    const owners = await addressOwners(client);
    for (let i = 0; i < changes; i++) {
      const owner = owners[i % owners.length] as string;
      const number = addresses++;
      const address = `203.0.${113 + (number >> 8)}.${number & 0xff}`;
      await client.query(
        `update zoneseal.rrsets set data = array[$3::text]
         where zone_id = zoneseal.zone_id($1) and sort_key = zoneseal.sort_key($2) and type = 'A'`,
        [ZONE, owner, address],
      );
      const committed = performance.now();
      const arrived = await poller.arrival(owner, address, PATIENCE);
      if (arrived === undefined) {
        const log = secondary.log.slice(-3000);
        throw new Error(`change ${i} of ${owner} does not arrive\n${cluster.tail(0)}\n${log}`);
      }
      taken.push(arrived - committed);
    }
  } finally {
    poller.close();
    await client.end();
  }
  expect(taken).toHaveLength(changes);
  return {
    changes,
    median: percentile(taken, 0.5),
    late: percentile(taken, 0.99),
    work: workSince(cluster, before, changes),
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

const newestPublication = (cluster: Cluster): number =>
  Number(cluster.psql('select max(id) from zoneseal.publications'));

/** What publications after one have made, for each of some changes. */
function workSince(cluster: Cluster, before: number, changes: number): Work {
  const [signatures, journalOctets, pages] = cluster
    .psql(
      `select coalesce(sum(signatures), 0), coalesce(sum(journal_octets), 0),
         (select count(*) from zoneseal.signed_pages where since > ${before})
       from zoneseal.publications where state = 'ready' and id > ${before}`,
    )
    .split('|')
    .map((sum) => Number(sum) / changes) as [number, number, number];
  return { signatures, pages, journalOctets };
}

function describeLatency({ changes, median, late, work }: Latency): string {
  const each = `${work.signatures.toFixed(1)} signatures, ${work.pages.toFixed(1)} pages, ${work.journalOctets.toFixed(0)} octets of IXFR each`;
  return `${changes} changes, median ${median.toFixed(1)} ms, 99th percentile ${late.toFixed(1)} ms, ${each}`;
}
