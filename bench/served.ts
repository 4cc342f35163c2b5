import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayProcess } from '../interop/lib/gateway.js';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { type Fetched, type FetchOptions, fetchZone } from './client.js';

/** The view that the benchmarks' zones are served in. */
export const VIEW = 'bench';

/** How a gateway is made ready. */
export interface GatewaySettings {
  readonly policy?: readonly string[];
  readonly nodeArguments?: readonly string[];
  /** Sections of its configuration, beside the database. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** A database that is copied; else a new one gets the schema and the view. */
  readonly template?: string;
}

/** Large zones are imported by one command. */
const COMMAND_TIMEOUT_MS = 1_800_000;

/** A gateway, not started yet, on a database of its own, that serves the view to anyone on this host. */
export async function prepareGateway(
  postgres: TestPostgres,
  database: string,
  settings: GatewaySettings,
): Promise<GatewayProcess> {
  const { policy = [], nodeArguments = [], config = {}, template } = settings;
  const url =
    template === undefined ? postgres.createDatabase(database) : copied(postgres, template, database);
  const gateway = await GatewayProcess.prepare({
    config: { database: { url }, open: [{ range: '127.0.0.0/8', view: VIEW }], ...config },
    nodeArguments,
    commandTimeoutMilliseconds: COMMAND_TIMEOUT_MS,
  });
  if (template === undefined) {
    await gateway.command(['migrate']);
    await gateway.command(['view', 'add', VIEW]);
  }
  await gateway.command(['policy', 'set', 'default', ...policy]);
  return gateway;
}

function copied(postgres: TestPostgres, template: string, database: string): string {
  postgres.psql(`create database "${database}" template "${template}"`, 'postgres');
  return `postgres://postgres@127.0.0.1:${postgres.port}/${database}`;
}

const SERVE = 'insert into zoneseal.zone_views (zone_id, view)';

/** SQL that has all zones served in a view that they are not served in yet. */
export const serveAllIn = (view: string): string =>
  `${SERVE} select id, '${view}' from zoneseal.zones on conflict do nothing`;

/** SQL that has one zone served in a view. */
export const serveIn = (view: string, zone: string): string =>
  `${SERVE} select id, '${view}' from zoneseal.zones where name = '${zone}'`;

/** SQL that has all zones served that are not yet. */
export const SERVE_ALL = serveAllIn(VIEW);

const ASK_AGAIN_MS = 3;

/** Asks until a zone is served whole. @throws Error when it never is */
export async function fetchServed(port: number, zone: string, options: FetchOptions = {}): Promise<Fetched> {
  for (let tries = 0; tries < 10_000; tries++) {
    const fetched = await fetchZone(port, zone, options);
    if (fetched !== undefined) return fetched;
    await sleep(ASK_AGAIN_MS);
  }
  throw new Error('the zone was never served');
}
