import { secondsFromText } from '../ttl.js';
import type { Field } from './field.js';
import type { Token, TokenReader } from './tokens.js';
import type { WireReader, WireWriter } from './wire.js';

/** The value of a text of decimal digits alone that does not exceed `max`; undefined for any other text. */
export function parseDecimal(text: string, max: number): number | undefined {
  if (text.length === 0) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > max) return undefined;
  }
  return value;
}

/** Takes a decimal number of 0 to `max`. */
export function takeNumber(tokens: TokenReader, what: string, max: number): number {
  const token = tokens.word(what);
  return parseDecimal(token.text, max) ?? failNumber(tokens, token, what, max);
}

function failNumber(tokens: TokenReader, token: Token, what: string, max: number): never {
  return tokens.failToken(token, `is no ${what}: a number from 0 to ${max}`);
}

type Width = 1 | 2 | 4;

const MAXIMUM = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** Writes a number of one, two or four octets. */
export function writeNumber(out: WireWriter, width: Width, value: number): void {
  if (width === 1) out.u8(value);
  else if (width === 2) out.u16(value);
  else out.u32(value);
}

/** Reads a number of one, two or four octets. */
export function readNumber(wire: WireReader, width: Width): number {
  if (width === 1) return wire.u8();
  return width === 2 ? wire.u16() : wire.u32();
}

function numberField(what: string, width: Width, mnemonics?: ReadonlyMap<string, number>): Field {
  const max = MAXIMUM[width];
  return {
    part: { kind: 'octets', length: width },
    parse: (tokens, out) => {
      const token = tokens.word(what);
      const value = parseDecimal(token.text, max) ?? mnemonics?.get(token.text.toUpperCase());
      writeNumber(out, width, value ?? failNumber(tokens, token, what, max));
    },
    format: (wire) => String(readNumber(wire, width)),
    check: (wire) => wire.skip(width),
  };
}

/** An unsigned number of one octet; mnemonics (in upper case) are read, numbers are written. */
export function u8(what: string, mnemonics?: ReadonlyMap<string, number>): Field {
  return numberField(what, 1, mnemonics);
}

/** An unsigned number of two octets; mnemonics (in upper case) are read, numbers are written. */
export function u16(what: string, mnemonics?: ReadonlyMap<string, number>): Field {
  return numberField(what, 2, mnemonics);
}

/** An unsigned number of four octets. */
export function u32(what: string): Field {
  return numberField(what, 4);
}

/** A time span of four octets in seconds, for which units such as 1h30m may be written. */
export function duration(what: string): Field {
  return {
    part: { kind: 'octets', length: 4 },
    parse: (tokens, out) => {
      const token = tokens.word(what);
      const seconds = secondsFromText(token.text);
      out.u32(seconds ?? tokens.failToken(token, `is no ${what}: seconds, or units such as 1h30m`));
    },
    format: (wire) => String(wire.u32()),
    check: (wire) => wire.skip(4),
  };
}
