import { errorMessage, ZonesealError } from '../errors.js';
import type { ImageReader } from './ports.js';
import type { Spool } from './spool-file.js';

/** What images share: the limits on octets in memory and on disk, and where spool files are. */
export interface ImageBudget {
  /** An image goes to a spool file when it holds more octets than this in memory. */
  readonly memoryImageOctets: number;
  /** Whether that many octets of memory could be had. */
  takeMemory(octets: number): boolean;
  returnMemory(octets: number): void;
  /** Whether that many octets of spool could be had. */
  takeSpool(octets: number): boolean;
  returnSpool(octets: number): void;
  openSpool(): Promise<Spool>;
  /** Called once, when the last holder has let go. */
  closed(): void;
}

/** Whether messages are still to come, all are there, or production failed. */
export type ImageState = 'growing' | 'complete' | 'failed';

/** Written to a spool file at once; what is younger is still in memory, where followers that keep up find it. */
const WRITE_OCTETS = 256 * 1024;

/** Read from a spool file at once, and so the most that a follower that stalls holds of it. */
const READ_OCTETS = 128 * 1024;

const MIN_MESSAGE_OCTETS = 12;
const MAX_MESSAGE_OCTETS = 0xffff;

/**
 * The packed messages of one publication, in order: in memory while they are few, in an unlinked file when they are
 * many. One producer appends; any number of readers follow, each at its own pace.
 *
 * Reference counted: the maker has one hold (`release`), each reader another. When the last one goes, so do memory and
 * file. A failed image gives them up at once.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> growing
 *   growing --> growing: append
 *   growing --> complete: complete
 *   growing --> failed: fail, or no room
 * ```
 */
export class Image {
  /** What error texts call it: the zone and its view. */
  readonly label: string;

