import type { PublicationStore } from './ports.js';

/** How long a count is good for: it looks at every zone. */
const GOOD_MS = 15_000;

/** How many zones are frozen, of the whole database. Asking has them counted anew when that is some seconds ago. */
export class FrozenCount {
  readonly #store: Pick<PublicationStore, 'countFrozen'>;
  #count = 0;
  #until = 0;

  constructor(store: Pick<PublicationStore, 'countFrozen'>) {
    this.#store = store;
  }

  /** As they were counted last. */
  get count(): number {
    if (performance.now() >= this.#until) {
      this.#until = performance.now() + GOOD_MS;
      this.#store.countFrozen().then(
        (count) => {
          this.#count = count;
        },
        () => undefined, // the database is away, which is told of elsewhere
      );
    }
    return this.#count;
  }
}
