import type { Image } from '../transfer/image.js';
import type { Cause, JournalSize, PageChanges, Publication, PublicationResult } from './ports.js';

/** Causes for which a publication that says nothing new is not published. */
export const NEEDS_CHANGE: ReadonlySet<Cause> = new Set(['change', 'policy', 'keys']);

/** A publication that is to be made. */
export interface Production {
  readonly publication: Publication;
  /** Who builds it, as its lease says. */
  readonly gateway: string;
  /** Where the records of a first publication go while they are signed. */
  readonly image: Image | undefined;
  /** Publications whose stored pages proved unreadable: nothing of theirs is used. */
  readonly distrusted: ReadonlySet<string>;
  /** Awaited before all rows are read; where it is not needed there is a place already. */
  readonly beforeWhole?: (() => Promise<void>) | undefined;
}

/** How a production ended; it is to be committed. */
export interface Produced {
  readonly result: PublicationResult;
  /** What an update changes; undefined where all pages were written anew. */
  readonly changes: PageChanges | undefined;
  /** Whether it says anything that the publication before did not say. */
  readonly isChanged: boolean;
  /** What it changed, also where that is larger than the zone; undefined for the first, and where the result's journal says it. */
  readonly difference?: JournalSize | undefined;
  /** Why its policy is unsafe for it, as it was for the one before; undefined: it is not. */
  readonly unsafe?: string;
  /** Gives the image its closing SOA: to be called when the publication is committed, not before. */
  finishImage(): Promise<void>;
}
