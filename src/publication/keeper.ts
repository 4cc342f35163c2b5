import type { Clock } from '../clock.js';
import { errorMessage } from '../errors.js';
import type { Log } from '../log.js';
import { Rounds } from '../rounds.js';
import type { PublicationManager } from './manager.js';

export interface KeeperOptions {
  readonly manager: Pick<PublicationManager, 'makeDue' | 'forget'>;
  /** Seconds since 1970 by the database's clock; fails soon when it does not answer. */
  readonly databaseTime: () => Promise<number>;
  /** What else is to be read anew at every round (TSIG keys, say). */
  readonly refresh: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  /** Seconds between rounds; a wake-up comes before. */
  readonly pollSeconds: number;
  /** Seconds that a round may take beyond two polls before it counts as hanging. */
  readonly patienceSeconds: number;
  /** Seconds of difference between the clocks that are warned of. */
  readonly skewSeconds: number;
}

/**
 * Keeps publications up to date: a round when the database says that something changed, and one every so often for what was
 * missed and for signatures that grow old. Goes on through an absence of the database.
 */
export class PublicationKeeper {
  readonly #options: KeeperOptions;
  readonly #rounds: Rounds;
  #fault: string | undefined;
  #skew = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#rounds = new Rounds(() => this.#once(), options.pollSeconds);
  }

  /** Why the last round could not be made, or why the one under way hangs; undefined when all is well. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Database clock less local clock, seconds, at the last round. */
  get skewSeconds(): number {
    return this.#skew;
  }

  /** Makes the first round; resolves when it is done, whatever came of it. */
  start(): Promise<void> {
    return this.#rounds.run();
  }

  /** Something changed: forgets what is known of a zone (or of all) and makes a round soon. */
  wake(zoneId?: string): void {
    this.#options.manager.forget(zoneId);
    this.again();
  }

  /** Makes a round soon: more may be due. */
  again(): void {
    this.#rounds.wake();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #once(): Promise<void> {
    const { manager, refresh, pollSeconds, patienceSeconds } = this.#options;
    const faults = new Set<string>();
    const limit = 2 * pollSeconds + patienceSeconds;
    // a server that has gone without a word keeps each statement waiting for its whole time-out
    const overrun = setTimeout(() => {
      const reason = `a round has not ended after ${limit} s; see whether the database answers`;
      this.#tell([...faults, reason].join('; '));
    }, limit * 1000);
    // one thing that cannot be done does not keep the others from being done
    for (const work of [() => this.#compareClocks(), refresh, () => manager.makeDue()]) {
      try {
        await work();
      } catch (error) {
        faults.add(errorMessage(error));
        this.#tell([...faults].join('; '));
      }
    }
    clearTimeout(overrun);
    if (faults.size === 0) this.#tell(undefined);
  }

  /** Takes note of a fault at once, or of its end, and tells of the change. */
  #tell(fault: string | undefined): void {
    const { log } = this.#options;
    if (fault !== undefined && this.#fault === undefined) {
      log.error({ reason: fault }, 'not all that is due could be done; what is ready is served');
    }
    if (fault === undefined && this.#fault !== undefined) log.info({}, 'what is due can be done again');
    this.#fault = fault;
  }

  async #compareClocks(): Promise<void> {
    const { log, databaseTime, clock, skewSeconds } = this.#options;
    const skew = (await databaseTime()) - clock.seconds();
    if (Math.abs(skew) > skewSeconds && Math.abs(this.#skew) <= skewSeconds) {
      log.warn(
        { skewSeconds: skew },
        'the clocks of the database and of this host differ; TSIG uses the local one',
      );
    }
    this.#skew = skew;
  }
}
