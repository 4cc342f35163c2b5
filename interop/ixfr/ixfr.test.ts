import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RCODE } from '../../src/dns/message.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { secondaryHas } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import { recordLines } from '../lib/content-digest.js';
import { query, transfer } from '../lib/dns-client.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { ServedHistory } from '../lib/history.js';
import { applyIxfr, type IxfrAnswer, readIxfr } from '../lib/ixfr.js';
import { IXFR_PROGRAMS, NSD_KEEPS_IXFR, waitForIxfr } from '../lib/ixfr-signs.js';
import { announcePeers } from '../lib/peers.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { type StoredRow, ZONE_VIEWS, type ZoneView } from '../lib/random-zone.js';
import { serialIn } from '../lib/soa.js';
import { askIxfr, PROGRAMS } from './clients.js';

/** Rows of the zone; one change is far less than the whole of it. */
const ROWS = 400;
/** Changes whose publications are all asked for. */
const CHANGES = 20;
/** Changes after those, none of which is nearly as large as the zone: they have to be told step by step. */
const SMALL_CHANGES = 20;
/** Of these some are rolled back and some do not touch a view. */
const LEAST_STEPS = 4;
const ZONE = 'ixfr.example.';
const GATEWAYS = [0, 1, 2];

let cluster: Cluster;
let zone: JudgedZone;
let writer: RandomWriter;
let history: ServedHistory;

beforeAll(async () => {
  const random = Random.fromEnvironment('ixfr');
  cluster = await Cluster.start({
    gateways: GATEWAYS.length,
    config: { publication: { poll: 1, lease: 3 } },
  });
  zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec3', zonemd: false });
  writer = await RandomWriter.fill(cluster.writerUrl, ZONE, random, ROWS);
  cluster.serve(ZONE);
  history = new ServedHistory(cluster, zone, writer);
  await history.keep();
  await cluster.startSecondaries([ZONE], ZONE_VIEWS, ['named', 'knotd', 'pdns_server']);
  await cluster.startSecondaries([ZONE], ZONE_VIEWS, ['nsd'], { settings: NSD_KEEPS_IXFR });
  await announcePeers(cluster);
  await secondariesHaveIt();
  await history.change(CHANGES);
  await history.change(SMALL_CHANGES, { isSmall: true });
  await secondariesHaveIt();
}, 400_000);

afterAll(async () => {
  await writer?.close();
  await cluster?.stop();
});

async function secondariesHaveIt(): Promise<void> {
  await Promise.all(
    cluster.secondaries.map((held) => secondaryHas(held, ZONE, history.newest(held.view).records)),
  );
}

/** What a gateway answers to IXFR over TCP, every message proved. */
async function ask(gateway: number, view: ZoneView, serial: number): Promise<IxfrAnswer> {
  const { records, isWhole, isAuthentic, rcode } = await transfer(cluster.gateway(gateway).target, {
    name: ZONE,
    type: 'IXFR',
    serial,
    signing: { key: cluster.tsigKey(view) },
  });
  expect({ isWhole, isAuthentic, rcode }, cluster.tail(gateway)).toEqual({
    isWhole: true,
    isAuthentic: true,
    rcode: RCODE.NOERROR,
  });
  return readIxfr(records);
}

/** What a client that held an old publication has after an answer. */
function after(answer: IxfrAnswer, old: readonly ResourceRecord[]): readonly ResourceRecord[] {
  if (answer.kind === 'whole') return answer.records;
  return answer.kind === 'current' ? old : applyIxfr(old, answer.steps);
}

/** NOTIFY messages that Knot has logged in a view. */
function noticesIn(view: ZoneView): number {
  const knotd = cluster.secondaries.find((it) => it.view === view && it.secondary.name === 'knotd');
  return knotd?.secondary.log.match(/notify, incoming/gi)?.length ?? 0;
}

