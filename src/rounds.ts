/** Work that is done again and again, one round at a time; a wake-up comes before its time. */
export class Rounds {
  readonly #work: () => Promise<void>;
  readonly #seconds: number;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #again = false;
  #closed = false;

  /**
   * @param work one round; never throws
   * @param seconds between the end of a round and the next
   */
  constructor(work: () => Promise<void>, seconds: number) {
    this.#work = work;
    this.#seconds = seconds;
  }

  /** Makes a round soon: at once, or when the one under way has ended. */
  wake(): void {
    if (this.#closed) return;
    if (this.#round !== undefined) this.#again = true;
    else void this.run();
  }

  /** Makes a round, or joins the one under way; resolves when it is done. */
  run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#round ??= this.#go().finally(() => {
      this.#round = undefined;
      if (!this.#closed) this.#timer = setTimeout(() => void this.run(), this.#seconds * 1000);
    });
    return this.#round;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  async #go(): Promise<void> {
    do {
      this.#again = false;
      await this.#work();
    } while (this.#again && !this.#closed);
  }
}
