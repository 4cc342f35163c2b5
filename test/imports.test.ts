import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
let folder = '';

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What the rules on imports say of a tree of sources. */
function violationsOf(sources: Readonly<Record<string, string>>): string[] {
  folder = mkdtempSync(join(tmpdir(), 'zoneseal-imports-'));
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const program = join(ROOT, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
  const args = ['--config', join(ROOT, '.dependency-cruiser.cjs'), '--output-type', 'json', 'src'];
  const { stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const { summary } = JSON.parse(stdout) as {
    summary: { violations: { from: string; to: string; rule: { name: string } }[] };
  };
  return summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`);
}

it('the verifier may import the protocol, the errors and itself, and nothing of the signer', () => {
  const anything = 'export const x = 1;\n';
  const from = (...paths: string[]): string =>
    paths.map((path, i) => `export { x as x${i} } from '${path}';\n`).join('');
  expect(
    violationsOf({
      'src/dns/name.ts': anything,
      'src/errors.ts': anything,
      'src/log.ts': anything,
      'src/dnssec/nsec.ts': anything,
      'src/zone/node.ts': anything,
      'src/dnssec/verify/report.ts': anything,
      'src/dnssec/verify/good.ts': from('../../dns/name.js', '../../errors.js', './report.js'),
      'src/dnssec/verify/bad.ts': from('../nsec.js', '../../zone/node.js', '../../log.js'),
      'src/dnssec/other.ts': from('./verify/report.js', '../zone/node.js'),
    }).sort(),
  ).toEqual([
    'verifier-stands-alone: src/dnssec/verify/bad.ts -> src/dnssec/nsec.ts',
    'verifier-stands-alone: src/dnssec/verify/bad.ts -> src/log.ts',
    'verifier-stands-alone: src/dnssec/verify/bad.ts -> src/zone/node.ts',
  ]);
});