describe.each(ZONE_VIEWS)('IXFR in the %s view', (view) => {
  test.each(GATEWAYS)(
    'from every serial served leads to the newest, octet by octet, on gateway %i',
    async (gateway) => {
      const newest = history.newest(view);
      const served = [...history.of(view).keys()];
      const kinds = new Map<string, number>();
      for (const [serial, records] of history.of(view)) {
        const answer = await ask(gateway, view, serial);
        kinds.set(answer.kind, (kinds.get(answer.kind) ?? 0) + 1);
        expect(answer.serial).toBe(newest.serial);
        expect(recordLines(after(answer, records)), `from ${serial}`).toEqual(recordLines(newest.records));
        if (answer.kind !== 'steps') continue;
        expect(answer.steps[0]?.from).toBe(serial);
        // a server may put steps together, but between serials that it has served
        expect(served).toEqual(expect.arrayContaining(answer.steps.flatMap(({ from, to }) => [from, to])));
      }
      console.log(`ixfr: gateway ${gateway} ${view}: ${JSON.stringify([...kinds])}`);
      expect(kinds.get('current')).toBe(1);
      expect(kinds.get('steps') ?? 0).toBeGreaterThanOrEqual(LEAST_STEPS);
    },
  );

  test.each(PROGRAMS)('is understood by %s', async (program) => {
    const [[serial, records] = [0, []]] = [...history.of(view)].slice(-3);
    const key = cluster.secondaryKey(view, 'suite');
    const { target, folder } = cluster.gateway(1);
    const answer = readIxfr(await askIxfr(program, target, { zone: ZONE, serial, key, folder }));
    expect(recordLines(after(answer, records))).toEqual(recordLines(history.newest(view).records));
    expect(answer.kind).toBe('steps');
  });

  test('is one SOA to a client that is current, or ahead', async () => {
    const { serial } = history.newest(view);
    for (const gateway of GATEWAYS) {
      for (const held of [serial, serial + 1000]) {
        expect(await ask(gateway, view, held)).toEqual({ kind: 'current', serial });
      }
    }
  });

  test('over UDP is one SOA, whatever the client has', async () => {
    const newest = history.newest(view);
    const [first = 0] = history.of(view).keys();
    for (const serial of [newest.serial, first]) {
      for (const gateway of GATEWAYS) {
        const answer = await query(cluster.gateway(gateway).target, {
          name: ZONE,
          type: 'IXFR',
          serial,
          signing: { key: cluster.tsigKey(view) },
        });
        expect(answer?.tsig?.status).toBe('signed');
        expect(answer?.message.answer.map(({ type }) => type)).toEqual([RRType.SOA]);
        expect(serialIn(answer?.message)).toBe(newest.serial);
      }
    }
  });

  test('is the whole zone to a client with a serial that was never served', async () => {
    const { records } = history.newest(view);
    const answer = await ask(0, view, 1);
    expect(answer.kind).toBe('whole');
    expect(recordLines(after(answer, []))).toEqual(recordLines(records));
  });

  test.each(IXFR_PROGRAMS)('is what %s takes, and holds what AXFR gives', async (program) => {
    const held = cluster.secondaries.find((it) => it.view === view && it.secondary.name === program);
    if (held === undefined) throw new Error(`${program} does not run`);
    await secondaryHas(held, ZONE, history.newest(view).records);
    const { secondary } = held;
    await waitForIxfr(secondary, ZONE);
    if (program === 'nsd') expect(secondary.log).not.toContain('Failed to apply IXFR cleanly');
  });

  test('is refused without a key', async () => {
    const { target } = cluster.gateway(0);
    const { rcode, records } = await transfer(target, { name: ZONE, type: 'IXFR', serial: 1 });
    expect({ rcode, records }).toEqual({ rcode: RCODE.REFUSED, records: [] });
  });
});

describe('a change that only internal sees', () => {
  test('leaves the serial, the IXFR and the contents of external as they were', async () => {
    const before = history.newest('external');
    const row: StoredRow = {
      owner: `only-inside.${ZONE}`,
      type: 'A',
      ttl: 300,
      data: ['10.99.99.99'],
      views: ['internal'],
    };
    const serial = history.newest('internal').serial;
    const [told, toldInside] = [noticesIn('external'), noticesIn('internal')];
    await writer.apply('a row that only internal sees', [{ kind: 'insert', row }]);
    await history.keep();
    expect(history.newest('internal').serial).not.toBe(serial);
    // longer than a gateway needs to find what is due
    await sleep(3000);
    for (const gateway of GATEWAYS) {
      expect(await cluster.serial(gateway, ZONE, 'external')).toBe(before.serial);
      expect(await ask(gateway, 'external', before.serial)).toEqual({
        kind: 'current',
        serial: before.serial,
      });
    }
    expect(noticesIn('external')).toBe(told);
    expect(noticesIn('internal')).toBeGreaterThan(toldInside);
    const records = await cluster.take(0, ZONE, 'external');
    expect(recordLines(records)).toEqual(recordLines(before.records));
    await Promise.all(
      cluster.secondaries
        .filter(({ view }) => view === 'external')
        .map(async ({ secondary }) => expect(await secondary.serial(ZONE)).toBe(before.serial)),
    );
  });

  test('shows in no step of an external IXFR', async () => {
    for (const [serial] of history.of('external')) {
      const answer = await ask(0, 'external', serial);
      const records =
        answer.kind === 'steps' ? answer.steps.flatMap((step) => [...step.deleted, ...step.added]) : [];
      const names = records.map(({ owner }) => owner.toString());
      expect(names.filter((name) => name.includes('only-inside'))).toEqual([]);
    }
  });
});

describe('a difference larger than the zone', () => {
  test('is sent as the zone', async () => {
    const before = history.newest('internal');
    const steps = writer.rows
      .filter(({ type }) => type === 'A' || type === 'AAAA' || type === 'TXT' || type === 'MX')
      .map((from) => ({ kind: 'update', from, to: { ...from, ttl: from.ttl + 1 } }) as const);
    await writer.apply('most of the zone', steps);
    await history.keep();
    const answer = await ask(1, 'internal', before.serial);
    expect(recordLines(after(answer, before.records))).toEqual(
      recordLines(history.newest('internal').records),
    );
    const count =
      answer.kind === 'steps' ? answer.steps.flatMap((it) => [...it.deleted, ...it.added]).length : 0;
    expect(count).toBeLessThanOrEqual(history.newest('internal').records.length);
  });
});
