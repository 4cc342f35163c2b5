/** A virtual clock, seconds, and what is to happen. */
export class Timeline {
  now = 0;
  readonly #events: { readonly at: number; readonly order: number; readonly act: () => void }[] = [];
  #order = 0;

  after(delay: number, act: () => void): void {
    const event = { at: this.now + Math.max(0, delay), order: this.#order++, act };
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#events[middle] as typeof event;
      if (other.at > event.at || (other.at === event.at && other.order > event.order)) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, event);
  }

  /** When the next thing happens; null: nothing does. */
  get next(): number | null {
    return this.#events.at(-1)?.at ?? null;
  }

  /** Everything happens that is to until then. */
  runUntil(end: number): void {
    for (let budget = 500_000; ; budget--) {
      const next = this.#events.at(-1);
      if (next === undefined || next.at > end) break;
      if (budget === 0) throw new Error('the world does not come to rest');
      this.#events.pop();
      this.now = next.at;
      next.act();
    }
    this.now = end;
  }
}
