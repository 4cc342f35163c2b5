import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleWhen,
  type IPolicy,
  retry,
  TaskCancelledError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import { ZonesealError } from '../errors.js';
import { nameOf, type Service } from './http.js';
import type { CheckedSettings } from './settings.js';

/** The state of a circuit breaker. */
export type BreakerState = 'closed' | 'half-open' | 'open';

/** What became of the operations of one service, for metrics. */
export interface GuardState {
  readonly breaker: BreakerState;
  readonly running: number;
  readonly waiting: number;
  readonly retries: number;
  /** Operations by name and outcome (`ok`, or an error code). */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** What may be done when an attempt fails: everything again, or only what the server has not seen. */
export type Repeat = 'always' | 'unsent';

/**
 * Stands between operations and a service: so many at once and so many waiting, so many attempts with growing, jittered
 * pauses, none at all for a while after failures in a row, and an end to it all after the total time.
 */
export class Guard {
  readonly #service: Service;
  readonly #policies: Record<Repeat, IPolicy>;
  readonly #breaker: ReturnType<typeof circuitBreaker>;
  readonly #bulkhead: ReturnType<typeof bulkhead>;
  readonly #settings: CheckedSettings;
  readonly #outcomes = new Map<string, Map<string, number>>();
  #retries = 0;

  constructor(service: Service, settings: CheckedSettings) {
    this.#service = service;
    this.#settings = settings;
    const transient = handleWhen((error) => isTransient(service, error));
    this.#breaker = circuitBreaker(transient, {
      halfOpenAfter: settings.breakFor,
      breaker: new ConsecutiveBreaker(settings.breakAfter),
    });
    this.#bulkhead = bulkhead(settings.concurrency, settings.queue);
    this.#policies = { always: this.#policy('always'), unsent: this.#policy('unsent') };
  }

  #policy(repeat: Repeat): IPolicy {
    const { attempts, totalTimeout } = this.#settings;
    const again = retry(
      handleWhen((error) => isTransient(this.#service, error) && (repeat === 'always' || isUnsent(error))),
      { maxAttempts: attempts - 1, backoff: new ExponentialBackoff({ initialDelay: 100, maxDelay: 3000 }) },
    );
    again.onRetry(() => this.#retries++);
    return wrap(timeout(totalTimeout, TimeoutStrategy.Aggressive), this.#bulkhead, again, this.#breaker);
  }

  /**
   * Runs an operation. A signal tells it when its time is over.
   * @throws ZonesealError what the operation throws, or KEYSTORE_UNAVAILABLE
   */
  async run<T>(operation: string, repeat: Repeat, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      const result = await this.#policies[repeat].execute(({ signal }) => attempt(signal));
      this.#count(operation, 'ok');
      return result;
    } catch (error) {
      const known = error instanceof ZonesealError ? error : this.#refusal(operation, error);
      this.#count(operation, known.code);
      throw known;
    }
  }

  #refusal(operation: string, error: unknown): ZonesealError {
    const reason =
      error instanceof BrokenCircuitError
        ? `it failed ${this.#settings.breakAfter} times in a row and is left alone for ${this.#settings.breakFor} ms`
        : error instanceof BulkheadRejectedError
          ? 'too many requests wait for it'
          : error instanceof TaskCancelledError
            ? `no attempt succeeded within ${this.#settings.totalTimeout} ms`
            : 'the request failed';
    const fields = { service: this.#service, operation };
    return new ZonesealError(
      'KEYSTORE_UNAVAILABLE',
      `${nameOf(this.#service)} (${operation}): ${reason}`,
      fields,
    );
  }

  #count(operation: string, outcome: string): void {
    const outcomes = this.#outcomes.get(operation) ?? new Map<string, number>();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.#outcomes.set(operation, outcomes);
  }

  get state(): GuardState {
    const { concurrency, queue } = this.#settings;
    const breaker = this.#breaker.state;
    return {
      breaker:
        breaker === CircuitState.Closed ? 'closed' : breaker === CircuitState.HalfOpen ? 'half-open' : 'open',
      running: concurrency - this.#bulkhead.executionSlots,
      waiting: queue - this.#bulkhead.queueSlots,
      retries: this.#retries,
      outcomes: this.#outcomes,
    };
  }
}

/** A failure of another service on the way (Keystone's, while a token was wanted for Barbican) has had its own attempts. */
function isTransient(service: Service, error: unknown): boolean {
  return (
    error instanceof ZonesealError &&
    error.fields['service'] === service &&
    error.fields['transient'] === true
  );
}

function isUnsent(error: unknown): boolean {
  return error instanceof ZonesealError && error.fields['unsent'] === true;
}
