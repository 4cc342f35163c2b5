import { mkdirSync } from 'node:fs';
import type { GatewayProcess } from '../interop/lib/gateway.js';
import { startPostgres, type TestPostgres } from '../interop/lib/postgres.js';
import { removeFolder, temporaryFolder } from '../interop/lib/processes.js';
import { tellProfiles } from './cpu-profile.js';
import { processStatus, treeCpuSeconds } from './measure.js';
import { type Pulled, pullAll } from './puller.js';
import { hasPeer, needTools, type Row, row, say } from './report.js';
import { prepareGateway, SERVE_ALL } from './served.js';
import { loadZones, shareKeys, smallZoneNames } from './small-zone-data.js';
import { type SmallZoneServer, startKnotSecondary, startPowerDns } from './small-zone-peers.js';
import { type Statement, StatementCounter } from './statements.js';

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

/** All zones pulled once from one server. */
interface Phase extends Pulled {
  readonly serverCpu: number;
  readonly databaseCpu: number;
  /** Statements that the database was sent. */
  readonly statements: number;
  readonly peakMegabytes: number;
}

/** What a phase is measured at. */
interface Subject {
  readonly pid: number;
  readonly port: number;
  readonly database?: string;
  readonly keep?: boolean;
  readonly patience?: number;
  /** Done when the clock runs already. */
  readonly first?: () => void;
}

/** How soon a nameserver that comes up has many small zones, beside PowerDNS that signs live and Knot DNS that has them signed. */
export async function smallZones({ zones: count, profile }: SmallZonesOptions): Promise<Row[]> {
  needTools('postgres');
  say(`small zones: ${count} zones of 10 records`);
  const postgres = await startPostgres({ durable: true, settings: StatementCounter.settings });
  try {
    const lab = new Lab(postgres, smallZoneNames(count), profile);
    const zoneseal = await lab.measureZoneseal();
    const powerDns = hasPeer('PowerDNS', 'pdns_server', 'pdns-pgsql', 'pdnsutil')
      ? await lab.measurePowerDns()
      : undefined;
    return rowsOf(count, zoneseal, powerDns);
  } finally {
    postgres.remove();
  }
}

interface ZonesealPhases {
  readonly unsigned: Phase;
  readonly started: Phase;
  readonly again: Phase;
  readonly kept: Phase;
  readonly signatures: number;
  readonly knot: { readonly secondary: number; readonly pulled: Phase; readonly kept: Phase } | undefined;
}

interface PowerDnsPhases {
  readonly first: Phase;
  readonly again: Phase;
  readonly secondary: number | undefined;
}

class Lab {
  readonly #postgres: TestPostgres;
  readonly #zones: readonly string[];
  readonly #profile: boolean;
  readonly #statements: StatementCounter;
  readonly #hasKnot = hasPeer('Knot DNS', 'knotd');

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
      const seconds = await server.whole(PATIENCE);
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
    const pulled = await pullAll({ port, zones: this.#zones, connections: CONNECTIONS, keep, patience });
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

function rowsOf(count: number, zoneseal: ZonesealPhases, powerDns: PowerDnsPhases | undefined): Row[] {
  const rows: Row[] = [];
  const { unsigned, started, again, kept, knot } = zoneseal;
  const all = `small zones, ${count}`;
  const beside = (
    name: string,
    ours: Phase,
    peers: readonly (readonly [string, Phase | undefined])[],
  ): void => {
    const [rate, cpu] = [`${all}, ${name}`, `${all}, ${name}, CPU of server and PostgreSQL a zone`];
    const cpuOf = ({ serverCpu, databaseCpu }: Phase): number => (1000 * (serverCpu + databaseCpu)) / count;
    const known = peers.filter(([, phase]) => phase !== undefined) as [string, Phase][];
    if (known.length === 0) {
      rows.push(row(rate, ours.zonesPerSecond, 'zones/s'), row(cpu, cpuOf(ours), 'ms'));
    }
    for (const [peer, theirs] of known) {
      rows.push(row(rate, ours.zonesPerSecond, 'zones/s', peer, theirs.zonesPerSecond));
      rows.push(row(cpu, cpuOf(ours), 'ms', peer, cpuOf(theirs)));
    }
  };
  beside('nothing signed yet', unsigned, [['PowerDNS', powerDns?.first]]);
  beside('signed, just started', started, [
    ['PowerDNS', powerDns?.first],
    ['Knot DNS', knot?.pulled],
  ]);
  beside('again', again, [
    ['PowerDNS again', powerDns?.again],
    ['Knot DNS', knot?.pulled],
  ]);
  beside('again, connections kept', kept, [['Knot DNS', knot?.kept]]);
  if (knot !== undefined) {
    const name = `${all}, Knot DNS as a new secondary has all`;
    rows.push(row(name, knot.secondary, 's', 'of PowerDNS', powerDns?.secondary));
  }
  for (const [name, phase, peer] of [
    ['nothing signed yet', unsigned, powerDns?.first],
    ['signed, just started', started, powerDns?.first],
    ['again', again, powerDns?.again],
  ] as const) {
    const perZone = (of: Phase | undefined): number | undefined =>
      of === undefined ? undefined : of.statements / count;
    const what = `${all}, ${name}, statements a zone`;
    rows.push(row(what, phase.statements / count, '', 'PowerDNS', perZone(peer)));
  }
  rows.push(
    row(`${all}, nothing signed yet, asked again a zone`, unsigned.retries / count, ''),
    row(
      `${all}, again, connections kept, CPU seconds of the puller a second`,
      kept.pullerCpu / kept.seconds,
      '',
      'Knot DNS',
      knot && knot.kept.pullerCpu / knot.kept.seconds,
    ),
    row(`${all}, signatures a zone`, zoneseal.signatures / count, ''),
    row(`${all}, records a zone`, again.records / count, '', 'PowerDNS', recordsOf(powerDns, count)),
    row(`${all}, octets a zone`, again.octets / count, '', 'PowerDNS', octetsOf(powerDns, count)),
    row(
      `${all}, peak memory of the gateway`,
      Math.max(unsigned.peakMegabytes, kept.peakMegabytes),
      'MB',
      'Knot DNS',
      knot?.kept.peakMegabytes,
    ),
  );
  return rows;
}

const recordsOf = (phases: PowerDnsPhases | undefined, count: number): number | undefined =>
  phases && phases.first.records / count;
const octetsOf = (phases: PowerDnsPhases | undefined, count: number): number | undefined =>
  phases && phases.first.octets / count;
