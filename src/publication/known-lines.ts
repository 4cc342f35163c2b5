import { setTimeout as sleep } from 'node:timers/promises';
import type { Publication, PublicationStore, ServedZone } from './ports.js';

/** What is known of one (zone, view): good for a while, and better than nothing when the database is away. */
export interface KnownLine {
  readonly served: ServedZone;
  readonly publication: Publication | undefined;
}

interface Remembered extends KnownLine {
  /** By the monotonic clock, milliseconds. */
  readonly until: number;
}

/** How long a look-up may take before what is remembered is taken for an answer; less than a query waits. */
const PATIENCE_MS = 1000;

/** Remembers which lines are served and with what; asks the database once for however many ask. */
export class KnownLines {
  readonly #store: Pick<PublicationStore, 'findServed' | 'newestReady'>;
  readonly #freshSeconds: number;
  readonly #limit: number;
  readonly #lines = new Map<string, Remembered>();
  /** Look-ups under way. */
  readonly #asking = new Map<string, Promise<KnownLine | undefined>>();

  /**
   * @param freshSeconds how long an answer of the database is good for
   * @param limit lines remembered
   */
  constructor(
    store: Pick<PublicationStore, 'findServed' | 'newestReady'>,
    { freshSeconds, limit }: { readonly freshSeconds: number; readonly limit: number },
  ) {
    this.#store = store;
    this.#freshSeconds = freshSeconds;
    this.#limit = limit;
  }

  get size(): number {
    return this.#lines.size;
  }

  /**
   * A line; undefined when the zone is not served in the view.
   * @throws ZonesealError when the database is away and nothing is remembered
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
    } catch {
      return remembered; // the database is away: what was ready goes on being served
    }
  }

  /** Has the database asked again at the next look: about a zone (by database id), or about all. */
  forget(zoneId?: string): void {
    for (const [key, known] of this.#lines) {
      if (zoneId === undefined || known.served.zoneId === zoneId)
        this.#lines.set(key, { ...known, until: 0 });
    }
  }

  /** A publication has become ready here: remembered even where nobody has asked for it yet. */
  becomeCurrent(publication: Publication): void {
    const { zoneId, zone, view } = publication;
    const known = this.#lines.get(`${zone} ${view}`);
    this.#remember({ until: 0, ...known, served: { zoneId, zone, view }, publication });
  }

  #remember(line: Remembered): void {
    const key = `${line.served.zone} ${line.served.view}`;
    this.#lines.delete(key);
    this.#lines.set(key, line);
    for (const eldest of this.#lines.keys()) {
      if (this.#lines.size <= this.#limit) break;
      this.#lines.delete(eldest);
    }
  }

  async #ask(key: string, zone: string, view: string): Promise<KnownLine | undefined> {
    const served = await this.#store.findServed(zone, view);
    if (served === undefined) {
      this.#lines.delete(key);
      return undefined;
    }
    const publication = await this.#store.newestReady(served.zoneId, view);
    const known = { served, publication, until: performance.now() + this.#freshSeconds * 1000 };
    this.#remember(known);
    return known;
  }
}
