import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { StoredPage } from '../publication/ports.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import type { Database } from './database.js';
import { NotReached, readPlacedRows, readRows } from './row-reader.js';
import { type PagesOf, readFewPages, readJournalParts, readPages } from './signed-page-store.js';

export interface ReplicaReaderOptions {
  readonly primary: Database;
  readonly replica: Database;
  /** The incarnation of the database that is trusted: a replica of another one is not read. Undefined: none is yet. */
  readonly incarnation: () => string | undefined;
  /** Milliseconds for which a replica that is away is left alone; default 10,000. */
  readonly pauseMs?: number;
  /** Milliseconds that a read may take before the primary is asked; default 20,000. */
  readonly patienceMs?: number;
}

/** Reads by who gave the answer, and why it was the primary. */
export interface ReplicaCounts {
  readonly replica: number;
  /** The replica had not come so far. */
  readonly behind: number;
  /** It gave no answer, or an error. */
  readonly away: number;
  /** It ended the query, or the connection in the middle of it: it was in the way of what the replica had to take over. */
  readonly cancelled: number;
}

const PAUSE_MS = 10_000;
const PATIENCE_MS = 20_000;

/** SQLSTATEs of a hot standby that ends a query for the sake of replaying. */
const CANCELLED = new Set(['40001', '40P01', '57014', '57P04']);

/**
 * Reads in bulk from a replica that has come far enough, which it is asked in the same snapshot, and else from the primary: pages and
 * journals of ready publications, and rows of whole zones. What single changes look up is read from the primary: no replica has it at once.
 */
export class ReplicaReader {
  readonly #options: ReplicaReaderOptions;
  readonly #counts = { replica: 0, behind: 0, away: 0, cancelled: 0 };
  /** By the monotonic clock. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #log: Log | undefined;
  #isAway = false;

  constructor(options: ReplicaReaderOptions) {
    this.#options = options;
  }

  /** From now on it is said when the replica goes away, and when it is back. */
  tellTo(log: Log): void {
    this.#log = log;
  }

  get counts(): ReplicaCounts {
    return this.#counts;
  }

  /** The pages of a section of a ready publication; from the primary on where the replica ends. */
  async *readPages(
    of: { readonly id: string; readonly generation: string },
    chain: boolean,
  ): AsyncGenerator<readonly StoredPage[], void, undefined> {
    const { primary, replica } = this.#options;
    let after: Uint8Array | null = null;
    const fromReplica = this.#attempt((incarnation) => readPages(replica, of, chain, { incarnation }));
    for await (const pages of fromReplica.batches) {
      yield pages;
      after = pages.at(-1)?.firstKey ?? after;
    }
    if (!fromReplica.isWhole) yield* readPages(primary, of, chain, { after });
  }

