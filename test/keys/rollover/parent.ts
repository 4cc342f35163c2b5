import { type Caches, type KeyText, strongest } from './caches.js';
import type { ChildView } from './child.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

/** A DS RRset, by the ids of keys. */
interface DsSet {
  readonly ids: readonly string[];
  /** Those whose DS are of a weaker digest type than the DS of the others. */
  readonly weak: readonly string[];
}

/** A DS set as some validators read it. */
export interface ReadDs {
  readonly ids: readonly string[];
  /** Only by those that take the strongest digest alone. */
  readonly isOfStrongest: boolean;
}

interface ParentNameserver {
  readonly isObserved: boolean;
  ds: DsSet;
  from: number;
  change: number;
}

export interface ParentRules {
  readonly propagationDelay: () => number;
  readonly dsTtl: number;
  readonly keyText: (id: string) => KeyText;
  /** What people put in by hand, when they do; undefined: nothing. */
  readonly byHand: () => readonly string[] | undefined;
}

/** How often a parent puts new DS with a weaker digest beside those that it has, before it takes just what is wanted. */
const MIXING = 0.3;

/** The parent: takes CDS when it likes, and has nameservers that lag. */
export class Parent {
  readonly #time: Timeline;
  readonly #random: Random;
  readonly #caches: Caches;
  readonly #rules: ParentRules;
  readonly #nameservers: ParentNameserver[];
  readonly #digests: Random;
  #ds: DsSet;
  #changes = 0;
  #dsTtl: number;

  /** @param digests random numbers of its own, by which digests are chosen */
  constructor(
    time: Timeline,
    random: Random,
    digests: Random,
    caches: Caches,
    rules: ParentRules,
    ids: readonly string[],
  ) {
    this.#time = time;
    this.#random = random;
    this.#digests = digests;
    this.#caches = caches;
    this.#rules = rules;
    this.#ds = { ids, weak: [] };
    this.#dsTtl = rules.dsTtl;
    const kinds = random.pick([[true], [true, false], [true, true, false]]);
    this.#nameservers = kinds.map((isObserved) => ({ isObserved, ds: this.#ds, from: -1e8, change: 0 }));
  }

  get ds(): readonly string[] {
    return this.#ds.ids;
  }

  get dsTtl(): number {
    return this.#dsTtl;
  }

  /** All of its nameservers give DS RRsets with another TTL from now on. */
  setDsTtl(ttl: number): void {
    for (const nameserver of this.#nameservers) {
      this.#account(nameserver);
      nameserver.from = this.#time.now;
    }
    this.#dsTtl = ttl;
  }

  /** Looks for CDS once; true if it took something new. */
  scan(views: readonly ChildView[], isTold: boolean): boolean {
    const wanted = isTold ? this.#rules.byHand() : this.#readCds(views);
    if (wanted === undefined) return false;
    const next = this.#mixed(wanted) ?? { ids: wanted, weak: [] };
    if (JSON.stringify(next) === JSON.stringify(this.#ds)) return false;
    this.#ds = next;
    const change = ++this.#changes;
    for (const nameserver of this.#nameservers) {
      const delay = this.#random.edge(0, this.#rules.propagationDelay());
      this.#time.after(nameserver.isObserved ? this.#random.low(delay) : delay, () => {
        if (nameserver.change >= change) return;
        this.#account(nameserver);
        Object.assign(nameserver, { ds: next, from: this.#time.now, change });
      });
    }
    return true;
  }

  #readCds(views: readonly ChildView[]): readonly string[] | undefined {
    const { cds = null, published = [], keySigners = [] } = this.#random.pick(views).readCds() ?? {};
    if (cds === null) return undefined;
    const signs = (id: string): boolean => published.includes(id) && keySigners.includes(id);
    return this.ds.length === 0 || this.ds.some(signs) ? cds : undefined;
  }

  /** What strict validators take for what there was before, however new the rest is; undefined: it is done at one go. */
  #mixed(wanted: readonly string[]): DsSet | undefined {
    const { ids, weak } = this.#ds;
    const fresh = wanted.filter((id) => !ids.includes(id));
    if (ids.length === 0 || weak.length > 0 || fresh.length === 0) return undefined;
    return this.#digests.chance(MIXING) ? { ids: [...ids, ...fresh].sort(), weak: fresh } : undefined;
  }

  /** The DS sets that its nameservers give now, as validators read them, but for those that nobody knows to ask. */
  observe(): ReadDs[] {
    const { keyText } = this.#rules;
    const seen = this.#nameservers.filter((it) => it.isObserved).map((it) => it.ds);
    const any = new Set(seen.map(({ ids }) => JSON.stringify(ids)));
    const strict = new Set(
      seen.map(({ ids, weak }) => {
        const left = strongest(ids.map(keyText), weak.map(keyText));
        return JSON.stringify(ids.filter((id) => left.includes(keyText(id))));
      }),
    );
    return [...new Set([...any, ...strict])].map((text) => {
      return { ids: JSON.parse(text) as string[], isOfStrongest: !any.has(text) };
    });
  }

  finish(): void {
    for (const nameserver of this.#nameservers) this.#account(nameserver);
  }

  #account({ ds, from }: ParentNameserver): void {
    const { keyText } = this.#rules;
    const held = { kind: 'ds', keys: ds.ids.map(keyText), weak: ds.weak.map(keyText) } as const;
    this.#caches.served(held, from, this.#time.now, this.#dsTtl);
  }
}
