import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { freePort } from '../interop/lib/ports.js';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { RunningProgram, runWell, temporaryFolder } from '../interop/lib/processes.js';
import { toolPath } from '../interop/lib/tools.js';
import { fetchZone } from './client.js';
import type { LabZone } from './lab.js';
import { type Measured, processStatus } from './measure.js';
import { during } from './progress.js';
import { ZONE } from './zone.js';

const SCHEMA = '/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql';

/** A PowerDNS that signs while it answers, on a database of its own in a PostgreSQL; not started yet. */
export class PowerDns {
  readonly database: string;
  readonly port: number;
  readonly #folder: string;
  #program: RunningProgram | undefined;

  private constructor(database: string, port: number, folder: string) {
    this.database = database;
    this.port = port;
    this.#folder = folder;
  }

  /** Makes the database with the package's schema, and a configuration. @param settings lines beside those it needs */
  static async prepare(
    postgres: TestPostgres,
    database: string,
    settings: readonly string[] = [],
  ): Promise<PowerDns> {
    const folder = temporaryFolder('pdns');
    const port = await freePort();
    postgres.createDatabase(database);
    await runWell('/bin/sh', ['-c', `chmod 755 ${folder}`]);
    postgres.psql(`\\i ${SCHEMA}`, database);
    const lines = [
      'local-address=127.0.0.1',
      `local-port=${port}`,
      `socket-dir=${folder}`,
      'launch=gpgsql',
      'gpgsql-host=127.0.0.1',
      `gpgsql-port=${postgres.port}`,
      `gpgsql-dbname=${database}`,
      'gpgsql-user=postgres',
      'gpgsql-dnssec=yes',
      'allow-axfr-ips=127.0.0.0/8',
      'max-tcp-connections=200',
      'security-poll-suffix=',
      ...settings,
    ];
    writeFileSync(join(folder, 'pdns.conf'), `${lines.join('\n')}\n`);
    return new PowerDns(database, port, folder);
  }

  /** Runs pdnsutil. */
  async util(...args: string[]): Promise<void> {
    await runWell(toolPath('pdnsutil'), [`--config-dir=${this.#folder}`, ...args]);
  }

  async start(): Promise<RunningProgram> {
    const program = RunningProgram.start({
      name: 'PowerDNS',
      path: toolPath('pdns_server'),
      args: [
        `--config-dir=${this.#folder}`,
        '--daemon=no',
        '--guardian=no',
        '--disable-syslog',
        '--loglevel=4',
      ],
      cwd: this.#folder,
    });
    this.#program = program;
    await program.waitUntil('running', () => program.log.includes('ready to distribute questions'));
    return program;
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
  }
}

/** PowerDNS with the large zone, a KSK and a ZSK of algorithm 13 and NSEC; what is returned has it sign the zone for one AXFR, just started. */
export async function prepareLargeZone(
  postgres: TestPostgres,
  zone: LabZone,
): Promise<() => Promise<Measured>> {
  const powerDns = await PowerDns.prepare(postgres, `pdns_${zone.names}`, ['signing-threads=2']);
  await during('PowerDNS loads the zone', () => loadZone(postgres, powerDns.database, zone.file));
  const name = ZONE.replace(/\.$/, '');
  await powerDns.util('add-zone-key', name, 'ksk', 'active', 'ecdsa256');
  await powerDns.util('add-zone-key', name, 'zsk', 'active', 'ecdsa256');
  postgres.psql('vacuum analyze', powerDns.database);
  return async () => {
    const program = await powerDns.start();
    try {
      const pid = program.pid as number;
      const before = processStatus(pid)?.cpuSeconds ?? 0;
      const fetched = await fetchZone(powerDns.port, ZONE);
      if (fetched === undefined)
        throw new Error(`PowerDNS does not send the zone:\n${program.log.slice(-2000)}`);
      // with NSEC and signatures there are some three times as many
      if (fetched.records < 2 * zone.records) throw new Error('PowerDNS does not sign the zone');
      const status = processStatus(pid);
      return {
        seconds: fetched.milliseconds / 1000,
        cpuSeconds: (status?.cpuSeconds ?? 0) - before,
        peakMegabytes: status?.peakMegabytes ?? 0,
      };
    } finally {
      await powerDns.stop();
    }
  };
}

/** Puts the benchmarks' zone into PowerDNS's schema as `pdnsutil load-zone` and `rectify-zone` would leave it. */
async function loadZone(postgres: TestPostgres, database: string, file: string): Promise<void> {
  const client = new pg.Client(`postgres://postgres@127.0.0.1:${postgres.port}/${database}`);
  await client.connect();
  try {
    const name = ZONE.replace(/\.$/, '');
    const { rows } = await client.query<{ id: number }>(
      "insert into domains (name, type) values ($1, 'NATIVE') returning id",
      [name],
    );
    const id = rows[0]?.id as number;
    const into = client.query(
      copyFrom('copy records (domain_id, name, type, content, ttl, prio, ordername, auth) from stdin'),
    );
    await pipeline(Readable.from(copyLines(createReadStream(file, 'utf8'), id)), into);
  } finally {
    await client.end();
  }
}

/** Master-file lines as `zoneLines` writes them, as rows of `records` for COPY. Every name is a child of the apex. */
async function* copyLines(file: AsyncIterable<string>, domain: number): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of file) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield lines.map((line) => copyLine(line, domain)).join('');
  }
}

function copyLine(line: string, domain: number): string {
  const [owner = '', ttl = '', , type = '', data = ''] = line.split('\t');
  const name = owner.slice(0, -1);
  const [prio, content] =
    type === 'MX' ? [data.slice(0, data.indexOf(' ')), data.slice(data.indexOf(' ') + 1)] : ['0', data];
  const isApex = owner === ZONE;
  // names within data lose the dot at their end, as its own tools have it
  const plain = type === 'TXT' ? content : content.replaceAll(/\.(?= |$)/g, '');
  const label = isApex ? '' : owner.slice(0, owner.indexOf('.'));
  const auth = isApex || type !== 'NS' ? 't' : 'f';
  return `${domain}\t${name}\t${type}\t${plain}\t${ttl}\t${prio}\t${label}\t${auth}\n`;
}
