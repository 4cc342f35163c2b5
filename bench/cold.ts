import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import { type Fetched, fetchZone } from './client.js';
import { type Measured, processStatus } from './measure.js';
import { knot, ldns, type Peer } from './peers.js';
import { hasPeer, median, needTools, type Row, row, say, spread } from './report.js';
import { fetchServed, prepareGateway, SERVE_ALL } from './served.js';
import { writeZone } from './zone.js';

const ZONE = 'bench.example.';

interface ColdOptions {
  readonly names: number;
  readonly rounds: number;
}

interface ColdRun extends Measured {
  readonly fetched: Fetched;
}

/** A large zone from PostgreSQL to the last byte at a client, nothing signed before, beside other signers on the same zone. */
export async function cold({ names, rounds }: ColdOptions): Promise<Row[]> {
  needTools('postgres');
  const peers: Peer[] = [];
  if (hasPeer('ldns-signzone', 'ldns-signzone')) peers.push(ldns);
  if (hasPeer('kzonesign', 'kzonesign', 'keymgr')) peers.push(knot);
  say(`cold: a zone of ${names} names, ${rounds} rounds`);
  const folder = temporaryFolder('bench');
  const postgres = await startPostgres({ durable: true });
  try {
    const file = join(folder, 'bench.zone');
    await writeZone(file, ZONE, names);
    const rows: Row[] = [];
    for (const denial of ['nsec', 'nsec3'] as const) {
      const results = await runRounds(postgres, peers, { folder, file, denial, rounds });
      rows.push(...rowsOf(denial, results));
    }
    if (hasPeer('the control', 'openssl')) {
      rows.push(row(`control: openssl speed, P-256 on ${cpus().length} cores`, bound(), 'signatures/s'));
    }
    return rows;
  } finally {
    postgres.remove();
    removeFolder(folder);
  }
}

interface Results {
  readonly colds: readonly ColdRun[];
  readonly warm: readonly number[];
  readonly imports: readonly number[];
  readonly peers: ReadonlyMap<string, readonly Measured[]>;
}

async function runRounds(
  postgres: TestPostgres,
  peers: readonly Peer[],
  work: {
    readonly folder: string;
    readonly file: string;
    readonly denial: 'nsec' | 'nsec3';
    readonly rounds: number;
  },
): Promise<Results> {
  const { folder, file, denial, rounds } = work;
  const others = peers.map((peer) => ({
    name: peer.name,
    run: peer.prepare(join(folder, `${peer.name}-${denial}`), ZONE, file, denial),
    results: [] as Measured[],
  }));
  const colds: ColdRun[] = [];
  const warm: number[] = [];
  const imports: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const said = `  ${denial} round ${round + 1}:`;
    const database = `bench_${denial}_${round}`;
    const gateway = await prepareGateway(postgres, database, { policy: [`denial=${denial}`] });
    try {
      const begun = performance.now();
      await gateway.command(['zone', 'import', file, '--zone', ZONE]);
      imports.push((performance.now() - begun) / 1000);
      await gateway.command(['keys', 'generate', ZONE]);
      await gateway.serve();
      const result = await runCold(postgres, database, gateway);
      colds.push(result);
      const again = await fetchZone(gateway.target.port, ZONE);
      warm.push((again as Fetched).milliseconds / 1000);
      say(
        `${said} import ${imports.at(-1)?.toFixed(1)} s, cold ${result.seconds.toFixed(2)} s, first message ${result.fetched.firstMessage.toFixed(0)} ms`,
      );
    } finally {
      await gateway.remove();
    }
    for (const { name, run, results } of others) {
      const result = await run();
      results.push(result);
      say(`${said} ${name} ${result.seconds.toFixed(2)} s`);
    }
  }
  return { colds, warm, imports, peers: new Map(others.map(({ name, results }) => [name, results])) };
}

/** From the commit that makes the zone served to the last byte at a client. */
async function runCold(postgres: TestPostgres, database: string, gateway: GatewayProcess): Promise<ColdRun> {
  const before = processStatus(gateway.pid as number)?.cpuSeconds ?? 0;
  const begun = performance.now();
  postgres.psql(SERVE_ALL, database);
  const fetched = await fetchServed(gateway.target.port, ZONE);
  const seconds = (performance.now() - begun) / 1000;
  const status = processStatus(gateway.pid as number);
  return {
    fetched,
    seconds,
    cpuSeconds: (status?.cpuSeconds ?? 0) - before,
    ...(status === undefined ? {} : { peakMegabytes: status.peakMegabytes }),
  };
}

function rowsOf(denial: string, { colds, warm, imports, peers }: Results): Row[] {
  const rows: Row[] = [];
  const seconds = colds.map((result) => result.seconds);
  const cpu = colds.map((result) => result.cpuSeconds);
  const what = `cold, database to client, ${denial}`;
  if (peers.size === 0) rows.push(row(`${what} (${spread(seconds)})`, median(seconds), 's'));
  for (const [peer, results] of peers) {
    const theirs = results.map((result) => result.seconds);
    const name = `${what} (${spread(seconds)}; ${peer} ${spread(theirs)})`;
    rows.push(row(name, median(seconds), 's', peer, median(theirs)));
    const theirCpu = median(results.map((result) => result.cpuSeconds));
    rows.push(row(`cold, CPU of the gateway, ${denial}`, median(cpu), 's', peer, theirCpu));
  }
  const first = colds.map(({ fetched }) => fetched.firstMessage);
  const peak = colds.map(({ peakMegabytes }) => peakMegabytes ?? 0);
  rows.push(
    row(`cold, first message of the transfer, ${denial}`, median(first), 'ms'),
    row(`cold, peak memory of the gateway, ${denial}`, median(peak), 'MB'),
    row(`cold, the same transfer again, signed already, ${denial}`, median(warm), 's'),
    row(`cold, import of the master file, ${denial}`, median(imports), 's'),
  );
  return rows;
}

/** Signatures a second of `openssl speed`, on as many cores as there are: a control that must come out as known. */
function bound(): number {
  const out = execFileSync(
    'openssl',
    ['speed', '-seconds', '2', '-multi', String(cpus().length), 'ecdsap256'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const rate = /([0-9.]+)\s+[0-9.]+\s*$/m.exec(out.trim());
  return Number(rate?.[1] ?? Number.NaN);
}
