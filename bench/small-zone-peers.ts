import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../interop/lib/ports.js';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { RunningProgram, temporaryFolder, waitUntil } from '../interop/lib/processes.js';
import type { SecondaryKey } from '../interop/lib/secondary.js';
import { toolPath } from '../interop/lib/tools.js';
import { PowerDns } from './powerdns.js';
import { loadPowerDns, sharePowerDnsKeys } from './small-zone-data.js';

/** A server that has the small zones. */
export interface SmallZoneServer {
  readonly program: RunningProgram;
  readonly port: number;
}

/** PowerDNS that signs the small zones while it answers, with one key that all share; its defaults otherwise. */
export async function startPowerDns(
  postgres: TestPostgres,
  database: string,
  zones: readonly string[],
): Promise<SmallZoneServer> {
  const powerDns = await PowerDns.prepare(postgres, database);
  loadPowerDns(postgres, database, zones.length);
  await powerDns.util('secure-zone', (zones[0] as string).replace(/\.$/, ''));
  sharePowerDnsKeys(postgres, database);
  return { program: await powerDns.start(), port: powerDns.port };
}

/**
 * Knot DNS that has nothing yet and takes the zones from a primary; `whole` resolves to the seconds until it has all.
 * @param key what transfers from it may be signed with
 */
export async function startKnotSecondary(
  primary: number,
  zones: readonly string[],
  key?: SecondaryKey,
): Promise<SmallZoneServer & { readonly whole: (timeoutSeconds: number) => Promise<number> }> {
  const folder = temporaryFolder('knotd');
  const port = await freePort();
  const log = join(folder, 'log');
  const lines = [
    `server:\n    listen: 127.0.0.1@${port}\n    rundir: "${folder}"`,
    `database:\n    storage: "${folder}"`,
    `log:\n  - target: "${log}"\n    any: info`,
    `remote:\n  - id: primary\n    address: 127.0.0.1@${primary}`,
    ...(key === undefined
      ? []
      : [`key:\n  - id: ${key.name}\n    algorithm: ${key.algorithm}\n    secret: ${key.secret}`]),
    'acl:\n  - id: copies\n    address: 127.0.0.0/8\n    action: transfer',
    ...(key === undefined ? [] : [`  - id: signed\n    key: ${key.name}\n    action: transfer`]),
    // in memory alone
    `template:\n  - id: default\n    storage: "${folder}"\n    master: primary`,
    `    acl: [${key === undefined ? 'copies' : 'copies, signed'}]`,
    '    zonefile-load: none\n    zonefile-sync: -1\n    journal-content: none',
    'zone:',
    ...zones.map((zone) => `  - domain: ${zone}`),
  ];
  writeFileSync(join(folder, 'knot.conf'), `${lines.join('\n')}\n`);
  const begun = performance.now();
  const program = RunningProgram.start({
    name: 'Knot DNS',
    path: toolPath('knotd'),
    args: ['-c', join(folder, 'knot.conf')],
    cwd: folder,
  });
  await waitUntil('knotd has no log', () => canRead(log));
  const counter = new LineCounter(log, 'AXFR, incoming, remote');
  const whole = async (timeoutSeconds: number): Promise<number> => {
    const count = (): string => `knotd has ${counter.count} of ${zones.length} zones`;
    await waitUntil(count, () => program.hasEnded || counter.look() >= zones.length, timeoutSeconds * 1000);
    if (program.hasEnded) throw new Error(`knotd ended:\n${program.log.slice(-2000)}`);
    return (performance.now() - begun) / 1000;
  };
  return { program, port, whole };
}

function canRead(file: string): boolean {
  try {
    closeSync(openSync(file, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Counts the transfers that a growing log says are finished. */
class LineCounter {
  readonly #file: number;
  readonly #start: string;
  readonly #buffer = Buffer.alloc(2 ** 20);
  #rest = '';
  count = 0;

  constructor(file: string, start: string) {
    this.#file = openSync(file, 'r');
    this.#start = start;
  }

  look(): number {
    for (;;) {
      const octets = readSync(this.#file, this.#buffer);
      if (octets === 0) return this.count;
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, octets)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) if (line.includes(this.#start) && line.includes('finished')) this.count++;
    }
  }
}
