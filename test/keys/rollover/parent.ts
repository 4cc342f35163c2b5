import type { Caches, KeyText } from './caches.js';
import type { ChildView } from './child.js';
import type { Random } from './random.js';
import type { Timeline } from './timeline.js';

interface ParentNameserver {
  readonly isObserved: boolean;
  ds: readonly string[];
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

/** The parent: takes CDS when it likes, and has nameservers that lag. */
export class Parent {
  readonly #time: Timeline;
  readonly #random: Random;
  readonly #caches: Caches;
  readonly #rules: ParentRules;
  readonly #nameservers: ParentNameserver[];
  #ds: readonly string[];
  #changes = 0;
  #dsTtl: number;

  constructor(time: Timeline, random: Random, caches: Caches, rules: ParentRules, ds: readonly string[]) {
    this.#time = time;
    this.#random = random;
    this.#caches = caches;
    this.#rules = rules;
    this.#ds = ds;
    this.#dsTtl = rules.dsTtl;
    const kinds = random.pick([[true], [true, false], [true, true, false]]);
    this.#nameservers = kinds.map((isObserved) => ({ isObserved, ds, from: -1e8, change: 0 }));
  }

  get ds(): readonly string[] {
    return this.#ds;
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
    if (wanted === undefined || JSON.stringify(wanted) === JSON.stringify(this.#ds)) return false;
    this.#ds = wanted;
    const change = ++this.#changes;
    for (const nameserver of this.#nameservers) {
      const delay = this.#random.edge(0, this.#rules.propagationDelay());
      this.#time.after(nameserver.isObserved ? this.#random.low(delay) : delay, () => {
        if (nameserver.change >= change) return;
        this.#account(nameserver);
        Object.assign(nameserver, { ds: wanted, from: this.#time.now, change });
      });
    }
    return true;
  }

  #readCds(views: readonly ChildView[]): readonly string[] | undefined {
    const { cds = null, published = [], keySigners = [] } = this.#random.pick(views).readCds() ?? {};
    if (cds === null) return undefined;
    const signs = (id: string): boolean => published.includes(id) && keySigners.includes(id);
    return this.#ds.length === 0 || this.#ds.some(signs) ? cds : undefined;
  }

  /** The DS sets that its nameservers give now, but for those that nobody knows to ask. */
  observe(): (readonly string[])[] {
    const seen = this.#nameservers.filter((it) => it.isObserved).map((it) => JSON.stringify(it.ds));
    return [...new Set(seen)].map((text) => JSON.parse(text) as string[]);
  }

  finish(): void {
    for (const nameserver of this.#nameservers) this.#account(nameserver);
  }

  #account({ ds, from }: ParentNameserver): void {
    const held = { kind: 'ds', keys: ds.map(this.#rules.keyText) } as const;
    this.#caches.served(held, from, this.#time.now, this.#dsTtl);
  }
}
