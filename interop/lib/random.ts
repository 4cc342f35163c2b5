/** Pseudo-random choices that are the same for the same seed (Mulberry32). */
export class Random {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** The seed of `ZONESEAL_SEED`, or another one each time; said, so that a failure can be had again. */
  static fromEnvironment(what: string): Random {
    const given = process.env['ZONESEAL_SEED'];
    const seed = given === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : Number(given);
    console.log(`${what}: ZONESEAL_SEED=${seed}`);
    return new Random(seed);
  }

  /** From 0 up to, not including, the limit. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  /** One of a list that is not empty. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('there is nothing to choose from');
    return items[this.below(items.length)] as T;
  }

  /** A number in hexadecimal, so many digits. */
  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join('');
  }
}
