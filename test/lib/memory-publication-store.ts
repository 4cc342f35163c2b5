import { Name } from '../../src/dns/name.js';
import { ZonesealError } from '../../src/errors.js';
import type { KeySet, ZoneKey } from '../../src/keys/key-set.js';
import { type Policy, parsePolicy } from '../../src/keys/policy.js';
import type {
  Allocation,
  Cause,
  ChangedOwners,
  JournalPart,
  LineState,
  PageChanges,
  PageReference,
  Publication,
  PublicationResult,
  PublicationStore,
  PublishedRRset,
  SerialInput,
  ServedZone,
  StoredPage,
  UnsafeLine,
} from '../../src/publication/ports.js';
import type { PackedPage } from '../../src/signing/page-codec.js';
import { rowsOfTaggedOwners, type ZoneRow } from '../../src/zone/row.js';
import { changedOwners, changePages, type MemoryPage, order } from './memory-pages.js';

/** One zone in memory, in one view or several, for tests of what stands above the database. */
export class MemoryPublicationStore implements PublicationStore {
  keySet: readonly ZoneKey[] = [];
  deleteSentinel = false;
  policy: Policy = parsePolicy('default', {});
  policyVersion = 1;
  keySetVersion = 1;
  version = 1;
  notBefore = 0;
  now = 1_790_000_000;
  served = true;
  /** Thrown by the next calls, as when the database is away. */
  fault: Error | undefined;
  /** Called after each batch of rows, with the number of rows read. */
  onBatch: (read: number) => Promise<void> | void = () => undefined;
  reads = 0;
  /** Rows read one by one, for updates. */
  rowsRead = 0;
  leaseIsOurs = true;
  /** Whether the line is not served as the database was set back. */
  recovering = false;
  /** As the database has it, where that is not the serial of the newest publication. */
  lastSerial: number | undefined;
  /** More owners than this are "all". */
  changeLimit = 1000;
  unsafe: UnsafeLine[] = [];
  readonly publications: Publication[] = [];
  /** What publications came to, by id. */
  readonly results = new Map<string, PublicationResult>();
  readonly retries: (number | null)[] = [];
  readonly pages = new Map<string, MemoryPage[]>();
  readonly journals = new Map<string, JournalPart[]>();
  readonly zone: ServedZone;
  readonly #rows = new Map<number, readonly ZoneRow[]>();
  readonly #policies = new Map<number, Policy>();
  readonly #keySets = new Map<number, KeySet>();

  constructor(zone: string, view: string) {
    this.zone = { zoneId: '1', zone, view };
  }

  /** The rows of the present version, in canonical order. */
  get rows(): readonly ZoneRow[] {
    return this.#rows.get(this.version) ?? this.#rows.get(Math.max(...this.#rows.keys())) ?? [];
  }

  set rows(rows: readonly ZoneRow[]) {
    this.#rows.set(this.version, rows);
  }

