import { isLost } from './lost-pages.js';
import type {
  FinishedPublication,
  PageChanges,
  Publication,
  PublicationResult,
  PublicationStore,
  SmallZoneContent,
} from './ports.js';
import { type ProduceDependencies, produce } from './produce.js';
import { NEEDS_CHANGE } from './production.js';
import { SmallZone } from './small-zone.js';

/** How publications of a batch ended. */
export interface BatchOutcome {
  readonly ready: readonly {
    readonly publication: Publication;
    readonly result: PublicationResult;
    /** See Produced. */
    readonly unsafe?: string;
  }[];
  readonly failed: readonly { readonly publication: Publication; readonly error: unknown }[];
  /** Not decided here: they are no small zones, say nothing new, or somebody was at their lines. */
  readonly left: readonly Publication[];
}

/** What batches need. */
export interface BatchOptions {
  readonly store: PublicationStore;
  readonly dependencies: Omit<ProduceDependencies, 'store'>;
  readonly gateway: string;
  readonly distrusted: ReadonlySet<string>;
}

/**
 * Makes publications of small zones together: read with a few questions to the database, committed with one transaction, so
 * that ten thousand zones of ten records do not take ten thousand times as many round trips.
 * @throws ZonesealError when the database cannot be asked; nothing is ready then
 */
export async function makeBatch(
  publications: readonly Publication[],
  options: BatchOptions,
): Promise<BatchOutcome> {
  const { store, gateway } = options;
  const contents = await store.readSmallZones(publications);
  const made = await Promise.all(contents.map((content) => makeOne(content, options)));
  const failed = made.flatMap((it) => ('error' in it ? [it] : []));
  const finished = made.flatMap((it) => ('result' in it ? [it] : []));
  const marked = finished.length === 0 ? new Set<string>() : await store.markManyReady(gateway, finished);
  const ready = finished.filter(({ publication }) => marked.has(publication.id));
  const decided = new Set([...failed, ...ready].map(({ publication }) => publication.id));
  return { ready, failed, left: publications.filter(({ id }) => !decided.has(id)) };
}

type Made =
  | (FinishedPublication & { readonly publication: Publication; readonly unsafe?: string })
  | { readonly publication: Publication; readonly error: unknown }
  | { readonly publication: Publication; readonly isLeft: true };

async function makeOne(content: SmallZoneContent, options: BatchOptions): Promise<Made> {
  const { dependencies, gateway, distrusted } = options;
  const { publication } = content;
  const zone = new SmallZone(content, options.store);
  try {
    const made = await produce(
      { publication, gateway, image: undefined, distrusted },
      { ...dependencies, store: zone },
    );
    if (!made.isChanged && publication.previous !== null && NEEDS_CHANGE.has(publication.cause))
      return { publication, isLeft: true };
    const whole: PageChanges = { replaced: [], pages: zone.pages, journal: zone.journal };
    const unsafe = made.unsafe === undefined ? {} : { unsafe: made.unsafe };
    return { publication, result: made.result, changes: made.changes ?? whole, ...unsafe };
  } catch (error) {
    // for the making of one, which knows what to do
    return isLost(error) ? { publication, isLeft: true } : { publication, error };
  }
}
