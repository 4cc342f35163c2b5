/** One at a time for each key; the others wait in order. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** A turn that begins now; undefined where somebody has one or waits for it. */
  tryTake(key: string): (() => void) | undefined {
    return this.#last.has(key) ? undefined : this.#begin(key).end;
  }

  /** Resolves to the call that ends the turn. */
  async take(key: string): Promise<() => void> {
    const { before, end } = this.#begin(key);
    await before;
    return end;
  }

  #begin(key: string): { readonly before: Promise<void> | undefined; readonly end: () => void } {
    const before = this.#last.get(key);
    let resolve: () => void = () => undefined;
    const turn = new Promise<void>((it) => {
      resolve = it;
    });
    this.#last.set(key, turn);
    const end = (): void => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
      resolve();
    };
    return { before, end };
  }
}
