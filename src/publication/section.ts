import type { Name } from '../dns/name.js';
import { octetKey } from '../dns/octet-key.js';
import type { RRset } from '../dns/record.js';
import { firstExpiry, unpackPage } from '../signing/page-codec.js';
import { nodeKey, type SignedNode, type UnsignedNode } from '../signing/signed-node.js';
import type { PublicationStore, StoredPage } from './ports.js';

/** What a section needs of the store. */
export type PageSource = Pick<PublicationStore, 'findPages' | 'pageBefore' | 'pageAfter'>;

/** One node in the section as it is being changed. */
export interface Entry {
  readonly key: Uint8Array;
  /** The node as the publication before has it; undefined when it is new. */
  readonly before: SignedNode | undefined;
  /** What is to be signed in its place; undefined while it stays as it was. */
  after: UnsignedNode | undefined;
}

/** A loaded page. Its range reaches from its key to the next page's. */
interface OpenPage {
  readonly stored: StoredPage;
  entries: Entry[];
  isChanged: boolean;
}

/** The node that an entry stands for, without its signatures. */
export function nodeOf({
  before,
  after,
}: Entry): Omit<UnsignedNode, 'rrsets'> & { readonly rrsets: readonly RRset[] } {
  if (after !== undefined) return after;
  const node = before as SignedNode;
  return { ...node, rrsets: node.rrsets.map(({ rrset }) => rrset) };
}

/**
 * One section of a signed variant (the names, or the NSEC3 records) while it is being changed: pages are loaded as they are
 * needed, and only they.
 */
export class Section {
  readonly #source: PageSource;
  readonly #generation: string;
  readonly #zone: Name;
  readonly #chain: boolean;
  /** By ascending key; no two overlap. */
  readonly #pages: OpenPage[] = [];
  /** Whether the first of them is the first there is. */
  #isFirstOpen = false;
  /** Nodes of the publication before that are gone. */
  readonly #removed = new Map<string, SignedNode>();

  constructor(source: PageSource, generation: string, zone: Name, chain: boolean) {
    this.#source = source;
    this.#generation = generation;
    this.#zone = zone;
    this.#chain = chain;
  }

