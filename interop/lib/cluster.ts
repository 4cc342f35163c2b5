/** Several gateways on one PostgreSQL and one Barbican, with nothing else in common. */
import { join } from 'node:path';
import { BarbicanClient } from '../../src/barbican/client.js';
import { startDevelopmentBarbican } from '../../src/barbican/development.js';
import type { Credentials } from '../../src/barbican/settings.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { makeSuiteKeys, type SuiteKeys, writeKeys } from '../validators/keys.js';
import type { Variant } from '../validators/variants.js';
import { type JudgedZone, policyDocument } from './from-scratch.js';
import { type GatewayOptions, GatewayProcess } from './gateway.js';
import { type PostgresOptions, startPostgres, type TestPostgres, userUrl } from './postgres.js';
import { removeFolder, temporaryFolder, waitUntil, whenThisProcessEnds } from './processes.js';
import { ZONE_VIEWS, type ZoneView } from './random-zone.js';
import {
  SECONDARY_PROGRAMS,
  Secondary,
  type SecondaryKey,
  type SecondaryOptions,
  type SecondaryProgram,
} from './secondary.js';
import { takeWhole } from './serving-watch.js';
import { askSerial } from './soa.js';
import { runSome } from './tasks.js';
import { addTsigKey, tsigKeyOf } from './tsig-keys.js';

export interface ClusterOptions {
  readonly gateways: number;
  readonly postgres?: PostgresOptions;
  /** Sections of every gateway's configuration, or of the gateway's with that number. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Variables of the gateway's with that number. */
  readonly environment?: (index: number) => Readonly<Record<string, string>>;
  /** The Barbican of all of them; the development Barbican where none is given. Closed with the cluster. */
  readonly barbican?: ClusterBarbican;
  /** More for the policies than how a variant is signed. */
  readonly policy?: Readonly<Record<string, unknown>>;
}

/** A Keystone with a Barbican, and as whom gateways and commands use them. */
export interface ClusterBarbican {
  readonly keystoneUrl: string;
  readonly barbicanUrl: string;
  readonly credentials: Credentials;
  close(): Promise<void>;
}

/** A secondary and the view that it holds. */
export interface HeldSecondary {
  readonly view: ZoneView;
  readonly secondary: Secondary;
}

const DEFAULT_PATIENCE = 60_000;

/** PostgreSQL, Barbican, gateways, and zones that are signed with keys which other signers have too. */
export class Cluster {
  readonly folder = temporaryFolder('cluster');
  readonly gateways: GatewayProcess[] = [];
  readonly postgres: TestPostgres;
  readonly secondaries: HeldSecondary[] = [];
  readonly #barbican: ClusterBarbican;
  readonly #suiteKeys: SuiteKeys;
  readonly #tsigKeys = new Map<string, SecondaryKey>();
  readonly #options: ClusterOptions;

  private constructor(
    options: ClusterOptions,
    postgres: TestPostgres,
    barbican: ClusterBarbican,
    keys: SuiteKeys,
  ) {
    this.#options = options;
    this.postgres = postgres;
    this.#barbican = barbican;
    this.#suiteKeys = keys;
  }

