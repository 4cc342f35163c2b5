import type { PeerClaim, PeerStateStore, PeerUpdate } from './ports.js';

/** What came of one claim. */
export interface PeerResult {
  readonly claim: PeerClaim;
  readonly update: PeerUpdate;
  /** Whether the peer gave any answer, or the message could not be sent at all. */
  readonly outcome: 'answered' | 'silent' | 'unable';
}

/** Results recorded in one statement. */
const MAX_AT_ONCE = 500;

/**
 * Records results one statement after another: what comes while one runs goes into the next, so a single result waits for nobody
 * and many share a statement. What cannot be recorded is given up; its claim runs out.
 */
export class PeerOutbox {
  readonly #store: Pick<PeerStateStore, 'record'>;
  readonly #recorded: (results: readonly PeerResult[], superseded: number) => void;
  readonly #failed: (error: unknown) => void;
  readonly #waiting: { readonly result: PeerResult; readonly done: () => void }[] = [];
  #isRunning = false;

  constructor(
    store: Pick<PeerStateStore, 'record'>,
    recorded: (results: readonly PeerResult[], superseded: number) => void,
    failed: (error: unknown) => void,
  ) {
    this.#store = store;
    this.#recorded = recorded;
    this.#failed = failed;
  }

  /** Resolves when the result is recorded, or was given up. */
  add(result: PeerResult): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ result, done });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_AT_ONCE);
      const results = batch.map(({ result }) => result);
      try {
        this.#recorded(results, await this.#store.record(results));
      } catch (error) {
        this.#failed(error);
      }
      for (const { done } of batch) done();
    }
    this.#isRunning = false;
  }
}