  /** Loads the pages that hold these keys, with one question to the database. */
  async load(keys: readonly Uint8Array[]): Promise<void> {
    const missing = keys.filter((key) => this.#covering(key) === undefined);
    if (missing.length === 0) return;
    for (const page of await this.#source.findPages(this.#generation, this.#chain, missing)) this.#open(page);
    // a key that lies before the page found for it lies before all pages
    const first = this.#pages[0]?.stored.firstKey;
    if (first !== undefined && missing.some((key) => Buffer.compare(key, first) < 0))
      this.#isFirstOpen = true;
  }

  async get(key: Uint8Array): Promise<Entry | undefined> {
    const page = await this.#page(key);
    if (page === undefined) return undefined;
    const at = find(page.entries, key);
    return at < 0 ? undefined : page.entries[at];
  }

  /** The entries from a key up to, not including, another. */
  async range(from: Uint8Array, to: Uint8Array): Promise<Entry[]> {
    const entries: Entry[] = [];
    let key: Uint8Array | null = from;
    while (key !== null && Buffer.compare(key, to) < 0) {
      const page = await this.#page(key);
      if (page === undefined) break;
      for (const entry of page.entries) {
        if (Buffer.compare(entry.key, from) >= 0 && Buffer.compare(entry.key, to) < 0) entries.push(entry);
      }
      key = page.stored.nextKey;
    }
    return entries;
  }

  /** Puts a node where its key belongs; what stood there before is remembered. */
  async put(node: UnsignedNode): Promise<Entry> {
    const key = nodeKey(node);
    const page = await this.#page(key);
    if (page === undefined) throw new Error('a section that is changed has a page');
    page.isChanged = true;
    const at = find(page.entries, key);
    if (at >= 0) {
      const entry = page.entries[at] as Entry;
      entry.after = node;
      return entry;
    }
    const text = octetKey(key);
    const entry: Entry = { key, before: this.#removed.get(text), after: node };
    this.#removed.delete(text);
    page.entries.splice(-at - 1, 0, entry);
    return entry;
  }

  async remove(key: Uint8Array): Promise<void> {
    const page = await this.#page(key);
    const at = page === undefined ? -1 : find(page.entries, key);
    if (page === undefined || at < 0) return;
    const [entry] = page.entries.splice(at, 1);
    page.isChanged = true;
    if (entry?.before !== undefined) this.#removed.set(octetKey(key), entry.before);
  }

  /** The last entry before a key (null: of all) that is part of the denial chain. */
  async chainedBefore(key: Uint8Array | null): Promise<Entry | undefined> {
    let limit = key;
    let page = key === null ? undefined : await this.#page(key);
    for (;;) {
      if (page !== undefined) {
        for (let i = page.entries.length - 1; i >= 0; i--) {
          const entry = page.entries[i] as Entry;
          if ((limit === null || Buffer.compare(entry.key, limit) < 0) && isChained(entry)) return entry;
        }
        limit = page.stored.firstKey;
      }
      page = await this.#neighbour('before', limit);
      if (page === undefined) return undefined;
      limit = null;
    }
  }

  /** The first entry after a key that is part of the denial chain. */
  async chainedAfter(key: Uint8Array): Promise<Entry | undefined> {
    let page = await this.#page(key);
    for (;;) {
      if (page === undefined) return undefined;
      for (const entry of page.entries) {
        if (Buffer.compare(entry.key, key) > 0 && isChained(entry)) return entry;
      }
      page = page.stored.nextKey === null ? undefined : await this.#neighbour('after', page.stored.nextKey);
    }
  }

  /** The pages that were changed, as they were and as they are, in order. */
  changed(): { readonly stored: StoredPage; readonly entries: readonly Entry[] }[] {
    return this.#pages.filter(({ isChanged }) => isChanged);
  }

  /** Takes in pages that were read already. */
  admit(pages: readonly StoredPage[]): void {
    for (const page of pages) if (page.chain === this.#chain) this.#open(page);
  }

  /** Has all nodes of loaded pages signed anew of which a signature expires at an instant or before. */
  renew(until: number): void {
    for (const page of this.#pages) {
      for (const entry of page.entries) {
        if (entry.after !== undefined || entry.before === undefined) continue;
        const expires = firstExpiry([entry.before]);
        if (expires === null || expires > until) continue;
        entry.after = nodeOf(entry);
        page.isChanged = true;
      }
    }
  }

  /** Notes that a node of a page is to be signed anew. */
  touch(entry: Entry, node: UnsignedNode): void {
    entry.after = node;
    const page = this.#covering(entry.key);
    if (page !== undefined) page.isChanged = true;
  }

  /** Nodes that are gone. */
  removed(): Iterable<SignedNode> {
    return this.#removed.values();
  }

  async #page(key: Uint8Array): Promise<OpenPage | undefined> {
    await this.load([key]);
    return this.#covering(key);
  }

  /** The loaded page whose range a key lies in; what lies before the first page of a section belongs to it. */
  #covering(key: Uint8Array): OpenPage | undefined {
    let low = 0;
    let high = this.#pages.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare((this.#pages[middle] as OpenPage).stored.firstKey, key) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return this.#isFirstOpen ? this.#pages[0] : undefined;
    const page = this.#pages[low - 1] as OpenPage;
    const { nextKey } = page.stored;
    return nextKey === null || Buffer.compare(key, nextKey) < 0 ? page : undefined;
  }

  /**
   * The nearest page on one side of a key with a node of the chain: the database knows which stored pages have one; of
   * those that are loaded the present state counts.
   */
  async #neighbour(side: 'before' | 'after', key: Uint8Array | null): Promise<OpenPage | undefined> {
    for (let at = key; ; ) {
      const stored =
        side === 'before'
          ? await this.#source.pageBefore(this.#generation, this.#chain, at)
          : await this.#source.pageAfter(this.#generation, this.#chain, at as Uint8Array);
      const loaded = this.#nearestChanged(side, at, stored);
      if (loaded !== undefined) return loaded;
      if (stored === undefined) return undefined;
      const page = this.#open(stored);
      if (page.entries.some(isChained)) return page;
      if (side === 'after' && stored.nextKey === null) return undefined;
      at = side === 'before' ? stored.firstKey : stored.nextKey;
    }
  }

  /** A changed page between a key and the stored page found that has come to have a node of the chain. */
  #nearestChanged(
    side: 'before' | 'after',
    key: Uint8Array | null,
    found: StoredPage | undefined,
  ): OpenPage | undefined {
    const between = this.#pages.filter(({ stored, isChanged, entries }) => {
      if (!isChanged || !entries.some(isChained)) return false;
      const toKey = key === null ? -1 : Buffer.compare(stored.firstKey, key);
      const toFound = found === undefined ? undefined : Buffer.compare(stored.firstKey, found.firstKey);
      if (side === 'before') return toKey < 0 && (toFound === undefined || toFound > 0);
      return toKey >= 0 && (toFound === undefined || toFound < 0);
    });
    return side === 'before' ? between.at(-1) : between[0];
  }

  #open(stored: StoredPage): OpenPage {
    let at = 0;
    while (
      at < this.#pages.length &&
      Buffer.compare((this.#pages[at] as OpenPage).stored.firstKey, stored.firstKey) < 0
    )
      at++;
    const there = this.#pages[at];
    if (there !== undefined && Buffer.compare(there.stored.firstKey, stored.firstKey) === 0) return there;
    const entries = unpackPage(stored.content, this.#zone).map(
      (before): Entry => ({ key: nodeKey(before), before, after: undefined }),
    );
    const page: OpenPage = { stored, entries, isChanged: false };
    this.#pages.splice(at, 0, page);
    return page;
  }
}

/** Whether an entry is part of the denial chain: every node but those that are occluded. */
function isChained({ before, after }: Entry): boolean {
  return (after ?? before)?.kind !== 'occluded';
}

/** The place of a key; where it is not there, -1 less the place where it belongs. */
function find(entries: readonly Entry[], key: Uint8Array): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = Buffer.compare((entries[middle] as Entry).key, key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -low - 1;
}
