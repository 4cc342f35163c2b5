import { type SlotClaim, Slots } from './slots.js';

/** Updates made at the same time for each whole. */
const UPDATES_PER_WHOLE = 2;

/** A place in which one publication is made. */
export interface Place {
  /** To be awaited before a whole zone is read: it takes long, and waits for a place among those alike. */
  readonly beforeWhole: () => Promise<void>;
  readonly release: () => void;
}

/**
 * Bounds what is made at the same time: wholes (and batches of small zones) apart from updates and from images of what is ready, so that
 * large zones hold up neither a change to another one nor its transfers.
 */
export class Places {
  readonly #count: number;
  readonly #wholes: Slots;
  readonly #updates: Slots;
  /** For images of ready publications and of differences. */
  readonly packing: Slots;

  /** @param count wholes at the same time */
  constructor(count: number) {
    this.#count = count;
    this.#wholes = new Slots(count);
    this.#updates = new Slots(UPDATES_PER_WHOLE * count);
    this.packing = new Slots(count);
  }

  /** Those that wait, of all kinds. */
  get waiting(): number {
    return this.#wholes.waiting + this.#updates.waiting + this.packing.waiting;
  }

  /** A place among the wholes, for a batch; resolves to what gives it back. */
  takeWhole(claim: SlotClaim): Promise<() => void> {
    return this.#wholes.take(claim);
  }

  /** A place for what may be an update. */
  async take(claim: SlotClaim): Promise<Place> {
    const updating = await this.#updates.take(claim);
    let release = updating;
    return {
      beforeWhole: async () => {
        // a few wait beside the updates; more keep their places there, and what is begun stays bounded
        if (this.#wholes.waiting < this.#count) updating();
        release = await this.#wholes.take(claim);
        updating();
      },
      release: () => release(),
    };
  }
}
