import type { Field } from './field.js';
import { parseDecimal } from './numbers.js';

/**
 * The 32 bits of an RRSIG time: YYYYMMDDHHmmSS in UTC, or seconds since 1970 (RFC 4034 §3.2); undefined for any other
 * text. Dates before 1970 and beyond 2106 wrap around, as serial arithmetic has it (RFC 4034 §3.1.5).
 */
export function parseSignatureTime(text: string): number | undefined {
  if (text.length <= 10) return parseDecimal(text, 0xffff_ffff);
  const match = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$/.exec(text);
  if (match === null) return undefined;
  const field = (index: number): number => Number(match[index]);
  const milliseconds = Date.UTC(field(1), field(2) - 1, field(3), field(4), field(5), field(6));
  if (digitsOf(milliseconds) !== text) return undefined; // a field was out of range
  return (milliseconds / 1000) >>> 0;
}

function digitsOf(milliseconds: number): string {
  return new Date(milliseconds)
    .toISOString()
    .slice(0, 19)
    .replace(/[^0-9]/g, '');
}

/** Seconds since 1970 as YYYYMMDDHHmmSS in UTC. */
export function formatSignatureTime(seconds: number): string {
  return digitsOf(seconds * 1000);
}

/** The expiration or inception of an RRSIG. */
export function signatureTime(what: string): Field {
  return {
    part: { kind: 'octets', length: 4 },
    parse: (tokens, out) => {
      const token = tokens.word(what);
      const seconds = parseSignatureTime(token.text);
      out.u32(seconds ?? tokens.failToken(token, `is no ${what}: YYYYMMDDHHmmSS or seconds since 1970`));
    },
    format: (wire) => formatSignatureTime(wire.u32()),
    check: (wire) => wire.skip(4),
  };
}
