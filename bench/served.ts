import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayProcess } from '../interop/lib/gateway.js';
import type { TestPostgres } from '../interop/lib/postgres.js';
import { type Fetched, fetchZone } from './client.js';

/** The view that the benchmarks' zones are served in. */
export const VIEW = 'bench';

/** A gateway, not started yet, on a database of its own, that serves the view to anyone on this host. */
export async function prepareGateway(
  postgres: TestPostgres,
  database: string,
  options: { readonly policy: readonly string[]; readonly nodeArguments?: readonly string[] },
): Promise<GatewayProcess> {
  const { policy, nodeArguments = [] } = options;
  const gateway = await GatewayProcess.prepare({
    config: {
      database: { url: postgres.createDatabase(database) },
      open: [{ range: '127.0.0.0/8', view: VIEW }],
    },
    nodeArguments,
  });
  await gateway.command(['migrate']);
  await gateway.command(['view', 'add', VIEW]);
  await gateway.command(['policy', 'set', 'default', ...policy]);
  return gateway;
}

/** SQL that has all zones served that are not yet. */
export const SERVE_ALL = `insert into zoneseal.zone_views (zone_id, view) select id, '${VIEW}' from zoneseal.zones on conflict do nothing`;

/** Asks until a zone is served whole. @throws Error when it never is */
export async function fetchServed(port: number, zone: string): Promise<Fetched> {
  for (let tries = 0; tries < 1000; tries++) {
    const fetched = await fetchZone(port, zone);
    if (fetched !== undefined) return fetched;
    await sleep(10);
  }
  throw new Error('the zone was never served');
}
