import { Image, type ImageBudget } from './image.js';
import { prepareSpoolFolder, type Spool, SpoolFile } from './spool-file.js';

/** Where images are kept, and how much they may take. */
export interface ImageStoreOptions {
  /** The folder of the spool files; made when it is not there. */
  readonly folder: string;
  /** An image goes to a spool file when it holds more octets than this; 1 MiB unless given. */
  readonly memoryImageOctets?: number;
  /** Octets of all images in memory; past it, images go to spool files while they are small. 64 MiB unless given. */
  readonly maxMemoryOctets?: number;
  /** Octets of all images in spool files; past it, appending fails with SPOOL_FULL. 16 GiB unless given. */
  readonly maxSpoolOctets?: number;
  /**
   * Called when there is no room for `octets` more, before it is refused: the owner of the images may release some
   * that nobody needs, at once. Must not throw.
   */
  readonly makeRoom?: (kind: 'memory' | 'spool', octets: number) => void;
  /** Makes a spool file in the folder; for other kinds of storage and for tests. */
  readonly createSpool?: (folder: string) => Promise<Spool>;
}

/** What all images hold together, for metrics. */
export interface ImageUsage {
  readonly images: number;
  readonly memoryOctets: number;
  readonly spoolOctets: number;
}

/** Makes images and bounds what they take of memory and disk together. Which ones are kept is their owner's business. */
export class ImageStore {
  readonly #budget: Budget;

  private constructor(budget: Budget) {
    this.#budget = budget;
  }

  /**
   * Prepares the spool folder.
   * @throws ZonesealError SPOOL_FAILED when it cannot be made or read
   */
  static async open(options: ImageStoreOptions): Promise<ImageStore> {
    await prepareSpoolFolder(options.folder);
    return new ImageStore(new Budget(options));
  }

  /**
   * An empty image, held by the caller until `release`.
   * @param label what error texts call it: the zone and its view
   */
  create(label: string): Image {
    this.#budget.images++;
    return new Image(label, this.#budget);
  }

  get usage(): ImageUsage {
    const { images, memoryOctets, spoolOctets } = this.#budget;
    return { images, memoryOctets, spoolOctets };
  }
}

class Budget implements ImageBudget {
  images = 0;
  memoryOctets = 0;
  spoolOctets = 0;
  readonly memoryImageOctets: number;
  readonly #maxMemoryOctets: number;
  readonly #maxSpoolOctets: number;
  readonly #options: ImageStoreOptions;

  constructor(options: ImageStoreOptions) {
    this.#options = options;
    this.memoryImageOctets = options.memoryImageOctets ?? 2 ** 20;
    this.#maxMemoryOctets = options.maxMemoryOctets ?? 64 * 2 ** 20;
    this.#maxSpoolOctets = options.maxSpoolOctets ?? 16 * 2 ** 30;
  }

  takeMemory(octets: number): boolean {
    const hasRoom = (): boolean => this.memoryOctets + octets <= this.#maxMemoryOctets;
    if (!hasRoom()) this.#options.makeRoom?.('memory', octets);
    if (!hasRoom()) return false;
    this.memoryOctets += octets;
    return true;
  }

  returnMemory(octets: number): void {
    this.memoryOctets -= octets;
  }

  takeSpool(octets: number): boolean {
    const hasRoom = (): boolean => this.spoolOctets + octets <= this.#maxSpoolOctets;
    if (!hasRoom()) this.#options.makeRoom?.('spool', octets);
    if (!hasRoom()) return false;
    this.spoolOctets += octets;
    return true;
  }

  returnSpool(octets: number): void {
    this.spoolOctets -= octets;
  }

  openSpool(): Promise<Spool> {
    const { createSpool, folder } = this.#options;
    return createSpool === undefined ? SpoolFile.create(folder) : createSpool(folder);
  }

  closed(): void {
    this.images--;
  }
}
