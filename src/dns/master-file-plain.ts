import { BLANK, KIND, WORD } from './master-file-lexer.js';
import { encodeName, type Name } from './name.js';
import { parseIpv4, parseIpv6 } from './rdata/address.js';
import { parseDecimal } from './rdata/numbers.js';
import { copyOctets } from './rdata/wire.js';
import { RRType } from './types.js';

const DOLLAR = 0x24;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
/** As many digits always make a TTL that is small enough (RFC 2181 §8). */
const TTL_DIGITS = 9;

const PLAIN_TYPES = new Map<string, number>([
  ['A', RRType.A],
  ['AAAA', RRType.AAAA],
  ['NS', RRType.NS],
  ['CNAME', RRType.CNAME],
  ['PTR', RRType.PTR],
  ['MX', RRType.MX],
]);

/** Room for one rdata; nothing is kept in it between calls. */
const scratch = new Uint8Array(512);

/**
 * Reads an entry that stands on one line and is as nearly all entries are: `owner ttl IN type rdata` of words without escapes, quotation marks
 * and comments, of the types of which zones have most. It says the same of them as `EntryLexer`, `readHeader` and `parseRdata` do, at a
 * fraction of their cost; whatever else a line is, wrong ones included, is for them.
 */
export class PlainLine {
  /** Where the owner ends, with which the line begins; its start where that is a blank. */
  ownerEnd = 0;
  /** -1 where none is written. */
  ttl = -1;
  type = 0;
  rdata: Uint8Array = scratch;
  #text = '';
  #at = 0; // where the word begins that is looked at
  #wordEnd = 0;
  #end = 0;

  /** Whether the line is such an entry; then the fields say what it has. */
  read(text: string, start: number, end: number, origin: Name): boolean {
    if (start === end || text.charCodeAt(start) === DOLLAR) return false;
    this.#text = text;
    this.#end = end;
    this.#wordEnd = start;
    this.ownerEnd = start;
    if (KIND[text.charCodeAt(start)] !== BLANK) {
      if (!this.#next()) return false;
      this.ownerEnd = this.#wordEnd;
    }
    return this.#next() && this.#header() && this.#rdata(origin);
  }

  /** Steps to the next word; false where there is none, or it is more than a word. */
  #next(): boolean {
    const text = this.#text;
    const end = this.#end;
    let at = this.#wordEnd;
    while (at < end && KIND[text.charCodeAt(at)] === BLANK) at++;
    this.#at = at;
    while (at < end && KIND[text.charCodeAt(at)] === WORD) at++;
    this.#wordEnd = at;
    return at > this.#at && (at === end || KIND[text.charCodeAt(at)] === BLANK);
  }

  /** TTL and class in either order, and the type. */
  #header(): boolean {
    const text = this.#text;
    let hasClass = false;
    this.ttl = -1;
    for (;;) {
      const first = text.charCodeAt(this.#at);
      const length = this.#wordEnd - this.#at;
      if (this.ttl < 0 && first >= DIGIT_0 && first <= DIGIT_9) {
        if (length > TTL_DIGITS) return false;
        let ttl = 0;
        for (let at = this.#at; at < this.#wordEnd; at++) {
          const digit = text.charCodeAt(at) - DIGIT_0;
          if (digit < 0 || digit > 9) return false;
          ttl = ttl * 10 + digit;
        }
        this.ttl = ttl;
      } else if (!hasClass && length === 2 && text.startsWith('IN', this.#at)) {
        hasClass = true;
      } else {
        const type = PLAIN_TYPES.get(this.#word());
        if (type === undefined) return false;
        this.type = type;
        return this.#next();
      }
      if (!this.#next()) return false;
    }
  }

  #rdata(origin: Name): boolean {
    let length: number;
    if (this.type === RRType.A) {
      const address = parseIpv4(this.#text, this.#at, this.#wordEnd);
      if (address === undefined) return false;
      for (let i = 0; i < 4; i++) scratch[i] = address >>> (24 - 8 * i);
      length = 4;
    } else if (this.type === RRType.AAAA) {
      if (!parseIpv6(this.#word(), scratch, 0)) return false;
      length = 16;
    } else {
      length = 0;
      if (this.type === RRType.MX) {
        const preference = parseDecimal(this.#word(), 0xffff);
        if (preference === undefined || !this.#next()) return false;
        scratch[length++] = preference >>> 8;
        scratch[length++] = preference;
      }
      try {
        length += encodeName(this.#word(), origin, scratch, length);
      } catch {
        return false;
      }
    }
    // nothing but blanks may follow
    const text = this.#text;
    let at = this.#wordEnd;
    while (at < this.#end && KIND[text.charCodeAt(at)] === BLANK) at++;
    if (at < this.#end) return false;
    this.rdata = copyOctets(scratch, 0, length);
    return true;
  }

  #word(): string {
    return this.#text.slice(this.#at, this.#wordEnd);
  }
}
