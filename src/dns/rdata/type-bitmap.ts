import { isMetaType, typeFromText } from '../types.js';
import type { Field } from './field.js';
import { parseDecimal, takeNumber } from './numbers.js';
import { portableTypeText } from './portable.js';
import type { TokenReader } from './tokens.js';
import type { WireReader, WireWriter } from './wire.js';

const WINDOW_OCTETS = 32;

/** Mnemonics that other programs write in lists of types (IANA DNS parameters), though rdata of these has no codec here. */
const OTHER_TYPES: ReadonlyMap<string, number> = new Map([
  ['MD', 3],
  ['MF', 4],
  ['MB', 7],
  ['MG', 8],
  ['MR', 9],
  ['NULL', 10],
  ['WKS', 11],
  ['MINFO', 14],
  ['NSAP', 22],
  ['NSAP-PTR', 23],
  ['PX', 26],
  ['GPOS', 27],
  ['NXT', 30],
  ['EID', 31],
  ['NIMLOC', 32],
  ['ATMA', 34],
  ['A6', 38],
  ['SINK', 40],
  ['NINFO', 56],
  ['RKEY', 57],
  ['TALINK', 58],
  ['UINFO', 100],
  ['UID', 101],
  ['GID', 102],
  ['UNSPEC', 103],
  ['DOA', 259],
  ['AMTRELAY', 260],
  ['RESINFO', 261],
  ['TA', 32_768],
  ['DLV', 32_769],
]);

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
  return (
    typeFromText(token.text) ??
    OTHER_TYPES.get(token.text.toUpperCase()) ??
    tokens.failToken(token, 'is no type: a mnemonic or TYPEnnn')
  );
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

function typeField(isCovered: (type: number) => boolean): Field {
  return {
    part: { kind: 'octets', length: 2 },
    parse: (tokens, out) => {
      // BIND writes the number alone where it has no mnemonic
      const number = parseDecimal(tokens.peek()?.text ?? '', 0xffff);
      out.u16(number === undefined ? takeType(tokens) : takeNumber(tokens, 'type', 0xffff));
    },
    format: (wire) => portableTypeText(wire.u16()),
    check: (wire) => {
      const type = wire.u16();
      if (!isCovered(type)) wire.fail(`it covers TYPE${type}, which no zone holds`);
    },
  };
}

/** The type that an RRSIG covers. */
export const coveredType = typeField((type) => !isMetaType(type));

/** The type that a SIG covers; 0 for a transaction signature (RFC 2931 §3). */
export const coveredTypeOrNone = typeField((type) => type === 0 || !isMetaType(type));
