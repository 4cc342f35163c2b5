import type { PackedPage } from '../signing/page-codec.js';
import type { JournalPart } from './ports.js';

/** Pages saved with one call; half a megabyte. */
const PAGES_AT_ONCE = 32;

interface Waiting {
  readonly page: PackedPage;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Stores pages and parts of a journal in the order in which they come, as many at a time as came while others were stored. */
export class PageSaver {
  readonly #save: (pages: readonly PackedPage[], journal: readonly JournalPart[]) => Promise<void>;
  #pages: Waiting[] = [];
  #journal: JournalPart[] = [];
  #running: Promise<void> | undefined;
  #error: Error | undefined;

  /** @param save stores for good; once it has thrown, so does everything that is to be saved */
  constructor(save: (pages: readonly PackedPage[], journal: readonly JournalPart[]) => Promise<void>) {
    this.#save = save;
  }

  /** Resolves when the page is stored. */
  save(page: PackedPage): Promise<void> {
    const stored = new Promise<void>((resolve, reject) => {
      this.#pages.push({ page, resolve, reject });
    });
    stored.catch(() => undefined); // heard where it is awaited
    this.#start();
    return stored;
  }

  saveJournal(parts: readonly JournalPart[]): void {
    this.#journal.push(...parts);
    this.#start();
  }

  /** Resolves when all is stored. @throws what storing threw */
  async settled(): Promise<void> {
    await this.#running;
    if (this.#error !== undefined) throw this.#error;
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#pages.length > 0 || this.#journal.length > 0) {
      const some = this.#pages.splice(0, PAGES_AT_ONCE);
      const parts = this.#journal.splice(0, PAGES_AT_ONCE);
      try {
        if (this.#error !== undefined) throw this.#error;
        await this.#save(
          some.map(({ page }) => page),
          parts,
        );
        for (const { resolve } of some) resolve();
      } catch (error) {
        this.#error = error as Error;
        for (const { reject } of some) reject(this.#error);
      }
    }
    // in the same turn as the last look, so that nothing that comes after it waits for ever
    this.#running = undefined;
  }
}