  /** Starts everything; zones are still to be added. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const keyFolder = temporaryFolder('cluster-keys');
    const [postgres, barbican, keys] = await Promise.all([
      startPostgres(options.postgres),
      options.barbican ?? startDevelopmentBarbican({ dataFolder: join(keyFolder, 'barbican') }),
      makeSuiteKeys(keyFolder, [13]),
    ]);
    whenThisProcessEnds(() => postgres.remove());
    const cluster = new Cluster(options, postgres, barbican, keys);
    try {
      await cluster.#setUp();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #setUp(): Promise<void> {
    for (let i = 0; i < this.#options.gateways; i++) this.gateways.push(await this.prepareGateway(i));
    await this.gateway(0).command(['migrate', '--roles']);
    const views = ZONE_VIEWS.map((view) => `('${view}')`).join(', ');
    this.psql(`
      create role suite_gateway login in role zoneseal_gateway;
      create role suite_editor login in role zoneseal_writer;
      insert into zoneseal.views (name) values ${views}`);
    await runSome(
      ZONE_VIEWS.flatMap((view) =>
        ['suite', 'secondaries'].map((owner) => async (): Promise<void> => {
          const options = ['--view', view, '--address', '127.0.0.1'];
          const key = await addTsigKey(this.gateway(0), `${owner}-${view}.`, options);
          this.#tsigKeys.set(`${owner} ${view}`, key);
        }),
      ),
    );
    await Promise.all(this.gateways.map((gateway) => gateway.serve()));
  }

  /** Another gateway on the same database, not started. */
  async prepareGateway(
    index: number,
    config: Readonly<Record<string, unknown>> = {},
  ): Promise<GatewayProcess> {
    const { credentials, keystoneUrl, barbicanUrl } = this.#barbican;
    if (credentials.kind !== 'password') throw new Error('the user of a cluster has a password');
    const { username, project, password } = credentials;
    const options: GatewayOptions = {
      config: {
        database: {
          url: userUrl(this.postgres, 'suite_gateway'),
          ...(config['database'] as object | undefined),
        },
        barbican: { keystoneUrl, barbicanUrl, username, project },
        publication: { poll: 1, lease: 3 },
        admin: { port: 0 },
        ...this.#options.config,
        ...Object.fromEntries(Object.entries(config).filter(([name]) => name !== 'database')),
      },
      environment: { ZONESEAL_BARBICAN_PASSWORD: password, ...this.#options.environment?.(index) },
      commandEnvironment: { ZONESEAL_DATABASE_URL: this.postgres.url },
    };
    return GatewayProcess.prepare(options);
  }

  gateway(index: number): GatewayProcess {
    const gateway = this.gateways[index];
    if (gateway === undefined) throw new Error(`no gateway ${index}`);
    return gateway;
  }

  /** The Barbican that the gateways use, as whoever holds their credentials sees it. */
  connectBarbican(): BarbicanClient {
    const { keystoneUrl, barbicanUrl, credentials } = this.#barbican;
    return new BarbicanClient({ keystoneUrl, barbicanUrl, credentials });
  }

  /** The URL of the database for a program that may write zone data and nothing else. */
  get writerUrl(): string {
    return userUrl(this.postgres, 'suite_editor');
  }

  psql(sql: string): string {
    return this.postgres.psql(sql).trim();
  }

  /** Adds a zone with keys and a policy of its own, without rows, served in no view. */
  async addZone(apex: string, variant: Variant): Promise<JudgedZone> {
    const zone = { apex, variant, keys: this.#suiteKeys, folder: this.folder };
    const policy = apex.replaceAll('.', '-').replace(/-$/, '');
    const document = JSON.stringify({ ...policyDocument(apex, variant), ...this.#options.policy });
    this.psql(`
      insert into zoneseal.policies (name, document) values ('${policy}', '${document}');
      insert into zoneseal.zones (name, policy) values ('${apex}', '${policy}')`);
    const folder = join(this.folder, `keys of ${apex}`);
    writeKeys(folder, apex, this.#suiteKeys.get(`${variant.algorithm} ${variant.keys}`) ?? []);
    await this.gateway(0).command(['keys', 'import', apex, folder]);
    return zone;
  }

  /** Serves a zone in views, both when none is named. */
  serve(apex: string, views: readonly ZoneView[] = ZONE_VIEWS): void {
    const list = views.map((view) => `(zoneseal.zone_id('${apex}'), '${view}')`).join(', ');
    this.psql(`insert into zoneseal.zone_views (zone_id, view) values ${list}`);
  }

  secondaryKey(view: ZoneView, owner = 'secondaries'): SecondaryKey {
    const key = this.#tsigKeys.get(`${owner} ${view}`);
    if (key === undefined) throw new Error(`${owner} has no key for view ${view}`);
    return key;
  }

  tsigKey(view: ZoneView): TsigKey {
    return tsigKeyOf(this.secondaryKey(view, 'suite'));
  }

  /** Starts secondaries of zones in a view, with all gateways as their primaries. */
  async startSecondaries(
    zones: readonly string[],
    views: readonly ZoneView[] = ZONE_VIEWS,
    programs: readonly SecondaryProgram[] = SECONDARY_PROGRAMS,
    more: Partial<SecondaryOptions> = {},
  ): Promise<void> {
    const [primary, ...morePrimaries] = this.gateways.map(({ target }) => target);
    if (primary === undefined) throw new Error('there are no gateways');
    const pairs = views.flatMap((view) => programs.map((program) => ({ view, program })));
    await Promise.all(
      pairs.map(async ({ view, program }) => {
        const key = this.secondaryKey(view);
        const options = {
          zones,
          primary,
          morePrimaries,
          key,
          label: `${program} (${view})`,
          refreshSeconds: 2,
        };
        const secondary = await Secondary.start(program, { ...options, ...more });
        this.secondaries.push({ view, secondary });
      }),
    );
  }

  /** The serial that a gateway serves; undefined when it serves none, or does not answer. */
  serial(index: number, apex: string, view: ZoneView): Promise<number | undefined> {
    return askSerial(this.gateway(index).target, apex, this.tsigKey(view));
  }

  /** Waits for a gateway to serve another serial than one of before. */
  async serialAfter(
    index: number,
    apex: string,
    view: ZoneView,
    before: number | undefined,
    patience = DEFAULT_PATIENCE,
  ): Promise<number> {
    let serial: number | undefined;
    await waitUntil(
      () => `gateway ${index} serves ${apex} (${view}) ${serial}, as before\n${this.tail(index)}`,
      async () => {
        serial = await this.serial(index, apex, view);
        return serial !== undefined && serial !== before;
      },
      patience,
    );
    return serial as number;
  }

  /** Takes a zone from a gateway, the closing SOA left out. @throws Error when it does not come whole and proved */
  async take(index: number, apex: string, view: ZoneView): Promise<readonly ResourceRecord[]> {
    const records = await takeWhole({ target: this.gateway(index).target, key: this.tsigKey(view) }, apex);
    if (records !== undefined) return records;
    throw new Error(`gateway ${index} does not give ${apex} (${view})\n${this.tail(index)}`);
  }

  /** The last lines of a gateway's log, but for transfers that went well. */
  tail(index: number): string {
    const lines = this.gateways[index]?.log.split('\n') ?? [];
    const telling = lines.filter((line) => !line.includes('a transfer was completed'));
    return telling.slice(-15).join('\n');
  }

  async stop(): Promise<void> {
    await Promise.all(this.secondaries.map(({ secondary }) => secondary.stop()));
    await Promise.all(this.gateways.map((gateway) => gateway.remove()));
    this.postgres.remove();
    await this.#barbican.close();
    removeFolder(this.folder);
  }
}
