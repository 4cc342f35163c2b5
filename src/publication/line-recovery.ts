import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../errors.js';
import type { Log } from '../log.js';
import type { SeenPeer } from './line-jump.js';
import { SAFE_JUMP } from './line-jump.js';
import type {
  Incarnation,
  LineFindings,
  LineName,
  LineOutcome,
  RecoveryStore,
  UnsettledLine,
} from './recovery-ports.js';

export interface LineRecoveryOptions {
  readonly store: Pick<RecoveryStore, 'listUnsettled' | 'countUnsettled' | 'settle' | 'unsettle'>;
  /** Asks the peers of a line which serial they serve, but for those that are to be left out, which count as silent. */
  readonly ask: (
    line: { readonly zoneId: string; readonly view: string },
    leftOut: (peer: string) => boolean,
  ) => Promise<readonly SeenPeer[]>;
  /** Longest that the peers of one line are waited for, seconds. */
  readonly askSeconds: number;
  /** Lines whose peers are asked at the same time. */
  readonly concurrency: number;
  /** Lines were settled: publications may be due. */
  readonly onSettled: () => void;
  readonly log: Log;
}

/** Lines settled with one transaction. */
const BATCH = 200;
/** Questions in a row that a peer leaves without an answer before it is left out for the rest. */
const SILENT = 3;
/** Longest list of names in a line of the log. */
const NAMED = 5;

/** How lines were settled here since the start. */
export type SettledCounts = Readonly<Record<LineOutcome['kind'], number>>;

/**
 * Finds out of each line that may have been set back how far nameservers are, and moves it past that. Any number of gateways do so at the
 * same time, each from another line on.
 */
export class LineRecovery {
  readonly #options: LineRecoveryOptions;
  readonly #counts = { clear: 0, jumped: 0, safe: 0, apart: 0 };
  readonly #stop = new AbortController();
  #incarnation: Incarnation | undefined;
  #running: Promise<void> | undefined;
  #unsettled = 0;
  #silences = new Map<string, number>();

  constructor(options: LineRecoveryOptions) {
    this.#options = options;
  }

  get settled(): SettledCounts {
    return this.#counts;
  }

  /** Lines that are not served as they are being found out about; as they were counted last. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Goes by another incarnation from now on. */
  become(incarnation: Incarnation): void {
    this.#incarnation = incarnation;
    this.wake();
  }

  /** There may be lines to be settled. */
  wake(): void {
    if (this.#incarnation === undefined || this.#stop.signal.aborted) return;
    this.#running ??= this.#run()
      .catch((error: unknown) => {
        // a database that is away is told of elsewhere
        if (this.#stop.signal.aborted || this.#unsettled === 0) return;
        this.#options.log.warn(
          { reason: errorMessage(error) },
          'serial lines cannot be moved past what peers serve now; it is tried again',
        );
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** A peer serves a serial that comes after the one last given out on its line. */
  async findAhead(line: LineName, peer: string, serial: number): Promise<void> {
    const { store, log } = this.#options;
    const reason = `peer ${peer} serves serial ${serial}, which the database did not give out`;
    if (!(await store.unsettle(line))) return;
    const text = 'a serial line was set back; it is not served before it is past what its peers serve';
    log.error({ ...line, reason }, text);
    this.wake();
  }

  /** Resolves when no lines are being settled here. */
  async settledAll(): Promise<void> {
    await this.#running;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { store, onSettled, log } = this.#options;
    const incarnation = this.#incarnation as Incarnation;
    this.#unsettled = await store.countUnsettled(incarnation.incarnation);
    if (this.#unsettled === 0) return;
    log.info({ lines: this.#unsettled }, 'peers are asked how far serial lines have come');
    const begun = performance.now();
    this.#silences = new Map();
    // gateways that do this at the same time begin at other lines
    let from: LineName = { zone: String.fromCodePoint(97 + Math.floor(Math.random() * 26)), view: '' };
    for (let isWrapped = false; ; ) {
      const lines = await store.listUnsettled(incarnation.incarnation, from, BATCH);
      if (lines.length === 0 && isWrapped) break;
      if (lines.length < BATCH) isWrapped = true;
      if (lines.length > 0) {
        const outcomes = await store.settle(incarnation, await this.#askAll(lines));
        for (const outcome of outcomes) this.#tell(outcome);
        this.#unsettled = Math.max(0, this.#unsettled - lines.length);
        onSettled();
      }
      from = lines.length < BATCH ? { zone: '', view: '' } : (lines.at(-1) as LineName);
      if (this.#stop.signal.aborted || this.#incarnation !== incarnation) break;
    }
    this.#unsettled = await store.countUnsettled(incarnation.incarnation);
    const seconds = Math.round(performance.now() - begun) / 1000;
    log.info({ seconds, ...this.#counts }, 'serial lines are past what their peers serve');
    if (this.#incarnation !== incarnation) setImmediate(() => this.wake());
  }

  async #askAll(lines: readonly UnsettledLine[]): Promise<LineFindings[]> {
    const findings: LineFindings[] = [];
    const rest = lines[Symbol.iterator]();
    const work = async (): Promise<void> => {
      for (const line of rest) findings.push({ ...line, seen: await this.#ask(line) });
    };
    await Promise.all(Array.from({ length: this.#options.concurrency }, work));
    return findings;
  }

  async #ask(line: UnsettledLine): Promise<readonly SeenPeer[]> {
    if (!line.hasPeers || this.#stop.signal.aborted) return [];
    const { ask, askSeconds } = this.#options;
    const late = sleep(askSeconds * 1000, undefined, { ref: false });
    const isLeftOut = (peer: string): boolean => (this.#silences.get(peer) ?? 0) >= SILENT;
    const seen = await Promise.race([ask(line, isLeftOut), late]);
    // none in time: as if there were one, and it silent
    if (seen === undefined) return [{ peer: 'peers', serial: undefined }];
    for (const { peer, serial } of seen) {
      this.#silences.set(peer, serial === undefined ? (this.#silences.get(peer) ?? 0) + 1 : 0);
    }
    return seen;
  }

  #tell({ zone, view, kind, last, past, apart, silent }: LineOutcome): void {
    const { log } = this.#options;
    this.#counts[kind]++;
    if (kind === 'jumped') {
      log.warn({ zone, view, last, past }, 'the serial line moves past what its peers serve');
    }
    if (kind === 'safe') {
      const reason =
        silent.length === 0
          ? 'it has no peers'
          : `no serial from ${silent.slice(0, NAMED).join(', ')}${silent.length > NAMED ? ' and others' : ''}`;
      const text = `the serial line moves on by the clock, or by ${SAFE_JUMP}, as not all that serve it could be asked`;
      log.warn({ zone, view, last, past, reason }, text);
    }
    if (apart !== undefined) {
      const next = `zoneseal zone serial ${zone} --view ${view} --past ${apart}`;
      log.error(
        { zone, view, last, serial: apart, next },
        'a peer serves a serial that is half the circle away (RFC 1982): no single step gets past it',
      );
    }
  }
}
