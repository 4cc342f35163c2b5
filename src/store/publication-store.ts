import { ZonesealError } from '../errors.js';
import type { KeySet } from '../keys/key-set.js';
import { type Policy, parsePolicy } from '../keys/policy.js';
import type {
  Allocation,
  ChangedOwners,
  FinishedPublication,
  JournalPart,
  LineState,
  PageChanges,
  PageReference,
  Publication,
  PublicationResult,
  PublicationStore,
  PublishedRRset,
  ServedZone,
  SmallZoneContent,
  StoredPage,
  UnsafeLine,
} from '../publication/ports.js';
import { hasFewPages } from '../publication/published-nodes.js';
import type { PackedPage } from '../signing/page-codec.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import { listAbandoned } from './abandoned-pages.js';
import { type AllocateRequest, allocate, FAIL, findPublication } from './allocate.js';
import { readChanges } from './change-reader.js';
import type { Database } from './database.js';
import { Gather } from './gather.js';
import { readKeySetVersion } from './key-set-reader.js';
import { type LineName, readLines, type StandingRow, standingOf, type TrustRule } from './line-reader.js';
import { commitReady, holdsLine, lockBuilding, MARK_UNCHANGED } from './mark-ready.js';
import { PAGES_KEPT, PUBLICATION_COLUMNS, type PublicationRow, publicationOf } from './publication-record.js';
import type { ReplicaReader } from './replica-reader.js';
import { readRows, readRowsAt, readRowsBelow } from './row-reader.js';
import {
  findExpiring,
  findFirstExpiry,
  findNeighbour,
  findPages,
  type PagesOf,
  readFewPages,
  readJournalParts,
  readPages,
  savePages,
} from './signed-page-store.js';
import { allocateMany, readSmallZones } from './small-zones.js';
import { readTaggedRows } from './tagged-rows.js';

/** What a whole changes in its last commit: its pages are stored already. */
const NO_CHANGES: PageChanges = { replaced: [], pages: [], journal: [] };

/** For commands, which serve nothing. */
const TRUSTING: TrustRule = { incarnation: undefined, check: () => undefined, trusting: (work) => work() };

/** Whether line `l` is not known to be past what nameservers serve, or has nothing ready yet that is, by standing `c`: as zoneseal.find_lines has it. */
const RECOVERING =
  '(l.incarnation is distinct from c.incarnation or (l.barred > 0 and coalesce(l.ready, 0) <= l.barred))';

/** Transactions for many zones. */
const BATCH = { byIndex: true };

/** Look-ups that are asked with one statement. */
const TOGETHER = 100;

/** Publications and serial lines in PostgreSQL. */
export class PostgresPublicationStore implements PublicationStore {
  readonly #database: Database;
  readonly #formatVersion: () => number;
  readonly #trust: TrustRule;
  readonly #replica: ReplicaReader | undefined;
  readonly #lines: Gather<LineName, LineState | undefined>;
  readonly #fewPages: Gather<PagesOf, readonly StoredPage[] | undefined>;

  /**
   * @param formatVersion ready publications of an older output format are listed as due; 0: none is older
   * @param trust what is asked before the database is believed; commands believe it
   * @param replica what reads in bulk, where there is a replica
   * @param waiting look-ups that may wait for those before them; default 10,000
   */
  constructor(
    database: Database,
    options: {
      readonly formatVersion?: number | (() => number);
      readonly trust?: TrustRule;
      readonly replica?: ReplicaReader | undefined;
      readonly waiting?: number;
    } = {},
  ) {
    this.#database = database;
    this.#trust = options.trust ?? TRUSTING;
    this.#replica = options.replica;
    const { formatVersion = 0, waiting = 10_000 } = options;
    const gathering = { together: TOGETHER, waiting };
    this.#lines = new Gather((names) => readLines(database, this.#trust, names), gathering);
    this.#fewPages = new Gather((all) => this.#readFewPages(all), gathering);
    this.#formatVersion = typeof formatVersion === 'number' ? () => formatVersion : formatVersion;
  }

  /** Look-ups that wait for those before them. */
  get waiting(): number {
    return this.#lines.waiting + this.#fewPages.waiting;
  }

