import type { Token } from './rdata/index.js';

const SPACE = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** What an octet means outside quotation marks: part of a word. */
export const WORD = 0;
/** What stands between words. */
export const BLANK = 1;
const COMMENT = 2;
const OPEN = 3;
const CLOSE = 4;
const QUOTED = 5;
const ESCAPE = 6;
const FORBIDDEN = 7;
/** Part of a word that has to be rewritten as \DDD: control characters, DEL and everything beyond ASCII. */
const RAW = 8;

/** What each octet means outside quotation marks. */
export const KIND = new Uint8Array(256);
KIND.fill(RAW, 0x00, 0x20);
KIND.fill(RAW, 0x7f);
for (const code of [SPACE, TAB]) KIND[code] = BLANK;
for (const code of [0x00, 0x0a, 0x0d]) KIND[code] = FORBIDDEN;
KIND[0x3b] = COMMENT;
KIND[0x28] = OPEN;
KIND[0x29] = CLOSE;
KIND[QUOTE] = QUOTED;
KIND[BACKSLASH] = ESCAPE;

/** What is wrong with an entry, and where: `position` counts characters from the beginning of the entry, from 0. */
export class EntryError extends Error {
  readonly position: number;

  constructor(reason: string, position: number, options?: ErrorOptions) {
    super(reason, options);
    this.position = position;
  }
}

/** A place in a file; both count from 1, columns in octets. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/**
 * Collects the tokens of one entry (RFC 1035 §5.1), line by line: an entry ends with its line unless a parenthesis is
 * open. Token columns count from the beginning of the entry, so that they are unique in it and, on its first line, are
 * the columns one sees; `place` turns them into lines and columns.
 */
export class EntryLexer {
  tokens: Token[] = [];
  /** Whether the first line of the entry begins with a space or tab: the owner of the record before is meant. */
  indented = false;
  /** The line on which the entry begins. */
  firstLine = 0;
  /** Characters in the entry so far, line endings counted as one. */
  length = 0;

  #opened: number[] = []; // where the parentheses that are open began
  #lineStarts: number[] = [];

  /** Whether a parenthesis is open, so that the entry goes on with the next line. */
  get open(): boolean {
    return this.#opened.length > 0;
  }

  /** Where the innermost parenthesis that is open stands. */
  get openedAt(): number {
    return this.#opened.at(-1) ?? 0;
  }

  /** Begins a new entry. */
  reset(): void {
    this.tokens = [];
    if (this.#opened.length > 0) this.#opened = [];
    this.#lineStarts.length = 0;
    this.length = 0;
  }

  /** Turns a position in the entry, from 0, into a place in the file. */
  place(position: number): Place {
    let index = this.#lineStarts.length - 1;
    while (index > 0 && (this.#lineStarts[index] as number) > position) index--;
    return {
      line: this.firstLine + Math.max(index, 0),
      column: position - (this.#lineStarts[index] ?? 0) + 1,
    };
  }

  /**
   * Adds one line to the entry.
   * @throws EntryError; the line is then part of the entry as far as its number goes, and parentheses stay as they were
   */
  addLine(text: string, start: number, end: number, line: number): void {
    const shift = this.length - start;
    if (this.#lineStarts.push(this.length) === 1) {
      this.firstLine = line;
      const first = text.charCodeAt(start);
      this.indented = end > start && (first === SPACE || first === TAB);
    }
    this.length += end - start + 1;
    for (let at = start; at < end; ) {
      const kind = KIND[text.charCodeAt(at)];
      if (kind === BLANK) {
        at++;
      } else if (kind === WORD || kind === ESCAPE || kind === RAW) {
        at = this.#word(text, at, end, shift);
      } else if (kind === COMMENT) {
        return;
      } else if (kind === QUOTED) {
        at = this.#quoted(text, at, end, shift);
      } else if (kind === OPEN) {
        this.#opened.push(at + shift);
        at++;
      } else if (kind === CLOSE) {
        if (this.#opened.pop() === undefined) {
          throw new EntryError(
            'a closing parenthesis has no opening one (unbalanced parentheses)',
            at + shift,
          );
        }
        at++;
      } else {
        throw forbidden(text, at, shift);
      }
    }
  }

  #word(text: string, start: number, end: number, shift: number): number {
    let raw = false;
    let at = start;
    for (; at < end; at++) {
      const kind = KIND[text.charCodeAt(at)];
      if (kind === WORD) continue;
      if (kind === RAW) {
        raw = true;
      } else if (kind === ESCAPE) {
        at++;
        const next = at < end ? KIND[text.charCodeAt(at)] : FORBIDDEN;
        if (next === FORBIDDEN) throw new EntryError('a backslash has nothing after it', at - 1 + shift);
        raw ||= next === RAW;
      } else {
        break;
      }
    }
    const word = text.slice(start, at);
    const column = start + shift + 1;
    if (at < end && text.charCodeAt(at) === QUOTE) return this.#valued(text, start, at, end, shift);
    this.tokens.push({ text: raw ? escapeRaw(word) : word, quoted: false, column });
    return at;
  }

  /** A word with a quoted value, as service parameters have (RFC 9460 §2.1). */
  #valued(text: string, start: number, open: number, end: number, shift: number): number {
    if (text.charCodeAt(open - 1) !== EQUALS) {
      throw new EntryError('a quotation mark inside a word; write it as \\"', open + shift);
    }
    const close = closingQuote(text, open, end, shift);
    const key = escapeRaw(text.slice(start, open));
    const value = escapeRaw(text.slice(open + 1, close));
    this.tokens.push({ text: key + value, quoted: false, column: start + shift + 1, valueAt: key.length });
    return close + 1;
  }

  #quoted(text: string, open: number, end: number, shift: number): number {
    const close = closingQuote(text, open, end, shift);
    this.tokens.push({
      text: escapeRaw(text.slice(open + 1, close)),
      quoted: true,
      column: open + shift + 1,
    });
    return close + 1;
  }
}

/** The index of the mark that ends a quoted string; what follows it must not be a word. */
function closingQuote(text: string, open: number, end: number, shift: number): number {
  let close = open + 1;
  for (; close < end; close++) {
    const code = text.charCodeAt(close);
    if (code === QUOTE) break;
    if (code === BACKSLASH) close++;
  }
  if (close >= end) {
    throw new EntryError(
      'a quoted string is not closed on its line (unbalanced quotation marks)',
      open + shift,
    );
  }
  const next = KIND[text.charCodeAt(close + 1)];
  if (close + 1 < end && (next === WORD || next === ESCAPE || next === RAW)) {
    throw new EntryError(
      'a quoted string is followed by other characters without a space between',
      close + 1 + shift,
    );
  }
  return close;
}

function forbidden(text: string, at: number, shift: number): EntryError {
  const what = text.charCodeAt(at) === 0 ? 'a NUL octet' : 'a carriage return that no line feed follows';
  return new EntryError(`${what} outside quotation marks`, at + shift);
}

const RAW_OCTET = /\\?[^ -~]|\\./gs;

/** Rewrites octets that are not printable ASCII as \DDD, a backslash before one included; other escapes stay. */
export function escapeRaw(text: string): string {
  return text.replace(RAW_OCTET, (match) => {
    const code = match.charCodeAt(match.length - 1);
    return code > 0x1f && code < 0x7f ? match : `\\${String(code).padStart(3, '0')}`;
  });
}
