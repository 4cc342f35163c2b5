import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TOOLS } from '../interop/lib/tools.js';

/** One figure, and what it is beside: another program's, or Zoneseal's own on another zone, in the same run. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly peerValue?: number;
  /** value / peerValue, unless that is 0. */
  readonly ratio?: number;
}

/** A row with its ratio; without a peer's value, the figure alone. */
export function row(name: string, value: number, unit: string, peer?: string, peerValue?: number): Row {
  if (peer === undefined || peerValue === undefined) return { name, value, unit };
  if (peerValue === 0) return { name, value, unit, peer, peerValue };
  return { name, value, unit, peer, peerValue, ratio: value / peerValue };
}

/** The number below or at which that part of all are; NaN of none. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** The middle one. */
export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

/** The least and the greatest, as text. */
export function spread(numbers: readonly number[]): string {
  return `${Math.min(...numbers).toFixed(2)}–${Math.max(...numbers).toFixed(2)}`;
}

/** Tells how far a run has come. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The Debian packages of tools that are not here. */
function missing(tools: readonly string[]): string[] {
  const lacking = tools.map((tool) => TOOLS[tool]).filter((tool) => !existsSync(tool?.path ?? ''));
  return [...new Set(lacking.map((tool) => tool?.debian ?? ''))];
}

/** @throws Error that says how to install what is missing */
export function needTools(...tools: string[]): void {
  const packages = missing(tools);
  if (packages.length > 0) throw new Error(`not installed: apt-get install ${packages.join(' ')}`);
}

/** Whether a peer can run; says how to install it when it cannot. */
export function hasPeer(name: string, ...tools: string[]): boolean {
  const packages = missing(tools);
  if (packages.length > 0)
    say(`${name} is left out, it is not installed: apt-get install ${packages.join(' ')}`);
  return packages.length === 0;
}

/** Prints rows as a table, and writes them to bench/results/latest.json. */
export function report(rows: readonly Row[]): void {
  const load = loadavg()
    .map((value) => value.toFixed(1))
    .join(' ');
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}, load at the end ${load}`,
  );
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, unit, peer, peerValue, ratio } of rows) {
    const beside =
      peerValue === undefined
        ? ''
        : `  ${peer} ${text(peerValue)} ${unit}, ratio ${ratio?.toFixed(2) ?? '-'}`;
    console.log(`${name.padEnd(width)} ${text(value).padStart(10)} ${unit}${beside}`);
  }
  const folder = fileURLToPath(new URL('./results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
}

function text(value: number): string {
  return value.toFixed(Number.isInteger(value) || value >= 1000 ? 0 : 2);
}
