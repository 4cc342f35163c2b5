import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { type DevelopmentBarbican, startDevelopmentBarbican } from '../../src/barbican/development.js';
import { describeDevelopmentBarbican } from '../../src/gateway-parts.js';
import type { ServingState, ServingStatus } from '../../src/store/peer-store.js';
import { GatewayProcess } from '../lib/gateway.js';
import { freePort } from '../lib/ports.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { removeFolder, temporaryFolder, waitUntil, whenThisProcessEnds } from '../lib/processes.js';
import { SECONDARY_PROGRAMS, Secondary, type SecondaryKey, type SecondaryProgram } from '../lib/secondary.js';

export const ZONE = 'notified.example.';

/** A day: nothing comes by the timers while a test lasts. */
const LONG = 86_400;

const MASTER = `$TTL 300
@ SOA ns host 1 ${LONG} ${LONG} ${2 * LONG} 300
@ NS ns
ns A 192.0.2.1
`;

/** The gateways' times, shortened so that a test can wait for them. */
const FLEET = { arrival: 10, answerTimeout: 1, retryCap: 3 };

/**
 * Two gateways on one PostgreSQL and one Barbican, and four secondaries of the second one in the external view, whose timers are a day long.
 * Which gateway does what is not said anywhere.
 */
export class FleetLab {
  readonly postgres: TestPostgres;
  writer: pg.Client;
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  readonly secondaries = new Map<SecondaryProgram, Secondary>();
  readonly #barbican: DevelopmentBarbican;
  readonly #folder: string;
  readonly #keys = new Map<string, SecondaryKey>();
  #rows = 0;

  private constructor(
    postgres: TestPostgres,
    barbican: DevelopmentBarbican,
    folder: string,
    gateways: readonly [GatewayProcess, GatewayProcess],
  ) {
    this.postgres = postgres;
    this.#barbican = barbican;
    this.#folder = folder;
    this.gateways = gateways;
    this.writer = writerOf(postgres);
  }

  /** Another connection in the writer's place, not yet made. */
  renewWriter(): void {
    this.writer = writerOf(this.postgres);
  }

