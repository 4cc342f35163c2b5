/** Values that come in batches. */
export type Batches<T> = AsyncIterable<readonly T[]> | Iterable<readonly T[]>;

/** Steps through batches one value at a time; waits only where a batch has ended. */
export class BatchReader<T> {
  readonly #source: AsyncIterator<readonly T[]> | Iterator<readonly T[]>;
  #batch: readonly T[] = [];
  #at = 0;
  #ended = false;

  constructor(source: Batches<T>) {
    this.#source =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** The value at hand; undefined after the last, and while `needsFill`. */
  get current(): T | undefined {
    return this.#batch[this.#at];
  }

  /** Whether `fill` has to be awaited before `current` says anything. */
  get needsFill(): boolean {
    return !this.#ended && this.#at === this.#batch.length;
  }

  advance(): void {
    this.#at++;
  }

  async fill(): Promise<void> {
    while (this.needsFill) {
      const result = await this.#source.next();
      this.#ended = result.done === true;
      this.#batch = result.done === true ? [] : result.value;
      this.#at = 0;
    }
  }

  /** Lets the source go before its end. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
  }
}

/**
 * The same batches, the next one asked for while one is worked on: the database reads while the gateway computes. One batch more is held.
 * @param alone as many of the first are worked on alone: taking in the next would keep whoever waits for the beginning
 */
export async function* readAhead<T>(
  source: AsyncIterable<readonly T[]>,
  alone = 0,
): AsyncGenerator<readonly T[], void, undefined> {
  const batches = source[Symbol.asyncIterator]();
  const ask = (): Promise<IteratorResult<readonly T[], unknown>> => {
    const next = batches.next();
    next.catch(() => undefined); // heard where it is awaited, if it is
    return next;
  };
  let next: Promise<IteratorResult<readonly T[], unknown>> | undefined = ask();
  try {
    for (let taken = 1; ; taken++) {
      const { done, value } = await (next ?? ask());
      next = undefined;
      if (done === true) return;
      if (taken > alone) next = ask();
      yield value;
    }
  } finally {
    // a statement that is under way has its own limit; the connection is free when this has ended
    await next?.catch(() => undefined);
    await batches.return?.();
  }
}
