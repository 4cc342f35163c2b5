import type { Image } from '../transfer/image.js';
import type { Publication } from './ports.js';

/** Finished images kept for the next transfer, the least recently used let go first; one for each (zone, view). */
export class HeldImages {
  readonly #limit: number;
  readonly #images = new Map<string, { readonly image: Image; readonly line: string }>();
  readonly #lines = new Map<string, string>();
  #octets = 0;

  /** @param limit octets in all; the newest image is held even when it is larger */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#images.size;
  }

  get octets(): number {
    return this.#octets;
  }

  get(publicationId: string): Image | undefined {
    const entry = this.#images.get(publicationId);
    if (entry === undefined) return undefined;
    this.#images.delete(publicationId);
    this.#images.set(publicationId, entry);
    return entry.image;
  }

  /** Takes over the caller's hold on a complete image; that of an older publication of the same line is let go. */
  put(publication: Publication, image: Image): void {
    const line = `${publication.zoneId} ${publication.view}`;
    const other = this.#lines.get(line);
    if (other !== undefined && Number(other) > Number(publication.id)) {
      image.release(); // one that was made again while a newer one became ready
      return;
    }
    if (other !== undefined) this.#remove(other);
    this.#images.set(publication.id, { image, line });
    this.#lines.set(line, publication.id);
    this.#octets += image.octets;
    for (const eldest of this.#images.keys()) {
      if (this.#octets <= this.#limit || eldest === publication.id) break;
      this.#remove(eldest);
    }
  }

  /** Lets go of images until that many octets were freed; those being sent are freed when their last reader is done. */
  makeRoom(octets: number): void {
    let freed = 0;
    for (const [id, { image }] of this.#images) {
      if (freed >= octets) break;
      freed += image.octets;
      this.#remove(id);
    }
  }

  clear(): void {
    for (const id of this.#images.keys()) this.#remove(id);
  }

  #remove(publicationId: string): void {
    const entry = this.#images.get(publicationId);
    if (entry === undefined) return;
    this.#images.delete(publicationId);
    this.#lines.delete(entry.line);
    this.#octets -= entry.image.octets;
    entry.image.release();
  }
}
