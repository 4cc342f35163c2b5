/** A place among the transfers that run at once. */
export interface TransferSlot {
  /** Gives the place to the next that waits. Idempotent. */
  release(): void;
}

interface Waiting {
  readonly give: () => void;
  readonly giveUp: () => void;
}

/**
 * Bounds the transfers that run at once. Who comes later waits in turn, for a bounded time and in a bounded queue:
 * secondaries that get an error try again only after their retry interval (NSD does not even fall back from IXFR to
 * AXFR), while all of them wait some seconds for a first message.
 */
export class TransferSlots {
  readonly #limit: number;
  readonly #maxWaiting: number;
  #running = 0;
  readonly #queue = new Set<Waiting>();

  constructor(limit: number, maxWaiting: number) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** A slot; undefined when none came free in time, too many wait already, or the signal was aborted. */
  acquire(waitMs: number, signal: AbortSignal): Promise<TransferSlot | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    if (this.#running < this.#limit) return Promise.resolve(this.#take());
    if (this.#queue.size >= this.#maxWaiting || waitMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const end = (slot: TransferSlot | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', waiting.giveUp);
        this.#queue.delete(waiting);
        resolve(slot);
      };
      const waiting: Waiting = { give: () => end(this.#take()), giveUp: () => end(undefined) };
      const timer = setTimeout(waiting.giveUp, waitMs);
      signal.addEventListener('abort', waiting.giveUp);
      this.#queue.add(waiting);
    });
  }

  #take(): TransferSlot {
    this.#running++;
    let isReleased = false;
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.#running--;
        for (const next of this.#queue) {
          next.give();
          break;
        }
      },
    };
  }
}
