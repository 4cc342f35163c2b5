import { ZonesealError } from '../../errors.js';
import type { Name } from '../name.js';
import { typeToText } from '../types.js';
import { formatHex, parseHex } from './encodings.js';
import type { TypeSchema } from './field.js';
import { parseDecimal } from './numbers.js';
import { hasPortableMnemonic } from './portable.js';
import { SCHEMAS } from './table.js';
import { rdataError, type Token, TokenReader, tokenizeRdata } from './tokens.js';
import { copyOctets, MAX_RDATA_OCTETS, WireReader, WireWriter } from './wire.js';

export { canonicalRdata, compareOctets } from './canonical.js';
export { type Token, tokenizeRdata } from './tokens.js';

const schemas: readonly (TypeSchema | undefined)[] = Array.from(
  { length: Math.max(...SCHEMAS.keys()) + 1 },
  (_, type) => SCHEMAS.get(type),
);

const writer = new WireWriter();

/**
 * Plain wire rdata from the tokens of its presentation format, relative names completed with the origin. Any type may be
 * written as `\# length hex` (RFC 3597 §5); for a known type the octets are checked.
 * @throws ZonesealError RDATA_INVALID; `fields.column` is the token's column where that is known
 */
export function parseRdata(type: number, tokens: readonly Token[], origin: Name | undefined): Uint8Array {
  const reader = new TokenReader(type, tokens, origin);
  const first = tokens[0];
  if (first !== undefined && first.text === '\\#' && !first.quoted) return parseGeneric(reader);
  const known =
    schemas[type] ?? reader.fail('this type has no text of its own; write \\# length hexadecimal');
  writer.reset();
  try {
    for (const field of known.fields) field.parse(reader, writer);
  } catch (thrown) {
    throw asRdataError(reader, thrown);
  }
  reader.expectEnd();
  const rdata = writer.finish() ?? reader.fail(`it is longer than ${MAX_RDATA_OCTETS} octets`);
  checkKnown(known, new WireReader(type, rdata, first?.column));
  return rdata;
}

function asRdataError(reader: TokenReader, thrown: unknown): unknown {
  if (!(thrown instanceof ZonesealError) || thrown.code !== 'NAME_INVALID') return thrown;
  const column = reader.previousColumn;
  return rdataError(reader.type, thrown.message, column);
}

function parseGeneric(reader: TokenReader): Uint8Array {
  reader.word('\\#');
  const lengthToken = reader.word('the length of the rdata');
  const length = parseDecimal(lengthToken.text, MAX_RDATA_OCTETS);
  if (length === undefined) reader.failToken(lengthToken, 'is no length of 0 to 65535 octets');
  let text = '';
  const first = reader.peek();
  while (!reader.atEnd) text += reader.word('hexadecimal').text;
  const octets =
    parseHex(text) ?? reader.fail('after \\# and the length stand hexadecimal digits, two an octet', first);
  if (octets.length !== length)
    reader.fail(`\\# says ${length} octets, but ${octets.length} follow`, lengthToken);
  const rdata = copyOctets(octets);
  checkRdata(reader.type, rdata);
  return rdata;
}

/**
 * Plain wire rdata from its presentation format.
 * @throws ZonesealError RDATA_INVALID
 */
export function parseRdataText(type: number, text: string, origin?: Name): Uint8Array {
  return parseRdata(type, tokenizeRdata(text), origin);
}

/**
 * The presentation format of plain wire rdata on one line, names absolute; `\# length hex` for a type without one.
 * @throws ZonesealError RDATA_INVALID when rdata of a known type is not well formed
 */
export function formatRdata(type: number, rdata: Uint8Array): string {
  const known = schemas[type];
  if (known === undefined) return formatGeneric(rdata);
  checkLength(type, rdata);
  const wire = new WireReader(type, rdata);
  checkKnown(known, wire);
  if (rdata.length === 0 || known.genericOnly?.(rdata) === true) return formatGeneric(rdata);
  wire.at = 0;
  let text = '';
  for (const field of known.fields) {
    const word = field.format(wire);
    if (word !== '') text = text === '' ? word : `${text} ${word}`;
  }
  return text;
}

/**
 * Type, tab and plain wire rdata as every nameserver and validator reads them in a master file: `TYPEnnn \\# length hex` for
 * the types whose mnemonic some of them lack, otherwise the mnemonic and `formatRdata`.
 * @throws ZonesealError RDATA_INVALID when rdata of a known type is not well formed
 */
export function formatPortable(type: number, rdata: Uint8Array): string {
  if (hasPortableMnemonic(type)) return `${typeToText(type)}\t${formatRdata(type, rdata)}`;
  checkRdata(type, rdata);
  return `TYPE${type}\t${formatGeneric(rdata)}`;
}

function formatGeneric(rdata: Uint8Array): string {
  return rdata.length === 0 ? '\\# 0' : `\\# ${rdata.length} ${formatHex(rdata)}`;
}

/**
 * Checks that plain wire rdata is well formed for its type; any octets are for an unknown one.
 * @throws ZonesealError RDATA_INVALID
 */
export function checkRdata(type: number, rdata: Uint8Array): void {
  const known = schemas[type];
  checkLength(type, rdata);
  if (known !== undefined) checkKnown(known, new WireReader(type, rdata));
}

function checkLength(type: number, rdata: Uint8Array): void {
  if (rdata.length > MAX_RDATA_OCTETS) throw rdataError(type, `it is longer than ${MAX_RDATA_OCTETS} octets`);
}

/** The one judge of known types, for what was parsed from text as well. */
function checkKnown(known: TypeSchema, wire: WireReader): void {
  try {
    for (const field of known.fields) field.check(wire);
  } catch (thrown) {
    if (thrown instanceof ZonesealError && thrown.code === 'NAME_INVALID') wire.fail(thrown.message);
    throw thrown;
  }
  wire.expectEnd();
  const reason = known.rule?.(wire.octets);
  if (reason !== undefined) wire.fail(reason);
}
