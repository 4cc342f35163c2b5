import { join } from 'node:path';
import pg from 'pg';
import { type Fetched, fetchZone } from './client.js';
import type { Lab, LabGateway, LabZone } from './lab.js';
import { type Measured, MemoryWatch, treeCpuSeconds } from './measure.js';
import { during } from './progress.js';
import { fetchServed, SERVE_ALL, serveIn, VIEW } from './served.js';
import { writeZone, ZONE } from './zone.js';

/** A zone from the database to clients, nothing signed before. */
export interface ColdRun extends Measured {
  /** Of the client that was served first. */
  readonly fetched: Fetched;
  /** CPU seconds of PostgreSQL with all its backends. */
  readonly databaseCpuSeconds: number;
  /** Signatures that were made. */
  readonly signatures: number;
}

/**
 * From the commit that makes the zone served to the last byte at a client, or at the last of several that ask at once.
 * @throws Error when something was signed before
 */
export async function runCold(lab: Lab, { gateway, database }: LabGateway, clients = 1): Promise<ColdRun> {
  const { postgres } = lab;
  const pid = gateway.pid as number;
  const watch = new MemoryWatch(pid);
  try {
    const cpu = (): number => treeCpuSeconds(pid);
    const databaseCpu = (): number => treeCpuSeconds(postgres.pid());
    const before = { gateway: cpu(), database: databaseCpu() };
    const { seconds, result: all } = await onceServed(lab, database, SERVE_ALL, () =>
      during('cold transfer', () =>
        Promise.all(Array.from({ length: clients }, () => fetchServed(gateway.target.port, ZONE))),
      ),
    );
    const cpuSeconds = cpu() - before.gateway;
    const databaseCpuSeconds = databaseCpu() - before.database;
    watch.stop();
    if (new Set(all.map(({ records }) => records)).size !== 1) {
      throw new Error('clients that asked at once got zones of different sizes');
    }
    return {
      fetched: all[0] as Fetched,
      seconds,
      cpuSeconds,
      databaseCpuSeconds,
      peakMegabytes: watch.peakMegabytes,
      memory: watch.points,
      signatures: signaturesMade(lab, database),
    };
  } finally {
    watch.stop();
  }
}

/** Commits SQL that has something served, and does what follows; the seconds of both. */
export async function onceServed<T>(
  { postgres }: Lab,
  database: string,
  sql: string,
  work: () => Promise<T>,
): Promise<{ readonly seconds: number; readonly result: T }> {
  // connected before the clock starts
  const writer = new pg.Client(`postgres://postgres@127.0.0.1:${postgres.port}/${database}`);
  await writer.connect();
  try {
    const begun = performance.now();
    await writer.query(sql);
    const result = await work();
    return { seconds: (performance.now() - begun) / 1000, result };
  } finally {
    await writer.end();
  }
}

/** Signatures of the one publication there is. @throws Error when some of them are older than it */
function signaturesMade(lab: Lab, database: string): number {
  const [made = 0, reused = 0, count = 0] = lab.postgres
    .psql(
      `select p.signatures, p.reused, count(*) over () from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id
       where p.state = 'ready' and z.name = '${ZONE}'`,
      database,
    )
    .trim()
    .split('|')
    .map(Number);
  if (count !== 1 || reused !== 0 || made === 0) {
    throw new Error(
      `a cold transfer made ${made} signatures and used ${reused} again in ${count} publications`,
    );
  }
  return made;
}

/** The zone that a gateway makes before. */
export const OTHER_ZONE = 'other.example.';
const OTHER_NAMES = 10_000;

/** Has a gateway that runs make and serve another zone, so that nothing it does afterwards is done for the first time. */
export async function warmUp(lab: Lab, { gateway, database }: LabGateway): Promise<void> {
  const file = join(lab.folder, 'other.zone');
  await writeZone(file, OTHER_ZONE, OTHER_NAMES);
  await gateway.command(['zone', 'import', file, '--zone', OTHER_ZONE]);
  await gateway.command(['keys', 'generate', OTHER_ZONE]);
  lab.postgres.psql(serveIn(VIEW, OTHER_ZONE), database);
  await fetchServed(gateway.target.port, OTHER_ZONE);
  lab.postgres.psql('checkpoint', database);
}

/** Starts a gateway on a copy of a zone's database, does something with it, and removes both. */
export async function withGateway<T>(
  lab: Lab,
  zone: LabZone,
  settings: Parameters<Lab['gateway']>[1],
  work: (gateway: LabGateway) => Promise<T>,
): Promise<T> {
  const made = await lab.gateway(zone, settings);
  try {
    await made.gateway.serve();
    return await work(made);
  } finally {
    await made.remove();
  }
}

/** The same transfer again. @throws Error when it is refused */
export async function fetchAgain(
  port: number,
  options: Parameters<typeof fetchZone>[2] = {},
): Promise<Fetched> {
  const fetched = await fetchZone(port, ZONE, options);
  if (fetched === undefined) throw new Error('the zone was served, and is not any more');
  return fetched;
}
