import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { RRType } from '../../src/dns/types.js';
import { bindAnchors } from '../lib/delv.js';
import { type Answer, query, type Transfer, transfer } from '../lib/dns-client.js';
import { type GatewayOptions, GatewayProcess } from '../lib/gateway.js';
import { startPlainKnotd } from '../lib/knotd.js';
import { startPostgres, type TestPostgres, userUrl } from '../lib/postgres.js';
import { waitUntil, whenThisProcessEnds } from '../lib/processes.js';
import { SECONDARY_PROGRAMS, Secondary, type SecondaryKey, type SecondaryProgram } from '../lib/secondary.js';
import { runSome } from '../lib/tasks.js';
import { addTsigKey, tsigKeyOf } from '../lib/tsig-keys.js';
import { Unbound } from '../lib/unbound.js';
import {
  insecureChildOf,
  masterText,
  rrsetsOf,
  SLOW_ZONE,
  type StoredRRset,
  secureChildOf,
  smallRRsets,
  VIEWS,
  type View,
  ZONES,
} from './zones.js';

/** One nameserver program in one view, and the resolver that asks it. */
export interface Served {
  readonly view: View;
  readonly secondary: Secondary;
  readonly resolver: Unbound;
}

/** The `barbican` section of the gateway's configuration with its secrets, and what the operator's commands have in their place. */
export type KeyStoreAccess = Pick<GatewayOptions, 'config' | 'environment' | 'commandEnvironment'>;

/** Zones that every secondary holds. */
export const HELD = [...ZONES.map(({ name }) => name), SLOW_ZONE];

/** Every secondary has a key of its own for its view, and so has the suite. */
const KEY_ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['suite', 'hmac-sha256'],
  ['named', 'hmac-sha256'],
  ['nsd', 'hmac-sha512'],
  ['knotd', 'hmac-sha384'],
  ['pdns_server', 'hmac-sha224'],
]);

/** Who has keys. */
export const KEY_OWNERS = [...KEY_ALGORITHMS.keys()];

const CHILDREN = ZONES.map(({ name }) => secureChildOf(name));

/**
 * Everything that the suite runs: PostgreSQL, the gateway as an operator sets it up with the command line, and for each
 * view four secondaries, each with a validating resolver behind it.
 */
export class Lab {
  readonly gateway: GatewayProcess;
  readonly postgres: TestPostgres;
  /** A session of a user that may write zone data and nothing else. */
  readonly writer: pg.Client;
  readonly served: Served[] = [];
  /** DS records by zone, as `zoneseal keys ds` prints them. */
  readonly ds = new Map<string, readonly string[]>();
  readonly #keys = new Map<string, SecondaryKey>();
  readonly #others: { stop(): Promise<void> }[] = [];

  private constructor(postgres: TestPostgres, gateway: GatewayProcess) {
    this.postgres = postgres;
    this.gateway = gateway;
    this.writer = new pg.Client({ connectionString: userUrl(postgres, 'suite_editor') });
    // an outage is told of by the query that meets it
    this.writer.on('error', () => undefined);
  }

