import { join } from 'node:path';
import { type ColdRun, runCold, warmUp, withGateway } from './cold-run.js';
import { inRounds, type Lab, type LabZone } from './lab.js';
import type { Measured } from './measure.js';
import { knot, type Variant } from './peers.js';
import { during, say } from './progress.js';
import { compared, median, type Outcome, type Row, row, type Series } from './rows.js';
import { hasPeer } from './tools.js';
import { ZONE } from './zone.js';

interface ScaleOptions {
  /** Names of the zones, from the smallest on; the last but one or an earlier one has a tenth of the last. */
  readonly sizes: readonly number[];
  readonly rounds: number;
}

const NSEC: Variant = { name: 'NSEC', denial: 'nsec', algorithm: 13 };
/** A zone so large is signed by the peer once: it takes minutes. */
const LARGE = 500_000;
/** A zone so small is signed twice as often: it takes no time, and what else happens tells more. */
const SMALL = 10_000;

/** One size and what was measured of it. */
interface Size {
  readonly zone: LabZone;
  /** Of gateways that had made another zone before. */
  readonly colds: ColdRun[];
  /** Of gateways that were just started. */
  readonly fresh: ColdRun[];
  readonly peer: Measured[];
}

/**
 * The same zone with ever more names, cold: what a record costs, memory, and how soon the first message comes. The gateway has made another
 * zone before, as those that serve have: what it does for the first time takes a second of CPU, whatever the size of the zone. What that
 * is like is measured beside it, but for the large ones.
 */
export async function scale(lab: Lab, { sizes, rounds }: ScaleOptions): Promise<Outcome> {
  say(`scale: zones of ${sizes.join(', ')} names, ${rounds} rounds`);
  const measured: Size[] = [];
  for (const names of sizes) {
    const zone = await lab.zone(names);
    const size: Size = { zone, colds: [], fresh: [], peer: [] };
    const folder = join(lab.folder, `scale-${names}`);
    const sign = hasPeer('kzonesign')
      ? knot.prepare({ folder, zone: ZONE, file: zone.file, variant: NSEC })
      : undefined;
    const times = names <= SMALL ? 2 * rounds : rounds;
    await inRounds(`scale, ${names} names`, times, async (said, round) => {
      const run = await withGateway(lab, zone, {}, async (made) => {
        await warmUp(lab, made);
        return runCold(lab, made);
      });
      size.colds.push(run);
      say(`${said} ${run.seconds.toFixed(2)} s, peak ${run.peakMegabytes?.toFixed(0)} MB`);
      if (names < LARGE) {
        const fresh = await withGateway(lab, zone, {}, (made) => runCold(lab, made));
        size.fresh.push(fresh);
        say(`${said} gateway just started ${fresh.seconds.toFixed(2)} s`);
      }
      if (sign === undefined || (names >= LARGE && round > 0)) return;
      const theirs = await during('kzonesign', sign);
      size.peer.push(theirs);
      say(`${said} kzonesign ${theirs.seconds.toFixed(2)} s, peak ${theirs.peakMegabytes?.toFixed(0)} MB`);
    });
    measured.push(size);
  }
  return { rows: rowsOf(measured), series: [...costSeries(measured), ...memorySeries(measured)] };
}

const inEnglish = (names: number): string => `${names.toLocaleString('en')} names`;

/** Microseconds that a record of the zone takes, in the middle one of the runs. */
function perRecord(zone: LabZone, runs: readonly Measured[], of: 'seconds' | 'cpuSeconds'): number {
  return (1e6 * median(runs.map((run) => run[of]))) / zone.records;
}

function rowsOf(sizes: readonly Size[]): Row[] {
  const [smallest] = sizes;
  const largest = sizes.at(-1);
  if (smallest === undefined || largest === undefined) return [];
  const first = (runs: readonly ColdRun[]): number[] => runs.map(({ fetched }) => fetched.firstMessage);
  const rows: Row[] = [];
  for (const size of sizes.slice(1)) {
    rows.push(
      compared(`first message of the cold transfer, ${inEnglish(size.zone.names)}`, 'ms', first(size.colds), {
        peer: inEnglish(smallest.zone.names),
        theirs: first(smallest.colds),
        aim: 'first-message',
      }),
    );
  }
  for (const { zone, fresh } of sizes.filter((size) => size.fresh.length > 0)) {
    const of = `cold, ${inEnglish(zone.names)}, gateway just started`;
    rows.push(
      compared(`first message, ${of}`, 'ms', first(fresh)),
      row(`time a record, ${of}`, perRecord(zone, fresh, 'seconds'), 'µs'),
      row(`CPU a record, ${of}`, perRecord(zone, fresh, 'cpuSeconds'), 'µs'),
    );
  }
  return [...rows, ...memoryRows(sizes, largest), ...growthRows(sizes)];
}

