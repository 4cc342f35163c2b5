/** One at a time for each key; the others wait in order. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves to the call that ends the turn. */
  async take(key: string): Promise<() => void> {
    const before = this.#last.get(key);
    let end: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last.set(key, turn);
    await before;
    return () => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
      end();
    };
  }
}
