import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadWarning, type Machine } from './machine.js';
import { resultsPage } from './page.js';
import { type JudgedRow, judgeRows, type Row, type Series } from './rows.js';
import { loadsText, metText, numberText, spreadText } from './text.js';

/** A whole run, or one so far. */
export interface Run {
  readonly machine: Machine;
  /** The benchmarks that were to give rows. */
  readonly benchmarks: readonly string[];
  readonly quick: boolean;
  readonly rows: readonly Row[];
  readonly series: readonly Series[];
}

const FOLDER = fileURLToPath(new URL('./results/', import.meta.url));

/** Writes bench/results/latest.json, and beside it the page and what is known of the machine. */
export function writeResults(run: Run): void {
  const rows = judgeRows(run.rows, run);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'latest.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
  const { machine, quick, series } = run;
  writeFileSync(join(FOLDER, 'machine.json'), `${JSON.stringify(machine, undefined, 2)}\n`);
  writeFileSync(join(FOLDER, 'latest.html'), resultsPage({ machine, quick, rows, series }));
}

/** Prints the table: the aims, what falls short of them, all other figures, and the machine. */
export function printResults(run: Run): void {
  const { machine, quick } = run;
  const rows = judgeRows(run.rows, run);
  const aims = rows.filter(({ aim }) => aim !== null);
  const others = rows.filter(({ aim }) => aim === null);
  const lines: string[] = [
    `${machine.cpu}, ${machine.cores} cores, load ${loadsText(machine.loadAtStart)} at the start, ${loadsText(machine.loadAtEnd)} at the end`,
  ];
  const versions = Object.entries(machine.versions).map(([program, version]) => `${program} ${version}`);
  lines.push(versions.join(', '));
  const warning = loadWarning(machine.loadAtStart);
  if (warning !== undefined) lines.push(warning);
  if (quick) lines.push('--quick: less of everything, which shows that it runs; figures mean little');
  lines.push(
    '',
    ...table(['', 'median', 'spread', 'beside', 'ratio', 'aim', ''], aims.map(aimCells)),
    '',
    ...table(['', 'median', 'spread', 'beside', 'ratio'], others.map(cells)),
    '',
    ...shortfalls(aims),
    `in ${join(FOLDER, 'latest.json')} and, with plots, ${join(FOLDER, 'latest.html')}`,
  );
  console.log(lines.join('\n'));
}

function shortfalls(aims: readonly JudgedRow[]): string[] {
  const short = aims.filter(({ met }) => met === false);
  const unknown = aims.filter(({ met }) => met === null);
  const met = aims.length - short.length - unknown.length;
  return [
    `${met} of ${aims.length} rows meet their aims`,
    ...short.map(
      ({ name, aim, ratio, value }) =>
        `  falls short: ${name}: ${ratio === null ? numberText(value) : `ratio ${numberText(ratio)}`}, to be ${aim}`,
    ),
    ...unknown.map(({ name, aim, note }) => `  not judged (${note ?? 'no peer'}): ${name}, to be ${aim}`),
  ];
}

function cells({ name, value, unit, spread, peer, peerValue, peerSpread, ratio }: JudgedRow): string[] {
  const beside =
    peer === null || peerValue === null
      ? ''
      : `${peer} ${numberText(peerValue)}${peerSpread === null ? '' : ` (${spreadText(peerSpread)})`}`;
  return [
    name,
    value === null ? '-' : `${numberText(value)} ${unit}`,
    spread === null ? '' : spreadText(spread),
    beside,
    ratio === null ? '' : numberText(ratio),
  ];
}

function aimCells(one: JudgedRow): string[] {
  return [...cells(one), one.aim ?? '', metText(one.met)];
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