function memoryRows(sizes: readonly Size[], largest: Size): Row[] {
  const peaks = (runs: readonly Measured[]): number[] =>
    runs.map(({ peakMegabytes = Number.NaN }) => peakMegabytes);
  const what = `peak memory of the gateway with its workers, cold, ${inEnglish(largest.zone.names)}`;
  const tenth = sizes.find(({ zone }) => zone.names === Math.floor(largest.zone.names / 10));
  return [
    compared(what, 'MB', peaks(largest.colds), {
      ...(largest.peer.length === 0 ? {} : { peer: 'kzonesign', theirs: peaks(largest.peer) }),
      aim: 'peak-memory',
    }),
    ...(tenth === undefined
      ? []
      : [
          compared(`${what}, beside a tenth of them`, 'MB', peaks(largest.colds), {
            peer: inEnglish(tenth.zone.names),
            theirs: peaks(tenth.colds),
            aim: 'memory-growth',
          }),
        ]),
  ];
}

/** Flat is when the dearest size is at most a fifth above the cheapest, wherever either lies. */
function growthRows(sizes: readonly Size[]): Row[] {
  const kinds = [
    ['time', 'seconds', 'growth-time'],
    ['CPU', 'cpuSeconds', 'growth-cpu'],
  ] as const;
  return kinds.flatMap(([what, of, aim]): Row[] => {
    const costs = sizes.map((size) => ({
      names: inEnglish(size.zone.names),
      ours: perRecord(size.zone, size.colds, of),
      theirs: size.peer.length === 0 ? undefined : perRecord(size.zone, size.peer, of),
    }));
    const inOrder = [...costs].sort((a, b) => a.ours - b.ours);
    const [cheapest, dearest] = [inOrder[0], inOrder.at(-1)];
    if (cheapest === undefined || dearest === undefined) return [];
    return [
      {
        ...row(
          `${what} a record, cold, where it is dearest: ${dearest.names}`,
          dearest.ours,
          'µs',
          `cheapest: ${cheapest.names}`,
          cheapest.ours,
        ),
        aim,
      },
      ...costs.map(({ names, ours, theirs }) =>
        row(`${what} a record, cold, ${names}`, ours, 'µs', 'kzonesign', theirs),
      ),
    ];
  });
}

function costSeries(sizes: readonly Size[]): Series[] {
  const line = (label: string, of: (size: Size) => number): Series => ({
    plot: 'cost',
    label,
    points: sizes
      .map((size): [number, number] => [size.zone.names, of(size)])
      .filter(([, value]) => Number.isFinite(value)),
  });
  return [
    line('Zoneseal, time', (size) => perRecord(size.zone, size.colds, 'seconds')),
    line('Zoneseal, CPU', (size) => perRecord(size.zone, size.colds, 'cpuSeconds')),
    line('kzonesign, time', (size) => perRecord(size.zone, size.peer, 'seconds')),
    line('kzonesign, CPU', (size) => perRecord(size.zone, size.peer, 'cpuSeconds')),
  ].filter(({ points }) => points.length > 0);
}

/** How many sizes, from the largest on, memory is shown of. */
const SHOWN = 2;

function memorySeries(sizes: readonly Size[]): Series[] {
  return sizes
    .toReversed()
    .slice(0, SHOWN)
    .flatMap(({ zone, colds, peer }) => {
      const line = (who: string, run: Measured | undefined): Series[] =>
        run?.memory === undefined
          ? []
          : [{ plot: 'memory', label: `${who}, ${inEnglish(zone.names)}`, points: run.memory }];
      return [...line('Zoneseal', colds.at(-1)), ...line('kzonesign', peer.at(-1))];
    });
}
