import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../interop/lib/ports.js';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { RunningProgram, runWell, temporaryFolder, waitUntil } from '../interop/lib/processes.js';
import { TOOLS } from '../interop/lib/tools.js';
import { loadPowerDns, sharePowerDnsKeys } from './small-zone-data.js';

/** A server that has the small zones. */
export interface SmallZoneServer {
  readonly program: RunningProgram;
  readonly port: number;
}

const pathOf = (tool: string): string => TOOLS[tool]?.path ?? tool;
const PDNS_SCHEMA = '/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql';

/** PowerDNS that signs while it answers, on a database of its own in the same PostgreSQL. */
export async function startPowerDns(
  postgres: TestPostgres,
  database: string,
  zones: readonly string[],
): Promise<SmallZoneServer> {
  const folder = temporaryFolder('pdns');
  const port = await freePort();
  postgres.createDatabase(database);
  await runWell('/bin/sh', ['-c', `chmod 755 ${folder}`]);
  postgres.psql(`\\i ${PDNS_SCHEMA}`, database);
  loadPowerDns(postgres, database, zones.length);
  writeFileSync(
    join(folder, 'pdns.conf'),
    `local-address=127.0.0.1
local-port=${port}
socket-dir=${folder}
launch=gpgsql
gpgsql-host=127.0.0.1
gpgsql-port=${postgres.port}
gpgsql-dbname=${database}
gpgsql-user=postgres
gpgsql-dnssec=yes
allow-axfr-ips=127.0.0.0/8
max-tcp-connections=200
security-poll-suffix=
`,
  );
  const first = (zones[0] as string).replace(/\.$/, '');
  await runWell(pathOf('pdnsutil'), [`--config-dir=${folder}`, 'secure-zone', first]);
  sharePowerDnsKeys(postgres, database);
  const program = RunningProgram.start({
    name: 'PowerDNS',
    path: pathOf('pdns_server'),
    args: [`--config-dir=${folder}`, '--daemon=no', '--guardian=no', '--disable-syslog', '--loglevel=4'],
    cwd: folder,
  });
  await program.waitUntil('running', () => program.log.includes('ready to distribute questions'));
  return { program, port };
}

/** Knot DNS that has nothing yet and takes the zones from a primary; `whole` resolves to the seconds until it has all. */
export async function startKnotSecondary(
  primary: number,
  zones: readonly string[],
): Promise<SmallZoneServer & { readonly whole: (timeoutSeconds: number) => Promise<number> }> {
  const folder = temporaryFolder('knotd');
  const port = await freePort();
  const log = join(folder, 'log');
  const lines = [
    `server:\n    listen: 127.0.0.1@${port}\n    rundir: "${folder}"`,
    `database:\n    storage: "${folder}"`,
    `log:\n  - target: "${log}"\n    any: info`,
    `remote:\n  - id: primary\n    address: 127.0.0.1@${primary}`,
    'acl:\n  - id: copies\n    address: 127.0.0.0/8\n    action: transfer',
    // in memory alone
    `template:\n  - id: default\n    storage: "${folder}"\n    master: primary\n    acl: copies`,
    '    zonefile-load: none\n    zonefile-sync: -1\n    journal-content: none',
    'zone:',
    ...zones.map((zone) => `  - domain: ${zone}`),
  ];
  writeFileSync(join(folder, 'knot.conf'), `${lines.join('\n')}\n`);
  const begun = performance.now();
  const program = RunningProgram.start({
    name: 'Knot DNS',
    path: pathOf('knotd'),
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
