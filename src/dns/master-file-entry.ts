import { EntryError } from './master-file-lexer.js';
import { Name } from './name.js';
import type { Token } from './rdata/index.js';
import { MAX_TTL } from './record.js';
import { secondsFromText } from './ttl.js';
import { isMetaType, RRClass, typeFromText } from './types.js';

const CLASSES = new Map<string, number>([
  ['IN', RRClass.IN],
  ['CH', RRClass.CH],
  ['CHAOS', RRClass.CH],
  ['HS', RRClass.HS],
  ['HESIOD', RRClass.HS],
  ['NONE', RRClass.NONE],
  ['ANY', RRClass.ANY],
]);
const GENERIC_CLASS = /^CLASS([0-9]{1,5})$/i;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/** What stands between the owner and the rdata of a record. */
export interface EntryHeader {
  /** -1 where none is written. */
  ttl: number;
  type: number;
  /** The index of the first token of the rdata. */
  rdataAt: number;
}

/** The index of a token in its entry, from 0. */
export function tokenPosition(token: Token | undefined): number {
  return (token?.column ?? 1) - 1;
}

/** The token at an index; past the last one an error says what is missing. @throws EntryError */
export function tokenAt(tokens: readonly Token[], index: number, what: string): Token {
  const token = tokens[index];
  if (token !== undefined) return token;
  const last = tokens.at(-1);
  throw new EntryError(`${what} is missing`, tokenPosition(last) + (last?.text.length ?? 0));
}

/** @throws EntryError when there is a token at the index or later */
export function expectEnd(tokens: readonly Token[], index: number): void {
  const extra = tokens[index];
  if (extra !== undefined)
    throw new EntryError(`"${shorten(extra.text)}" is more than belongs here`, tokenPosition(extra));
}

/** Text for an error message. */
export function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** A domain name. @throws EntryError */
export function parseEntryName(token: Token, origin: Name): Name {
  // named takes quoted owners as well; what a name has to escape is then escaped by the quotation marks
  const text = token.quoted
    ? token.text.replace(/\\.|[ ();]/gs, (s) => (s.length > 1 ? s : `\\${s}`))
    : token.text;
  try {
    return Name.parse(text, origin);
  } catch (cause) {
    throw new EntryError(cause instanceof Error ? cause.message : String(cause), tokenPosition(token), {
      cause,
    });
  }
}

/** A TTL no larger than RFC 2181 §8 allows. @throws EntryError */
export function checkTtl(seconds: number, what: string, position: number): number {
  if (seconds <= MAX_TTL) return seconds;
  throw new EntryError(`${what} of ${seconds} is larger than ${MAX_TTL} (RFC 2181 §8)`, position);
}

/**
 * Reads TTL, class and type. TTL and class may be left out and come in either order; the type ends them, so that what
 * could be a class or a TTL is one (RFC 1035 §5.1; named reads in the same order: class, TTL, class, type).
 * @throws EntryError
 */
export function readHeader(tokens: readonly Token[], from: number, header: EntryHeader): void {
  let at = from;
  header.ttl = -1;
  let token = tokenAt(tokens, at, 'the type');
  let hasClass = isClass(token);
  if (hasClass) token = tokenAt(tokens, ++at, 'the type');
  const first = token.text.charCodeAt(0);
  if (first >= DIGIT_0 && first <= DIGIT_9 && !token.quoted) {
    const seconds = secondsFromText(token.text);
    if (seconds !== undefined) {
      header.ttl = checkTtl(seconds, 'a TTL', tokenPosition(token));
      token = tokenAt(tokens, ++at, 'the type');
      if (!hasClass) {
        hasClass = isClass(token);
        if (hasClass) token = tokenAt(tokens, ++at, 'the type');
      }
    }
  }
  header.type = readType(token);
  header.rdataAt = at + 1;
}

/** Whether the token is the class IN. @throws EntryError for every other class */
function isClass(token: Token): boolean {
  const text = token.text;
  if (token.quoted) return false;
  if (text === 'IN') return true;
  if (text.length < 2 || text.length > 10) return false;
  const first = text.charCodeAt(0) | 0x20;
  // only words that begin with a, c, h, i or n can be classes
  if (first !== 0x61 && first !== 0x63 && first !== 0x68 && first !== 0x69 && first !== 0x6e) return false;
  const upper = text.toUpperCase();
  const generic = GENERIC_CLASS.exec(upper);
  const number = CLASSES.get(upper) ?? (generic === null ? undefined : Number(generic[1]));
  if (number === undefined || number > 0xffff) return false;
  if (number === RRClass.IN) return true;
  throw new EntryError(`class ${text}: a zone here is of class IN`, tokenPosition(token));
}

function readType(token: Token): number {
  const type = token.quoted ? undefined : typeFromText(token.text);
  if (type === undefined) throw new EntryError(`unknown type "${shorten(token.text)}"`, tokenPosition(token));
  if (isMetaType(type))
    throw new EntryError(`no zone can hold records of type ${token.text}`, tokenPosition(token));
  return type;
}
