import type { Field } from './field.js';
import type { Token, TokenReader } from './tokens.js';
import type { WireReader, WireWriter } from './wire.js';

/** The largest character string (RFC 1035 §3.3: one length octet). */
const MAX_STRING_OCTETS = 255;

/** How each octet is written between quotation marks. */
const OCTET_TEXT = Array.from({ length: 256 }, (_, octet) => {
  if (octet < 0x20 || octet > 0x7e) return `\\${String(octet).padStart(3, '0')}`;
  return octet === 0x22 || octet === 0x5c ? `\\${String.fromCharCode(octet)}` : String.fromCharCode(octet);
});

/** Octets between quotation marks, with the escapes that need to be. */
export function quoteOctets(octets: Uint8Array): string {
  let text = '"';
  for (let i = 0; i < octets.length; i++) text += OCTET_TEXT[octets[i] as number];
  return `${text}"`;
}

/**
 * Writes the octets that a token's characters stand for, from the character at `from`: `\DDD`, `\X`, and characters
 * beyond ASCII as UTF-8.
 */
export function writeUnescaped(tokens: TokenReader, token: Token, from: number, out: WireWriter): void {
  const text = token.text;
  for (let i = from; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code === 0x5c) {
      code = text.charCodeAt(++i);
      if (Number.isNaN(code)) tokens.failToken(token, 'ends in a backslash');
      if (code >= 0x30 && code <= 0x39) {
        const digits = text.slice(i, i + 3);
        if (!/^[0-9]{3}$/.test(digits) || Number(digits) > 255) {
          tokens.failToken(token, 'has a \\DDD that is not three digits up to 255');
        }
        out.u8(Number(digits));
        i += 2;
        continue;
      }
    }
    if (code < 0x80) out.u8(code);
    else i += writeUtf8(tokens, token, i, out) - 1;
  }
}

/** Writes one character beyond ASCII and returns how many UTF-16 units it had. */
function writeUtf8(tokens: TokenReader, token: Token, at: number, out: WireWriter): number {
  const point = token.text.codePointAt(at) as number;
  if ((point >= 0xd800 && point <= 0xdfff) || point === 0xfffd) {
    tokens.failToken(token, 'has a character that is not valid UTF-8; write its octets as \\DDD');
  }
  const char = String.fromCodePoint(point);
  out.bytes(Buffer.from(char, 'utf8'));
  return char.length;
}

/** Writes one token as a character string of at most `max` octets. */
export function writeString(
  tokens: TokenReader,
  token: Token,
  out: WireWriter,
  max = MAX_STRING_OCTETS,
): void {
  const start = out.length;
  out.u8(0);
  writeUnescaped(tokens, token, 0, out);
  const length = out.length - start - 1;
  if (length > max) tokens.failToken(token, `has ${length} octets; a character string has at most ${max}`);
  out.octets[start] = length;
}

function formatString(wire: WireReader): string {
  return quoteOctets(wire.take(wire.u8()));
}

function checkString(wire: WireReader): void {
  wire.skip(wire.u8());
}

/** One character string (RFC 1035 §3.3). */
export function characterString(what: string): Field {
  return {
    part: { kind: 'string' },
    parse: (tokens, out) => writeString(tokens, tokens.any(what), out),
    format: formatString,
    check: checkString,
  };
}

/** One character string, or none at the end of the rdata. */
export function optionalString(what: string): Field {
  return {
    parse: (tokens, out) => {
      if (!tokens.atEnd) writeString(tokens, tokens.any(what), out);
    },
    format: (wire) => (wire.remaining === 0 ? '' : formatString(wire)),
    check: (wire) => {
      if (wire.remaining > 0) checkString(wire);
    },
  };
}

/** One or more character strings up to the end of the rdata. */
export const characterStrings: Field = {
  parse: (tokens, out) => {
    do writeString(tokens, tokens.any('a character string'), out);
    while (!tokens.atEnd);
  },
  format: (wire) => {
    let text = formatString(wire);
    while (wire.remaining > 0) text += ` ${formatString(wire)}`;
    return text;
  },
  check: (wire) => {
    do checkString(wire);
    while (wire.remaining > 0);
  },
};
