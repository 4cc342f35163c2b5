/** What a master file may come as: octets, or text that stands for its UTF-8 octets. */
export type MasterSource = AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>;

const LF = 0x0a;
const CR = 0x0d;
const BEYOND_ASCII = /[\u0080-\uffff]/;

/**
 * Splits a source into lines without holding more of it than one chunk and one unfinished line. Each octet is one
 * character (0 to 255) of `text`; the current line is `text` from `start` to `end`, its line ending left out.
 */
export class LineReader {
  /** What `start` and `end` point into. */
  text = '';
  start = 0;
  end = 0;
  /** The number of the current line, from 1; 0 before the first. */
  line = 0;
  /** Whether the line was longer than `limit`; it is then cut off at the limit, and the rest of it was dropped. */
  overlong = false;

  readonly #iterator: AsyncIterator<Uint8Array | string> | Iterator<Uint8Array | string>;
  readonly #limit: number;
  #next = 0; // where the line after the current one begins
  #pending: string[] = []; // chunks without a line ending that precede `text`
  #pendingLength = 0;
  #dropping = false; // inside an overlong line
  #surrogate = ''; // the first half of a character that two text chunks share
  #ended = false;
  #stopped = false;

  /** @param limit the longest line in octets */
  constructor(source: MasterSource, limit: number) {
    this.#iterator =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#limit = limit;
  }

  /** Steps to the next line that is here whole; false: call `fill`. */
  nextLine(): boolean {
    for (;;) {
      const newline = this.text.indexOf('\n', this.#next);
      if (newline < 0 && !(this.#ended && this.#next < this.text.length)) return false;
      const end = newline < 0 ? this.text.length : newline;
      this.start = this.#next;
      this.#next = newline < 0 ? end : newline + 1;
      if (this.#dropping) {
        this.#dropping = false;
        continue;
      }
      this.#take(end);
      return true;
    }
  }

  /**
   * Waits for more of the source; false at its end, when `nextLine` has nothing more. An overlong line is reported as
   * soon as it is known to be one: `nextLine` gives its beginning.
   */
  async fill(): Promise<boolean> {
    if (this.#ended) return false;
    this.#keepRest();
    for (;;) {
      const step = await this.#iterator.next();
      if (step.done === true) {
        this.#ended = true;
        this.#stopped = true;
        this.#join(this.#surrogate === '' ? '' : toOctets(this.#surrogate));
        return this.text.length > 0;
      }
      const chunk = typeof step.value === 'string' ? this.#fromText(step.value) : fromOctets(step.value);
      if (chunk.includes('\n') || (!this.#dropping && this.#pendingLength + chunk.length > this.#limit)) {
        this.#join(chunk);
        return true;
      }
      if (!this.#dropping && chunk.length > 0) this.#push(chunk);
    }
  }

  /** Tells the source that nothing more is wanted. */
  async close(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#iterator.return?.();
  }

  /** Steps to the beginning of a line that is longer than the limit, if that is what `fill` found. */
  overlongStart(): boolean {
    if (this.#dropping || this.text.length - this.#next <= this.#limit) return false;
    this.start = this.#next;
    this.#next = this.text.length;
    this.#take(this.text.length);
    this.#dropping = true;
    return true;
  }

  #take(end: number): void {
    this.line++;
    this.overlong = end - this.start > this.#limit;
    if (this.overlong) {
      this.end = this.start + this.#limit;
      return;
    }
    this.end = end;
    if (end < this.text.length && this.text.charCodeAt(end) === LF && end > this.start) {
      if (this.text.charCodeAt(end - 1) === CR) this.end--;
    }
  }

  #keepRest(): void {
    if (this.#next < this.text.length && !this.#dropping) this.#push(this.text.slice(this.#next));
    this.text = '';
    this.#next = 0;
  }

  #push(chunk: string): void {
    this.#pending.push(chunk);
    this.#pendingLength += chunk.length;
  }

  #join(chunk: string): void {
    this.text = this.#pending.length === 0 ? chunk : [...this.#pending, chunk].join('');
    this.#pending = [];
    this.#pendingLength = 0;
    this.#next = 0;
  }

  #fromText(text: string): string {
    let whole = this.#surrogate + text;
    this.#surrogate = '';
    const last = whole.charCodeAt(whole.length - 1);
    if (last >= 0xd800 && last <= 0xdbff) {
      this.#surrogate = whole.slice(-1);
      whole = whole.slice(0, -1);
    }
    return toOctets(whole);
  }
}

/** Text as its UTF-8 octets, one character each. */
function toOctets(text: string): string {
  return BEYOND_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

function fromOctets(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1');
}
