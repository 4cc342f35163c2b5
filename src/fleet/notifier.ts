import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { errorMessage } from '../errors.js';
import type { Log } from '../log.js';
import { isAfter } from '../publication/serial.js';
import { afterNotify, afterPoll, nextAction, type PeerTimes, SILENT_MESSAGES } from './decision.js';
import { PeerOutbox, type PeerResult } from './outbox.js';
import type { PeerClient } from './peer-client.js';
import { type PeerLimits, PeerLoad } from './peer-load.js';
import { PeerLog } from './peer-log.js';
import type { PeerClaim, PeerLine, PeerStateCounts, PeerStateStore, PeerUpdate } from './ports.js';

export interface NotifierOptions {
  readonly store: PeerStateStore;
  readonly client: Pick<PeerClient, 'notify' | 'soaSerial'>;
  readonly times: PeerTimes;
  readonly limits: PeerLimits;
  /** Names this process in claims. */
  readonly gateway: string;
  /** Seconds after which another gateway takes a claim over; more than any message can take. */
  readonly claimSeconds: number;
  /** Seconds between looks at the database; a wake-up comes before. */
  readonly pollSeconds: number;
  readonly log: Log;
  readonly clock: Clock;
  /** A peer serves a serial that comes after the one last given out on its line: the database was set back. */
  readonly onAhead?: (zone: string, view: string, peer: string, serial: number) => void;
  /** Evenly from 0 to 1. */
  readonly random?: () => number;
}

/** What one peer was found to serve. */
export interface SeenSerial {
  readonly peer: string;
  /** Undefined: it gave no serial in time. */
  readonly serial: number | undefined;
}

/** How often the database is asked at the most for what it tells of; for publications made here at any time. */
const WAKE_MS = 50;
/** How old counts for metrics may be. */
const COUNTS_MS = 15_000;

