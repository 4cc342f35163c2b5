import { typeFromText } from '../types.js';
import type { Field } from './field.js';
import { portableTypeText } from './portable.js';
import type { TokenReader } from './tokens.js';
import type { WireReader, WireWriter } from './wire.js';

const WINDOW_OCTETS = 32;

/** Writes type numbers, in any order and perhaps twice, as window blocks (RFC 4034 §4.1.2). */
export function writeTypeBitmap(types: readonly number[], out: WireWriter): void {
  const windows = new Map<number, Uint8Array>();
  for (const type of types) {
    const window = type >>> 8;
    let bits = windows.get(window);
    if (bits === undefined) windows.set(window, (bits = new Uint8Array(WINDOW_OCTETS)));
    const at = (type & 0xff) >>> 3;
    bits[at] = (bits[at] as number) | (0x80 >>> (type & 7));
  }
  for (const [window, bits] of [...windows].sort(([a], [b]) => a - b)) {
    let length = WINDOW_OCTETS;
    while (bits[length - 1] === 0) length--;
    out.u8(window);
    out.u8(length);
    out.bytes(bits.subarray(0, length));
  }
}

/** Reads window blocks up to the end of the rdata: ascending windows of 1 to 32 octets, the last one not zero. */
export function readTypeBitmap(wire: WireReader): number[] {
  const types: number[] = [];
  let previous = -1;
  while (wire.remaining > 0) {
    const window = wire.u8();
    const length = wire.u8();
    if (window <= previous) wire.fail('the windows of its type bitmap are not in ascending order');
    if (length < 1 || length > WINDOW_OCTETS)
      wire.fail('a window of its type bitmap has no length of 1 to 32');
    const bits = wire.take(length);
    if (bits[length - 1] === 0) wire.fail('a window of its type bitmap ends in a zero octet');
    for (let bit = 0; bit < length * 8; bit++) {
      if (((bits[bit >>> 3] as number) & (0x80 >>> (bit & 7))) !== 0) types.push(window * 256 + bit);
    }
    previous = window;
  }
  if (types[0] === 0) wire.fail('its type bitmap has the reserved type 0');
  return types;
}

function takeType(tokens: TokenReader): number {
  const token = tokens.word('a type');
  return typeFromText(token.text) ?? tokens.failToken(token, 'is no type: a mnemonic or TYPEnnn');
}

function bitmapField(allowEmpty: boolean): Field {
  return {
    parse: (tokens, out) => {
      const types: number[] = [];
      while (!tokens.atEnd) types.push(takeType(tokens));
      if (types.length === 0 && !allowEmpty) tokens.fail('the list of types is empty');
      writeTypeBitmap(types, out);
    },
    format: (wire) => readTypeBitmap(wire).map(portableTypeText).join(' '),
    check: (wire) => {
      if (readTypeBitmap(wire).length === 0 && !allowEmpty) wire.fail('the list of types is empty');
    },
  };
}

/** A list of at least one type (NSEC). */
export const typeBitmap = bitmapField(false);

/** A list of types that may be empty (NSEC3 of an empty non-terminal, CSYNC). */
export const optionalTypeBitmap = bitmapField(true);

function typeField(min: number): Field {
  return {
    part: { kind: 'octets', length: 2 },
    parse: (tokens, out) => out.u16(takeType(tokens)),
    format: (wire) => portableTypeText(wire.u16()),
    check: (wire) => {
      if (wire.u16() < min) wire.fail('it covers the reserved type 0');
    },
  };
}

/** The type that an RRSIG covers. */
export const coveredType = typeField(1);

/** The type that a SIG covers; 0 for a transaction signature (RFC 2931 §3). */
export const coveredTypeOrNone = typeField(0);
