/** A frame that no client of ours sends: the stream cannot be read any further. */
export class FrameError extends Error {}

const MIN_FRAME_OCTETS = 12;

/**
 * Takes messages out of a TCP stream, where two octets of length stand before each (RFC 1035 §4.2.2), however the
 * stream is cut. Reads only as far as it is asked to: what it was given and not asked for yet stays as it came.
 */
export class FrameReader {
  readonly #maxOctets: number;
  #chunks: Uint8Array[] = [];
  /** Octets of the first chunk that were read. */
  #at = 0;
  #lengthOctets = 0;
  #length = 0;
  #frame: Uint8Array | undefined;
  #filled = 0;

  /** @param maxOctets the longest frame that is taken */
  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /**
   * The next whole frame, in memory of its own; undefined until more octets are pushed.
   * @throws FrameError when its length is less than a header's or more than is taken
   */
  next(): Uint8Array | undefined {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const frame = this.#read(chunk);
      if (this.#at === chunk.length) {
        this.#chunks.shift();
        this.#at = 0;
      }
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  #read(chunk: Uint8Array): Uint8Array | undefined {
    while (this.#lengthOctets < 2 && this.#at < chunk.length) {
      this.#length = (this.#length << 8) | (chunk[this.#at++] as number);
      this.#lengthOctets++;
    }
    if (this.#lengthOctets < 2) return undefined;
    if (this.#length < MIN_FRAME_OCTETS || this.#length > this.#maxOctets) throw new FrameError();
    this.#frame ??= new Uint8Array(this.#length);
    const frame = this.#frame;
    const part = chunk.subarray(this.#at, this.#at + frame.length - this.#filled);
    frame.set(part, this.#filled);
    this.#filled += part.length;
    this.#at += part.length;
    if (this.#filled < frame.length) return undefined;
    this.#lengthOctets = 0;
    this.#length = 0;
    this.#frame = undefined;
    this.#filled = 0;
    return frame;
  }
}