/**
 * Tells the peers of each published zone of changes, and asks until they serve them. What is due stands in the database, so that any
 * gateway does it, after any restart; nothing but counts is kept here.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #load: PeerLoad;
  readonly #log: PeerLog;
  readonly #outbox: PeerOutbox;
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  /** Peers whose due zones are being put off. */
  readonly #postponing = new Set<string>();
  #loop: Promise<void> | undefined;
  /** Ends the wait of the loop. */
  #rouse: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #isRoused = false;
  /** When the database was last asked, by the monotonic clock. */
  #roundAt = Number.NEGATIVE_INFINITY;
  /** More was due than there was room for. */
  #hasBacklog = false;
  #fault: string | undefined;
  #counts: PeerStateCounts | undefined;
  #countsUntil = 0;
  #recorded = 0;

  constructor(options: NotifierOptions) {
    this.#options = options;
    // every message under way listens for the end
    setMaxListeners(0, this.#stop.signal);
    this.#load = new PeerLoad(options.limits);
    this.#log = new PeerLog(options.log, options.clock);
    this.#outbox = new PeerOutbox(
      options.store,
      (results, superseded) => this.#afterRecording(results, superseded),
      (error) => this.#failed(error),
    );
  }

  /** Begins; what is due is done from now on. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** Something is due now: a publication was made ready here. */
  wake(): void {
    this.#isRoused = true;
    this.#rouse?.();
  }

  /** Something may be due: looked for at once, or soon where that was just done, so that many who say so cost little. */
  wakeSoon(): void {
    const since = performance.now() - this.#roundAt;
    if (since >= WAKE_MS) this.wake();
    else this.#wakeIn(WAKE_MS - since);
  }

  /** Gives up what is under way and records it as far as it goes; other gateways do the rest at once or when claims run out. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.wake();
    await this.#loop;
    await Promise.all(this.#tasks);
    clearTimeout(this.#timer);
  }

  /** Why the database could not be asked; undefined when it could. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Counts for metrics. */
  get usage(): { readonly running: number; readonly quiet: number; readonly recorded: number } {
    return { running: this.#load.running, quiet: this.#load.quiet, recorded: this.#recorded };
  }

  /** States of all peers, as they were counted last; asking has them counted anew when that is some seconds ago. */
  get states(): PeerStateCounts | undefined {
    if (performance.now() >= this.#countsUntil && !this.#stop.signal.aborted) {
      this.#countsUntil = performance.now() + COUNTS_MS;
      this.#options.store.counts().then(
        (counts) => {
          this.#counts = counts;
        },
        () => undefined, // the database is away, which is told of elsewhere
      );
    }
    return this.#counts;
  }

  /**
   * Asks all peers of a line now which serial they serve, and records what they say; for when serials of the database may have been
   * set back. Those that do not answer within the time-out of one message have none.
   * @param isLeftOut peers that are not asked, by name: they have none
   * @throws ZonesealError when the database cannot be asked
   */
  async askLine(
    line: PeerLine,
    isLeftOut: (peer: string) => boolean = () => false,
  ): Promise<readonly SeenSerial[]> {
    const { store, client } = this.#options;
    const peers = await store.peersOf(line);
    return Promise.all(
      peers.map(async (peer): Promise<SeenSerial> => {
        if (isLeftOut(peer.peer)) return { peer: peer.peer, serial: undefined };
        const outcome = await client.soaSerial(peer, peer.zone, this.#stop.signal);
        if (outcome.kind !== 'serial') return { peer: peer.peer, serial: undefined };
        await store.recordSeen(peer.peerId, line.zoneId, outcome.serial);
        return { peer: peer.peer, serial: outcome.serial };
      }),
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#isRoused = false;
      const seconds = await this.#round();
      if (signal.aborted) return;
      await this.#wait(seconds * 1000);
    }
  }

  /** Begins what is due; returns the seconds until there may be more. */
  async #round(): Promise<number> {
    const { store, gateway, claimSeconds, pollSeconds, log } = this.#options;
    this.#roundAt = performance.now();
    try {
      const { room } = this.#load;
      // whoever ends makes room and comes back
      if (room.total <= 0) {
        this.#hasBacklog = true;
        return pollSeconds;
      }
      for (const claim of await store.claim(gateway, claimSeconds, room)) this.#begin(claim);
      const next = await store.nextDueSeconds();
      if (this.#fault !== undefined) log.info({}, 'peers are told of changes again');
      this.#fault = undefined;
      this.#hasBacklog = next !== undefined && next <= 0;
      if (this.#hasBacklog) return this.#load.running > 0 ? pollSeconds : WAKE_MS / 1000;
      return Math.min(next ?? pollSeconds, pollSeconds);
    } catch (error) {
      this.#failed(error);
      return pollSeconds;
    }
  }

  #failed(error: unknown): void {
    const reason = errorMessage(error);
    if (this.#fault === undefined && !this.#stop.signal.aborted) {
      this.#options.log.warn({ reason }, 'peers cannot be told of changes; it is tried again');
    }
    this.#fault = reason;
  }

  #begin(claim: PeerClaim): void {
    this.#load.begin(claim.peerId);
    const task = this.#look(claim)
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#tasks.delete(task);
      });
    this.#tasks.add(task);
  }

  async #look(claim: PeerClaim): Promise<void> {
    let result: PeerResult | undefined;
    try {
      result = await this.#act(claim);
    } finally {
      this.#load.end(claim.peerId);
    }
    // stopped in the middle: the peer's silence is none, and another gateway looks at once
    if (this.#stop.signal.aborted && result.outcome === 'silent') {
      await this.#outbox.add({ claim, update: unchanged(claim, 0), outcome: 'unable' });
      return;
    }
    const isQuiet =
      result.outcome !== 'unable' && this.#load.note(claim.peerId, result.outcome === 'answered');
    if (isQuiet) await this.#postpone(claim.peerId, result.update.problem ?? 'no answer');
    if (this.#hasBacklog) this.wake();
    await this.#outbox.add(result);
  }

  async #act(claim: PeerClaim): Promise<PeerResult> {
    const { client, times, random = Math.random } = this.#options;
    const { signal } = this.#stop;
    const action = nextAction(claim, times);
    if (action === 'none') return { claim, update: unchanged(claim, undefined), outcome: 'unable' };
    if (action === 'notify') {
      const outcome = await client.notify(claim, claim.zone, claim.soa, signal);
      const update = afterNotify(claim, outcome, times, random());
      return { claim, update, outcome: answerOf(outcome.kind) };
    }
    const outcome = await client.soaSerial(claim, claim.zone, signal);
    if (outcome.kind === 'serial') await this.#compare(claim, outcome.serial);
    return { claim, update: afterPoll(claim, outcome, times, random()), outcome: answerOf(outcome.kind) };
  }

  /** Whether a peer serves what was never given out, by the line as it is now: it goes on while peers are asked. */
  async #compare(claim: PeerClaim, serial: number): Promise<void> {
    const { store, onAhead } = this.#options;
    const { lastSerial } = claim;
    if (lastSerial !== undefined && !isAfter(serial, lastSerial)) return;
    const last = await store.lastSerial(claim);
    if (last === undefined || !isAfter(serial, last)) return;
    this.#log.tellOfAhead({ ...claim, lastSerial: last }, serial);
    onAhead?.(claim.zone, claim.view, claim.peer, serial);
  }

  #afterRecording(results: readonly PeerResult[], superseded: number): void {
    this.#recorded += results.length;
    if (superseded > 0) this.wake();
    let soonest = Number.POSITIVE_INFINITY;
    for (const result of results) {
      soonest = Math.min(soonest, result.update.dueSeconds ?? Number.POSITIVE_INFINITY);
      if (this.#log.tell(result)) this.#makeDue(result.claim.peerId);
    }
    if (soonest < this.#options.pollSeconds) this.#wakeIn(soonest * 1000);
  }

  /** Without waiting for each zone of a peer that gives no answers to find that out by itself. */
  async #postpone(peerId: string, problem: string): Promise<void> {
    const { store, times } = this.#options;
    if (this.#postponing.has(peerId)) return;
    this.#postponing.add(peerId);
    try {
      await store.postpone(peerId, SILENT_MESSAGES, times.retryCap, problem);
    } finally {
      this.#postponing.delete(peerId);
    }
  }

  #makeDue(peerId: string): void {
    const task = this.#options.store
      .makeDue(peerId)
      .then(() => this.wake())
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#tasks.delete(task);
      });
    this.#tasks.add(task);
  }

  /** Ends the wait of the loop after a time, if it does not end before. */
  #wakeIn(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (at >= this.#timerAt || this.#stop.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.wake();
    }, milliseconds);
  }

  async #wait(milliseconds: number): Promise<void> {
    if (this.#isRoused) return;
    this.#wakeIn(Math.max(milliseconds, 1));
    await new Promise<void>((resolve) => {
      this.#rouse = resolve;
    });
    this.#rouse = undefined;
  }
}

function unchanged(claim: PeerClaim, dueSeconds: number | undefined): PeerUpdate {
  const { state, attempts, unanswered, polls, silent, problem } = claim;
  return { state, attempts, unanswered, polls, silent, problem, dueSeconds };
}

function answerOf(kind: 'accepted' | 'serial' | 'refused' | 'silent' | 'unable'): PeerResult['outcome'] {
  return kind === 'silent' || kind === 'unable' ? kind : 'answered';
}
