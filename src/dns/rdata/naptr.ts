import { countRegexGroups } from './extended-regex.js';
import type { Field } from './field.js';
import { characterString } from './strings.js';

const BACKSLASH = 0x5c;

/** The parts that the delimiter, a string's first character, ends; a backslash keeps the one after it from doing so. */
function splitSubstitution(text: string): string[] {
  const parts: string[] = [];
  let start = 1;
  for (let i = 1; i < text.length; i++) {
    if (text.charCodeAt(i) === BACKSLASH && parts.length < 2) i++;
    else if (text[i] === text[0]) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** Why a NAPTR's regular expression with its substitution is none (RFC 3402 §3.2); undefined for a good or empty one. */
function brokenSubstitution(text: string): string | undefined {
  if (text === '') return undefined;
  if (text.includes('\0')) return 'holds a zero octet';
  if (/^[0-9\\i]/.test(text)) return 'begins with a digit, a backslash or i, none of which is a delimiter';
  const [expression, replacement, flags, ...more] = splitSubstitution(text);
  if (expression === undefined || replacement === undefined || flags === undefined || more.length > 0) {
    return 'is not expression and substitution with a delimiter before, between and after';
  }
  if (!/^i*$/.test(flags)) return 'has flags other than i';
  const groups = countRegexGroups(expression);
  if (groups === undefined) return 'is no extended regular expression';
  for (const [, digit] of replacement.matchAll(/\\([0-9])|\\[^0-9]/g)) {
    if (digit !== undefined && (digit === '0' || Number(digit) > groups))
      return 'refers to a group that it lacks';
  }
  return undefined;
}

const string = characterString('the regular expression');

/** The regular expression of a NAPTR, checked because BIND refuses a zone with a broken one. */
export const substitution: Field = {
  ...string,
  check: (wire) => {
    const octets = wire.take(wire.u8());
    const reason = brokenSubstitution(Buffer.from(octets).toString('latin1'));
    if (reason !== undefined) wire.fail(`its regular expression ${reason}`);
  },
};
