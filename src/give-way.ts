import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds over which it is judged whether the main thread has its hands full. */
const JUDGED_MS = 500;
/** The part of the time from which on it has. */
const FULL = 0.6;
/** Work that gives way takes one part of the time in so many; one piece makes for no longer a pause than this. */
const PARTS = 10;
const LONGEST_MS = 5000;

/** The part of the time that the main thread has worked since the last call, 0 to 1. */
export type Utilization = () => number;

/**
 * Has work that nobody waits for give way to what nameservers wait for: while the main thread has its hands full, each piece of it is followed by a pause
 * of nine times as long, and pieces that were under way together have theirs one after the other.
 */
export class GiveWay {
  readonly #utilization: Utilization;
  readonly #now: () => number;
  readonly #end = new AbortController();
  #judged: number;
  #isFull = false;
  /** When what is paused for so far has passed. */
  #resumeAt = 0;

  constructor(utilization: Utilization = ownUtilization(), now = (): number => performance.now()) {
    this.#utilization = utilization;
    this.#now = now;
    this.#judged = now();
  }

  /** Resolves when the next piece may begin. @param ms how long the last one took */
  async after(ms: number): Promise<void> {
    if (!this.#isBusy()) return;
    const now = this.#now();
    this.#resumeAt = Math.max(this.#resumeAt, now) + Math.min(ms * (PARTS - 1), LONGEST_MS);
    await sleep(this.#resumeAt - now, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }

  /** Ends pauses that are under way. */
  close(): void {
    this.#end.abort();
  }

  #isBusy(): boolean {
    const now = this.#now();
    if (now - this.#judged >= JUDGED_MS) {
      this.#judged = now;
      this.#isFull = this.#utilization() >= FULL;
    }
    return this.#isFull;
  }
}

/** Of this thread. */
export function ownUtilization(): Utilization {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