  readonly #budget: ImageBudget;
  /** The length of each message; their offsets in the spool file are the sums. */
  #lengths = new Uint16Array(16);
  #count = 0;
  #octets = 0;
  /** The messages from index `#tailStart` on, in memory; those before are in the spool file. */
  #tail: Uint8Array[] = [];
  #tailStart = 0;
  #spooled = 0;
  #spool: Spool | undefined;
  #memoryTaken = 0;
  #spoolTaken = 0;
  #state: ImageState = 'growing';
  #error: ZonesealError | undefined;
  #holds = 1;
  #isHeldByMaker = true;
  #isAppending = false;
  /** Resolved at the next change, for the followers that wait for it. */
  #change: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(label: string, budget: ImageBudget) {
    this.label = label;
    this.#budget = budget;
  }

  get state(): ImageState {
    return this.#state;
  }

  /** Messages appended so far. */
  get messageCount(): number {
    return this.#count;
  }

  /** Octets of all messages appended so far. */
  get octets(): number {
    return this.#octets;
  }

  /** Octets that it holds in memory now. */
  get memoryOctets(): number {
    return this.#memoryTaken;
  }

  /** Octets that it holds on disk now. */
  get spoolOctets(): number {
    return this.#spoolTaken;
  }

  /** Readers that have not been released. */
  get readerCount(): number {
    return this.#holds - (this.#isHeldByMaker ? 1 : 0);
  }

  /**
   * Adds a message, which followers have at once. The octets are taken over and must not be changed afterwards. To be
   * awaited before the next call: the promise is what holds the producer back while the disk is slow, and says when the
   * disk is full. A rejection has failed the image.
   * @param message 12 to 65,535 octets: id 0, no TSIG
   * @throws ZonesealError SPOOL_FULL, SPOOL_FAILED; IMAGE_CLOSED when nobody holds it any more; what it failed with
   */
  async append(message: Uint8Array): Promise<void> {
    this.#checkIsGrowing();
    if (message.length < MIN_MESSAGE_OCTETS || message.length > MAX_MESSAGE_OCTETS) {
      throw new ZonesealError(
        'MESSAGE_TOO_LARGE',
        `image of ${this.label}: a message of ${message.length} octets`,
        {
          octets: message.length,
        },
      );
    }
    const hasMemory = this.#budget.takeMemory(message.length);
    if (hasMemory) this.#memoryTaken += message.length;
    this.#enter(message);
    const limit = this.#spool === undefined ? this.#budget.memoryImageOctets : WRITE_OCTETS;
    if (!hasMemory || this.#octets - this.#spooled > limit) await this.#writing(() => this.#writeTail());
  }

  /**
   * Says that all messages were appended; followers end after the last.
   * @throws as `append` does
   */
  async complete(): Promise<void> {
    this.#checkIsGrowing();
    if (this.#spool !== undefined) await this.#writing(() => this.#writeTail());
    this.#state = 'complete';
    this.#wake();
  }

  /** Gives the image up: followers get the error at once, whatever they have not read yet. No effect once it ended. */
  fail(error: ZonesealError): void {
    if (this.#state !== 'growing') return;
    this.#state = 'failed';
    this.#error = error;
    this.#letGo();
    this.#wake();
  }

  /**
   * A reader that begins with the first message, which exists or does not yet, or with a later one that exists.
   * @throws ZonesealError IMAGE_CLOSED when the last holder has let go; what the image failed with
   */
  open(from = 0): ImageReader {
    if (this.#error !== undefined) throw this.#error;
    if (this.#holds === 0) throw this.#closedError();
    this.#holds++;
    let offset = 0;
    for (let i = 0; i < from; i++) offset += this.#lengths[i] as number;
    return new ImageFollower(this, from, offset);
  }

  /** Gives up the maker's hold: no new reader is to come. Idempotent. */
  release(): void {
    if (!this.#isHeldByMaker) return;
    this.#isHeldByMaker = false;
    this.#drop();
  }

  /** For ImageFollower: gives up a reader's hold. */
  dropReader(): void {
    this.#drop();
    this.#wake();
  }

  /**
   * For ImageFollower: the messages from an index on, as many as one read gives; none when the image has ended.
   * @param offset octets of the messages before
   */
  async next(index: number, offset: number, isReleased: () => boolean): Promise<readonly Uint8Array[]> {
    for (;;) {
      if (isReleased()) throw this.#closedError();
      if (this.#error !== undefined) throw this.#error;
      if (index < this.#tailStart) return this.#readSpool(index, offset);
      const message = this.#tail[index - this.#tailStart];
      if (message !== undefined) return [message];
      if (this.#state === 'complete') return [];
      await this.#nextChange();
    }
  }

  async #readSpool(index: number, offset: number): Promise<readonly Uint8Array[]> {
    let end = index;
    let octets = 0;
    do octets += this.#lengths[end++] as number;
    while (end < this.#tailStart && octets + (this.#lengths[end] as number) <= READ_OCTETS);
    const chunk = await this.#read(offset, octets);
    const messages: Uint8Array[] = [];
    for (let i = index, at = 0; i < end; i++) {
      const length = this.#lengths[i] as number;
      messages.push(chunk.subarray(at, at + length));
      at += length;
    }
    return messages;
  }

  async #read(offset: number, octets: number): Promise<Uint8Array> {
    try {
      return await (this.#spool as Spool).read(offset, octets);
    } catch (thrown) {
      throw this.#named(thrown);
    }
  }

  #enter(message: Uint8Array): void {
    if (this.#count === this.#lengths.length) {
      const grown = new Uint16Array(this.#lengths.length * 2);
      grown.set(this.#lengths);
      this.#lengths = grown;
    }
    this.#lengths[this.#count++] = message.length;
    this.#octets += message.length;
    this.#tail.push(message);
    this.#wake();
  }

  /** Runs the writing part of an append; what goes wrong in it ends the image. */
  async #writing(write: () => Promise<void>): Promise<void> {
    this.#isAppending = true;
    try {
      await write();
    } catch (thrown) {
      const error = this.#named(thrown);
      this.fail(error);
      throw error;
    } finally {
      this.#isAppending = false;
    }
    this.#checkIsGrowing();
  }

  async #writeTail(): Promise<void> {
    const chunks = this.#tail;
    const octets = this.#octets - this.#spooled;
    if (octets === 0) return;
    if (!this.#budget.takeSpool(octets)) {
      throw new ZonesealError(
        'SPOOL_FULL',
        'the spool has reached its limit; raise it, or serve fewer large zones at once',
        { octets: this.#octets },
      );
    }
    this.#spoolTaken += octets;
    if (this.#spool === undefined) {
      const spool = await this.#budget.openSpool();
      if (this.#isOver()) return closeQuietly(spool);
      this.#spool = spool;
    }
    await this.#spool.write(chunks, this.#spooled);
    if (this.#isOver()) return;
    this.#spooled += octets;
    this.#tailStart += chunks.length;
    this.#tail = [];
    this.#budget.returnMemory(this.#memoryTaken);
    this.#memoryTaken = 0;
  }

  /** Whether memory and spool were given up while the disk was waited for. */
  #isOver(): boolean {
    return this.#holds === 0 || this.#state === 'failed';
  }

  #drop(): void {
    if (--this.#holds > 0) return;
    this.#letGo();
    this.#budget.closed();
  }

  #letGo(): void {
    this.#budget.returnMemory(this.#memoryTaken);
    this.#budget.returnSpool(this.#spoolTaken);
    this.#memoryTaken = 0;
    this.#spoolTaken = 0;
    this.#tail = [];
    if (this.#spool !== undefined) void closeQuietly(this.#spool);
    this.#spool = undefined;
  }

  #checkIsGrowing(): void {
    if (this.#error !== undefined) throw this.#error;
    if (this.#holds === 0 || this.#state === 'complete') throw this.#closedError();
    if (this.#isAppending)
      throw new TypeError(`image of ${this.label}: an append has to be awaited before the next`);
  }

  /** What a spool threw, with the image that it is about. */
  #named(thrown: unknown): ZonesealError {
    const { code, fields } =
      thrown instanceof ZonesealError ? thrown : { code: 'SPOOL_FAILED' as const, fields: {} };
    const text = `image of ${this.label}: ${errorMessage(thrown)}`;
    return new ZonesealError(code, text, { ...fields, image: this.label }, { cause: thrown });
  }

  #closedError(): ZonesealError {
    return new ZonesealError('IMAGE_CLOSED', `image of ${this.label}: it was given up`);
  }

  #nextChange(): Promise<void> {
    if (this.#change === undefined) {
      let resolve = (): void => undefined;
      const promise = new Promise<void>((it) => {
        resolve = it;
      });
      this.#change = { promise, resolve };
    }
    return this.#change.promise;
  }

  #wake(): void {
    this.#change?.resolve();
    this.#change = undefined;
  }
}

/** One reader of an image; holds its place in it, and at most one read's worth of octets. */
class ImageFollower implements ImageReader {
  readonly #image: Image;
  readonly #from: number;
  readonly #offset: number;
  #isReleased = false;

  /** @param offset octets of the messages before `from` */
  constructor(image: Image, from: number, offset: number) {
    this.#image = image;
    this.#from = from;
    this.#offset = offset;
  }

  async *messages(): AsyncGenerator<Uint8Array, void, undefined> {
    let index = this.#from;
    let offset = this.#offset;
    for (;;) {
      const messages = await this.#image.next(index, offset, () => this.#isReleased);
      if (messages.length === 0) return;
      for (const message of messages) {
        if (this.#isReleased) break;
        index++;
        offset += message.length;
        yield message;
      }
    }
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#image.dropReader();
  }
}

/** The space is given back by the system when the process ends; there is nobody to tell of an error. */
async function closeQuietly(spool: Spool): Promise<void> {
  try {
    await spool.close();
  } catch {
    // as above
  }
}
