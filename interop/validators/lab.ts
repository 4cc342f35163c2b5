/** The running gateway of this suite, and the way of one zone from it to a file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { parseMasterText } from '../../src/dns/master-file.js';
import { formatMasterFile, type WritableRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { RRType } from '../../src/dns/types.js';
import { query, transfer } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { startPostgres, type TestPostgres, userUrl } from '../lib/postgres.js';
import { removeFolder, temporaryFolder, waitUntil } from '../lib/processes.js';
import { runSome } from '../lib/tasks.js';
import { addTsigKey, tsigKeyOf } from '../lib/tsig-keys.js';
import { placeIn, type SignedFile } from '../lib/validators.js';
import { CORPUS, type CorpusZone, masterTextOf } from './corpus.js';
import { keySetName, makeSuiteKeys, type SuiteKeys, writeKeys } from './keys.js';
import { hasZonemd, policyOf, SIGNED, titleOf, type Variant, WITH_ZONEMD } from './variants.js';

/** What a view was given of a zone that is signed in one way. */
export interface Edition extends SignedFile {
  readonly zone: CorpusZone;
  readonly view: string;
  readonly variant: Variant;
  /** As they came, the closing SOA left out. */
  readonly records: readonly ResourceRecord[];
}

interface KeyRow {
  readonly role: string;
  readonly algorithm: number;
  readonly flags: number;
  readonly key_tag: number;
  readonly public_key: Buffer;
  readonly secret_ref: string;
}

/** What is in the gateway's hands under one apex; two zones of the corpus share theirs. */
interface Held {
  /** The name of the corpus zone that it is. */
  zone: string;
  /** Ends when whoever has it lets it go. */
  free: Promise<unknown>;
}

const VIEWS = ['internal', 'external'];

/** Long enough for 100,000 names on a busy machine. */
const PATIENCE = 240_000;

/**
 * PostgreSQL, a gateway with the development Barbican, and all zones of the corpus in it. A zone is signed anew by giving it
 * another policy and other keys, as one transaction of an operator's.
 */
export class ValidatorLab {
  readonly folder = temporaryFolder('validators');
  readonly gateway: GatewayProcess;
  readonly keys: SuiteKeys;
  readonly #postgres: TestPostgres;
  readonly #operator: pg.Pool;
  readonly #tsigKeys = new Map<string, TsigKey>();
  readonly #keyRows = new Map<string, readonly KeyRow[]>();
  readonly #held = new Map<string, Held>();
  readonly #editions = new Map<string, Promise<readonly Edition[]>>();

  private constructor(gateway: GatewayProcess, postgres: TestPostgres, keys: SuiteKeys) {
    this.gateway = gateway;
    this.#postgres = postgres;
    this.keys = keys;
    this.#operator = new pg.Pool({ connectionString: userUrl(postgres, 'suite_operator'), max: 4 });
  }

  static async start(): Promise<ValidatorLab> {
    const keyFolder = temporaryFolder('validator-keys');
    const makingKeys = makeSuiteKeys(keyFolder);
    const postgres = await startPostgres();
    process.once('exit', () => postgres.remove());
    const migration = await GatewayProcess.prepare({ config: { database: { url: postgres.url } } });
    await migration.command(['migrate', '--roles']);
    await migration.remove();
    postgres.psql(`
      create role suite_gateway login in role zoneseal_gateway;
      create role suite_operator login in role zoneseal_admin;`);
    const gateway = await GatewayProcess.start({
      config: { database: { url: userUrl(postgres, 'suite_gateway') } },
      commandEnvironment: { ZONESEAL_DATABASE_URL: userUrl(postgres, 'suite_operator') },
    });
    const lab = new ValidatorLab(gateway, postgres, await makingKeys);
    removeFolder(keyFolder);
    try {
      await lab.#setUp();
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return lab;
  }

  async #setUp(): Promise<void> {
    const { gateway } = this;
    await Promise.all(VIEWS.map((view) => gateway.command(['view', 'add', view])));
    const policies = new Map(
      CORPUS.flatMap((zone) => [...SIGNED, ...WITH_ZONEMD].map((variant) => policyOf(zone, variant))).map(
        ({ name, document }) => [name, document] as const,
      ),
    );
    await runSome([
      ...[...policies].map(
        ([name, document]) =>
          () =>
            gateway.command(['policy', 'set', name, '--file', '-'], JSON.stringify(document)),
      ),
      ...VIEWS.map((view) => () => this.#addTsigKey(view)),
    ]);
    const first = new Map<string, CorpusZone>();
    for (const zone of CORPUS) if (!first.has(zone.apex)) first.set(zone.apex, zone);
    await runSome([...first.values()].map((zone) => () => this.add(zone)));
    await this.#addKeys();
  }

  async #addTsigKey(view: string): Promise<void> {
    const key = await addTsigKey(this.gateway, `suite-${view}.`, ['--view', view]);
    this.#tsigKeys.set(view, tsigKeyOf(key));
  }