  /** @param keyStore how the gateway and the operator reach Barbican; left out, the gateway brings the development one */
  static async start(keyStore: KeyStoreAccess = {}): Promise<Lab> {
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
    const gateway = await GatewayProcess.start({
      ...keyStore,
      config: { ...keyStore.config, database: { url: userUrl(postgres, 'suite_gateway') } },
      commandEnvironment: {
        ...keyStore.commandEnvironment,
        ZONESEAL_DATABASE_URL: userUrl(postgres, 'suite_operator'),
      },
    });
    const lab = new Lab(postgres, gateway);
    try {
      await lab.writer.connect();
      await lab.#setUp();
      // BIND asks again after a minute where its first question for a zone that it does not have gets SERVFAIL
      await lab.serials(HELD);
      await lab.#startServers();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  /** What an operator does once. */
  async #setUp(): Promise<void> {
    const { gateway } = this;
    await Promise.all(VIEWS.map((view) => gateway.command(['view', 'add', view])));
    const policies = ZONES.map(({ policy }) => async (): Promise<void> => {
      await gateway.command(['policy', 'set', policy.name, '--file', '-'], JSON.stringify(policy.document));
    });
    const keys = VIEWS.flatMap((view) =>
      [...KEY_ALGORITHMS].map(
        ([owner, algorithm]) =>
          () =>
            this.#addKey(owner, view, algorithm),
      ),
    );
    await runSome([...policies, ...keys]);
    await runSome([
      ...[...CHILDREN, SLOW_ZONE].map((zone) => () => this.#addSmallZone(zone)),
      ...ZONES.map((zone) => () => this.#addZone(zone)),
    ]);
    for (const { name } of ZONES) {
      const child = secureChildOf(name);
      const data = (this.ds.get(child) ?? []).map((line) => line.replace(/^.*\sDS\s+/, ''));
      await this.#insert(name, { owner: child, ttl: 300, type: 'DS', data, views: null });
    }
    await runSome(
      ZONES.map(
        ({ name }) =>
          () =>
            gateway.command(['view', 'assign', name, ...VIEWS]),
      ),
    );
  }

  async #addKey(owner: string, view: View, algorithm: string): Promise<void> {
    const options = ['--view', view, '--address', '127.0.0.1', '--algorithm', algorithm];
    this.#keys.set(`${owner} ${view}`, await addTsigKey(this.gateway, `${owner}-${view}.`, options));
  }

  async #addSmallZone(zone: string): Promise<void> {
    const text = masterText(smallRRsets(zone, zone === SLOW_ZONE ? 3600 : 2));
    await this.#import(zone, text, ['--assign', 'internal', '--assign', 'external']);
    await this.#addKeys(zone);
  }

  /** Common data and the internal view's by import, the external view's with plain SQL. */
  async #addZone({ name: zone, policy }: (typeof ZONES)[number]): Promise<void> {
    const rrsets = rrsetsOf(zone);
    const seenBy = (view: View | undefined): typeof rrsets => rrsets.filter((it) => it.views?.[0] === view);
    await this.#import(zone, masterText(seenBy(undefined)), ['--policy', policy.name]);
    await this.#import(zone, masterText(seenBy('internal')), ['--view', 'internal']);
    for (const rrset of seenBy('external')) await this.#insert(zone, rrset);
    await this.#addKeys(zone);
  }

