import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { Image } from '../transfer/image.js';
import type { ImageStore } from '../transfer/image-store.js';
import type { ImageReader } from '../transfer/ports.js';
import { followPublication } from './follow.js';
import { HeldImages } from './held-images.js';
import { isLost } from './lost-pages.js';
import { JournalLost, packDifference, packPublication, type Step } from './pack-image.js';
import type { Publication, PublicationStore } from './ports.js';
import { hasFewPages } from './published-nodes.js';
import { RecentImages } from './recent-images.js';
import type { Slots } from './slots.js';

/** What images of ready publications need. */
export interface ReadyImagesOptions {
  readonly store: PublicationStore;
  readonly images: ImageStore;
  readonly log: Log;
  /** Bounds what is made at the same time. */
  readonly slots: Slots;
  /** Finished images held for the next transfer, octets in all. */
  readonly heldOctets: number;
  /** Told of a publication whose stored pages cannot be read: a new one has to take its place. */
  readonly onLost: (publication: Publication) => void;
}

/** Differences kept, and their octets in all at the most. */
const RECENT_DIFFERENCES = 256;
const RECENT_OCTETS = 16 * 2 ** 20;

/** Publications whose journals proved broken that are kept in mind; they leave with time. */
const BROKEN_JOURNALS = 10_000;

/** How an image is made, and where it goes then. */
interface Work {
  /** It takes little, or waits for others most of the time: no slot bounds that more than the clients' own number does. */
  readonly isLight: boolean;
  readonly fill: (image: Image) => Promise<void>;
  readonly keep: (image: Image) => void;
}

/** Images of ready publications and of the differences between them, each made once however many ask. */
export class ReadyImages {
  readonly #options: ReadyImagesOptions;
  readonly #held: HeldImages;
  readonly #recent = new RecentImages(RECENT_DIFFERENCES, RECENT_OCTETS);
  /** Images that are being made, by what they are of. */
  #making = new Map<string, Promise<Image>>();
  readonly #growing = new Set<Image>();
  /** Publications whose journals proved broken, by id. */
  readonly #broken = new Set<string>();
  #closed = false;

  constructor(options: ReadyImagesOptions) {
    this.#options = options;
    this.#held = new HeldImages(options.heldOctets);
  }

  get counters(): { readonly making: number; readonly heldImages: number; readonly heldOctets: number } {
    return {
      making: this.#growing.size,
      heldImages: this.#held.size,
      heldOctets: this.#held.octets + this.#recent.octets,
    };
  }

  /** Lets go of all images; ids name other publications from now on. What is being made goes to those who wait for it alone. */
  forget(): void {
    this.#making = new Map();
    this.#broken.clear();
    this.#recent.clear();
    this.#held.clear();
  }

  /** Takes over the caller's hold on the complete image of a publication. */
  hold(publication: Publication, image: Image): void {
    this.#held.put(publication, image);
  }

  /** Lets go of held images until that many octets are free or none is left. */
  makeRoom(octets: number): void {
    this.#recent.clear();
    this.#held.makeRoom(octets);
  }

  /** The image of a ready publication, held or made again. */
  async open(publication: Publication): Promise<ImageReader> {
    const held = this.#held.get(publication.id);
    if (held !== undefined) return held.open();
    const image = await this.#share(publication.id, publication, {
      isLight: hasFewPages(publication),
      fill: (empty) => packPublication(publication, empty, this.#options.store),
      keep: (complete) => this.#held.put(publication, complete),
    });
    return image.open();
  }

  /** The image of a first publication that another gateway is making. */
  async follow(publication: Publication): Promise<ImageReader> {
    const image = await this.#share(publication.id, publication, {
      fill: (empty) => followPublication(publication, empty, this.#options.store),
      keep: (complete) => this.#held.put(publication, complete),
      isLight: true,
    });
    return image.open();
  }

  /**
   * What turns the publication of a serial into a newer one; undefined when it is not known any more, or more than the zone
   * itself. Not knowing is no error: the whole zone can be sent.
   */
  async openDifference(serial: number, newest: Publication): Promise<ImageReader | undefined> {
    const key = `${serial} to ${newest.id}`;
    const recent = this.#recent.get(key);
    if (recent !== undefined) return recent.open();
    let image = await this.#making.get(key);
    if (image === undefined) {
      const steps = await this.#steps(serial, newest);
      if (steps === undefined) return undefined;
      image = await this.#share(key, newest, {
        isLight: false,
        fill: (empty) => packDifference(steps, empty, this.#options.store),
        keep: (complete) => this.#recent.put(key, complete),
      });
    }
    return image.open();
  }

  /** Waits for what is being made, gives it up after a while, and lets go of all images. */
  async close(settled: Promise<unknown>, error: ZonesealError): Promise<void> {
    this.#closed = true;
    await Promise.race([settled, Promise.allSettled(this.#making.values())]);
    for (const image of this.#growing) image.fail(error);
    await Promise.allSettled(this.#making.values());
    this.#recent.clear();
    this.#held.clear();
  }

  async #steps(serial: number, newest: Publication): Promise<Step[] | undefined> {
    const line = await this.#options.store.readLine(newest, serial);
    const steps: Step[] = [];
    for (const [i, to] of line.entries()) {
      const from = line[i - 1];
      if (from === undefined) continue;
      if (to.previous !== from.id || to.journal === null || to.soa === null || from.soa === null)
        return undefined;
      if (this.#broken.has(to.id)) return undefined;
      steps.push({ from, to });
    }
    return steps.at(-1)?.to.id === newest.id ? steps : undefined;
  }

  #share(key: string, publication: Publication, work: Work): Promise<Image> {
    const all = this.#making;
    let making = all.get(key);
    if (making === undefined) {
      making = this.#make(key, publication, work);
      all.set(key, making);
      making.catch(() => all.delete(key));
    }
    return making;
  }

  /** Resolves as soon as the image can be followed. */
  async #make(key: string, publication: Publication, { isLight, fill, keep }: Work): Promise<Image> {
    const { slots, images, log, onLost } = this.#options;
    const all = this.#making;
    const release = isLight ? (): void => undefined : await slots.take({ isUrgent: true });
    if (this.#closed) {
      release();
      throw new ZonesealError('GATEWAY_STOPPING', 'the gateway is being stopped');
    }
    const { zone, view, serial } = publication;
    const image = images.create(labelOf(publication));
    this.#growing.add(image);
    const ended = (): void => {
      this.#growing.delete(image);
      all.delete(key);
      release();
    };
    fill(image).then(
      () => {
        if (all === this.#making) keep(image);
        else image.release();
        ended();
      },
      (error: unknown) => {
        const code = error instanceof ZonesealError ? error.code : undefined;
        const fields = { zone, view, serial, code, reason: errorMessage(error) };
        image.release();
        ended();
        if (error instanceof JournalLost) {
          log.warn(fields, 'a difference could not be made');
          this.#remember(error);
          return;
        }
        log.error(fields, 'the image of a publication could not be made');
        if (isLost(error)) onLost(publication);
      },
    );
    return image;
  }

  /** Where a difference broke off in the middle, the next who asks for it is to have the whole zone. */
  #remember({ publicationId }: JournalLost): void {
    if (this.#broken.size >= BROKEN_JOURNALS) this.#broken.clear();
    this.#broken.add(publicationId);
  }
}

/** What an image is called in errors. */
export function labelOf({ zone, view }: Publication): string {
  return `zone ${zone} in view ${view}`;
}
