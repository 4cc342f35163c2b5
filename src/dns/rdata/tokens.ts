import { ZonesealError } from '../../errors.js';
import type { Name } from '../name.js';
import { typeToText } from '../types.js';

/** One word or quoted string of a master-file entry (RFC 1035 §5.1). */
export interface Token {
  /** What was written, escapes intact, surrounding quotation marks removed. */
  readonly text: string;
  /** Whether the whole token stood in quotation marks. */
  readonly quoted: boolean;
  /** Where the token begins on its line, from 1. */
  readonly column?: number;
  /**
   * The index in `text` at which a quoted value begins, for a word like `alpn="h2,h3"` (RFC 9460 Appendix A). Only
   * service parameters may have one.
   */
  readonly valueAt?: number;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

/** 1 for the characters that end a word. */
const ENDS_WORD = new Uint8Array(128);
for (const code of [TAB, LF, CR, SPACE, QUOTE, OPEN, CLOSE, SEMICOLON]) ENDS_WORD[code] = 1;

function failAt(reason: string, index: number): never {
  throw new ZonesealError('RDATA_INVALID', `rdata, column ${index + 1}: ${reason}`, {
    reason,
    column: index + 1,
  });
}

/** The index after the last character of a word's unquoted part. */
function wordEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 2;
    else if (code < 128 && ENDS_WORD[code] === 1) break;
    else at++;
  }
  if (at > text.length) failAt('a backslash has nothing after it', text.length - 1);
  return at;
}

/** The index of the quotation mark that closes the one at `open`. */
function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === LF) break;
    if (code === BACKSLASH) at++;
  }
  return failAt('a quoted string is not closed on its line', open);
}

function checkBoundary(text: string, at: number): void {
  const code = text.charCodeAt(at);
  if (at < text.length && !(code < 128 && ENDS_WORD[code] === 1)) {
    failAt('a quoted string is followed by other characters without a space between', at);
  }
}

/**
 * Splits one rdata in presentation format into tokens. Parentheses join lines and comments begin with a semicolon, as in
 * a master file.
 * @throws ZonesealError RDATA_INVALID
 */
export function tokenizeRdata(text: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let ended = false;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === SPACE || code === TAB) {
      at++;
    } else if (code === LF || code === CR) {
      ended ||= depth === 0;
      at++;
    } else if (code === SEMICOLON) {
      while (at < text.length && text.charCodeAt(at) !== LF) at++;
    } else if (code === OPEN) {
      depth++;
      at++;
    } else if (code === CLOSE) {
      if (--depth < 0) failAt('a closing parenthesis has no opening one', at);
      at++;
    } else {
      if (ended) failAt('the rdata goes on after the end of its line; use parentheses', at);
      at = pushToken(tokens, text, at);
    }
  }
  if (depth > 0) failAt('a parenthesis is not closed', text.length);
  return tokens;
}

function pushToken(tokens: Token[], text: string, start: number): number {
  const column = start + 1;
  if (text.charCodeAt(start) === QUOTE) {
    const close = closingQuote(text, start);
    checkBoundary(text, close + 1);
    tokens.push({ text: text.slice(start + 1, close), quoted: true, column });
    return close + 1;
  }
  const end = wordEnd(text, start);
  if (text.charCodeAt(end) !== QUOTE) {
    tokens.push({ text: text.slice(start, end), quoted: false, column });
    return end;
  }
  if (text.charCodeAt(end - 1) !== EQUALS) failAt('a quotation mark inside a word; write it as \\"', end);
  const close = closingQuote(text, end);
  checkBoundary(text, close + 1);
  const value = text.slice(end + 1, close);
  tokens.push({ text: text.slice(start, end) + value, quoted: false, column, valueAt: end - start });
  return close + 1;
}

const SHOWN_CHARACTERS = 60;

/** The tokens of one rdata, taken one after the other. */
export class TokenReader {
  readonly type: number;
  readonly origin: Name | undefined;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(type: number, tokens: readonly Token[], origin: Name | undefined) {
    this.type = type;
    this.origin = origin;
    this.#tokens = tokens;
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** The next token, quoted or not. */
  any(what: string): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) this.fail(`${what} is missing`);
    if (token.valueAt !== undefined)
      this.failToken(token, 'has a quotation mark inside a word; write it as \\"');
    this.#at++;
    return token;
  }

  /** The next token, which must not be quoted. */
  word(what: string): Token {
    const token = this.any(what);
    if (token.quoted) this.failToken(token, `is ${what} and must not be quoted`);
    return token;
  }

  /** The next token, unquoted but perhaps with a quoted value. */
  parameter(what: string): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) this.fail(`${what} is missing`);
    if (token.quoted) this.failToken(token, `is ${what} and must not be quoted`);
    this.#at++;
    return token;
  }

  /** The next token without taking it. */
  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  /** The column of the token taken last. */
  get previousColumn(): number | undefined {
    return this.#tokens[this.#at - 1]?.column;
  }

  /** @throws ZonesealError RDATA_INVALID when tokens are left */
  expectEnd(): void {
    const token = this.#tokens[this.#at];
    if (token !== undefined) this.failToken(token, 'follows where the rdata should end');
  }

  failToken(token: Token, reason: string): never {
    const shown =
      token.text.length > SHOWN_CHARACTERS ? `${token.text.slice(0, SHOWN_CHARACTERS)}…` : token.text;
    this.fail(`"${shown}" ${reason}`, token);
  }

  fail(reason: string, token?: Token): never {
    const column = (token ?? this.#tokens[Math.min(this.#at, this.#tokens.length - 1)])?.column;
    throw rdataError(this.type, reason, column);
  }
}

/** An RDATA_INVALID error that names the type. */
export function rdataError(type: number, reason: string, column?: number): ZonesealError {
  const mnemonic = typeToText(type);
  const fields = { type: mnemonic, reason, ...(column === undefined ? {} : { column }) };
  return new ZonesealError('RDATA_INVALID', `${mnemonic} rdata: ${reason}`, fields);
}
