import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { verifyZone } from '../../src/dnssec/verify/index.js';
import { agreedDump } from '../lib/agreement.js';
import { Cluster } from '../lib/cluster.js';
import type { JudgedZone } from '../lib/from-scratch.js';
import { runProgram, waitUntil } from '../lib/processes.js';
import { Random } from '../lib/random.js';
import { RandomWriter } from '../lib/random-writer.js';
import { ZONE_VIEWS, type ZoneView } from '../lib/random-zone.js';
import { ServingWatch } from '../lib/serving-watch.js';
import { ShiftedClock } from '../lib/shifted-postgres.js';
import { type FoundSignature, signaturesIn } from '../lib/signatures.js';
import { serialOf } from '../lib/soa.js';
import { TOOLS } from '../lib/tools.js';
import { watchedServers } from '../lib/watched-servers.js';
import { writeMasterFile } from '../validators/lab.js';

const ZONE = 'lifetimes.example.';
const HOUR = 3600;
const DAY = 24 * HOUR;

/** A signature holds for four days, and is renewed when two are left. */
const VALIDITY = 4 * DAY;
const REFRESH = 2 * DAY;
/** How far the clock is moved at once; less than what a gateway that was away for as long has to make good. */
const STEP = 6 * HOUR;
const STEPS = (3 * VALIDITY) / STEP;
/** Slots are spread over the time between validity and refresh, so this much of all signatures is due in a step. */
const SHARE = STEP / (VALIDITY - REFRESH);
/** How far chance takes a renewal from that: so many standard deviations it never does. */
const DEVIATIONS = 6;

/** The most signatures of a number of them that are renewed in one step, each being due in it by a hash. */
const mostDue = (all: number): number => all * SHARE + DEVIATIONS * Math.sqrt(all * SHARE * (1 - SHARE));

const clock = new ShiftedClock();
let cluster: Cluster;
let zone: JudgedZone;
let writer: RandomWriter;
let watch: ServingWatch;

beforeAll(async () => {
  cluster = await Cluster.start({
    gateways: 2,
    postgres: clock.postgres,
    policy: { validity: '4d', refresh: '2d', inceptionOffset: '1h' },
  });
  zone = await cluster.addZone(ZONE, { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false });
  writer = await RandomWriter.fill(cluster.writerUrl, ZONE, Random.fromEnvironment('lifetimes'), 250);
  cluster.serve(ZONE);
  watch = new ServingWatch(watchedServers(cluster), [ZONE]);
  for (const view of ZONE_VIEWS) await agreedDump(cluster, { zone, rows: writer.rows }, view);
  watch.start();
}, 240_000);

afterAll(async () => {
  await watch?.stop();
  await writer?.close();
  await cluster?.stop();
});

const now = (): number => systemClock.seconds() + clock.seconds;

/** What both gateways serve when nothing is due any more: every signature has its refresh time left. */
async function renewed(view: ZoneView): Promise<readonly ResourceRecord[]> {
  let dump: readonly ResourceRecord[] = [];
  let late: string[] = [];
  await waitUntil(
    () =>
      `not renewed in time (${view}): ${late.slice(0, 5).join('\n')}\n${cluster.tail(0)}\n${cluster.tail(1)}`,
    async () => {
      dump = await agreedDump(cluster, { zone, rows: writer.rows }, view);
      late = signaturesIn(dump)
        .filter(({ inception, expiration }) => inception > now() || expiration - now() < REFRESH)
        .map(({ line, expiration }) => `${line}: ${expiration - now()} s left`);
      return late.length === 0;
    },
  );
  return dump;
}

