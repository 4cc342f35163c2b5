import { setTimeout as sleep } from 'node:timers/promises';
import { ZonesealError } from '../errors.js';
import type { ImageReader } from '../transfer/ports.js';
import type { Publication, PublicationStore, ServedZone } from './ports.js';
import { pagesLost } from './published-nodes.js';

/** What replacing needs. */
export interface LostPagesOptions {
  readonly store: Pick<PublicationStore, 'newestReady'>;
  /** Begins the making of a new publication of a line. @throws ZonesealError PUBLICATION_NOT_READY where another gateway is at it */
  readonly make: (served: ServedZone) => Promise<{ readonly done: Promise<void> }>;
}

/** How long a transfer waits where another gateway makes what is missing, and how often it looks. */
const WAIT_MS = 20_000;
const POLL_MS = 250;

/** Publications whose pages proved unreadable that are kept in mind; a new one takes their place soon. */
const DISTRUSTED = 10_000;

/** Publications whose stored pages are gone, as after a restore without them: a new one takes the place of each. */
export class LostPages {
  /** Publications whose stored pages proved unreadable, by id: nothing of theirs is used. */
  readonly distrusted = new Set<string>();
  readonly #options: LostPagesOptions;

  constructor(options: LostPagesOptions) {
    this.#options = options;
  }

  distrust(publications: readonly Publication[]): void {
    if (this.distrusted.size > DISTRUSTED) this.distrusted.clear();
    for (const { id } of publications) this.distrusted.add(id);
  }

  /** An image of a publication; where its pages prove lost before the first message, of the one that takes its place. */
  async open(
    publication: Publication,
    open: (publication: Publication) => Promise<ImageReader>,
  ): Promise<ImageReader> {
    const another = async (): Promise<ImageReader> => open(await this.replace(publication));
    return new ReplaceableReader(await open(publication), another);
  }

  /**
   * The ready publication that has taken the place of one, made here unless there is one or another gateway makes it.
   * @throws ZonesealError PAGES_LOST when there is none in time; of making it
   */
  async replace(lost: Publication): Promise<Publication> {
    const { store, make } = this.#options;
    const { zoneId, zone, view } = lost;
    this.distrust([lost]);
    const deadline = performance.now() + WAIT_MS;
    for (let isMade = false; ; ) {
      const newest = await store.newestReady(zoneId, view);
      if (newest !== undefined && newest.id !== lost.id) return newest;
      if (isMade || performance.now() > deadline) throw pagesLost(lost, 'not all are left');
      try {
        const { done } = await make({ zoneId, zone, view });
        await done;
        isMade = true;
      } catch (error) {
        if (!(error instanceof ZonesealError && error.code === 'PUBLICATION_NOT_READY')) throw error;
        await sleep(POLL_MS);
      }
    }
  }
}

/** Reads an image, or another one where the stored pages of the first prove lost before it gives anything. */
class ReplaceableReader implements ImageReader {
  #reader: ImageReader;
  readonly #another: () => Promise<ImageReader>;
  #isReleased = false;

  constructor(reader: ImageReader, another: () => Promise<ImageReader>) {
    this.#reader = reader;
    this.#another = another;
  }

  async *messages(): AsyncGenerator<Uint8Array, void, undefined> {
    const messages = this.#reader.messages()[Symbol.asyncIterator]();
    let next: IteratorResult<Uint8Array>;
    try {
      next = await messages.next();
    } catch (error) {
      if (!isLost(error)) throw error;
      this.#reader.release();
      this.#reader = await this.#another();
      if (this.#isReleased) this.#reader.release();
      yield* this.#reader.messages();
      return;
    }
    for (; next.done !== true; next = await messages.next()) yield next.value;
  }

  release(): void {
    this.#isReleased = true;
    this.#reader.release();
  }
}

/** Whether an error says that stored pages cannot be used. */
export function isLost(error: unknown): boolean {
  return error instanceof ZonesealError && (error.code === 'PAGES_LOST' || error.code === 'PAGE_INVALID');
}
