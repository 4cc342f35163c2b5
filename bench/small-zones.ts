import { mkdirSync } from 'node:fs';
import type { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import { tellProfiles } from './cpu-profile.js';
import { processStatus, treeCpuSeconds } from './measure.js';
import { during, say } from './progress.js';
import { pullAll } from './puller.js';
import type { Outcome } from './rows.js';
import { prepareGateway, SERVE_ALL } from './served.js';
import { loadZones, shareKeys, smallZoneNames } from './small-zone-data.js';
import { type SmallZoneServer, startKnotSecondary, startPowerDns } from './small-zone-peers.js';
import { type Phase, type PowerDnsPhases, smallZoneRows, type ZonesealPhases } from './small-zone-rows.js';
import { type Statement, StatementCounter } from './statements.js';
import { hasPeer } from './tools.js';

const DATABASE = 'small_zones';
const PDNS_DATABASE = 'small_zones_pdns';
const CONNECTIONS = 10;
/** Seconds for all zones to be there: more than a second for ten of them. */
const PATIENCE = 1200;

interface SmallZonesOptions {
  readonly zones: number;
  /** Whether the gateway runs with `--cpu-prof`, and where its time and the database's went is told. */
  readonly profile: boolean;
}

/** What a phase is measured at. */
interface Subject {
  readonly pid: number;
  readonly port: number;
  readonly database?: string;
  readonly keep?: boolean;
  readonly patience?: number;
  /** Done before the clock starts; CPU and statements are counted from before it. */
  readonly first?: () => void;
}

/** How soon a nameserver that comes up has many small zones, beside PowerDNS that signs live and Knot DNS that has them signed. */
export async function smallZones({ zones: count, profile }: SmallZonesOptions): Promise<Outcome> {
  say(`small zones: ${count} zones of 10 records`);
  const postgres = await startPostgres({ durable: true, settings: StatementCounter.settings });
  try {
    const lab = new SmallZoneLab(postgres, smallZoneNames(count), profile);
    const zoneseal = await lab.measureZoneseal();
    const powerDns = hasPeer('PowerDNS') ? await lab.measurePowerDns() : undefined;
    return { rows: smallZoneRows(count, zoneseal, powerDns) };
  } finally {
    postgres.remove();
  }
}

class SmallZoneLab {
  readonly #postgres: TestPostgres;
  readonly #zones: readonly string[];
  readonly #profile: boolean;
  readonly #statements: StatementCounter;
  readonly #hasKnot = hasPeer('knotd');

  constructor(postgres: TestPostgres, zones: readonly string[], profile: boolean) {
    this.#postgres = postgres;
    this.#zones = zones;
    this.#profile = profile;
    this.#statements = new StatementCounter(postgres);
  }

  async measureZoneseal(): Promise<ZonesealPhases> {
    const profiles = temporaryFolder('profiles');
    const nodeArguments = this.#profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : [];
    const gateway = await prepareGateway(this.#postgres, DATABASE, { policy: ['keys=csk'], nodeArguments });
    try {
      loadZones(this.#postgres, DATABASE, this.#zones.length);
      await gateway.command(['keys', 'generate', this.#zones[0] as string]);
      shareKeys(this.#postgres, DATABASE);
      await gateway.serve();
      const serveAll = (): void => void this.#postgres.psql(SERVE_ALL, DATABASE);
      const subject = (): Subject => ({
        pid: gateway.pid as number,
        port: gateway.target.port,
        database: DATABASE,
      });
      const unsigned = await this.#measure('Zoneseal, nothing signed yet', {
        ...subject(),
        patience: PATIENCE,
        first: serveAll,
      });
      const signatures = Number(
        this.#postgres.psql('select sum(signatures) from zoneseal.publications', DATABASE),
      );
      await this.#restart(gateway, profiles, 'nothing signed yet');
      const started = await this.#measure('Zoneseal, signed, just started', subject());
      const again = await this.#measure('Zoneseal, again', subject());
      const kept = await this.#measure('Zoneseal, again, connections kept', { ...subject(), keep: true });
      const knot = this.#hasKnot ? await this.#measureKnot(gateway.target.port) : undefined;
      if (knot !== undefined && knot.pulled.records !== again.records) {
        throw new Error(`Knot DNS serves ${knot.pulled.records} records, Zoneseal ${again.records}`);
      }
      await gateway.stop();
      this.#tell(profiles, 'signed');
      return { unsigned, started, again, kept, signatures, knot };
    } finally {
      await gateway.remove();
      removeFolder(profiles);
    }
  }

  async measurePowerDns(): Promise<PowerDnsPhases> {
    const server = await startPowerDns(this.#postgres, PDNS_DATABASE, this.#zones);
    try {
      const subject = {
        pid: server.program.pid as number,
        port: server.port,
        database: PDNS_DATABASE,
      };
      const first = await this.#measure('PowerDNS, just started', subject);
      const again = await this.#measure('PowerDNS, again', subject);
      const secondary = this.#hasKnot ? await this.#asSecondary('PowerDNS', server.port) : undefined;
      return { first, again, secondary: secondary?.seconds };
    } finally {
      await server.program.stop();
    }
  }

  /** Knot DNS as a secondary of Zoneseal, and then as the server of what it took. */
  async #measureKnot(primary: number): Promise<ZonesealPhases['knot']> {
    let server: SmallZoneServer | undefined;
    try {
      const secondary = await this.#asSecondary('Zoneseal', primary, true);
      server = secondary.server;
      const subject = { pid: server.program.pid as number, port: server.port };
      const pulled = await this.#measure('Knot DNS, signed zones in memory', subject);
      const kept = await this.#measure('Knot DNS, connections kept', { ...subject, keep: true });
      return { secondary: secondary.seconds, pulled, kept };
    } finally {
      await server?.program.stop();
    }
  }

  async #asSecondary(
    name: string,
    primary: number,
    isKept = false,
  ): Promise<{ readonly seconds: number; readonly server: SmallZoneServer }> {
    const server = await startKnotSecondary(primary, this.#zones);
    try {
      const seconds = await during(`Knot DNS as a secondary of ${name}`, () => server.whole(PATIENCE));
      say(`  Knot DNS as a secondary of ${name} has all after ${seconds.toFixed(1)} s`);
      if (!isKept) await server.program.stop();
      return { seconds, server };
    } catch (error) {
      await server.program.stop();
      throw error;
    }
  }

  async #measure(name: string, subject: Subject): Promise<Phase> {
    const { pid, port, database, keep = false, patience = 0, first } = subject;
    const statements = this.#statements.begin(database ?? 'postgres');
    const cpu = (): number => processStatus(pid)?.cpuSeconds ?? 0;
    const databaseCpu = (): number => treeCpuSeconds(this.#postgres.pid());
    const before = { server: cpu(), database: databaseCpu() };
    const begun = performance.now();
    first?.();
    const firstSeconds = (performance.now() - begun) / 1000;
    const pulled = await during(name, () =>
      pullAll({ port, zones: this.#zones, connections: CONNECTIONS, keep, patience }),
    );
    const phase = {
      ...pulled,
      serverCpu: cpu() - before.server,
      databaseCpu: databaseCpu() - before.database,
      peakMegabytes: processStatus(pid)?.peakMegabytes ?? 0,
    };
    const { count, slowest } = statements();
    const perZone = count / this.#zones.length;
    const also = first === undefined ? '' : `; ${firstSeconds.toFixed(1)} s before that to write zone_views`;
    say(
      `  ${name}: ${pulled.zonesPerSecond.toFixed(0)} zones/s, ${pulled.seconds.toFixed(2)} s${also}; CPU ${phase.serverCpu.toFixed(1)} s, of PostgreSQL ${phase.databaseCpu.toFixed(1)} s, of the puller ${pulled.pullerCpu.toFixed(1)} s; ${perZone.toFixed(2)} statements a zone, ${pulled.retries} retries`,
    );
    if (this.#profile && database !== undefined) this.#tellStatements(slowest);
    return { ...phase, statements: count };
  }

  async #restart(gateway: GatewayProcess, profiles: string, name: string): Promise<void> {
    await gateway.stop();
    this.#tell(profiles, name);
    const begun = performance.now();
    await gateway.serve();
    say(`  the gateway is ready again after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }

  #tell(profiles: string, name: string): void {
    if (!this.#profile) return;
    say(`  profile, ${name}:`);
    for (const line of tellProfiles(profiles)) say(line);
    removeFolder(profiles);
    mkdirSync(profiles, { recursive: true });
  }

  #tellStatements(statements: readonly Statement[]): void {
    for (const { text, calls, milliseconds } of statements.slice(0, 40)) {
      const zones = this.#zones.length;
      say(
        `    ${(calls / zones).toFixed(2).padStart(6)} a zone, ${(milliseconds / calls).toFixed(3).padStart(8)} ms each  ${text.slice(0, 140)}`,
      );
    }
  }
}
