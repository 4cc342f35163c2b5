/** Given and not taken yet, at the most. */
const MOST_WAITING = 4;

/** Hands values of one reader on to another, which reads them at its own pace and is no more than a few behind. */
export class Handover<T> implements AsyncIterable<T> {
  readonly #waiting: T[] = [];
  #hasEnded = false;
  #isTaken = true;
  #wake: (() => void) | undefined;

  /** Resolves when there is room for the next; at once where nobody reads any more. */
  async give(value: T): Promise<void> {
    this.#waiting.push(value);
    this.#changed();
    while (this.#isTaken && this.#waiting.length >= MOST_WAITING) await this.#change();
  }

  /** Nothing more is given. */
  end(): void {
    this.#hasEnded = true;
    this.#changed();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const [value] = this.#waiting.splice(0, 1);
        if (value !== undefined) {
          this.#changed();
          yield value;
        } else if (this.#hasEnded) {
          return;
        } else {
          await this.#change();
        }
      }
    } finally {
      this.#isTaken = false;
      this.#changed();
    }
  }

  /** One side waits at a time: for room while there is none, or for a value while there is none. */
  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
