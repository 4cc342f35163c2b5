/** Random numbers that a seed has again (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, and without, 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** Often one of the ends: what lies between seldom shows a mistake. */
  edge(least: number, most: number): number {
    if (this.chance(0.4)) return most;
    return this.chance(0.25) ? least : this.between(least, most);
  }

  /** From 0: mostly at once or nearly, sometimes as late as can be. */
  low(most: number): number {
    if (this.chance(0.6)) return this.between(0, Math.min(2, most));
    return this.between(0, most);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.fraction() * items.length)] as T;
  }
}
