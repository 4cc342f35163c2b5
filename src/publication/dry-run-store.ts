import type { PackedPage } from '../signing/page-codec.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import type {
  ChangedOwners,
  JournalPart,
  PageReference,
  Publication,
  PublicationStore,
  StoredPage,
} from './ports.js';
import type { ProductionStore } from './produce.js';

/** Reads what there is, and stores nothing: what would be stored is shown to a listener and forgotten. */
export class DryRunStore implements ProductionStore {
  readonly #store: ProductionStore;
  readonly #id: string;
  readonly #onPages: (pages: readonly PackedPage[], journal: readonly JournalPart[]) => void;
  readonly readPolicy: PublicationStore['readPolicy'];
  readonly readKeySet: PublicationStore['readKeySet'];

  /** @param id of the publication that is not stored */
  constructor(
    store: ProductionStore,
    id: string,
    onPages: (pages: readonly PackedPage[], journal: readonly JournalPart[]) => void,
  ) {
    this.#store = store;
    this.#id = id;
    this.#onPages = onPages;
    this.readPolicy = (name, version) => store.readPolicy(name, version);
    this.readKeySet = (zoneId, version) => store.readKeySet(zoneId, version);
  }

  savePages(
    _id: string,
    _gateway: string,
    pages: readonly PackedPage[],
    journal: readonly JournalPart[],
  ): Promise<void> {
    // in a turn of its own, so that what is thrown is heard where storing is awaited
    return Promise.resolve().then(() => this.#onPages(pages, journal));
  }

  dropJournal(): Promise<void> {
    return Promise.resolve();
  }

  /** Of the publication that is not stored none: a digest over signatures that nobody made says nothing. */
  async *readPages(
    of: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncGenerator<readonly StoredPage[], void, undefined> {
    if (of.id !== this.#id) yield* this.#store.readPages(of, chain);
  }

  listReady(zoneId: string): Promise<Publication[]> {
    return this.#store.listReady(zoneId);
  }

  listAbandoned(zoneId: string): Promise<readonly string[]> {
    return this.#store.listAbandoned(zoneId);
  }

  readPagesAfter(
    generation: string,
    chain: boolean,
    after: Uint8Array | null,
  ): AsyncIterable<readonly StoredPage[]> {
    return this.#store.readPagesAfter(generation, chain, after);
  }

  readChanges(
    zoneId: string,
    view: string,
    after: number,
    upTo: number,
    limit: number,
  ): Promise<ChangedOwners> {
    return this.#store.readChanges(zoneId, view, after, upTo, limit);
  }

  readRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]> {
    return this.#store.readRows(zoneId, zoneVersion);
  }

  readTaggedRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly RowContent[]> {
    return this.#store.readTaggedRows(zoneId, zoneVersion);
  }

  readRowsAt(zoneId: string, zoneVersion: number, keys: readonly Uint8Array[]): Promise<readonly ZoneRow[]> {
    return this.#store.readRowsAt(zoneId, zoneVersion, keys);
  }

  readRowsBelow(
    zoneId: string,
    zoneVersion: number,
    keys: readonly Uint8Array[],
    limit: number,
  ): Promise<readonly ZoneRow[] | undefined> {
    return this.#store.readRowsBelow(zoneId, zoneVersion, keys, limit);
  }

  findPages(generation: string, chain: boolean, keys: readonly Uint8Array[]): Promise<StoredPage[]> {
    return this.#store.findPages(generation, chain, keys);
  }

  pageBefore(generation: string, chain: boolean, key: Uint8Array | null): Promise<StoredPage | undefined> {
    return this.#store.pageBefore(generation, chain, key);
  }

  expiringPages(generation: string, until: number, limit: number): Promise<StoredPage[]> {
    return this.#store.expiringPages(generation, until, limit);
  }

  firstExpiry(generation: string, except: readonly PageReference[]): Promise<number | undefined> {
    return this.#store.firstExpiry(generation, except);
  }

  pageAfter(generation: string, chain: boolean, key: Uint8Array): Promise<StoredPage | undefined> {
    return this.#store.pageAfter(generation, chain, key);
  }
}
