import type { Cause, Publication, PublicationResult, ServedZone } from '../../src/publication/ports.js';
import { nextSerial } from '../../src/publication/serial.js';
import type { PackedPage } from '../../src/signing/page-codec.js';
import type { Database } from '../../src/store/database.js';
import { PostgresPublicationStore } from '../../src/store/publication-store.js';
import { RrsetStore } from '../../src/store/rrset-store.js';
import { TsigStore } from '../../src/store/tsig-store.js';
import { ZoneKeyStore } from '../../src/store/zone-key-store.js';
import { ZoneStore } from '../../src/store/zone-store.js';
import type { RowContent } from '../../src/zone/row.js';

export const FORMAT = 3;

/** Rows as tests write them: owner relative to the zone, or `@`. */
export type ShortRow = readonly [
  owner: string,
  type: string,
  data: string | readonly string[],
  views?: readonly string[] | undefined,
  ttl?: number,
];

/** What a suite works on: a migrated database with the views internal and external, and helpers that make zones of their own. */
export class Fixture {
  static #zones = 0;
  readonly database: Database;
  readonly zones: ZoneStore;
  readonly rrsets: RrsetStore;
  readonly keys: ZoneKeyStore;
  readonly tsig: TsigStore;
  readonly publications: PostgresPublicationStore;

  constructor(database: Database) {
    this.database = database;
    this.zones = new ZoneStore(database);
    this.rrsets = new RrsetStore(database);
    this.keys = new ZoneKeyStore(database);
    this.tsig = new TsigStore(database);
    this.publications = new PostgresPublicationStore(database, { formatVersion: FORMAT });
  }

  async prepare(): Promise<void> {
    for (const view of ['internal', 'external']) await this.zones.addView(view);
  }

  static freshName(): string {
    return `z${++Fixture.#zones}.test.`;
  }

  /** A zone of a name of its own, in both views. */
  async newZone(
    rows: readonly ShortRow[] = [['@', 'SOA', 'ns. host. 7 3600 600 86400 300']],
    views = ['external', 'internal'],
  ): Promise<{ name: string; id: string }> {
    const name = Fixture.freshName();
    const zone = await this.zones.createZone(name, { views });
    await this.insert(name, rows);
    return { name, id: String(zone.id) };
  }

  /** With plain SQL, as any program would. */
  async insert(
    zone: string,
    rows: readonly ShortRow[],
    database: Pick<Database, 'execute'> = this.database,
  ): Promise<void> {
    if (rows.length === 0) return;
    const values = rows.map(
      (_, i) =>
        `(zoneseal.zone_id($1), $${i * 5 + 2}, $${i * 5 + 3}, $${i * 5 + 4}::int, $${i * 5 + 5}::text[], $${i * 5 + 6}::text[])`,
    );
    await database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views) values ${values.join(', ')}`,
      [
        zone,
        ...rows.flatMap(([owner, type, data, views, ttl]) => [
          absolute(owner, zone),
          type,
          ttl ?? 300,
          typeof data === 'string' ? [data] : data,
          views ?? null,
        ]),
      ],
    );
  }

  async version(zone: string): Promise<number> {
    return (await this.zones.findZone(zone)).version;
  }

  /** Change rows of a zone as `version owner type before after`, the zone's name left out; `-` no view, `*` every view. */
  async changes(zone: string, from = 1): Promise<string[]> {
    const rows = await this.database.query<{
      version: number;
      owner: string | null;
      type: string | null;
      before: string[] | null;
      after: string[] | null;
    }>(
      `select version, owner, type, views_before as before, views_after as after from zoneseal.changes
       where zone_id = zoneseal.zone_id($1) and version >= $2 order by version, sort_key, type`,
      [zone, from],
    );
    const show = (views: string[] | null): string => (views === null ? '*' : views.join(',') || '-');
    return rows.map(
      (row) =>
        `${row.version} ${row.owner?.replace(`.${zone}`, '') ?? 'all'} ${row.type ?? 'all'} ${show(row.before)} ${show(row.after)}`,
    );
  }

  async read(zoneId: string, version: number): Promise<RowContent[]> {
    const rows: RowContent[] = [];
    for await (const batch of this.publications.readRows(zoneId, version)) rows.push(...batch);
    return rows;
  }

  /** Rows at a version as `owner type data`. */
  async show(zone: { name: string; id: string }, version: number): Promise<string[]> {
    return shown(zone, await this.read(zone.id, version));
  }

  /** The same of owners that views may see differently. */
  async showTagged(zone: { name: string; id: string }, version: number): Promise<string[]> {
    const rows: RowContent[] = [];
    for await (const batch of this.publications.readTaggedRows(zone.id, version)) rows.push(...batch);
    return shown(zone, rows);
  }

  allocate(zone: { name: string; id: string }, view = 'external', gateway = 'g1', force?: Cause) {
    const served: ServedZone = { zoneId: zone.id, zone: zone.name, view };
    return this.publications.allocate(served, {
      gateway,
      leaseSeconds: 30,
      formatVersion: FORMAT,
      nextSerial,
      ...(force === undefined ? {} : { force }),
    });
  }

  /** Allocates and finishes one. */
  async publish(
    zone: { name: string; id: string },
    view = 'external',
    validSeconds = 1000,
  ): Promise<Publication> {
    const allocation = await this.allocate(zone, view);
    if (allocation.kind !== 'allocated') throw new Error(`nothing to publish: ${allocation.kind}`);
    const { publication } = allocation;
    await this.publications.markReady(
      publication.id,
      'g1',
      resultOf(publication, {
        resignAt: publication.time + validSeconds,
        journal: publication.previous === null ? undefined : { removed: 0, added: 0, octets: 0 },
      }),
      { replaced: [], pages: [PAGE], journal: [] },
    );
    return publication;
  }

  /** The views of a zone that are due. */
  async due(zone: { id: string }): Promise<string[]> {
    const due = await this.publications.listDue(10_000);
    return due
      .filter((served) => served.zoneId === zone.id)
      .map((served) => served.view)
      .sort();
  }
}

/** All that is stored of the publications that `publish` finishes. */
const PAGE: PackedPage = {
  chain: false,
  firstKey: Uint8Array.of(0),
  chained: true,
  expires: null,
  content: Uint8Array.of(0),
};

/** What a finished publication may say of itself. */
export function resultOf(
  publication: Pick<Publication, 'id' | 'time'>,
  facts: Partial<PublicationResult> = {},
): PublicationResult {
  return {
    generation: publication.id,
    soa: {
      ttl: 300,
      rdata: Uint8Array.of(0, 1, 0xff, 0x5c),
      signatures: [Uint8Array.of(1, 0x22, 0x5c, 0), Uint8Array.of(2)],
    },
    zonemd: undefined,
    resignAt: publication.time + 1000,
    expiresAt: publication.time + 2000,
    safeUntil: publication.time + 1500,
    maxTtl: 300,
    dnskeyTtl: 3600,
    records: 5,
    octets: 500,
    signatures: 2,
    reused: 0,
    journal: undefined,
    ...facts,
  };
}

export function absolute(owner: string, zone: string): string {
  if (owner === '@') return zone;
  return owner.endsWith('.') ? owner : `${owner}.${zone}`;
}

function shown(zone: { name: string }, rows: readonly RowContent[]): string[] {
  return rows.map(
    (row) =>
      `${row.owner.replace(`.${zone.name}`, '')} ${row.type} ${row.data.join('|')}${row.views === null ? '' : ` ${row.views.join(',')}`}`,
  );
}
