/**
 * `npm run interop [-- GROUP…]`: the suites against other people's programs. Installs what a group needs from Debian's
 * packages when it may (root, apt-get), says what is missing when it may not; with CI=true, and for a group that was asked for by
 * name, missing means failed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPackages } from './lib/packages.js';
import { GROUPS, TOOLS } from './lib/tools.js';
import { failuresOf, type VitestReport } from './lib/vitest-report.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const ci = process.env['CI'] === 'true';

function present(path: string): boolean {
  return existsSync(path);
}

function missingFor(groups: readonly string[]): { group: string; tool: string; package: string }[] {
  return groups.flatMap((group) =>
    (GROUPS[group] ?? []).flatMap((tool) => {
      const { path, debian } = TOOLS[tool] as (typeof TOOLS)[string];
      return present(path) ? [] : [{ group, tool, package: debian }];
    }),
  );
}

const asked = process.argv.slice(2);
const known = Object.keys(GROUPS);
const unknown = asked.filter((group) => !known.includes(group));
if (unknown.length > 0) {
  console.error(`no such group: ${unknown.join(', ')}; there are ${known.join(', ')}`);
  process.exit(2);
}
let groups = asked.length > 0 ? asked : known;

const wanted = missingFor(groups);
if (wanted.length > 0) installPackages([...new Set(wanted.map((tool) => tool.package))]);
const missing = missingFor(groups);
for (const { group, tool, package: debian } of missing) {
  console.error(`group ${group} needs ${tool}: apt-get install ${debian}`);
}
if (missing.length > 0) {
  // with no group left, vitest would run them all
  if (ci || asked.length > 0) {
    console.log(`0 passed, ${missing.length} failed`);
    process.exit(1);
  }
  groups = groups.filter((group) => !missing.some((tool) => tool.group === group));
}

/** The suites of a folder, by their paths from the project's own. */
function suitesIn(folder: string): string[] {
  const path = join(here, '..', folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => `${folder}${file}`);
}

const hasTests = (group: string): boolean => suitesIn(`interop/${group}/`).length > 0;
const empty = groups.filter((group) => !hasTests(group));
for (const group of empty) console.error(`group ${group} has no tests`);
/** They tell times to whoever reads the log, or are there to show that something takes no long time. */
const ALONE = [
  'interop/latency/latency.test.ts',
  'interop/store/scale.test.ts',
  'interop/store/silent-server.test.ts',
];

interface Totals {
  readonly passed: number;
  readonly failed: number;
  /** What failed and why, for the end of a log of thousands of lines. */
  readonly failures: readonly string[];
}

/** Runs suites, two at a time or one after the other. */
function runSuites(which: readonly string[], options: readonly string[]): Totals {
  if (which.length === 0) return { passed: 0, failed: 0, failures: [] };
  const report = join(tmpdir(), `zoneseal-interop-${process.pid}.json`);
  const vitest = spawnSync(
    process.execPath,
    [
      join(here, '../node_modules/vitest/vitest.mjs'),
      'run',
      '--config',
      join(here, 'vitest.config.ts'),
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...options,
      ...which,
    ],
    { stdio: 'inherit' },
  );
  const exit = vitest.status === 0 ? 0 : 1;
  if (!existsSync(report)) return { passed: 0, failed: exit, failures: [] };
  const totals = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  rmSync(report);
  // in CI a test that was skipped has not shown what it is there to show
  const skipped = ci ? totals.numPendingTests : 0;
  return {
    passed: totals.numPassedTests,
    failed: Math.max(exit, totals.numFailedTests) + skipped,
    failures: failuresOf(totals),
  };
}

const folders = groups.filter(hasTests).map((group) => `interop/${group}/`);
const isAlone = (folder: string): boolean => !suitesIn(folder).some((suite) => !ALONE.includes(suite));
const together = runSuites(
  folders.filter((folder) => !isAlone(folder)),
  ALONE.map((suite) => `--exclude=${suite}`),
);
const alone = runSuites(
  ALONE.filter((suite) => folders.some((folder) => suite.startsWith(folder))),
  ['--no-file-parallelism'],
);
const passed = together.passed + alone.passed;
const failed = together.failed + alone.failed + empty.length;
for (const failure of [...together.failures, ...alone.failures]) console.log(failure);
if (missing.length > 0)
  console.log(`left out for want of programs: ${[...new Set(missing.map((m) => m.group))].join(', ')}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