  /** The pages of ready publications that have few, see PublicationStore.readFewPages; of the primary where the replica has not come to all. */
  async readFewPages(all: readonly PagesOf[]): Promise<(readonly StoredPage[] | undefined)[]> {
    const { primary, replica } = this.#options;
    const fromReplica = this.#attempt(async function* (incarnation) {
      yield await readFewPages(replica, all, incarnation);
    });
    let pages: (readonly StoredPage[] | undefined)[] = [];
    for await (const read of fromReplica.batches) pages = read;
    return fromReplica.isWhole ? pages : readFewPages(primary, all);
  }

  /** The parts of one side of the journal of a ready publication. */
  async *readJournal(publication: string, added: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    const { primary, replica } = this.#options;
    let from = 0;
    const fromReplica = this.#attempt((incarnation) =>
      readJournalParts(replica, publication, added, { incarnation }),
    );
    for await (const part of fromReplica.batches) {
      yield part;
      from++;
    }
    if (!fromReplica.isWhole) yield* readJournalParts(primary, publication, added, { from });
  }

  /** The rows of a zone at a version; where the replica ends in the middle, the primary goes on behind the last one. */
  async *readRows(zoneId: string, version: number): AsyncGenerator<readonly RowContent[], void, undefined> {
    const { primary, replica } = this.#options;
    const given = new LastRows();
    const fromReplica = this.#attempt((incarnation) => readPlacedRows(replica, zoneId, version, incarnation));
    for await (const rows of fromReplica.batches) {
      given.add(rows);
      yield rows;
    }
    if (fromReplica.isWhole) return;
    if (given.isEmpty) {
      yield* readRows(primary, zoneId, version);
      return;
    }
    for await (const rows of readPlacedRows(primary, zoneId, version)) {
      const rest = rows.filter((row) => given.isBehind(row));
      if (rest.length > 0) yield rest;
    }
  }

  /** What the replica gives until it fails, or is found to be behind; never throws for its sake. */
  #attempt<T>(read: (incarnation: string) => AsyncGenerator<T, void, undefined>): Attempt<T> {
    const attempt: Attempt<T> = {
      isWhole: false,
      batches: this.#readReplica(read, () => {
        attempt.isWhole = true;
      }),
    };
    return attempt;
  }

  async *#readReplica<T>(
    read: (incarnation: string) => AsyncGenerator<T, void, undefined>,
    onWhole: () => void,
  ): AsyncGenerator<T, void, undefined> {
    const { incarnation, patienceMs = PATIENCE_MS } = this.#options;
    const trusted = incarnation();
    if (trusted === undefined || performance.now() < this.#pausedUntil) {
      this.#counts[trusted === undefined ? 'behind' : 'away']++;
      return;
    }
    const batches = read(trusted);
    let next: IteratorResult<T, void> | undefined;
    let isGivenUp = false;
    try {
      for (;;) {
        const late = new AbortController();
        try {
          const timer = sleep(patienceMs, undefined, { ref: false, signal: late.signal });
          next = await Promise.race([batches.next(), timer.catch(() => undefined)]);
        } finally {
          late.abort();
        }
        if (next === undefined) throw new ZonesealError('DATABASE_TIMEOUT', 'the replica gives no answer');
        if (next.done === true) break;
        yield next.value;
      }
      this.#counts.replica++;
      if (this.#isAway) this.#log?.info({}, 'the replica is read again');
      this.#isAway = false;
      onWhole();
    } catch (error) {
      isGivenUp = next === undefined;
      this.#failed(error, next !== undefined);
    } finally {
      const ended = batches.return(undefined).catch(() => undefined);
      // one that hangs is let go when its connection breaks
      if (!isGivenUp) await ended;
    }
  }

  /** @param hasAnswered whether it had given something: a connection that breaks in the middle was in the way of replaying, or so it seems */
  #failed(error: unknown, hasAnswered: boolean): void {
    if (error instanceof NotReached) {
      this.#counts.behind++;
      return;
    }
    const state = error instanceof ZonesealError ? error.fields['state'] : undefined;
    if (hasAnswered || (typeof state === 'string' && CANCELLED.has(state))) {
      this.#counts.cancelled++;
      return;
    }
    this.#counts.away++;
    if (!this.#isAway) {
      const text = 'the replica cannot be read; the primary is read in its place';
      this.#log?.warn({ reason: errorMessage(error) }, text);
    }
    this.#isAway = true;
    this.#pausedUntil = performance.now() + (this.#options.pauseMs ?? PAUSE_MS);
  }
}

interface Attempt<T> {
  /** Whether the replica gave everything; known when the batches have ended. */
  isWhole: boolean;
  readonly batches: AsyncGenerator<T, void, undefined>;
}

/** The last rows that were given, in an order in which rows of one owner and type have none. */
class LastRows {
  #last: ZoneRow | undefined;
  readonly #views = new Set<string>();

  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  add(rows: readonly ZoneRow[]): void {
    for (const row of rows) {
      if (this.#last !== undefined && order(this.#last, row) !== 0) this.#views.clear();
      this.#last = row;
      this.#views.add(viewsOf(row));
    }
  }

  isBehind(row: ZoneRow): boolean {
    if (this.#last === undefined) return true;
    const side = order(this.#last, row);
    return side < 0 || (side === 0 && !this.#views.has(viewsOf(row)));
  }
}

/** As the database orders rows; types are ASCII. */
function order(a: ZoneRow, b: ZoneRow): number {
  return Buffer.compare(a.sortKey, b.sortKey) || (a.type < b.type ? -1 : Number(a.type > b.type));
}

function viewsOf({ views }: RowContent): string {
  return JSON.stringify(views);
}