  findServed(zone: string, view: string): Promise<ServedZone | undefined> {
    return this.#answer(() =>
      this.served && zone === this.zone.zone && view === this.zone.view ? this.zone : undefined,
    );
  }

  findLine(zone: string, view: string): Promise<LineState | undefined> {
    return this.#answer(() => {
      if (!this.served || zone !== this.zone.zone || view !== this.zone.view) return undefined;
      return {
        served: this.zone,
        publication: this.#newest(view),
        lastSerial: this.lastSerial ?? this.publications.findLast((it) => it.view === view)?.serial,
        isRecovering: this.recovering,
      };
    });
  }

  listDue(): Promise<ServedZone[]> {
    return this.#answer(() => {
      const newest = this.publications.at(-1);
      return newest === undefined || newest.zoneVersion < this.version ? [this.zone] : [];
    });
  }

  listUnsafe(): Promise<{ count: number; lines: UnsafeLine[] }> {
    return this.#answer(() => ({ count: this.unsafe.length, lines: this.unsafe }));
  }

  countFrozen(): Promise<number> {
    return this.#answer(() => 0);
  }

  newestReady(_zoneId = '1', view = this.zone.view): Promise<Publication | undefined> {
    return this.#answer(() => this.#newest(view));
  }

  listReady(): Promise<Publication[]> {
    return this.#answer(() => {
      const views = new Set(this.publications.map(({ view }) => view));
      const newest = [...views].map((view) => this.#newest(view)).filter((it) => it !== undefined);
      return newest.map((it) => (this.pages.has(it.generation ?? '') ? it : { ...it, generation: null }));
    });
  }

  listAbandoned(): Promise<readonly string[]> {
    return this.#answer(() =>
      this.publications
        .filter(({ id, state, view }) => {
          const newest = this.#newest(view)?.id ?? '0';
          return state === 'failed' && this.pages.has(id) && Number(id) > Number(newest);
        })
        .map(({ id }) => id),
    );
  }

  readLine(upTo: Publication, fromSerial: number): Promise<Publication[]> {
    return this.#answer(() => {
      const line = this.publications.filter((it) => it.view === upTo.view && it.state === 'ready');
      const from = line.findLastIndex((it) => it.serial === fromSerial);
      const found = from < 0 ? [] : line.slice(from).filter((it) => Number(it.id) <= Number(upTo.id));
      let way = 0;
      for (const [i, { id, journal, soa }] of found.entries()) {
        if (i === 0) continue;
        const stored = (this.journals.get(id) ?? []).reduce((sum, { content }) => sum + content.length, 0);
        if (stored !== journal?.octets) return [];
        way += journal.octets + 2 * ((soa?.rdata.length ?? 0) + (found[i - 1]?.soa?.rdata.length ?? 0));
      }
      return way > (upTo.octets ?? 0) ? [] : found;
    });
  }

  allocate(
    served: ServedZone,
    request: {
      readonly formatVersion: number;
      readonly nextSerial: (input: SerialInput) => number;
      readonly force?: Cause;
    },
  ): Promise<Allocation> {
    return this.#answer(() => {
      const last = this.publications.findLast(({ view }) => view === served.view);
      if (last?.state === 'building' && this.leaseIsOurs)
        return { kind: 'building-elsewhere', publication: last };
      const previous = this.#newest(served.view);
      this.#policies.set(this.policyVersion, this.policy);
      this.#keySets.set(this.keySetVersion, this.#keys());
      this.#rows.set(this.version, this.rows);
      const publication: Publication = {
        ...served,
        id: String(this.publications.length + 1),
        zoneVersion: this.version,
        policyName: 'default',
        policyVersion: this.policyVersion,
        keySetVersion: this.keySetVersion,
        time: Math.max(this.now, previous?.time ?? 0),
        notBefore: this.notBefore,
        formatVersion: request.formatVersion,
        serial: request.nextSerial({
          last: last?.serial ?? null,
          isUnseen: last?.state === 'failed' && last.previous !== null,
          stored: null,
          now: this.now,
          policy: this.policy,
        }),
        state: 'building',
        cause: request.force ?? (previous === undefined ? 'first' : 'change'),
        error: null,
        previous: previous?.id ?? null,
        generation: null,
        resignAt: null,
        expiresAt: null,
        soa: null,
        zonemd: null,
        maxTtl: null,
        records: null,
        octets: null,
        journal: null,
      };
      this.publications.push(publication);
      return { kind: 'allocated', publication };
    });
  }

  /** Batches are for many zones; this store has one. */
  allocateMany(): Promise<Publication[]> {
    return Promise.resolve([]);
  }

  readSmallZones(): Promise<never[]> {
    return Promise.resolve([]);
  }

  markManyReady(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set());
  }

  renewLease(): Promise<boolean> {
    return this.#answer(() => this.leaseIsOurs);
  }

  markReady(
    id: string,
    _gateway: string,
    result: PublicationResult,
    changes?: PageChanges,
  ): Promise<boolean> {
    return this.#answer(() => {
      if (!this.leaseIsOurs) return false;
      this.results.set(id, result);
      if (changes !== undefined) this.#changePages(id, result.generation, changes);
      const {
        zonemd,
        journal,
        signatures: _,
        reused: __,
        safeUntil: ___,
        dnskeyTtl: ____,
        ...facts
      } = result;
      this.#change(id, { ...facts, state: 'ready', zonemd: zonemd ?? null, journal: journal ?? null });
      return true;
    });
  }

  markUnchanged(id: string): Promise<boolean> {
    return this.#answer(() => {
      this.#change(id, { state: 'failed', error: 'unchanged' });
      return this.leaseIsOurs;
    });
  }

  markFailed(id: string, _gateway: string, error: string, retrySeconds: number | null): Promise<void> {
    return this.#answer(() => {
      this.#change(id, { state: 'failed', error });
      this.retries.push(retrySeconds);
    });
  }

  savePages(
    id: string,
    _gateway: string,
    pages: readonly PackedPage[],
    journal: readonly JournalPart[],
    soa?: PublishedRRset,
  ): Promise<void> {
    return this.#answer(() => {
      if (!this.leaseIsOurs) throw new ZonesealError('PUBLICATION_LOST', 'the lease was lost');
      if (soa !== undefined) this.#change(id, { soa });
      const stored = this.pages.get(id) ?? [];
      this.pages.set(id, stored);
      for (const page of pages) stored.push({ page, since: Number(id), until: undefined });
      this.journals.set(id, [...(this.journals.get(id) ?? []), ...journal]);
    });
  }

  findPublication(id: string): Promise<Publication | undefined> {
    return this.#answer(() => this.publications.find((it) => it.id === id));
  }

  async *readPagesAfter(
    generation: string,
    chain: boolean,
    after: Uint8Array | null,
  ): AsyncGenerator<readonly StoredPage[], void, undefined> {
    const all = this.#section(generation, chain, () => true);
    const pages = all.filter(({ firstKey }) => after === null || order(firstKey, after) > 0);
    for (let i = 0; i < pages.length; i += 3) yield pages.slice(i, i + 3);
  }

  dropJournal(id: string): Promise<void> {
    return this.#answer(() => void this.journals.delete(id));
  }

  async *readJournal(id: string, added: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    for (const part of this.journals.get(id) ?? []) if (part.added === added) yield part.content;
  }

  async *readPages(
    { id, generation }: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncGenerator<readonly StoredPage[], void, undefined> {
    const at = Number(id);
    const pages = this.#section(generation, chain, ({ since, until }) => {
      return since <= at && (until === undefined || until > at);
    });
    for (let i = 0; i < pages.length; i += 3) yield pages.slice(i, i + 3);
  }

  /** For those that read page by page. */
  readFewPages(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  findPages(generation: string, chain: boolean, keys: readonly Uint8Array[]): Promise<StoredPage[]> {
    return this.#answer(() => {
      const pages = this.#present(generation, chain);
      const found = new Set(
        keys.map((key) => pages.findLast(({ firstKey }) => order(firstKey, key) <= 0) ?? pages[0]),
      );
      return pages.filter((page) => found.has(page));
    });
  }

  pageBefore(generation: string, chain: boolean, key: Uint8Array | null): Promise<StoredPage | undefined> {
    return this.#answer(() =>
      this.#present(generation, chain).findLast(
        ({ firstKey, chained }) => chained && (key === null || order(firstKey, key) < 0),
      ),
    );
  }

  pageAfter(generation: string, chain: boolean, key: Uint8Array): Promise<StoredPage | undefined> {
    return this.#answer(() =>
      this.#present(generation, chain).find(({ firstKey, chained }) => chained && order(firstKey, key) >= 0),
    );
  }

  expiringPages(generation: string, until: number, limit: number): Promise<StoredPage[]> {
    return this.#answer(() =>
      [...this.#present(generation, false), ...this.#present(generation, true)]
        .filter(({ expires }) => expires !== null && expires <= until)
        .sort((a, b) => (a.expires as number) - (b.expires as number))
        .slice(0, limit),
    );
  }

  firstExpiry(generation: string, except: readonly PageReference[]): Promise<number | undefined> {
    return this.#answer(() => {
      const left = [...this.#present(generation, false), ...this.#present(generation, true)].filter(
        (page) => !except.some((it) => it.chain === page.chain && order(it.firstKey, page.firstKey) === 0),
      );
      const expiries = left.map(({ expires }) => expires).filter((it) => it !== null);
      return expiries.length === 0 ? undefined : Math.min(...expiries);
    });
  }

  readChanges(_zoneId: string, view: string, after: number, upTo: number): Promise<ChangedOwners> {
    return this.#answer(() => {
      const keys = changedOwners(this.#rows.get(after) ?? [], this.#rows.get(upTo) ?? [], view);
      return keys.length > this.changeLimit ? { kind: 'all' } : { kind: 'owners', keys };
    });
  }

  readRowsAt(_zoneId: string, version: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]> {
    return this.#answer(() => {
      const isWanted = (row: ZoneRow): boolean => keys.some((key) => order(key, row.sortKey) === 0);
      const rows = (this.#rows.get(version) ?? []).filter(isWanted);
      this.rowsRead += rows.length;
      return rows;
    });
  }

  readRowsBelow(
    _zoneId: string,
    version: number,
    keys: readonly Uint8Array[],
    limit: number,
  ): Promise<readonly ZoneRow[] | undefined> {
    return this.#answer(() => {
      const rows = (this.#rows.get(version) ?? []).filter(({ sortKey }) =>
        keys.some((key) => sortKey.length > key.length && order(sortKey.subarray(0, key.length), key) === 0),
      );
      this.rowsRead += rows.length;
      return rows.length > limit ? undefined : rows;
    });
  }

  async *readRows(
    _zoneId = '1',
    version = this.version,
  ): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    this.reads++;
    const rows = this.#rows.get(version) ?? this.rows;
    for (let i = 0; i < rows.length; i += 100) {
      if (this.fault !== undefined) throw this.fault;
      yield rows.slice(i, i + 100);
      await this.onBatch(i + 100);
    }
  }

  async *readTaggedRows(_: string, version: number): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    const rows = rowsOfTaggedOwners(this.#rows.get(version) ?? this.rows, Name.parse(this.zone.zone));
    if (this.fault !== undefined) throw this.fault;
    this.rowsRead += rows.length;
    if (rows.length > 0) yield await Promise.resolve(rows);
  }

  readPolicy(_name?: string, version = this.policyVersion): Promise<Policy> {
    return this.#answer(() => this.#policies.get(version) ?? this.policy);
  }

  readKeySet(_zoneId?: string, version = this.keySetVersion): Promise<KeySet> {
    return this.#answer(() => this.#keySets.get(version) ?? this.#keys());
  }

  #keys(): KeySet {
    return { keys: this.keySet, deleteSentinel: this.deleteSentinel };
  }

  #newest(view: string): Publication | undefined {
    return this.publications.findLast((it) => it.state === 'ready' && it.view === view);
  }

  #present(generation: string, chain: boolean): StoredPage[] {
    return this.#section(generation, chain, ({ until }) => until === undefined);
  }

  #section(generation: string, chain: boolean, isWanted: (page: MemoryPage) => boolean): StoredPage[] {
    const pages = (this.pages.get(generation) ?? [])
      .filter((it) => it.page.chain === chain && isWanted(it))
      .sort((a, b) => order(a.page.firstKey, b.page.firstKey));
    return pages.map(({ page, since }, i) => ({
      ...page,
      since: String(since),
      nextKey: pages[i + 1]?.page.firstKey ?? null,
    }));
  }

  #changePages(id: string, generation: string, changes: PageChanges): void {
    changePages(this.pages.get(generation) ?? [], Number(id), changes);
    this.journals.set(id, [...changes.journal]);
  }

  #change(id: string, to: Partial<Publication>): void {
    const at = this.publications.findIndex((it) => it.id === id);
    this.publications[at] = { ...(this.publications[at] as Publication), ...to };
  }

  #answer<T>(answer: () => T): Promise<T> {
    return this.fault === undefined ? Promise.resolve().then(answer) : Promise.reject(this.fault);
  }
}
