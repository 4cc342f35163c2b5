/**
 * `npm run bench -- [BENCHMARK]…`, without a name all of them. Prints a table; writes bench/results/latest.json and latest.html.
 * What each measures, and its options: docs/performance.md.
 */
import { parseArgs } from 'node:util';
import { changes } from './changes.js';
import { clients } from './clients.js';
import { cold, coldProfile } from './cold.js';
import { Control } from './control.js';
import { held } from './held.js';
import { imports } from './imports.js';
import { Lab } from './lab.js';
import { loadWarning, lookAtMachine } from './machine.js';
import { say } from './progress.js';
import { printResults, type Run, writeResults } from './report.js';
import type { Outcome, Row, Series } from './rows.js';
import { scale } from './scale.js';
import { serving } from './serving.js';
import { shapes } from './shapes.js';
import { smallZones } from './small-zones.js';
import { provideTools } from './tools.js';
import { views } from './views.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    names: { type: 'string' },
    rounds: { type: 'string' },
    changes: { type: 'string' },
    zones: { type: 'string' },
    full: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const { quick, profile, full } = values;

function count(option: 'names' | 'rounds' | 'changes' | 'zones', usual: number, least = 1): number {
  const given = values[option];
  const number = given === undefined ? usual : Number(given);
  if (Number.isInteger(number) && number >= least) return number;
  throw new Error(`--${option} ${given}: give a whole number, ${least} or more`);
}

/** Names of the zone that most is measured with. */
const names = count('names', quick ? 10_000 : 100_000, 100);
const rounds = count('rounds', quick ? 2 : 3);
/** Names of the largest zone. */
const most = count('names', quick ? 50_000 : 1_000_000, 100);

/** The smallest to the largest, in steps of ten; the last step is smaller where --quick or --names leave no room. */
function scaleSizes(): number[] {
  const smallest = Math.min(1000, most / 10);
  const sizes = [1, 10, 100].map((factor) => smallest * factor).filter((size) => size < most);
  return [...new Set([...sizes, Math.floor(most / 10), most])].sort((a, b) => a - b);
}

const benchmarks: Readonly<Record<string, (lab: Lab) => Promise<Outcome>>> = {
  cold: (lab) =>
    profile
      ? coldProfile(lab, names)
      : cold(lab, { names, rsaNames: full ? names : Math.ceil(names / 10), rounds }),
  views: (lab) => views(lab, { names, rounds }),
  serving: (lab) => serving(lab, { names, rounds, transfers: quick ? 5 : 15 }),
  clients: (lab) => clients(lab, { names, rounds, clients: 20 }),
  scale: (lab) => scale(lab, { sizes: scaleSizes(), rounds }),
  import: (lab) => imports(lab, { records: quick ? 100_000 : 1_000_000, rounds }),
  changes: (lab) =>
    changes(lab, {
      sizes: [Math.min(most, Math.max(Math.floor(most / 100), 1000)), most],
      rounds: count('rounds', 1),
      changes: count('changes', quick ? 30 : 200, 3),
    }),
  shapes: () => shapes({ signatures: quick ? 20_000 : 225_000 }),
  'small-zones': () => smallZones({ zones: count('zones', quick ? 1000 : 10_000, 10), profile }),
  held: () => held({ zones: count('zones', quick ? 3000 : 100_000, 10), seconds: quick ? 15 : 60 }),
};

const wanted = positionals.length === 0 ? Object.keys(benchmarks) : positionals;
for (const name of wanted) {
  if (benchmarks[name] === undefined)
    throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benchmarks).join(', ')}`);
}

const machine = lookAtMachine();
const warning = loadWarning(machine().loadAtStart);
if (warning !== undefined) say(warning);
provideTools();

/** A profile slows things down: nothing of it is judged. */
function withoutAim(row: Row): Row {
  const rest: { -readonly [field in keyof Row]: Row[field] } = { ...row };
  delete rest.aim;
  return rest;
}

const rows: Row[] = [];
const series: Series[] = [];
const runOf = (done: readonly string[]): Run => ({
  machine: machine(),
  benchmarks: profile ? [] : done,
  quick,
  rows,
  series,
});
const failed: string[] = [];
const control = new Control(quick);
await control.begin();
const lab = await Lab.open();
try {
  for (const [i, name] of wanted.entries()) {
    const begun = performance.now();
    try {
      const outcome = await (benchmarks[name] as (lab: Lab) => Promise<Outcome>)(lab);
      rows.push(...(profile ? outcome.rows.map(withoutAim) : outcome.rows));
      series.push(...(outcome.series ?? []));
    } catch (error) {
      failed.push(name);
      say(`${name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    say(`${name}: ${((performance.now() - begun) / 60_000).toFixed(1)} min`);
    // so that a run that is ended leaves what it has
    writeResults(runOf(wanted.slice(0, i + 1)));
  }
} finally {
  lab.close();
}
rows.unshift(...(await control.finish()));
const run = runOf(['control', ...wanted]);
writeResults(run);
printResults(run);
if (failed.length > 0) {
  say(`failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
