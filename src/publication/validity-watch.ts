import type { Log } from '../log.js';
import type { PublicationStore, UnsafeLine } from './ports.js';

/** Lines with too little validity that are kept in mind, and those of one look that are warned of one by one. */
const LISTED = 1000;
const LOGGED = 20;

/**
 * Watches that what is served has more validity left than the SOA's expire and the largest TTL: else a nameserver that loses
 * contact serves expired signatures before it gives up. Warns when a line comes to be short of it, once.
 */
export class ValidityWatch {
  readonly #store: Pick<PublicationStore, 'listUnsafe'>;
  readonly #log: Log;
  #known: ReadonlySet<string> = new Set();
  #count = 0;

  constructor(store: Pick<PublicationStore, 'listUnsafe'>, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  /** Lines short of validity at the last look, in the whole database. */
  get count(): number {
    return this.#count;
  }

  /** @throws ZonesealError when the database cannot be asked */
  async look(): Promise<void> {
    const { count, lines } = await this.#store.listUnsafe(LISTED);
    const come = lines.filter((line) => !this.#known.has(keyOf(line)));
    for (const { zone, view, expiresAt } of come.slice(0, LOGGED)) {
      this.#log.warn(
        { zone, view, expiresAt: new Date(expiresAt * 1000).toISOString() },
        "signatures have less validity left than the SOA's expire and the largest TTL: a nameserver that loses contact may serve expired ones; raise refresh in the policy, or lower expire",
      );
    }
    if (come.length > LOGGED) {
      this.#log.warn({ lines: count }, 'more zones and views have signatures with too little validity left');
    }
    this.#known = new Set(lines.map(keyOf));
    this.#count = count;
  }
}

function keyOf({ zoneId, view }: UnsafeLine): string {
  return `${zoneId} ${view}`;
}
