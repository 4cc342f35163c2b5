import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import { retryAfter } from './failure.js';
import { isLost } from './lost-pages.js';
import type { Publication, PublicationStore } from './ports.js';
import { safeUntil } from './soa-fields.js';

/** What failures need. */
export interface FailuresOptions {
  readonly store: Pick<PublicationStore, 'newestReady' | 'listReady' | 'markFailed'>;
  readonly log: Log;
  readonly gateway: string;
}

/** Publications that failed here: told to the log and to the database, which may be away. */
export class Failures {
  readonly #options: FailuresOptions;
  readonly #distrust: (publications: readonly Publication[]) => void;
  /** Attempts that failed one after the other, by line. */
  readonly #attempts = new Map<string, number>();
  /** Failures that the database could not be told of yet; without them a lease would have to run out. */
  readonly #unrecorded = new Set<() => Promise<void>>();
  #failed = 0;

  /** @param distrust told of publications whose stored pages cannot be read, or led to what the gate refused */
  constructor(options: FailuresOptions, distrust: (publications: readonly Publication[]) => void) {
    this.#options = options;
    this.#distrust = distrust;
  }

  get counters(): { readonly failed: number; readonly failing: number; readonly unrecorded: number } {
    return { failed: this.#failed, failing: this.#attempts.size, unrecorded: this.#unrecorded.size };
  }

  /** The line of a publication is well again. */
  forget(publication: Publication): void {
    this.#attempts.delete(keyOf(publication));
  }

  /** Tells the database what it could not be told when it happened. @throws ZonesealError when it is still away */
  async recordLeft(): Promise<void> {
    for (const record of this.#unrecorded) {
      await record();
      this.#unrecorded.delete(record);
    }
  }

  /** A publication failed; never rejects. */
  async tell(publication: Publication, error: unknown): Promise<void> {
    const { store, gateway, log } = this.#options;
    const { zone, view, serial, zoneId } = publication;
    this.#failed++;
    const code = error instanceof ZonesealError ? error.code : undefined;
    log.error(
      { zone, view, serial, code, reason: errorMessage(error) },
      'publication failed; the one before it, if any, goes on being served',
    );
    const attempt = this.#attempts.get(keyOf(publication)) ?? 0;
    this.#attempts.set(keyOf(publication), attempt + 1);
    await this.#tellValidity(publication);
    // what was made from stored pages is made without them: from all rows
    const isUnreadable = isLost(error);
    const isRefused = code === 'PUBLICATION_REFUSED_BY_GATE' && publication.previous !== null;
    if (isUnreadable || isRefused) {
      const ready = await store.listReady(zoneId).catch(() => []);
      const lost = error instanceof ZonesealError ? error.fields['publication'] : undefined;
      this.#distrust(
        ready.filter((it) => (lost === undefined ? isUnreadable || it.view === view : it.id === lost)),
      );
    }
    const retry = (isUnreadable || isRefused) && attempt === 0 ? 0 : retryAfter(error, attempt);
    const record = (): Promise<void> => store.markFailed(publication.id, gateway, errorMessage(error), retry);
    await record().catch(() => this.#unrecorded.add(record));
  }

  /** Where signatures could not be renewed: says until when those that are served are safe. */
  async #tellValidity({ zone, view, zoneId, cause }: Publication): Promise<void> {
    if (cause !== 'refresh') return;
    const ready = await this.#options.store.newestReady(zoneId, view).catch(() => undefined);
    if (ready?.expiresAt == null || ready.soa === null || ready.maxTtl === null) return;
    const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
    this.#options.log.warn(
      {
        zone,
        view,
        safeUntil: iso(safeUntil(ready.expiresAt, ready.soa.rdata, ready.maxTtl)),
        expiresAt: iso(ready.expiresAt),
      },
      'signatures were not renewed; after safeUntil a nameserver that loses contact may serve expired ones, at expiresAt the first expires',
    );
  }
}

function keyOf({ zoneId, view }: Publication): string {
  return `${zoneId} ${view}`;
}