describe('through three signature lifetimes', () => {
  /** By view: the signatures of the last dump, by what they are over. */
  const last = new Map<ZoneView, Map<string, FoundSignature>>();
  /** Every signature ever seen, by what there may be one of. */
  const ever = new Map<string, string>();
  const twice = new Set<string>();
  /** Periods of each line in the internal view. */
  const periods = new Map<string, Set<number>>();
  /** Renewals: signatures that are new in a dump of which the content is that of the last one, and all of it. */
  const renewals: { readonly made: number; readonly all: number }[] = [];
  const serials = new Set<string>();

  function note(view: ZoneView, dump: readonly ResourceRecord[], isChanged: boolean): void {
    serials.add(`${view} ${serialOf(dump[0] as ResourceRecord)}`);
    const found = signaturesIn(dump);
    const before = last.get(view);
    const isNew = ({ line, octets }: FoundSignature): boolean => before?.get(line)?.octets !== octets;
    if (before !== undefined && !isChanged)
      renewals.push({ made: found.filter(isNew).length, all: found.length });
    last.set(view, new Map(found.map((signature) => [signature.line, signature])));
    for (const { line, slot, octets, inception } of found) {
      if ((ever.get(slot) ?? octets) !== octets) twice.add(line);
      ever.set(slot, octets);
      if (view === 'internal') periods.set(line, (periods.get(line) ?? new Set()).add(inception));
    }
  }

  test('every signature is renewed when its refresh is due, and is valid at all times', async () => {
    for (let step = 0; step <= STEPS; step++) {
      if (step > 0) clock.move(STEP);
      const isChanged = step % 8 === 4;
      if (isChanged) await writer.change();
      for (const view of ZONE_VIEWS) {
        const dump = await renewed(view);
        note(view, dump, isChanged);
        const report = await verifyZone(asStream(dump), { apex: Name.parse(ZONE), now: now() });
        expect(report.faults.map(({ message }) => message)).toEqual([]);
        if (step % 8 === 0) expect(await byLdns(dump, now())).toBe('');
      }
    }
    expect(watch.faults).toEqual([]);
    console.log(
      `lifetimes: ${STEPS} steps, ${serials.size} publications, ${ever.size} signatures, ` +
        `largest renewal ${Math.round(Math.max(...renewals.map(({ made, all }) => made / all)) * 100)} %, made twice: ${twice.size}`,
    );
  }, 500_000);

  test('in small publications', () => {
    expect(renewals.length).toBeGreaterThan(STEPS);
    const large = renewals.filter(({ made, all }) => made > mostDue(all));
    expect(large).toEqual([]);
    // by all of them together the share is that of the slots, but for the SOA, which is signed each time
    const made = renewals.reduce((sum, renewal) => sum + renewal.made, 0);
    const all = renewals.reduce((sum, renewal) => sum + renewal.all, 0);
    expect(made / all).toBeCloseTo(SHARE, 1);
  });

  test('as often as the policy says, and not more often', () => {
    const due = (3 * VALIDITY) / (VALIDITY - REFRESH);
    const ns = [...periods].filter(([line]) => line.startsWith('ns1.'));
    expect(ns.length).toBeGreaterThan(1);
    for (const [line, { size }] of ns) {
      expect(size, line).toBeGreaterThanOrEqual(due);
      expect(size, line).toBeLessThanOrEqual(due + 1);
    }
  });

  test('none twice within its slot, in no view and on no gateway', () => {
    expect([...twice]).toEqual([]);
  });
});

describe('a database whose clock goes back an hour', () => {
  test('gives no serial that goes back, and what is written is served', async () => {
    const before = await cluster.serial(0, ZONE, 'internal');
    clock.move(-HOUR);
    for (let i = 0; i < 5; i++) {
      await writer.change();
      for (const view of ZONE_VIEWS) {
        const dump = await agreedDump(cluster, { zone, rows: writer.rows }, view);
        const report = await verifyZone(asStream(dump), { apex: Name.parse(ZONE), now: now() });
        expect(report.faults.map(({ message }) => message)).toEqual([]);
      }
    }
    expect(await cluster.serial(0, ZONE, 'internal')).toBeGreaterThanOrEqual(before ?? 0);
    expect(watch.faults).toEqual([]);
  });
});

async function* asStream(records: readonly ResourceRecord[]): AsyncGenerator<ResourceRecord> {
  yield* records;
}

/** What ldns-verify-zone has against a dump at a time; nothing when it accepts it. */
async function byLdns(dump: readonly ResourceRecord[], time: number): Promise<string> {
  const file = join(mkdtempSync(join(cluster.folder, 'dump-')), 'dump.zone');
  await writeMasterFile(file, dump);
  const stamp = new Date(time * 1000).toISOString().replaceAll(/[-:T]|\.\d+Z/g, '');
  const path = TOOLS['ldns-verify-zone']?.path ?? 'ldns-verify-zone';
  const { status, stderr, stdout } = await runProgram(path, ['-V1', '-t', stamp, file]);
  return status === 0 ? '' : `${stderr}${stdout}`;
}
