import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { TOOLS } from '../interop/lib/tools.js';

/** Where and with what a run was made. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly kernel: string;
  readonly startedAt: string;
  /** Load averages of 1, 5 and 15 minutes. */
  readonly loadAtStart: readonly number[];
  readonly loadAtEnd: readonly number[];
  /** Programs and what they say their version is. */
  readonly versions: Readonly<Record<string, string>>;
}

const ASKED: readonly (readonly [name: string, tool: string, args: readonly string[]])[] = [
  ['PostgreSQL', 'postgres', ['--version']],
  ['openssl', 'openssl', ['version']],
  ['kzonesign', 'kzonesign', ['--version']],
  ['knotd', 'knotd', ['--version']],
  ['ldns-signzone', 'ldns-signzone', ['-v']],
  ['PowerDNS', 'pdns_server', ['--version']],
];

/** Looks at the machine before a run; what is returned looks at its load once more. */
export function lookAtMachine(): () => Machine {
  const [first] = cpus();
  const at = new Date().toISOString();
  const loadAtStart = loadavg();
  const versions: Record<string, string> = {
    Zoneseal: packageVersion(),
    'Node.js': process.version.slice(1),
    'OpenSSL of Node.js': process.versions.openssl ?? '',
  };
  for (const [name, tool, args] of ASKED) {
    const version = versionOf(TOOLS[tool]?.path ?? tool, args);
    if (version !== undefined) versions[name] = version;
  }
  return () => ({
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGigabytes: totalmem() / 2 ** 30,
    kernel: release(),
    startedAt: at,
    loadAtStart,
    loadAtEnd: loadavg(),
    versions,
  });
}

/** Why the figures of a run are not to be relied on, if the machine did other things as it began; else undefined. */
export function loadWarning(loadAtStart: readonly number[]): string | undefined {
  const [load = 0] = loadAtStart;
  if (load <= 1) return undefined;
  return `the load was ${load.toFixed(1)} at the start: the machine did other things, and the figures are not to be relied on`;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function versionOf(path: string, args: readonly string[]): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    // some say it on standard error
    const said = execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1 || true', path, ...args], {
      encoding: 'utf8',
      timeout: 10_000,
    });
    return /[0-9]+\.[0-9]+(?:\.[0-9a-z]+)*/.exec(said)?.[0];
  } catch {
    return undefined;
  }
}
