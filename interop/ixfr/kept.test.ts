import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceRecord } from '../../src/dns/record.js';
import { Database } from '../../src/store/database.js';
import { type PruneOptions, prune } from '../../src/store/prune.js';
import { Cluster } from '../lib/cluster.js';
import { recordLines } from '../lib/content-digest.js';
import { ServedHistory } from '../lib/history.js';
import { applyIxfr, readIxfr } from '../lib/ixfr.js';
import { userUrl } from '../lib/postgres.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { askIxfr, PROGRAMS } from './clients.js';

const ZONE = 'kept.example.';
const ROWS = 300;
const CHANGES = 7;
const GATEWAYS = [0, 1];

let cluster: Cluster;
let database: Database;
let history: ServedHistory;

beforeAll(async () => {
  const random = Random.fromEnvironment('kept');
  cluster = await Cluster.start({
    gateways: GATEWAYS.length,
    config: { publication: { poll: 1, lease: 3 } },
  });
  const zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false });
  const writer = await RandomWriter.fill(cluster.writerUrl, ZONE, random, ROWS);
  try {
    cluster.serve(ZONE);
    history = new ServedHistory(cluster, zone, writer);
    await history.keep();
    for (let i = 0; i < CHANGES; i++) {
      const row = { owner: `kept${i}.${ZONE}`, type: 'A', ttl: 300, data: ['192.0.2.1'], views: null };
      await writer.apply('one more', [{ kind: 'insert', row }]);
      await history.keep();
    }
  } finally {
    await writer.close();
  }
  database = new Database({ url: userUrl(cluster.postgres, 'suite_gateway') });
}, 300_000);

afterAll(async () => {
  await database?.close();
  await cluster?.stop();
});

/** What each of the served serials of the internal view is answered with, the newest last, by one program on one gateway. */
async function answers(program: (typeof PROGRAMS)[number], gateway: number): Promise<string[]> {
  const { target, folder } = cluster.gateway(gateway);
  const newest = history.newest('internal');
  const kinds: string[] = [];
  for (const [serial, records] of history.of('internal')) {
    const key = cluster.secondaryKey('internal', 'suite');
    const answer = readIxfr(await askIxfr(program, target, { zone: ZONE, serial, key, folder }));
    const held: readonly ResourceRecord[] =
      answer.kind === 'whole'
        ? answer.records
        : answer.kind === 'steps'
          ? applyIxfr(records, answer.steps)
          : records;
    expect(recordLines(held), `${program} from ${serial}`).toEqual(recordLines(newest.records));
    kinds.push(answer.kind);
  }
  return kinds;
}

/** A gateway holds differences that it has made: started anew it has none. */
async function forget(): Promise<void> {
  for (const gateway of GATEWAYS) {
    await cluster.gateway(gateway).stop();
    await cluster.gateway(gateway).serve();
  }
}

async function expectKept(steps: number): Promise<void> {
  await forget();
  const served = history.of('internal').size;
  const expected = [
    ...Array.from({ length: served - 1 - steps }, () => 'whole'),
    ...Array.from({ length: steps }, () => 'steps'),
    'current',
  ];
  for (const [i, gateway] of GATEWAYS.entries()) {
    expect(await answers(PROGRAMS[i % PROGRAMS.length] as (typeof PROGRAMS)[number], gateway)).toEqual(
      expected,
    );
  }
}

/** Ids of the internal view's publications, the oldest first. */
function publications(): string[] {
  const text = cluster.psql(
    `select id from zoneseal.publications where view = 'internal' and state = 'ready' order by id`,
  );
  return text.trim().split('\n');
}

async function pruneAll(kept: PruneOptions): Promise<void> {
  cluster.psql('insert into zoneseal.prune_queue (zone_id) select id from zoneseal.zones');
  for (let i = 0; ; i++) {
    const { ran, zones } = await prune(database, kept);
    if (ran && zones > 0) return;
    if (i > 50) throw new Error('a gateway prunes all the time');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

// each loses more than the one before
describe('IXFR', () => {
  test('comes in steps from everything that is kept', async () => {
    await expectKept(history.of('internal').size - 1);
  });

  test('is the whole zone from where no publication is kept, by their number', async () => {
    const all = publications();
    await pruneAll({ holder: 'suite', keep: all.length - 1 });
    await expectKept(all.length - 2);
  });

  test('and by how long ago they were replaced', async () => {
    const all = publications();
    cluster.psql(
      `update zoneseal.publications set finished_at = finished_at - interval '2 hours' where id in (${all[0]}, ${all[1]})`,
    );
    await pruneAll({ holder: 'suite', keep: 100, keepSeconds: 3600 });
    expect(publications()).toEqual(all.slice(1));
    await expectKept(all.length - 2);
  });

  test('and by the octets of their journals', async () => {
    const all = publications();
    const octets = Number(
      cluster.psql(
        `select sum(journal_octets) from zoneseal.publications where id in (${all.slice(2).join(', ')})`,
      ),
    );
    await pruneAll({ holder: 'suite', keep: 100, journalOctets: octets });
    expect(publications()).toEqual(all);
    await expectKept(all.length - 2);
  });

  test('and from where a journal is lost; nothing is made anew for it', async () => {
    const all = publications();
    cluster.psql(`delete from zoneseal.journal_parts where publication_id = ${all.at(-2)}`);
    await expectKept(1);
    expect(publications()).toEqual(all);
    cluster.psql(
      `update zoneseal.journal_parts set content = decode(repeat('ff', length(content)), 'hex') where publication_id = ${all.at(-1)}`,
    );
    await expectKept(0);
    expect(publications()).toEqual(all);
    expect(GATEWAYS.map((gateway) => cluster.gateway(gateway).log).join('')).not.toContain('PAGES_LOST');
  });
});