  /** Puts a zone into the database, by `zone import` or, where views see different rows, with plain SQL. */
  async add(zone: CorpusZone): Promise<void> {
    const { apex, content, views } = zone;
    if ('rows' in content) {
      await this.#insertRows(zone, content.rows);
    } else {
      const assigned = views.flatMap((view) => ['--assign', view]);
      const [source, input] = 'file' in content ? [content.file] : ['-', content.text];
      await this.gateway.command(['zone', 'import', source, '--zone', apex, ...assigned], input);
    }
    const held = this.#held.get(apex);
    if (held === undefined) this.#held.set(apex, { zone: zone.name, free: Promise.resolve() });
    else held.zone = zone.name;
  }

  async #insertRows(
    { apex, views }: CorpusZone,
    rows: readonly {
      owner: string;
      type: string;
      ttl: number;
      data: readonly string[];
      views: readonly string[] | null;
    }[],
  ): Promise<void> {
    await this.#inTransaction(async (client) => {
      await client.query('insert into zoneseal.zones (name) values ($1)', [apex]);
      for (const row of rows) {
        await client.query(
          `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
           values (zoneseal.zone_id($1), $2, $3, $4, $5, $6)`,
          [apex, row.owner, row.type, row.ttl, row.data, row.views],
        );
      }
      await client.query(
        'insert into zoneseal.zone_views (zone_id, view) select zoneseal.zone_id($1), unnest($2::text[])',
        [apex, views],
      );
    });
  }

  /** Has `zoneseal keys import` bring all keys into Barbican, for a zone that is served nowhere; others name the same secrets. */
  async #addKeys(): Promise<void> {
    const carrier = 'keys.example.';
    const text = `@ 60 SOA ns host 1 60 60 60 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n`;
    await this.gateway.command(['zone', 'import', '-', '--zone', carrier], text);
    const folders = [...this.keys].map(([name, keys]) => {
      const folder = join(this.folder, `keys ${name}`);
      writeKeys(folder, carrier, keys);
      return folder;
    });
    await this.gateway.command(['keys', 'import', carrier, ...folders]);
    const { rows } = await this.#operator.query<KeyRow>(
      `select role, algorithm, flags, key_tag, public_key, secret_ref
       from zoneseal.zone_keys where zone_id = zoneseal.zone_id($1)`,
      [carrier],
    );
    for (const [name, keys] of this.keys) {
      const own = rows.filter((row) =>
        keys.some((it) => it.algorithm === row.algorithm && it.tag === row.key_tag && it.role === row.role),
      );
      if (own.length !== keys.length) throw new Error(`keys import made ${own.length} keys of ${name}`);
      this.#keyRows.set(name, own);
    }
  }

  /** Signs a zone in one way and takes it from the gateway in each of its views; once, however often it is asked for. */
  publish(zone: CorpusZone, variant: Variant): Promise<readonly Edition[]> {
    const title = `${zone.name} ${titleOf(variant)}`;
    const known = this.#editions.get(title);
    if (known !== undefined) return known;
    const editions = this.#publishNext(zone, variant);
    this.#editions.set(title, editions);
    return editions;
  }

  /** Lets go of what was taken of a zone. */
  forget(zone: CorpusZone): void {
    for (const title of this.#editions.keys()) {
      if (title.startsWith(`${zone.name} `)) this.#editions.delete(title);
    }
  }

  /** Others wait for the same apex. */
  async #publishNext(zone: CorpusZone, variant: Variant): Promise<readonly Edition[]> {
    const held = this.#held.get(zone.apex);
    if (held === undefined) throw new Error(`${zone.name} is not in the gateway`);
    const publication = held.free.then(async () => {
      if (held.zone !== zone.name) {
        await this.gateway.command(['zone', 'delete', zone.apex, '--yes']);
        await this.add(zone);
      }
      await this.#resign(zone, variant);
      return Promise.all(zone.views.map((view) => this.#take(zone, view, variant)));
    });
    held.free = publication.catch(() => undefined);
    return publication;
  }

  async #resign(zone: CorpusZone, variant: Variant): Promise<void> {
    const rows = this.#keyRows.get(keySetName(variant.algorithm, variant.keys)) ?? [];
    await this.#inTransaction(async (client) => {
      // held: the policies say nothing of the keys, and nobody is to roll to the algorithm that goes without saying
      await client.query(
        'update zoneseal.zones set policy = $2, keys_held_at = now() where id = zoneseal.zone_id($1)',
        [zone.apex, policyOf(zone, variant).name],
      );
      await client.query('delete from zoneseal.zone_keys where zone_id = zoneseal.zone_id($1)', [zone.apex]);
      for (const row of rows) {
        await client.query(
          `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref)
           values (zoneseal.zone_id($1), $2, $3, $4, $5, $6, $7)`,
          [zone.apex, row.role, row.algorithm, row.flags, row.key_tag, row.public_key, row.secret_ref],
        );
      }
    });
  }

  /** Waits for the publication that has all that was asked for, and takes the zone. */
  async #take(zone: CorpusZone, view: string, variant: Variant): Promise<Edition> {
    const { apex } = zone;
    const key = this.#tsigKeys.get(view);
    if (key === undefined) throw new Error(`no TSIG key for view ${view}`);
    const { target } = this.gateway;
    const title = `${zone.name} ${view} ${titleOf(variant)}`;
    await waitUntil(
      () => `no new publication of ${title}:\n${this.gateway.log.slice(-4000)}`,
      async () => {
        const wanted = await this.#serialOfNewest(apex, view);
        if (wanted === undefined) return false;
        const answer = await query(target, { name: apex, type: 'SOA', signing: { key } });
        const soa = answer?.message.answer.find((record) => record.type === RRType.SOA);
        return soa !== undefined && serialOf(soa) >= wanted;
      },
      PATIENCE,
    );
    const taken = await transfer(target, { name: apex, signing: { key }, timeoutMilliseconds: PATIENCE });
    if (!taken.isWhole || !taken.isAuthentic) {
      throw new Error(`the AXFR of ${title} is not whole and authentic: RCODE ${taken.rcode}`);
    }
    const records = taken.records.slice(0, -1);
    const file = placeIn(this.folder, title);
    await writeMasterFile(file, records);
    const isCsk = variant.keys === 'csk';
    return { zone, view, variant, records, apex, file, isCsk, hasZonemd: hasZonemd(zone, variant) };
  }

  /** The serial of the newest publication, when it is of the newest rows, policy and keys. */
  async #serialOfNewest(zone: string, view: string): Promise<number | undefined> {
    const { rows } = await this.#operator.query<{ serial: string }>(
      `select p.serial
       from zoneseal.serial_lines l join zoneseal.publications p on p.id = l.ready
       where l.zone = $1 and l.view = $2 and l.zone_id is not null and l.ready_zone_version >= l.changed_version
         and l.ready_key_set_version >= l.keys_changed_version and l.ready_policy = l.policy`,
      [zone, view],
    );
    return rows[0] === undefined ? undefined : Number(rows[0].serial);
  }

  /** Writes the keys of a way of signing as files of a zone; their base names. */
  writeKeyFiles(folder: string, apex: string, { algorithm, keys }: Variant): string[] {
    return writeKeys(folder, apex, this.keys.get(keySetName(algorithm, keys)) ?? []);
  }

  async stop(): Promise<void> {
    await this.#operator.end().catch(() => undefined);
    await this.gateway.remove();
    this.#postgres.remove();
    removeFolder(this.folder);
  }

  async #inTransaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#operator.connect();
    try {
      await client.query('begin');
      await work(client);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      throw error;
    } finally {
      client.release();
    }
  }
}

/** Writes the unsigned zone of a view as a file that every program reads. */
export async function writeUnsigned(file: string, zone: CorpusZone, view: string): Promise<void> {
  const origin = Name.parse(zone.apex);
  await writeMasterFile(file, await parseMasterText(masterTextOf(zone, view), { origin, file: zone.name }));
}

/** Writes records as a master file. */
export async function writeMasterFile(file: string, records: readonly WritableRecord[]): Promise<void> {
  const chunks: string[] = [];
  for await (const chunk of formatMasterFile(records)) chunks.push(chunk);
  writeFileSync(file, chunks.join(''));
}

function serialOf({ rdata }: ResourceRecord): number {
  return Buffer.from(rdata).readUInt32BE(rdata.length - 20);
}
