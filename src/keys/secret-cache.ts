import type { Clock } from '../clock.js';

interface Entry<T> {
  readonly identity: string;
  readonly value: T;
  /** When it was last asked for, milliseconds. */
  readonly usedAt: number;
}

export interface SecretCacheOptions {
  readonly clock: Clock;
  /** Milliseconds for which a failed fetch stands for those that come after it; left out, it is forgotten at once. */
  readonly failurePause?: number;
}

/** Secrets in memory: at most so many, the least recently used leave first, and one fetch for all who wait for it. */
export class SecretCache<T> {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #pause: number | undefined;
  readonly #failures = new Map<
    string,
    { readonly identity: string; readonly until: number; readonly error: unknown }
  >();
  /** In the order of use, the latest last. */
  readonly #entries = new Map<string, Entry<T>>();
  readonly #fetching = new Map<string, { readonly identity: string; readonly promise: Promise<T> }>();
  #fetched = 0;
  #failed = 0;

  constructor(limit: number, { clock, failurePause }: SecretCacheOptions) {
    this.#limit = limit;
    this.#clock = clock;
    this.#pause = failurePause;
  }

  /** The value of an id if it is there and still the same thing. */
  peek(id: string, identity: string): T | undefined {
    const entry = this.#entries.get(id);
    if (entry?.identity !== identity) return undefined;
    this.#entries.delete(id);
    this.#entries.set(id, { ...entry, usedAt: this.#clock.milliseconds() });
    return entry.value;
  }

  /** The value of an id, fetched when it is not there. */
  get(id: string, identity: string, fetch: () => Promise<T>): Promise<T> {
    const value = this.peek(id, identity);
    if (value !== undefined) return Promise.resolve(value);
    const under = this.#fetching.get(id);
    if (under?.identity === identity) return under.promise;
    const failure = this.#failures.get(id);
    if (failure?.identity === identity && this.#clock.milliseconds() < failure.until) {
      return Promise.reject(failure.error);
    }
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
      if (current()) this.#noteFailure(id, identity, error);
      throw error;
    } finally {
      if (current()) this.#fetching.delete(id);
    }
  }

  #noteFailure(id: string, identity: string, error: unknown): void {
    if (this.#pause === undefined) return;
    const until = this.#clock.milliseconds() + this.#pause;
    this.#failures.delete(id);
    this.#failures.set(id, { identity, until, error });
    dropOldest(this.#failures, this.#limit);
  }

  #keep(id: string, identity: string, value: T): void {
    this.#entries.delete(id);
    this.#entries.set(id, { identity, value, usedAt: this.#clock.milliseconds() });
    this.#failures.delete(id);
    dropOldest(this.#entries, this.#limit);
  }

  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** The ids of what nobody asked for in so many milliseconds. */
  idle(milliseconds: number): string[] {
    const since = this.#clock.milliseconds() - milliseconds;
    return [...this.#entries].filter(([, { usedAt }]) => usedAt <= since).map(([id]) => id);
  }

  drop(id: string): void {
    this.#entries.delete(id);
    this.#fetching.delete(id);
    this.#failures.delete(id);
  }

  clear(): void {
    this.#entries.clear();
    this.#failures.clear();
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

function dropOldest(map: Map<string, unknown>, limit: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= limit) break;
    map.delete(oldest);
  }
}
