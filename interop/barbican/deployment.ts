import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseTsigKeyFile, type TsigKey } from '../../src/dns/tsig-key.js';
import { contractCredentials } from '../../test/barbican/contract-target.js';
import type { GatewayOptions, GatewayProcess } from '../lib/gateway.js';
import type { Openstack } from '../lib/openstack.js';
import type { TestPostgres } from '../lib/postgres.js';
import type { Outcome } from '../lib/processes.js';

/** What a gateway, or a command, is given so that it is a user of the laboratory's project `dns`. */
export function asUser(
  openstack: Openstack,
  username: string,
): { readonly barbican: Record<string, unknown>; readonly environment: Record<string, string> } {
  const credentials = contractCredentials(username);
  if (credentials.kind !== 'password') throw new Error('users have passwords');
  const { project, password } = credentials;
  return {
    barbican: { keystoneUrl: openstack.keystoneUrl, username, project },
    environment: { ZONESEAL_BARBICAN_PASSWORD: password },
  };
}

/** An application credential. */
export interface ApplicationCredential {
  readonly id: string;
  readonly secret: string;
}

/** A user's token, got past Zoneseal. */
export async function tokenOf(
  openstack: Openstack,
  username: string,
): Promise<{ readonly token: string; readonly userId: string }> {
  const credentials = contractCredentials(username);
  if (credentials.kind !== 'password') throw new Error('users have passwords');
  const domain = { id: 'default' };
  const user = { name: username, domain, password: credentials.password };
  const scope = { project: { name: credentials.project, domain } };
  const answer = await fetch(`${openstack.keystoneUrl}/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
  });
  const { token } = (await answer.json()) as { token: { user: { id: string } } };
  return { token: answer.headers.get('x-subject-token') as string, userId: token.user.id };
}

/** Makes an application credential for a user, with the roles that the user has. */
export async function makeApplicationCredential(
  openstack: Openstack,
  username: string,
  name = 'gateway',
): Promise<ApplicationCredential> {
  const { token, userId } = await tokenOf(openstack, username);
  const answer = await fetch(`${openstack.keystoneUrl}/users/${userId}/application_credentials`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-auth-token': token },
    body: JSON.stringify({ application_credential: { name } }),
  });
  const made = (await answer.json()) as { application_credential: ApplicationCredential };
  return made.application_credential;
}

/** Deletes it again; the status of the answer. */
export async function deleteApplicationCredential(
  openstack: Openstack,
  username: string,
  id: string,
): Promise<number> {
  const { token, userId } = await tokenOf(openstack, username);
  const url = `${openstack.keystoneUrl}/users/${userId}/application_credentials/${id}`;
  return (await fetch(url, { method: 'DELETE', headers: { 'x-auth-token': token } })).status;
}

/** Writes a zone as any program may, with plain SQL; it is served nowhere yet. */
export function insertZone(
  postgres: TestPostgres,
  zone: string,
  options: { readonly hosts?: number; readonly policy?: string; readonly database?: string } = {},
): void {
  const { hosts = 3, policy = 'default', database } = options;
  postgres.psql(
    `begin;
     insert into zoneseal.zones (name, policy) values ('${zone}', '${policy}');
     insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
       select zoneseal.zone_id('${zone}'), owner, type, 300, array[data] from (values
         ('${zone}', 'SOA', 'ns.${zone} host.${zone} 1 3600 600 86400 300'),
         ('${zone}', 'NS', 'ns.${zone}'),
         ('ns.${zone}', 'A', '192.0.2.1')
       ) t (owner, type, data);
     insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
       select zoneseal.zone_id('${zone}'), 'host-' || i || '.${zone}', 'A', 300, array['192.0.2.' || i % 256]
       from generate_series(1, ${hosts}) i;
     commit;`,
    database,
  );
}

/** Serves zones in a view, with plain SQL. */
export function assignView(
  postgres: TestPostgres,
  zones: readonly string[],
  view: string,
  database?: string,
): void {
  const names = zones.map((zone) => `'${zone}'`).join(', ');
  postgres.psql(
    `insert into zoneseal.zone_views (zone_id, view) select id, '${view}' from zoneseal.zones where name in (${names})`,
    database,
  );
}

/** What commands said, all of it. */
export class Commands {
  readonly #gateway: GatewayProcess;
  readonly outputs: string[] = [];

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
  }

  /** Runs a command, whatever comes of it. */
  async run(args: readonly string[], input?: string): Promise<Outcome> {
    const outcome = await this.#gateway.run(args, input);
    this.outputs.push(outcome.stdout, outcome.stderr);
    return outcome;
  }

  /** Runs a command that has to succeed. @throws Error with what it said */
  async command(args: readonly string[], input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, input);
    if (status === 0) return stdout;
    throw new Error(`zoneseal ${args.join(' ')}: exit ${status}\n${stderr}${stdout}`);
  }

  /** Adds a TSIG key and reads what was written for the nameserver. */
  async addTsigKey(name: string, options: readonly string[], input?: string): Promise<TsigKey> {
    const file = join(this.#gateway.folder, `${name}key`);
    await this.command(['tsig', 'add', name, '--key-file', file, ...options], input);
    return parseTsigKeyFile(readFileSync(file, 'latin1'));
  }
}

/** A gateway's configuration on a PostgreSQL, and on a Barbican as one of its users; without one, the development Barbican. */
export function gatewayOptions(
  url: string,
  user: ReturnType<typeof asUser> | undefined,
  more: GatewayOptions & { readonly database?: Record<string, unknown> } = {},
): GatewayOptions {
  return {
    ...more,
    config: {
      database: { url, ...more.database },
      ...(user === undefined ? {} : { barbican: user.barbican }),
      publication: { poll: 1, lease: 3 },
      ...more.config,
    },
    environment: { ...user?.environment, ...more.environment },
  };
}
