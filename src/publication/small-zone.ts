import { Name } from '../dns/name.js';
import type { KeySet } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import type { PackedPage } from '../signing/page-codec.js';
import { rowsOfTaggedOwners, type ZoneRow } from '../zone/row.js';
import type {
  ChangedOwners,
  JournalPart,
  PageReference,
  Publication,
  PublicationStore,
  SmallZoneContent,
  StoredPage,
} from './ports.js';
import type { ProductionStore } from './produce.js';

const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);

/**
 * A small zone that was read whole, as the store that its publication is made from; what is stored of it is kept for a commit
 * together with others'. Policies and keys of earlier versions are asked of the database.
 */
export class SmallZone implements ProductionStore {
  readonly #content: SmallZoneContent;
  readonly #store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>;
  readonly pages: PackedPage[] = [];
  readonly journal: JournalPart[] = [];

  constructor(content: SmallZoneContent, store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>) {
    this.#content = content;
    this.#store = store;
  }

  readPolicy(name: string, version: number): Promise<Policy> {
    const { publication, policy } = this.#content;
    const isOurs = name === publication.policyName && version === publication.policyVersion;
    return isOurs ? Promise.resolve(policy) : this.#store.readPolicy(name, version);
  }

  readKeySet(zoneId: string, version: number): Promise<KeySet> {
    const { publication, keySet } = this.#content;
    return version === publication.keySetVersion
      ? Promise.resolve(keySet)
      : this.#store.readKeySet(zoneId, version);
  }

  listReady(): Promise<Publication[]> {
    return Promise.resolve(
      this.#content.ready.map(({ publication, pages }) =>
        pages.length > 0 ? publication : { ...publication, generation: null },
      ),
    );
  }

  /** Zones with some are made one by one. */
  listAbandoned(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async *readPagesAfter(): AsyncGenerator<readonly StoredPage[], void, undefined> {}

  readChanges(): Promise<ChangedOwners> {
    return Promise.resolve(this.#content.changes);
  }

  async *readRows(): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    yield await Promise.resolve(this.#content.rows);
  }

  async *readTaggedRows(): AsyncGenerator<readonly ZoneRow[], void, undefined> {
    yield await Promise.resolve(
      rowsOfTaggedOwners(this.#content.rows, Name.parse(this.#content.publication.zone)),
    );
  }

  readRowsAt(_: string, __: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]> {
    return Promise.resolve(
      this.#content.rows.filter(({ sortKey }) => keys.some((key) => compare(key, sortKey) === 0)),
    );
  }

  readRowsBelow(_: string, __: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]> {
    const isBelow = (sortKey: Uint8Array, key: Uint8Array): boolean =>
      sortKey.length > key.length && compare(sortKey.subarray(0, key.length), key) === 0;
    return Promise.resolve(
      this.#content.rows.filter(({ sortKey }) => keys.some((key) => isBelow(sortKey, key))),
    );
  }

  /** Of this publication, the pages that were made so far; of ready ones theirs. */
  async *readPages(
    { id, generation }: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncGenerator<readonly StoredPage[], void, undefined> {
    const isOurs = id === this.#content.publication.id;
    const own = this.pages.map((page): StoredPage => ({ ...page, since: id, nextKey: null }));
    yield await Promise.resolve(
      isOurs ? own.filter((page) => page.chain === chain) : this.#section(generation, chain),
    );
  }

  findPages(generation: string, chain: boolean, keys: readonly Uint8Array[]): Promise<StoredPage[]> {
    const pages = this.#section(generation, chain);
    const found = new Set(
      keys.map((key) => pages.findLast(({ firstKey }) => compare(firstKey, key) <= 0) ?? pages[0]),
    );
    return Promise.resolve(pages.filter((page) => found.has(page)));
  }

  pageBefore(generation: string, chain: boolean, key: Uint8Array | null): Promise<StoredPage | undefined> {
    const isBefore = ({ firstKey }: StoredPage): boolean => key === null || compare(firstKey, key) < 0;
    return Promise.resolve(
      this.#section(generation, chain).findLast((page) => page.chained && isBefore(page)),
    );
  }

  pageAfter(generation: string, chain: boolean, key: Uint8Array): Promise<StoredPage | undefined> {
    return Promise.resolve(
      this.#section(generation, chain).find(
        ({ chained, firstKey }) => chained && compare(firstKey, key) >= 0,
      ),
    );
  }

  expiringPages(generation: string, until: number, limit: number): Promise<StoredPage[]> {
    return Promise.resolve(
      this.#all(generation)
        .filter(({ expires }) => expires !== null && expires <= until)
        .slice(0, limit),
    );
  }

  firstExpiry(generation: string, except: readonly PageReference[]): Promise<number | undefined> {
    const isLeft = (page: StoredPage): boolean =>
      !except.some((it) => it.chain === page.chain && compare(it.firstKey, page.firstKey) === 0);
    const expiries = this.#all(generation)
      .filter(isLeft)
      .map(({ expires }) => expires);
    const known = expiries.filter((expires) => expires !== null);
    return Promise.resolve(known.length === 0 ? undefined : Math.min(...known));
  }

  savePages(
    _: string,
    __: string,
    pages: readonly PackedPage[],
    journal: readonly JournalPart[],
  ): Promise<void> {
    this.pages.push(...pages);
    this.journal.push(...journal);
    return Promise.resolve();
  }

  dropJournal(): Promise<void> {
    this.journal.length = 0;
    return Promise.resolve();
  }

  #section(generation: string, chain: boolean): readonly StoredPage[] {
    return this.#all(generation).filter((page) => page.chain === chain);
  }

  #all(generation: string): readonly StoredPage[] {
    return this.#content.ready.find(({ publication }) => publication.generation === generation)?.pages ?? [];
  }
}
