import { ZonesealError } from '../errors.js';

/** How questions are gathered. */
export interface GatherOptions {
  /** Questions that one statement asks at the most. */
  readonly together: number;
  /** Questions that may wait; more are refused at once. */
  readonly waiting: number;
  /** Milliseconds after which a statement is no longer waited for by the next; default 50. */
  readonly patienceMs?: number;
}

interface Asked<Question, Answer> {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const PATIENCE_MS = 50;

/** Statements under way at the most, those that nobody waits for any more among them; less than a pool has connections. */
const STATEMENTS = 4;

/**
 * Asks the database many small questions with few statements: one is under way, and what is asked meanwhile goes together with
 * the next. An answer always comes from a statement that began after its question was asked, so nothing is older than if each
 * had one of its own; an error reaches all who asked together.
 */
export class Gather<Question, Answer> {
  readonly #ask: (questions: readonly Question[]) => Promise<readonly Answer[]>;
  readonly #options: Required<GatherOptions>;
  readonly #asked: Asked<Question, Answer>[] = [];
  #statements = 0;
  /** Statements that the next one waits for. */
  #awaited = 0;
  #isScheduled = false;

  /** @param ask with one statement, an answer for each question in their order */
  constructor(
    ask: (questions: readonly Question[]) => Promise<readonly Answer[]>,
    { patienceMs = PATIENCE_MS, ...options }: GatherOptions,
  ) {
    this.#ask = ask;
    this.#options = { patienceMs, ...options };
  }

  /** Questions that wait for their statement. */
  get waiting(): number {
    return this.#asked.length;
  }

  /** @throws ZonesealError DATABASE_UNAVAILABLE when too many wait; what the statement failed with */
  get(question: Question): Promise<Answer> {
    if (this.#asked.length >= this.#options.waiting) {
      const text = `database: ${this.#asked.length} questions wait for its answer already; see whether it answers`;
      return Promise.reject(new ZonesealError('DATABASE_UNAVAILABLE', text));
    }
    return new Promise((resolve, reject) => {
      this.#asked.push({ question, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    const mayBegin = this.#awaited === 0 && this.#statements < STATEMENTS;
    if (this.#isScheduled || !mayBegin || this.#asked.length === 0) return;
    this.#isScheduled = true;
    // after all that the sockets have brought by now
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#begin();
    });
  }

  async #begin(): Promise<void> {
    const together = this.#asked.splice(0, this.#options.together);
    this.#statements++;
    this.#awaited++;
    let isAwaited = true;
    const giveUp = (): void => {
      if (isAwaited) this.#awaited--;
      isAwaited = false;
      this.#schedule();
    };
    // one that hangs does not hold up those who ask later
    const late = setTimeout(giveUp, this.#options.patienceMs);
    try {
      const answers = await this.#ask(together.map(({ question }) => question));
      together.forEach(({ resolve }, i) => resolve(answers[i] as Answer));
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
    clearTimeout(late);
    this.#statements--;
    giveUp();
  }
}
