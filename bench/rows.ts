import { AIMS, type AimId, aimsOf, aimText, judge } from './aims.js';

/** The least and the greatest of several measurements. */
export type Spread = readonly [least: number, greatest: number];

/** One figure, and what it is beside: another program's, or Zoneseal's own on another zone, in the same run. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly peerValue?: number;
  /** value / peerValue, unless that is 0. */
  readonly ratio?: number;
  readonly aim?: AimId;
  readonly spread?: Spread;
  readonly peerSpread?: Spread;
  /** What has to be known to read it rightly. */
  readonly note?: string;
}

/** A line of one of the page's plots. */
export interface Series {
  readonly plot: 'cost' | 'memory' | 'latency';
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What a benchmark gives. */
export interface Outcome {
  readonly rows: readonly Row[];
  readonly series?: readonly Series[];
}

/** A row with its ratio; without a peer's value, the figure alone. */
export function row(name: string, value: number, unit: string, peer?: string, peerValue?: number): Row {
  if (peer === undefined || peerValue === undefined) return { name, value, unit };
  if (peerValue === 0) return { name, value, unit, peer, peerValue };
  return { name, value, unit, peer, peerValue, ratio: value / peerValue };
}

/** Medians of measurements that were made in turn, and the ratio of the medians; without the peer's, those alone. */
export function compared(
  name: string,
  unit: string,
  ours: readonly number[],
  more: {
    readonly peer?: string;
    readonly theirs?: readonly number[] | undefined;
    readonly aim?: AimId;
    readonly note?: string;
  } = {},
): Row {
  const { peer, theirs, aim, note } = more;
  const isBeside = theirs !== undefined && theirs.length > 0;
  return {
    ...row(name, median(ours), unit, peer, isBeside ? median(theirs) : undefined),
    ...(ours.length > 1 ? { spread: spread(ours) } : {}),
    ...(isBeside && theirs.length > 1 ? { peerSpread: spread(theirs) } : {}),
    ...(aim === undefined ? {} : { aim }),
    ...(note === undefined ? {} : { note }),
  };
}

/** The number at or below which that part of all are; NaN of none. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** The middle one; of an even number of them, half-way between the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? Number.NaN) + upper) / 2;
}

/** The least and the greatest. */
export function spread(numbers: readonly number[]): Spread {
  return [Math.min(...numbers), Math.max(...numbers)];
}

/** Points of the part of all that are at or below each, in per cent: at most `most` of them. */
export function distribution(numbers: readonly number[], most = 200): [x: number, y: number][] {
  const sorted = [...numbers].sort((a, b) => a - b);
  const step = Math.max(1, sorted.length / most);
  const points: [number, number][] = [];
  for (let at = step; at < sorted.length + step / 2; at += step) {
    const count = Math.min(sorted.length, Math.round(at));
    points.push([sorted[count - 1] as number, (100 * count) / sorted.length]);
  }
  return points;
}

/** A row as bench/results/latest.json has it: whatever there is none of is null. */
export interface JudgedRow {
  readonly name: string;
  readonly value: number | null;
  readonly unit: string;
  readonly peer: string | null;
  readonly peerValue: number | null;
  readonly ratio: number | null;
  readonly aim: string | null;
  /** null: there is no aim, or what it is judged by is missing. */
  readonly met: boolean | null;
  readonly spread: Spread | null;
  readonly peerSpread: Spread | null;
  /** Whether it is of a run with less of everything, which shows that it runs, and no more. */
  readonly quick: boolean;
  readonly note: string | null;
}

/** Judges rows, and adds one for each aim of the benchmarks that none is for. */
export function judgeRows(
  rows: readonly Row[],
  options: { readonly benchmarks: readonly string[]; readonly quick: boolean },
): JudgedRow[] {
  const { benchmarks, quick } = options;
  const judged = rows.map((one): JudgedRow => {
    const { name, unit, peer, peerValue, ratio, aim, spread, peerSpread, note } = one;
    const figure = (number: number | undefined): number | null =>
      number === undefined || !Number.isFinite(number) ? null : number;
    return {
      name,
      value: figure(one.value),
      unit,
      peer: peer ?? null,
      peerValue: figure(peerValue),
      ratio: figure(ratio),
      aim: aim === undefined ? null : aimText(aim),
      met: aim === undefined ? null : (judge(aim, one) ?? null),
      spread: spread ?? null,
      peerSpread: peerSpread ?? null,
      quick,
      note: note ?? null,
    };
  });
  const has = new Set(rows.map(({ aim }) => aim));
  const missing = aimsOf(benchmarks).filter((id) => !has.has(id));
  return [...judged, ...missing.map((id) => missingRow(id, quick))];
}

function missingRow(id: AimId, quick: boolean): JudgedRow {
  const aim: { what: string; unit?: string; peer?: string } = AIMS[id];
  return {
    name: aim.what,
    value: null,
    unit: aim.unit ?? '',
    peer: aim.peer ?? null,
    peerValue: null,
    ratio: null,
    aim: aimText(id),
    met: null,
    spread: null,
    peerSpread: null,
    quick,
    note: 'not measured',
  };
}
