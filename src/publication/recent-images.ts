import type { Image } from '../transfer/image.js';

/** Images of differences kept for those who ask for the same: nameservers of one view come at about the same time. */
export class RecentImages {
  readonly #limit: number;
  readonly #octetLimit: number;
  readonly #images = new Map<string, Image>();
  #octets = 0;

  /** @param limit images; @param octetLimit octets of all of them: one that is larger is not kept */
  constructor(limit: number, octetLimit: number) {
    this.#limit = limit;
    this.#octetLimit = octetLimit;
  }

  get octets(): number {
    return this.#octets;
  }

  get(key: string): Image | undefined {
    return this.#images.get(key);
  }

  /** Takes over the caller's hold on a complete image. */
  put(key: string, image: Image): void {
    this.#remove(key);
    this.#images.set(key, image);
    this.#octets += image.octets;
    for (const eldest of this.#images.keys()) {
      if (this.#images.size <= this.#limit && this.#octets <= this.#octetLimit) break;
      this.#remove(eldest);
    }
  }

  clear(): void {
    for (const key of this.#images.keys()) this.#remove(key);
  }

  #remove(key: string): void {
    const image = this.#images.get(key);
    if (image === undefined) return;
    this.#images.delete(key);
    this.#octets -= image.octets;
    image.release();
  }
}
