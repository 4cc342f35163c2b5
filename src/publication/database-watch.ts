import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { Incarnation, RecoveryStore, Remembered, ServedSerial, Standing } from './recovery-ports.js';
import { findSetBack, lineRecovering, untrusted } from './set-back.js';

export interface DatabaseWatchOptions {
  readonly store: Pick<RecoveryStore, 'beat' | 'look' | 'pushServed'>;
  /** Names this process. */
  readonly gateway: string;
  /** What is kept over a restart; undefined: nothing is. */
  readonly read: () => Promise<Remembered | undefined>;
  readonly write: (remembered: Remembered) => Promise<void>;
  /** Forgets everything of before, and hands over the serials that were served; called when the database proves to be another. */
  readonly takeServed: () => readonly ServedSerial[];
  /** The current incarnation is known, or has changed: its lines may have to be found out about. */
  readonly onIncarnation: (incarnation: Incarnation) => void;
  readonly log: Log;
}

/** How often the marker is moved on at the most. */
const BEAT_MS = 1000;
/** Serials handed to the database with one statement. */
const PUSHED = 500;

/**
 * Notices that the database was set back, by what this process and its data folder remember of it. Nothing that it says of lines is
 * used before it is trusted, and what was in memory of before is dropped.
 */
export class DatabaseWatch {
  readonly #options: DatabaseWatchOptions;
  #remembered: Remembered | undefined;
  #isRead = false;
  /** Whether the incarnation that is remembered is the one that is trusted now. */
  #isTrusted = false;
  /** Serials that were served, which the database has to be told of. */
  #unpushed: ServedSerial[] = [];
  /** A serial that was served and the database does not have. */
  #evidence: { readonly served: ServedSerial; readonly incarnation: string | undefined } | undefined;
  #looking: Promise<void> | undefined;
  /** Looks and beats one after the other: an older answer must not be held against a newer one. */
  #turn: Promise<unknown> = Promise.resolve();
  #beatAt = Number.NEGATIVE_INFINITY;
  #noticed = 0;

  constructor(options: DatabaseWatchOptions) {
    this.#options = options;
  }

  /** How often this process found that the database was set back, or that another gateway had. */
  get noticed(): number {
    return this.#noticed;
  }

  /** The incarnation that is trusted; undefined while none is. */
  get incarnation(): string | undefined {
    return this.#isTrusted ? this.#remembered?.incarnation : undefined;
  }

  /** @throws ZonesealError DATABASE_SET_BACK where a statement saw another database than the one that is trusted */
  check({ incarnation, marker, sameServer }: Standing): void {
    const trusted = this.#isTrusted ? this.#remembered : undefined;
    if (trusted?.incarnation === incarnation && marker >= trusted.marker && sameServer) return;
    throw untrusted();
  }

  /** Runs what checks; where the database is not trusted, looks at it and runs it once more. */
  async trusting<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const isUntrusted = error instanceof ZonesealError && error.fields['untrusted'] === true;
      if (!isUntrusted) throw error;
    }
    await this.look();
    return work();
  }

  /** Moves the marker on, or looks at the database where it is not as remembered. */
  async beat(): Promise<void> {
    if (this.#isTrusted && performance.now() < this.#beatAt + BEAT_MS) return;
    const isAsRemembered = await this.#inTurn(async () => {
      const remembered = this.#isTrusted ? this.#remembered : undefined;
      if (remembered === undefined) return false;
      this.#beatAt = performance.now();
      const marker = await this.#options.store.beat(remembered);
      if (marker === undefined) return false;
      await this.#remember({ ...remembered, marker });
      return true;
    });
    if (!isAsRemembered) await this.look();
  }

  /** The database has less than this process has served of a line. Always throws: the line is not served until that is mended. */
  async report(served: ServedSerial): Promise<never> {
    this.#evidence ??= { served, incarnation: this.#remembered?.incarnation };
    await this.look();
    throw lineRecovering(served);
  }

  /** Looks at the database, once for however many ask. @throws ZonesealError when it is away */
  look(): Promise<void> {
    this.#looking ??= this.#inTurn(() => this.#look()).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { store, gateway, read, takeServed, onIncarnation, log } = this.#options;
    if (!this.#isRead) {
      this.#remembered = await read();
      this.#isRead = true;
    }
    const remembered = this.#remembered;
    const evidence = this.#evidence;
    const { current, began } = await store.look(gateway, (state) => {
      const finding = findSetBack(state, remembered);
      if (finding !== undefined || evidence === undefined) return finding;
      // another gateway that has noticed meanwhile has done what this would do
      if (state.incarnations.at(-1)?.incarnation !== evidence.incarnation) return undefined;
      const { zone, view, serial } = evidence.served;
      const reason = `zone ${zone} in view ${view} was served under serial ${serial}, which it does not have`;
      return { reason, isCertain: true };
    });
    if (this.#evidence === evidence) this.#evidence = undefined;
    const isOther = remembered !== undefined && remembered.incarnation !== current.incarnation;
    if (isOther || began !== undefined) {
      this.#isTrusted = false;
      this.#noticed++;
      this.#unpushed.push(...takeServed());
      if (evidence !== undefined) this.#unpushed.push(evidence.served);
      const { incarnation, isCertain } = current;
      if (began === undefined) {
        log.error(
          { incarnation },
          'another gateway found that the database was set back; serial lines are moved past what peers serve',
        );
      } else if (isCertain) {
        const text =
          'the database was set back; nothing is served before its serial line is past what its peers serve';
        log.error({ incarnation, reason: began.reason }, text);
      } else {
        const text =
          'whether the database was set back is not known; nothing is served before its peers were asked';
        log.warn({ incarnation, reason: began.reason }, text);
      }
    }
    while (this.#unpushed.length > 0) {
      const outcomes = await store.pushServed(this.#unpushed.slice(0, PUSHED));
      this.#unpushed = this.#unpushed.slice(PUSHED);
      for (const { zone, view, last, past } of outcomes) {
        log.warn({ zone, view, last, past }, 'the serial line moves past what was served here');
      }
    }
    const wasTrusted = this.#isTrusted;
    await this.#remember({ incarnation: current.incarnation, marker: current.marker });
    this.#isTrusted = true;
    if (!wasTrusted || isOther || began !== undefined) onIncarnation(current);
  }

  async #remember(remembered: Remembered): Promise<void> {
    this.#remembered = remembered;
    try {
      await this.#options.write(remembered);
    } catch (error) {
      // in memory it is known; it is written again with the next one
      this.#options.log.warn(
        { reason: errorMessage(error) },
        'what is known of the database cannot be kept in the data folder',
      );
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
