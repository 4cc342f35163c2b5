import type { Image } from '../transfer/image.js';
import type { SlotClaim } from './slots.js';

/** A publication that is being made here. */
export interface Making {
  /** Where a first publication goes while it is signed. */
  readonly image: Image | undefined;
  /** Settles when it is ready or has failed; never rejects. */
  readonly done: Promise<void>;
}

interface Entry {
  readonly making: Promise<Making>;
  readonly claim: SlotClaim;
}

/** What is being made here, by line, and whether there is room for more of what is due. */
export class Makings {
  readonly #entries = new Map<string, Entry>();
  readonly #onRoom: () => void;
  readonly #done: () => number;
  /** Somebody wanted to look for what is due: is told when no more than so many are being made, and so many were done since. */
  #wanted: { readonly size: number; readonly done: number } | undefined;

  /**
   * @param onRoom called when there is room again, where somebody had to wait for it
   * @param done how many have come to something until now
   */
  constructor(onRoom: () => void, done: () => number) {
    this.#onRoom = onRoom;
    this.#done = done;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(line: string): boolean {
    return this.#entries.has(line);
  }

  /** What is being made of a line; urgent from now on where the claim is. */
  join(line: string, { isUrgent }: SlotClaim): Promise<Making> | undefined {
    const entry = this.#entries.get(line);
    if (entry !== undefined) entry.claim.isUrgent ||= isUrgent;
    return entry?.making;
  }

  begin(line: string, making: Promise<Making>, claim: SlotClaim): void {
    this.#entries.set(line, { making, claim });
  }

  end(line: string): void {
    this.#entries.delete(line);
    const wanted = this.#wanted;
    if (wanted === undefined || this.size > wanted.size || this.#done() < wanted.done) return;
    this.#wanted = undefined;
    this.#onRoom();
  }

  /** Whether so much is being made that a look for what is due would mostly find that; who is told so is told when it is otherwise. */
  isFull(limit: number): boolean {
    const size = Math.floor(limit / 2);
    const isFull = this.size > size;
    this.#wanted = isFull ? { size, done: 0 } : undefined;
    return isFull;
  }

  /** More is due than was begun. What was begun has to come to something before the next look, or one would follow the other. */
  wantMore(limit: number): void {
    this.#wanted ??= { size: Math.floor(limit / 2), done: this.#done() + Math.floor(limit / 4) };
  }

  /** Resolves when nothing is being made. */
  async settled(): Promise<void> {
    while (this.size > 0) {
      const all = [...this.#entries.values()].map(({ making }) => making);
      for (const result of await Promise.allSettled(all)) {
        if (result.status === 'fulfilled') await result.value.done;
      }
    }
  }
}
