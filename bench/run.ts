/**
 * `npm run bench`: the 100,000-name zone from PostgreSQL to the last byte at a client, beside ldns-signzone and kzonesign in
 * the same run. `-- --names N` for another size, `--rounds N` for more rounds. Prints a table; writes bench/results/latest.json.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import { TOOLS } from '../interop/lib/tools.js';
import { type Fetched, fetchZone } from './client.js';
import { type Measured, processStatus } from './measure.js';
import { knot, ldns, type Peer } from './peers.js';
import { writeZone } from './zone.js';

const ZONE = 'bench.example.';
const { values } = parseArgs({
  options: { names: { type: 'string', default: '100000' }, rounds: { type: 'string', default: '3' } },
});
const names = Number(values.names);
const rounds = Number(values.rounds);

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly peerValue?: number;
  readonly ratio?: number;
}

interface ColdRun extends Measured {
  readonly fetched: Fetched;
}

for (const tool of ['ldns-signzone', 'kzonesign', 'keymgr', 'postgres', 'openssl']) {
  const { path, debian } = TOOLS[tool] as (typeof TOOLS)[string];
  if (!existsSync(path)) throw new Error(`${tool} is missing: apt-get install ${debian}`);
}

const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
};
const spread = (numbers: readonly number[]): string =>
  `${Math.min(...numbers).toFixed(2)}–${Math.max(...numbers).toFixed(2)}`;

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A gateway on a database of its own with the zone imported and keyed, but not served yet; the seconds of the import. */
async function prepare(
  postgres: TestPostgres,
  database: string,
  file: string,
  denial: string,
): Promise<{ gateway: GatewayProcess; importSeconds: number }> {
  const url = postgres.createDatabase(database);
  const gateway = await GatewayProcess.prepare({
    config: { database: { url }, open: [{ range: '127.0.0.0/8', view: 'bench' }] },
  });
  await gateway.command(['migrate']);
  await gateway.command(['view', 'add', 'bench']);
  await gateway.command(['policy', 'set', 'default', `denial=${denial}`]);
  const begun = performance.now();
  await gateway.command(['zone', 'import', file, '--zone', ZONE]);
  const importSeconds = (performance.now() - begun) / 1000;
  await gateway.command(['keys', 'generate', ZONE]);
  return { gateway, importSeconds };
}

/** From the commit that makes the zone served to the last byte at a client, nothing signed before. */
async function cold(postgres: TestPostgres, database: string, gateway: GatewayProcess): Promise<ColdRun> {
  const cpuBefore = processStatus(gateway.pid as number)?.cpuSeconds ?? 0;
  const begun = performance.now();
  postgres.psql(
    `insert into zoneseal.zone_views (zone_id, view) values (zoneseal.zone_id('${ZONE}'), 'bench')`,
    database,
  );
  for (let tries = 0; tries < 1000; tries++) {
    const fetched = await fetchZone(gateway.target.port, ZONE);
    if (fetched !== undefined) {
      const seconds = (performance.now() - begun) / 1000;
      const status = processStatus(gateway.pid as number);
      return {
        fetched,
        seconds,
        cpuSeconds: (status?.cpuSeconds ?? 0) - cpuBefore,
        ...(status === undefined ? {} : { peakMegabytes: status.peakMegabytes }),
      };
    }
    await sleep(10);
  }
  throw new Error('the zone was never served');
}

/** Signatures a second of `openssl speed`, on as many cores as there are: a control that must come out as known. */
function bound(): number {
  const out = execFileSync(
    'openssl',
    ['speed', '-seconds', '2', '-multi', String(cpus().length), 'ecdsap256'],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const rate = /([0-9.]+)\s+[0-9.]+\s*$/m.exec(out.trim());
  return Number(rate?.[1] ?? Number.NaN);
}

const folder = temporaryFolder('bench');
const file = join(folder, 'bench.zone');
const rows: Row[] = [];
const postgres = await startPostgres({ durable: true });
try {
  say(`zone of ${names} names, ${rounds} rounds`);
  await writeZone(file, ZONE, names);
  for (const denial of ['nsec', 'nsec3'] as const) {
    const peers = new Map<Peer, { run: () => Promise<Measured>; results: Measured[] }>();
    for (const peer of [ldns, knot]) {
      peers.set(peer, {
        run: peer.prepare(join(folder, `${peer.name}-${denial}`), ZONE, file, denial),
        results: [],
      });
    }
    const colds: ColdRun[] = [];
    const warm: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const database = `bench_${denial}_${round}`;
      const { gateway, importSeconds } = await prepare(postgres, database, file, denial);
      try {
        await gateway.serve();
        const result = await cold(postgres, database, gateway);
        colds.push(result);
        const again = await fetchZone(gateway.target.port, ZONE);
        warm.push((again as Fetched).milliseconds / 1000);
        say(
          `  ${denial} round ${round + 1}: import ${importSeconds.toFixed(1)} s, cold ${result.seconds.toFixed(2)} s, first message ${result.fetched.firstMessage.toFixed(0)} ms`,
        );
        if (denial === 'nsec' && round === 0)
          rows.push({ name: 'import of the master file', value: importSeconds, unit: 's' });
      } finally {
        await gateway.remove();
      }
      for (const [peer, { run, results }] of peers) {
        const result = await run();
        results.push(result);
        say(`  ${denial} round ${round + 1}: ${peer.name} ${result.seconds.toFixed(2)} s`);
      }
    }
    const seconds = colds.map((result) => result.seconds);
    for (const [peer, { results }] of peers) {
      const theirs = results.map((result) => result.seconds);
      const [value, peerValue] = [median(seconds), median(theirs)];
      rows.push({
        name: `cold, database to client, ${denial} (${spread(seconds)}; ${peer.name} ${spread(theirs)})`,
        value,
        unit: 's',
        peer: peer.name,
        peerValue,
        ratio: value / peerValue,
      });
      const cpu = median(colds.map((result) => result.cpuSeconds));
      const peerCpu = median(results.map((result) => result.cpuSeconds));
      rows.push({
        name: `CPU of the gateway, ${denial}`,
        value: cpu,
        unit: 's',
        peer: peer.name,
        peerValue: peerCpu,
        ratio: cpu / peerCpu,
      });
    }
    rows.push(
      {
        name: `first message of the cold transfer, ${denial}`,
        value: median(colds.map((r) => r.fetched.firstMessage)),
        unit: 'ms',
      },
      {
        name: `peak memory of the gateway, ${denial}`,
        value: median(colds.map((r) => r.peakMegabytes ?? 0)),
        unit: 'MB',
      },
      { name: `signed already, to the client, ${denial}`, value: median(warm), unit: 's' },
    );
  }
  rows.push({
    name: `control: openssl speed, P-256 on ${cpus().length} cores`,
    value: bound(),
    unit: 'signatures/s',
  });
} finally {
  postgres.remove();
  removeFolder(folder);
}

console.log(
  `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
);
for (const { name, value, unit, peer, ratio, peerValue } of rows) {
  const beside =
    peer === undefined ? '' : `  ${peer} ${peerValue?.toFixed(2)} ${unit}, ratio ${ratio?.toFixed(2)}`;
  console.log(`${name.padEnd(76)} ${value.toFixed(2).padStart(9)} ${unit}${beside}`);
}
const results = fileURLToPath(new URL('./results/', import.meta.url));
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'latest.json'), `${JSON.stringify(rows, undefined, 2)}\n`);
