import type { TsigKey } from '../../src/dns/tsig-key.js';
import { GatewayProcess } from '../lib/gateway.js';
import type { TestPostgres } from '../lib/postgres.js';
import { rcodeOf } from '../tsig/gateways.js';
import { assignView, type asUser, Commands, gatewayOptions, insertZone } from './deployment.js';
import { type Contents, FollowedTransfer, takeZone, waitForSerial } from './following.js';

/** The one view of these suites. */
export const VIEW = 'internal';

/** The policy of zones that are signed with RSA, which takes long, and gives the same octets again. */
export const SLOW = 'slow';

/** What a laboratory can be given. */
export type LabOptions = NonNullable<Parameters<typeof gatewayOptions>[2]> & {
  /** The Barbican to use, and as whom; without one the development Barbican. */
  readonly user?: ReturnType<typeof asUser>;
  /** Called before the gateway is started. */
  readonly prepare?: (gateway: GatewayProcess) => void;
};

/** A gateway on a database of its own, with one view and one TSIG key. */
export class Lab {
  readonly gateway: GatewayProcess;
  readonly commands: Commands;
  readonly #postgres: TestPostgres;
  readonly #database: string;
  key!: TsigKey;

  private constructor(postgres: TestPostgres, database: string, gateway: GatewayProcess) {
    this.#postgres = postgres;
    this.#database = database;
    this.gateway = gateway;
    this.commands = new Commands(gateway);
  }

  static async start(postgres: TestPostgres, database: string, options: LabOptions = {}): Promise<Lab> {
    const { user, prepare, ...more } = options;
    const url = postgres.createDatabase(database);
    const gateway = await GatewayProcess.prepare(gatewayOptions(url, user, more));
    prepare?.(gateway);
    await gateway.serve();
    const lab = new Lab(postgres, database, gateway);
    lab.psql(`
      insert into zoneseal.views (name) values ('${VIEW}');
      insert into zoneseal.policies (name, document) values
        ('${SLOW}', '{"algorithm": 8, "keys": "csk", "serial": "increment"}')`);
    lab.key = await lab.commands.addTsigKey('bad-days.', ['--view', VIEW]);
    return lab;
  }

  psql(sql: string): string {
    return this.#postgres.psql(sql, this.#database).trim();
  }

  /** A zone with keys, served in no view yet. */
  async prepareZone(zone: string, hosts = 3, policy = 'default'): Promise<void> {
    insertZone(this.#postgres, zone, { hosts, policy, database: this.#database });
    await this.commands.command(['keys', 'generate', zone]);
  }

  /** Serves a zone, in one transaction that any program could make. */
  serve(zone: string): void {
    assignView(this.#postgres, [zone], VIEW, this.#database);
  }

  addHost(zone: string, host: string): void {
    this.psql(`
      insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
      values (zoneseal.zone_id('${zone}'), '${host}.${zone}', 'A', 300, '{192.0.2.99}')`);
  }

  /** Waits until a zone is served, under another serial than one of before. */
  serial(zone: string, before?: number): Promise<number> {
    return waitForSerial(this.gateway.target, zone, this.key, before);
  }

  take(zone: string): Promise<Contents> {
    return takeZone(this.gateway.target, zone, this.key);
  }

  /** Follows the transfer of a zone that is served nowhere yet. */
  followFirst(zone: string): Promise<FollowedTransfer> {
    this.serve(zone);
    return FollowedTransfer.ofFirst(this.gateway.target, zone, this.key);
  }

  begin(zone: string): Promise<FollowedTransfer> {
    return FollowedTransfer.begin(this.gateway.target, zone, this.key);
  }

  /** The RCODE of the answer about the SOA; undefined for silence. */
  rcode(zone: string): Promise<number | undefined> {
    return rcodeOf(this.gateway.target, zone, this.key);
  }

  /** The RCODE of the first message of a transfer; undefined when the connection is closed before. */
  async transferRcode(zone: string): Promise<number | undefined> {
    const transfer = await this.begin(zone);
    const isAnswered = await transfer.read(1);
    transfer.close();
    return isAnswered ? transfer.rcode : undefined;
  }

  /** Why the newest publication of a zone failed, as `zoneseal zone show` says it; undefined when it did not. */
  async failure(zone: string): Promise<string | undefined> {
    const shown = JSON.parse(await this.commands.command(['zone', 'show', zone, '--json'])) as {
      readonly views: readonly { readonly failed: { readonly error: string } | null }[];
    };
    return shown.views[0]?.failed?.error;
  }

  /** Errors that the gateway has logged about a zone. */
  errorsAbout(zone: string): { readonly code: unknown; readonly reason: unknown }[] {
    return this.gateway.logLines
      .filter((line) => line.level === 'error' && line['zone'] === zone)
      .map((line) => ({ code: line['code'], reason: line['reason'] }));
  }

  /** Whether the gateway has logged a line of a level with a text in its message. */
  hasLogged(level: string, text: string): boolean {
    return this.gateway.logLines.some((line) => line.level === level && line.msg.includes(text));
  }

  async stop(): Promise<void> {
    await this.gateway.remove();
  }
}