  static async start(): Promise<FleetLab> {
    const postgres = await startPostgres();
    whenThisProcessEnds(() => postgres.remove());
    const migration = await GatewayProcess.prepare({ config: { database: { url: postgres.url } } });
    await migration.command(['migrate', '--roles']);
    await migration.remove();
    // each with the rights of its role alone
    postgres.psql(`
      create role suite_gateway login in role zoneseal_gateway;
      create role suite_operator login in role zoneseal_admin;
      create role suite_editor login in role zoneseal_writer;`);
    const folder = temporaryFolder('barbican');
    const barbican = await startDevelopmentBarbican({ dataFolder: folder });
    const { password, ...access } = describeDevelopmentBarbican(barbican);
    const environment = { ZONESEAL_BARBICAN_PASSWORD: password };
    const prepare = (): Promise<GatewayProcess> =>
      GatewayProcess.prepare({
        config: {
          database: { url: urlOf(postgres, 'suite_gateway') },
          barbican: access,
          publication: { poll: 1, lease: 3 },
          fleet: FLEET,
          admin: { port: 0 },
        },
        environment,
        commandEnvironment: { ZONESEAL_DATABASE_URL: urlOf(postgres, 'suite_operator') },
      });
    const lab = new FleetLab(postgres, barbican, folder, [await prepare(), await prepare()]);
    try {
      await lab.writer.connect();
      await lab.#setUp();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  async #setUp(): Promise<void> {
    const [gateway] = this.gateways;
    for (const view of ['internal', 'external']) await gateway.command(['view', 'add', view]);
    for (const program of SECONDARY_PROGRAMS) await this.addKey(program);
    await gateway.command(['zone', 'import', '-', '--zone', ZONE], MASTER);
    await gateway.command(['keys', 'generate', ZONE]);
    await gateway.command(['view', 'assign', ZONE, 'internal', 'external']);
    for (const each of this.gateways) await each.serve();
    // started when nothing is published yet they would wait for their retry timers
    await waitUntil('nothing is published', async () => (await this.status()).withoutPublication === 0);
    await Promise.all(SECONDARY_PROGRAMS.map((program) => this.startSecondary(program)));
    for (const program of SECONDARY_PROGRAMS) {
      const { port } = this.secondary(program).target;
      const address = `127.0.0.1:${port}`;
      const what = ['--view', 'external', '--address', address, '--tsig', `${program}-key.`];
      await gateway.command(['peer', 'add', peerName(program), ...what]);
    }
  }

  /** Makes a TSIG key for the external view. */
  async addKey(owner: string): Promise<void> {
    const [gateway] = this.gateways;
    const name = `${owner.replace('_', '-')}-key.`;
    const file = join(gateway.folder, `${owner}.key`);
    await gateway.command(['tsig', 'add', `${owner}-key.`, '--view', 'external', '--key-file', file]);
    const text = readFileSync(file, 'utf8');
    const word = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
    this.#keys.set(owner, {
      name: word(/key\s+"?([^"\s]+)"?/) || name,
      algorithm: word(/algorithm\s+([^;\s]+);/),
      secret: word(/secret\s+"([^"]+)"/),
    });
  }

  key(owner: string): SecondaryKey {
    const key = this.#keys.get(owner);
    if (key === undefined) throw new Error(`${owner} has no key`);
    return key;
  }

  secondary(program: SecondaryProgram): Secondary {
    const secondary = this.secondaries.get(program);
    if (secondary === undefined) throw new Error(`${program} does not run`);
    return secondary;
  }

  /** Starts one, empty, on the port that one of its kind had before. */
  async startSecondary(program: SecondaryProgram): Promise<void> {
    const port = this.secondaries.get(program)?.target.port ?? (await freePort());
    const secondary = await Secondary.start(program, {
      zones: [ZONE],
      primary: this.gateways[1].target,
      key: this.key(program),
      refreshSeconds: LONG,
      port,
      label: program,
    });
    this.secondaries.set(program, secondary);
  }

  /** What `zoneseal status` says; its exit code is for a test of its own. */
  async status(): Promise<ServingStatus & { readonly gateways: readonly object[] }> {
    const { stdout, stderr } = await this.gateways[0].run(['status', '--json']);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as ServingStatus & { readonly gateways: readonly object[] };
  }

  /** What the database says of the peers of the external view; by a connection of its own, so that it costs no process. */
  states(): Pick<ServingState, 'peer' | 'state' | 'serial' | 'serialSeen' | 'problem' | 'notifiedAt'>[] {
    const text = this.postgres.psql(`
      select coalesce(json_agg(json_build_object('peer', p.name, 'state', s.state, 'serial', b.serial, 'serialSeen', s.serial_seen,
        'problem', s.problem, 'notifiedAt', s.notified_at, 'claimedBy', s.claimed_by) order by p.name), '[]')
      from zoneseal.peer_states s join zoneseal.peers p on p.id = s.peer_id
        left join zoneseal.publications b on b.id = s.publication`);
    return JSON.parse(text) as ReturnType<FleetLab['states']>;
  }

  state(peer: string): ReturnType<FleetLab['states']>[number] | undefined {
    return this.states().find((it) => it.peer === peer);
  }

  /** The serial that is published in a view. */
  serial(view = 'external'): number {
    return Number(
      this.postgres.psql(
        `select b.serial from zoneseal.serial_lines l join zoneseal.publications b on b.id = l.ready where l.view = '${view}'`,
      ),
    );
  }

  /** Adds a row, as any program may. */
  async change(views: readonly string[] | null = null): Promise<void> {
    await this.writer.query(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views) values (zoneseal.zone_id($1), $2, 'A', 60, '{192.0.2.9}', $3)`,
      [ZONE, `row${++this.#rows}.${ZONE}`, views],
    );
  }

  /** Waits until peers are current, all of them unless told otherwise, with a serial other than one of before. */
  async settled(before: number, programs: readonly SecondaryProgram[] = SECONDARY_PROGRAMS): Promise<number> {
    const wanted = programs.map(peerName);
    await waitUntil(
      () => `not all are current: ${JSON.stringify(this.states(), undefined, 1)}\n${this.logs()}`,
      () => {
        const states = this.states().filter(({ peer }) => wanted.includes(peer ?? ''));
        return states.every(
          ({ state, serial, serialSeen }) =>
            state === 'current' && serial === serialSeen && serial !== before,
        );
      },
      60_000,
    );
    const serial = this.serial();
    await Promise.all(programs.map((program) => this.secondary(program).waitForSerial(ZONE, serial, 2000)));
    return serial;
  }

  /** Milliseconds from when the newest publication of the external view was ready, by the database's clock: to the answer to its NOTIFY, and to when it was seen served. */
  times(): { peer: string; notified: number; seen: number }[] {
    const text = this.postgres.psql(`
      select json_agg(json_build_object('peer', p.name,
        'notified', round(extract(epoch from s.notified_at - b.finished_at) * 1000),
        'seen', round(extract(epoch from s.seen_at - b.finished_at) * 1000)) order by p.name)
      from zoneseal.peer_states s join zoneseal.peers p on p.id = s.peer_id join zoneseal.publications b on b.id = s.publication`);
    return JSON.parse(text) as ReturnType<FleetLab['times']>;
  }

  /** The metrics of a gateway. */
  async metrics(gateway: GatewayProcess): Promise<string> {
    const listening = gateway.logLines.find(({ msg }) => msg === 'listening');
    return (await fetch(`http://127.0.0.1:${String(listening?.['adminPort'])}/metrics`)).text();
  }

  logs(): string {
    return this.gateways.map((gateway, i) => `gateway ${i}:\n${gateway.log.slice(-4000)}`).join('\n');
  }

  /** How often the gateways wrote a line of a peer. */
  said(message: string, peer?: string): number {
    return this.gateways
      .flatMap((gateway) => gateway.logLines)
      .filter(({ msg, peer: of }) => msg === message && (peer === undefined || of === peer)).length;
  }

  async stop(): Promise<void> {
    for (const secondary of this.secondaries.values()) secondary.signal('SIGCONT');
    await Promise.all([...this.secondaries.values()].map((it) => it.stop()));
    await this.writer.end().catch(() => undefined);
    for (const gateway of this.gateways) await gateway.remove();
    await this.#barbican.close();
    removeFolder(this.#folder);
    this.postgres.remove();
  }
}

/** What a secondary is called as a peer. */
export function peerName(program: SecondaryProgram): string {
  return program;
}

function writerOf(postgres: TestPostgres): pg.Client {
  const writer = new pg.Client({ connectionString: urlOf(postgres, 'suite_editor') });
  writer.on('error', () => undefined);
  return writer;
}

function urlOf(postgres: TestPostgres, user: string): string {
  const url = new URL(postgres.url);
  url.username = user;
  return url.href;
}