  /** As any program may. */
  async #insert(zone: string, { owner, ttl, type, data, views }: StoredRRset): Promise<void> {
    await this.writer.query(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
       values (zoneseal.zone_id($1), $2, $3, $4, $5, $6)`,
      [zone, owner, type, ttl, data, views],
    );
  }

  async #import(zone: string, text: string, options: readonly string[]): Promise<void> {
    await this.gateway.command(['zone', 'import', '-', '--zone', zone, ...options], text);
  }

  async #addKeys(zone: string): Promise<void> {
    await this.gateway.command(['keys', 'generate', zone]);
    const text = await this.gateway.command(['keys', 'ds', zone]);
    this.ds.set(
      zone,
      text.split('\n').filter((line) => /^[^;].*\sDS\s/.test(line)),
    );
  }

  async #startServers(): Promise<void> {
    const children = await Secondary.start('knotd', {
      zones: CHILDREN,
      primary: this.gateway.target,
      key: this.key('suite', 'external'),
      label: 'knotd of the signed children',
    });
    this.#others.push(children);
    const plain = await startPlainKnotd(
      new Map(ZONES.map(({ name }) => insecureChildOf(name)).map((it) => [it, masterText(smallRRsets(it))])),
    );
    this.#others.push(plain.program);
    for (const { name } of ZONES)
      writeFileSync(this.anchorFile(name), bindAnchors(name, this.ds.get(name) ?? []));
    const pairs = VIEWS.flatMap((view) => SECONDARY_PROGRAMS.map((program) => ({ view, program })));
    await Promise.all(
      pairs.map(async ({ view, program }) => {
        const label = `${program} (${view})`;
        const secondary = await Secondary.start(program, {
          zones: HELD,
          primary: this.gateway.target,
          key: this.key(program, view),
          label,
        });
        this.#others.push(secondary);
        const resolver = await Unbound.start({
          label: `unbound before ${label}`,
          anchors: new Map(ZONES.map(({ name }) => [name, this.ds.get(name) ?? []])),
          servers: new Map([
            ...ZONES.map(({ name }) => [name, secondary.target] as const),
            ...CHILDREN.map((name) => [name, children.target] as const),
            ...ZONES.map(({ name }) => [insecureChildOf(name), plain.target] as const),
          ]),
        });
        this.#others.push(resolver);
        this.served.push({ view, secondary, resolver });
      }),
    );
    for (const child of CHILDREN) await children.waitForSerial(child, await this.serial(child, 'external'));
  }

  /** The trust anchor of a zone, as delv reads it. */
  anchorFile(zone: string): string {
    return join(this.gateway.folder, `${zone}anchor`);
  }

  key(owner: string, view: View): SecondaryKey {
    const key = this.#keys.get(`${owner} ${view}`);
    if (key === undefined) throw new Error(`${owner} has no key for view ${view}`);
    return key;
  }

  tsigKey(view: View): TsigKey {
    return tsigKeyOf(this.key('suite', view));
  }

  /** Asks the gateway for a zone's SOA with a view's key. */
  async askGateway(zone: string, view: View): Promise<Answer | undefined> {
    const signing = { key: this.tsigKey(view) };
    return query(this.gateway.target, { name: zone, type: 'SOA', signing, timeoutMilliseconds: 2000 });
  }

  /** The serial that the gateway serves; waits for the first publication. */
  async serial(zone: string, view: View): Promise<number> {
    let serial: number | undefined;
    await waitUntil(`the gateway serves no ${zone} in view ${view}`, async () => {
      const answer = await this.askGateway(zone, view);
      const soa = answer?.message.answer.find((record) => record.type === RRType.SOA);
      if (soa !== undefined) serial = Buffer.from(soa.rdata).readUInt32BE(soa.rdata.length - 20);
      return serial !== undefined;
    });
    return serial as number;
  }

  /** The serials that the gateway serves, by `zone view`. */
  async serials(zones: readonly string[]): Promise<Map<string, number>> {
    const serials = new Map<string, number>();
    for (const zone of zones) {
      for (const view of VIEWS) serials.set(`${zone} ${view}`, await this.serial(zone, view));
    }
    return serials;
  }

  /** Waits until the gateway serves another serial than one of before. */
  async serialAfter(zone: string, view: View, before: ReadonlyMap<string, number>): Promise<number> {
    const old = before.get(`${zone} ${view}`);
    let serial: number | undefined;
    await waitUntil(`the gateway still serves ${zone} ${old} in view ${view}`, async () => {
      serial = await this.serial(zone, view);
      return serial !== old;
    });
    return serial as number;
  }

  /** Takes a zone from the gateway. */
  take(
    zone: string,
    view: View,
    options: { readonly type?: 'AXFR' | 'IXFR'; readonly serial?: number } = {},
  ): Promise<Transfer> {
    return transfer(this.gateway.target, { name: zone, signing: { key: this.tsigKey(view) }, ...options });
  }

  find(program: SecondaryProgram, view: View): Served {
    const found = this.in(view).find(({ secondary }) => secondary.name === program);
    if (found === undefined) throw new Error(`${program} does not run in view ${view}`);
    return found;
  }

  in(view: View): Served[] {
    return this.served.filter((it) => it.view === view);
  }

  /** Waits until all secondaries of a view have what the gateway serves. */
  async settled(zone: string, view: View): Promise<number> {
    const serial = await this.serial(zone, view);
    await Promise.all(this.in(view).map(({ secondary }) => secondary.waitForSerial(zone, serial)));
    return serial;
  }

  /** Waits until the gateway serves another serial than one of before, and all secondaries of the view have it. */
  async settledAfter(zone: string, view: View, before: ReadonlyMap<string, number>): Promise<number> {
    await this.serialAfter(zone, view, before);
    return this.settled(zone, view);
  }

  /** Why the newest publications of a zone failed, by view, as `zone show` says it. */
  async failures(zone: string): Promise<Map<string, string>> {
    const shown = (await this.gateway.json(['zone', 'show', zone])) as {
      readonly views: readonly {
        readonly view: string;
        readonly failed: { readonly error: string } | null;
      }[];
    };
    return new Map(
      shown.views.flatMap(({ view, failed }) => (failed === null ? [] : [[view, failed.error] as const])),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#others.map((it) => it.stop()));
    await this.writer.end().catch(() => undefined);
    await this.gateway.remove();
    this.postgres.remove();
  }
}
