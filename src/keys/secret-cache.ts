interface Entry<T> {
  readonly identity: string;
  readonly value: T;
}

/** Secrets in memory: at most so many, the least recently used leave first, and one fetch for all who wait for it. */
export class SecretCache<T> {
  readonly #limit: number;
  /** In the order of use, the latest last. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #fetching = new Map<string, { readonly identity: string; readonly promise: Promise<T> }>();
  #fetched = 0;
  #failed = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value of an id if it is there and still the same thing. */
  peek(id: string, identity: string): T | undefined {
    const entry = this.#entries.get(id);
    if (entry?.identity !== identity) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry.value;
  }

  /** The value of an id, fetched when it is not there; a failed fetch leaves nothing behind. */
  get(id: string, identity: string, fetch: () => Promise<T>): Promise<T> {
    const value = this.peek(id, identity);
    if (value !== undefined) return Promise.resolve(value);
    const under = this.#fetching.get(id);
    if (under?.identity === identity) return under.promise;
    const promise = this.#fetch(id, identity, fetch);
    this.#fetching.set(id, { identity, promise });
    return promise;
  }

  async #fetch(id: string, identity: string, fetch: () => Promise<T>): Promise<T> {
    // the first await comes before anything is read from #fetching, which the caller has not set yet
    await Promise.resolve();
    const current = () => this.#fetching.get(id)?.identity === identity;
    try {
      const value = await fetch();
      this.#fetched++;
      // dropped or replaced meanwhile: the caller may use it, but it is not kept
      if (current()) this.#keep(id, identity, value);
      return value;
    } catch (error) {
      this.#failed++;
      throw error;
    } finally {
      if (current()) this.#fetching.delete(id);
    }
  }

  #keep(id: string, identity: string, value: T): void {
    this.#entries.delete(id);
    this.#entries.set(id, { identity, value });
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
    }
  }

  drop(id: string): void {
    this.#entries.delete(id);
    this.#fetching.delete(id);
  }

  clear(): void {
    this.#entries.clear();
    this.#fetching.clear();
  }

  get state(): {
    readonly cached: number;
    readonly fetching: number;
    readonly fetched: number;
    readonly failed: number;
  } {
    const { size } = this.#entries;
    return { cached: size, fetching: this.#fetching.size, fetched: this.#fetched, failed: this.#failed };
  }
}