  async findServed(zone: string, view: string): Promise<ServedZone | undefined> {
    const [row] = await this.#database.query<ServedRow>(
      `select z.id as zone_id, z.name as zone, v.view from zoneseal.zones z join zoneseal.zone_views v on v.zone_id = z.id
       where z.name = $1 and v.view = $2`,
      [zone, view],
    );
    return row === undefined ? undefined : servedOf(row);
  }

  async listDue(limit: number): Promise<ServedZone[]> {
    const rows = await this.#database.query<ServedRow>(LIST_DUE, [limit, this.#formatVersion()]);
    return rows.map(servedOf);
  }

  async listUnsafe(limit: number): Promise<{ count: number; lines: UnsafeLine[] }> {
    const [total] = await this.#database.query<{ count: number }>(
      'select count(*) as count from zoneseal.serial_lines where zone_id is not null and safe_until < now()',
    );
    const count = total?.count ?? 0;
    if (count === 0) return { count, lines: [] };
    const rows = await this.#database.query<ServedRow & { since: number; expires_at: number }>(
      `select l.zone_id, l.zone, l.view, floor(extract(epoch from l.safe_until))::bigint as since, p.expires_at
       from zoneseal.serial_lines l join zoneseal.publications p on p.id = l.ready
       where l.zone_id is not null and l.safe_until < now() order by l.safe_until limit $1`,
      [limit],
    );
    return {
      count,
      lines: rows.map((row) => ({ ...servedOf(row), since: row.since, expiresAt: row.expires_at })),
    };
  }

  async countFrozen(): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(
      'select count(*) as count from zoneseal.zones where frozen_version is not null',
    );
    return row?.count ?? 0;
  }

  /** How the database finds what is due: its plan, with the times it took. */
  async explainDue(limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, buffers) ${LIST_DUE}`,
      [limit, this.#formatVersion()],
    );
    return rows.map((row) => row['QUERY PLAN']);
  }

  findLine(zone: string, view: string): Promise<LineState | undefined> {
    return this.#lines.get({ zone, view });
  }

  newestReady(zoneId: string, view: string): Promise<Publication | undefined> {
    return this.#trust.trusting(async () => {
      const [row] = await this.#database.query<PublicationRow & StandingRow>(
        `select ${PUBLICATION_COLUMNS}, c.incarnation, c.marker, c.same_server from zoneseal.serial_lines l
           join zoneseal.publications p on p.id = l.ready join zoneseal.zones z on z.id = p.zone_id
           cross join zoneseal.standing() c
         where l.zone_id = $1 and l.view = $2 and not ${RECOVERING}`,
        [zoneId, view],
      );
      if (row === undefined) return undefined;
      this.#trust.check(standingOf(row));
      return publicationOf(row);
    });
  }

  allocate(served: ServedZone, request: AllocateRequest): Promise<Allocation> {
    return this.#trust.trusting(() =>
      this.#database.transaction((transaction) =>
        allocate(transaction, served, request, (standing) => this.#trust.check(standing)),
      ),
    );
  }

  async renewLease(id: string, gateway: string, leaseSeconds: number): Promise<boolean> {
    const renewed = await this.#database.execute(
      `update zoneseal.serial_lines l set building_until = clock_timestamp() + make_interval(secs => $3::float8)
       from zoneseal.publications p
       where p.id = $1 and p.gateway = $2 and p.state = 'building'
         and l.zone_id = p.zone_id and l.view = p.view and l.building = p.id`,
      [id, gateway, leaseSeconds],
    );
    return renewed > 0;
  }

  async listReady(zoneId: string): Promise<Publication[]> {
    const rows = await this.#database.query<PublicationRow & { readonly kept: boolean }>(
      `select ${PUBLICATION_COLUMNS}, ${PAGES_KEPT} as kept from zoneseal.serial_lines l
         join zoneseal.publications p on p.id = l.ready join zoneseal.zones z on z.id = p.zone_id
       where l.zone_id = $1 order by l.view`,
      [zoneId],
    );
    return rows.map((row) => ({ ...publicationOf(row), ...(row.kept ? {} : { generation: null }) }));
  }

  listAbandoned(zoneId: string): Promise<string[]> {
    return listAbandoned(this.#database, zoneId);
  }

  async readLine(upTo: Publication, fromSerial: number): Promise<Publication[]> {
    const rows = await this.#database.query<PublicationRow>(READ_LINE, [
      upTo.id,
      fromSerial,
      upTo.octets ?? 0,
    ]);
    return rows.map(publicationOf);
  }

  readJournal(id: string, added: boolean): AsyncIterable<Uint8Array> {
    return this.#replica?.readJournal(id, added) ?? readJournalParts(this.#database, id, added);
  }

  async markReady(
    id: string,
    gateway: string,
    result: PublicationResult,
    changes?: PageChanges,
  ): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      if (!(await holdsLine(transaction, id, gateway))) return false;
      await commitReady(transaction, [{ publication: { id }, result, changes: changes ?? NO_CHANGES }]);
      return true;
    });
  }

  async markManyReady(
    gateway: string,
    finished: readonly FinishedPublication[],
  ): Promise<ReadonlySet<string>> {
    return this.#database.transaction(async (transaction) => {
      const ours = await lockBuilding(transaction, gateway, finished);
      await commitReady(transaction, ours);
      return new Set(ours.map(({ publication }) => publication.id));
    }, BATCH);
  }

  allocateMany(
    served: readonly ServedZone[],
    request: Omit<AllocateRequest, 'force'>,
  ): Promise<Publication[]> {
    return this.#trust.trusting(() =>
      this.#database.transaction(
        (transaction) =>
          allocateMany(transaction, served, request, (standing) => this.#trust.check(standing)),
        BATCH,
      ),
    );
  }

  readSmallZones(publications: readonly Publication[]): Promise<SmallZoneContent[]> {
    return readSmallZones(this.#database, publications);
  }

  async markUnchanged(id: string, gateway: string): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      if (!(await holdsLine(transaction, id, gateway))) return false;
      await transaction.execute(MARK_UNCHANGED, [id]);
      return true;
    });
  }

  savePages(
    id: string,
    gateway: string,
    pages: readonly PackedPage[],
    journal: readonly JournalPart[],
    soa?: PublishedRRset,
  ): Promise<void> {
    return savePages(this.#database, id, gateway, { pages, journal, soa });
  }

  findPublication(id: string): Promise<Publication | undefined> {
    return findPublication(this.#database, id);
  }

  readPagesAfter(
    generation: string,
    chain: boolean,
    after: Uint8Array | null,
  ): AsyncIterable<readonly StoredPage[]> {
    return readPages(this.#database, { id: generation, generation }, chain, { after });
  }

  async dropJournal(id: string): Promise<void> {
    await this.#database.execute('delete from zoneseal.journal_parts where publication_id = $1', [id]);
  }

  readPages(
    of: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncIterable<readonly StoredPage[]> {
    return this.#replica?.readPages(of, chain) ?? readPages(this.#database, of, chain);
  }

  async readFewPages(of: Publication): Promise<readonly StoredPage[] | undefined> {
    const { id, generation } = of;
    if (generation === null || !hasFewPages(of)) return undefined;
    return this.#fewPages.get({ id, generation });
  }

  #readFewPages(all: readonly PagesOf[]): Promise<(readonly StoredPage[] | undefined)[]> {
    return this.#replica?.readFewPages(all) ?? readFewPages(this.#database, all);
  }

  findPages(generation: string, chain: boolean, keys: readonly Uint8Array[]): Promise<StoredPage[]> {
    return findPages(this.#database, generation, chain, keys);
  }

  pageBefore(generation: string, chain: boolean, key: Uint8Array | null): Promise<StoredPage | undefined> {
    return findNeighbour(this.#database, 'before', generation, chain, key);
  }

  pageAfter(generation: string, chain: boolean, key: Uint8Array): Promise<StoredPage | undefined> {
    return findNeighbour(this.#database, 'after', generation, chain, key);
  }

  expiringPages(generation: string, until: number, limit: number): Promise<StoredPage[]> {
    return findExpiring(this.#database, generation, until, limit);
  }

  firstExpiry(generation: string, except: readonly PageReference[]): Promise<number | undefined> {
    return findFirstExpiry(this.#database, generation, except);
  }

  readChanges(
    zoneId: string,
    view: string,
    after: number,
    upTo: number,
    limit: number,
  ): Promise<ChangedOwners> {
    return readChanges(this.#database, { zoneId, view, after, upTo, limit });
  }

  readRowsAt(zoneId: string, zoneVersion: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]> {
    return readRowsAt(this.#database, zoneId, zoneVersion, keys);
  }

  readRowsBelow(
    zoneId: string,
    zoneVersion: number,
    keys: readonly Uint8Array[],
    limit: number,
  ): Promise<readonly ZoneRow[] | undefined> {
    return readRowsBelow(this.#database, zoneId, zoneVersion, keys, limit);
  }

  async markFailed(id: string, gateway: string, error: string, retrySeconds: number | null): Promise<void> {
    await this.#database.execute(FAIL, [id, gateway, error, retrySeconds]);
  }

  readRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]> {
    return this.#replica?.readRows(zoneId, zoneVersion) ?? readRows(this.#database, zoneId, zoneVersion);
  }

  readTaggedRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]> {
    return readTaggedRows(this.#database, zoneId, zoneVersion);
  }

  async readPolicy(name: string, version: number): Promise<Policy> {
    const [row] = await this.#database.query<{ document: unknown }>(
      'select document from zoneseal.policy_versions where name = $1 and version = $2',
      [name, version],
    );
    if (row === undefined) {
      throw new ZonesealError('NOT_HELD', `policy "${name}" has no version ${version}`, {
        policy: name,
        version,
      });
    }
    return parsePolicy(name, row.document);
  }

  readKeySet(zoneId: string, version: number): Promise<KeySet> {
    return readKeySetVersion(this.#database, zoneId, version);
  }
}

interface ServedRow {
  readonly zone_id: number;
  readonly zone: string;
  readonly view: string;
}

function servedOf({ zone_id, zone, view }: ServedRow): ServedZone {
  return { zoneId: String(zone_id), zone, view };
}

/**
 * Goes back from publication $1 until serial $2 is met, or the way to it is more than $3 octets. What is stored of a journal is
 * measured, not read.
 */
const READ_LINE = `
  with recursive line (id, previous, serial, journal_octets, soa_octets, way) as (
    select p.id, p.previous, p.serial, p.journal_octets, length(p.soa_rdata), 0::bigint
    from zoneseal.publications p where p.id = $1 and p.state = 'ready'
    union all
    select q.id, q.previous, q.serial, q.journal_octets, length(q.soa_rdata), q.way from line l, lateral (
      select p.*, l.way + l.journal_octets + 2 * (l.soa_octets + length(p.soa_rdata)) as way
      from zoneseal.publications p where p.id = l.previous and p.state = 'ready'
    ) q
    where l.serial <> $2 and q.way <= $3
  )
  select ${PUBLICATION_COLUMNS} from line l
    join zoneseal.publications p on p.id = l.id join zoneseal.zones z on z.id = p.zone_id
  where exists (select from line where serial = $2) and not exists (
    select from line m where m.serial <> $2 and m.journal_octets <> (
      select coalesce(sum(length(j.content)), 0) from zoneseal.journal_parts j where j.publication_id = m.id))
  order by l.id`;

/** Lines of which it is known that they are past what nameservers serve: all, but after the database was set back. */
// not by "=": all lines have the same, and its index finds nothing that is due
const SETTLED = 'incarnation is not distinct from (select incarnation from zoneseal.clusters where current)';

/** Each part is a range of an index that is empty while nothing is due, however many zones there are. */
const LIST_DUE = `
  select zone_id, zone, view from (
    (select zone_id, zone, view, due_at from zoneseal.serial_lines
      where zone_id is not null and due_at <= now() and ${SETTLED} order by due_at limit $1)
    union
    (select l.* from zoneseal.policies p, lateral (
        select zone_id, zone, view, due_at from zoneseal.serial_lines
        where policy = p.name and tried_policy_version < p.version and zone_id is not null and ${SETTLED}
          and (building is null or building_until <= now())
        order by policy, tried_policy_version limit $1
      ) l limit $1)
    union
    (select zone_id, zone, view, due_at from zoneseal.serial_lines
      where tried_format_version < $2 and zone_id is not null and ${SETTLED} and (building is null or building_until <= now())
      order by tried_format_version limit $1)
  ) due
  order by due_at limit $1`;
