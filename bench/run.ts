/**
 * `npm run bench -- [cold|changes|small-zones|shapes]…`, without a name all of them. Prints a table; writes bench/results/latest.json.
 * What each measures, and its options: docs/performance.md.
 */
import { parseArgs } from 'node:util';
import { changes } from './changes.js';
import { cold } from './cold.js';
import { type Row, report } from './report.js';
import { shapes } from './shapes.js';
import { smallZones } from './small-zones.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    names: { type: 'string' },
    rounds: { type: 'string' },
    changes: { type: 'string' },
    zones: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});
const { quick, profile } = values;

function count(option: 'names' | 'rounds' | 'changes' | 'zones', usual: number, least = 1): number {
  const given = values[option];
  const number = given === undefined ? usual : Number(given);
  if (Number.isInteger(number) && number >= least) return number;
  throw new Error(`--${option} ${given}: give a whole number, ${least} or more`);
}

const benchmarks: Readonly<Record<string, () => Promise<Row[]>>> = {
  cold: () =>
    cold({ names: count('names', quick ? 10_000 : 100_000), rounds: count('rounds', quick ? 1 : 3) }),
  changes: () =>
    changes({
      names: count('names', quick ? 10_000 : 100_000, 1000),
      rounds: count('rounds', 1),
      changes: count('changes', quick ? 30 : 200, 3),
    }),
  shapes: () => shapes({ signatures: quick ? 20_000 : 225_000 }),
  'small-zones': () => smallZones({ zones: count('zones', quick ? 1000 : 10_000, 10), profile }),
};

const wanted = positionals.length === 0 ? Object.keys(benchmarks) : positionals;
const rows: Row[] = [];
for (const name of wanted) {
  const benchmark = benchmarks[name];
  if (benchmark === undefined)
    throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benchmarks).join(', ')}`);
  rows.push(...(await benchmark()));
}
report(rows);
