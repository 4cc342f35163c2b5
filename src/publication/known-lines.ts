import { setTimeout as sleep } from 'node:timers/promises';
import { ZonesealError } from '../errors.js';
import { LineMemory, type LineMemoryLimits } from './line-memory.js';
import type { KnownLine } from './packed-line.js';
import type { LineState, Publication, PublicationStore } from './ports.js';
import type { ServedSerial } from './recovery-ports.js';
import { isAfter } from './serial.js';
import { lineRecovering } from './set-back.js';

/** How long a look-up may take before what is remembered is taken for an answer; less than a query waits. */
const PATIENCE_MS = 1000;

/** Lines at hand as they are, the last that were asked for: some megabytes. Another one is unpacked, which takes microseconds. */
const UNPACKED = 5000;

/** Remembers which lines are served and with what; asks the database once for however many ask. */
export class KnownLines {
  readonly #store: Pick<PublicationStore, 'findLine'>;
  readonly #onSetBack: (served: ServedSerial) => Promise<unknown>;
  readonly #freshSeconds: number;
  readonly #limits: LineMemoryLimits;
  #lines: LineMemory;
  /** Look-ups under way. */
  readonly #asking = new Map<string, Promise<KnownLine | undefined>>();

  /**
   * @param freshSeconds how long an answer of the database is good for
   * @param limit lines remembered
   * @param unpacked lines of these that take no unpacking, but more memory
   * @param onSetBack told of a serial that was served and that the database does not have
   */
  constructor(
    store: Pick<PublicationStore, 'findLine'>,
    {
      freshSeconds,
      limit,
      unpacked = UNPACKED,
      onSetBack = () => Promise.resolve(),
    }: {
      readonly freshSeconds: number;
      readonly limit: number;
      readonly unpacked?: number;
      readonly onSetBack?: ((served: ServedSerial) => Promise<unknown>) | undefined;
    },
  ) {
    this.#store = store;
    this.#onSetBack = onSetBack;
    this.#freshSeconds = freshSeconds;
    this.#limits = { lines: limit, unpacked };
    this.#lines = new LineMemory(this.#limits);
  }

  get size(): number {
    return this.#lines.size;
  }

  /**
   * A line; undefined when the zone is not served in the view.
   * @throws ZonesealError when the database is away and nothing is remembered; DATABASE_SET_BACK while it is not served
   */
  async find(zone: string, view: string): Promise<KnownLine | undefined> {
    const key = `${zone} ${view}`;
    const remembered = this.#lines.get(key);
    if (remembered !== undefined && performance.now() < remembered.until) return remembered;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key, zone, view).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    if (remembered === undefined) return asking;
    try {
      return await Promise.race([asking, sleep(PATIENCE_MS, remembered, { ref: false })]);
    } catch (error) {
      if (error instanceof ZonesealError && error.code === 'DATABASE_SET_BACK') throw error;
      return remembered; // the database is away: what was ready goes on being served
    }
  }

  /** Has the database asked again at the next look: about a zone (by database id), or about all. */
  forget(zoneId?: string): void {
    this.#lines.expire(zoneId);
  }

  /** A publication has become ready here: remembered even where nobody has asked for it yet. */
  becomeCurrent(publication: Publication): void {
    const { zoneId, zone, view } = publication;
    const key = `${zone} ${view}`;
    const asked = this.#lines.atHand(key);
    this.#lines.pack(key, { served: { zoneId, zone, view }, publication });
    if (asked === undefined) return;
    const packed = this.#lines.get(key);
    // as it comes out of there: its octets were parts of the pages and blocks that were made, and would keep them
    if (packed !== undefined) this.#lines.keep(key, { ...packed, until: asked.until });
  }

  /** Forgets everything, and returns the serials that were served: the database is not the one that they came from. */
  takeServed(): ServedSerial[] {
    const lines = this.#lines;
    this.#lines = new LineMemory(this.#limits);
    return [...lines.served()];
  }

  async #ask(key: string, zone: string, view: string): Promise<KnownLine | undefined> {
    const lines = this.#lines;
    let line = await this.#store.findLine(zone, view);
    // an answer may be older than what became ready here meanwhile; one that was asked for after is not
    if (isBefore(line, lines.get(key))) {
      const known = lines.get(key)?.publication;
      line = await this.#store.findLine(zone, view);
      if (known !== undefined && isBefore(line, { publication: known })) {
        await this.#onSetBack({ zone, view, serial: known.serial });
        throw lineRecovering({ zone, view });
      }
    }
    if ((line === undefined || line.isRecovering) && lines === this.#lines) lines.delete(key);
    if (line === undefined) return undefined;
    if (line.isRecovering) throw lineRecovering({ zone, view });
    const { served, publication } = line;
    const known = { served, publication, until: performance.now() + this.#freshSeconds * 1000 };
    // what came from a database that proved to be another is not remembered
    if (lines === this.#lines) lines.keep(key, known);
    return known;
  }
}

/** Whether a line has less than was known of it: a serial only moves forward. */
function isBefore(
  line: LineState | undefined,
  known: { readonly publication: Publication | undefined } | undefined,
): boolean {
  if (line === undefined || line.isRecovering || known?.publication === undefined) return false;
  const { publication, lastSerial } = line;
  const { serial } = known.publication;
  if (lastSerial === undefined || isAfter(serial, lastSerial)) return true;
  return publication !== undefined && isAfter(serial, publication.serial);
}
