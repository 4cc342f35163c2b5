import type { Field } from './field.js';
import type { TokenReader } from './tokens.js';
import type { WireReader } from './wire.js';

/** Thousandths of an arc second of one degree, and the value that stands for the equator and the prime meridian. */
const DEGREE = 3_600_000;
const ZERO_ANGLE = 2 ** 31;

/** Altitudes count centimetres from 100,000 m below the WGS 84 spheroid. */
const ALTITUDE_BASE = 10_000_000;

/** What is meant when size, horizontal and vertical precision are left out: 1 m, 10,000 m, 10 m (RFC 1876 §3). */
const DEFAULT_SIZES = [100, 1_000_000, 1000] as const;

/** A decimal number with at most `places` digits after the point, times 10^places; undefined for any other text. */
function parseFixed(text: string, places: number): number | undefined {
  const match = /^(-?)([0-9]{1,10})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction = ''] = match;
  if (fraction.length > places) return undefined;
  const value = Number(whole) * 10 ** places + Number(fraction.padEnd(places, '0'));
  return sign === '-' ? -value : value;
}

function takeFixed(tokens: TokenReader, what: string, places: number, min: number, max: number): number {
  const token = tokens.word(what);
  const value = parseFixed(token.text, places);
  if (value === undefined || value < min || value > max) {
    return tokens.failToken(token, `is no ${what} of a location`);
  }
  return value;
}

/** Degrees, minutes and seconds up to the letter of the hemisphere, as the wire has them. */
function takeAngle(tokens: TokenReader, maxDegrees: number, positive: string, negative: string): number {
  let angle = takeFixed(tokens, 'degrees', 0, 0, maxDegrees) * DEGREE;
  const isHemisphere = (): boolean => {
    const text = tokens.peek()?.text.toUpperCase();
    return text === positive || text === negative;
  };
  if (!isHemisphere()) angle += takeFixed(tokens, 'minutes', 0, 0, 59) * 60_000;
  if (!isHemisphere()) angle += takeFixed(tokens, 'seconds', 3, 0, 59_999);
  const token = tokens.word('the hemisphere');
  const hemisphere = token.text.toUpperCase();
  if (hemisphere !== positive && hemisphere !== negative) {
    tokens.failToken(token, `stands where ${positive} or ${negative} should`);
  }
  if (angle > maxDegrees * DEGREE)
    tokens.failToken(token, `follows an angle of more than ${maxDegrees} degrees`);
  return hemisphere === positive ? ZERO_ANGLE + angle : ZERO_ANGLE - angle;
}

function takeMetres(tokens: TokenReader, what: string, min: number, max: number): number {
  const token = tokens.word(what);
  const value = parseFixed(token.text.replace(/m$/i, ''), 2);
  if (value === undefined || value < min || value > max) {
    return tokens.failToken(token, `is no ${what} in metres`);
  }
  return value;
}

/** Centimetres as one digit and a power of ten; further digits are cut off (RFC 1876 §2). */
function encodeSize(centimetres: number): number {
  let mantissa = centimetres;
  let exponent = 0;
  while (mantissa >= 10) {
    mantissa = Math.floor(mantissa / 10);
    exponent++;
  }
  return mantissa * 16 + exponent;
}

function readSize(wire: WireReader): number {
  const octet = wire.u8();
  if (octet >>> 4 > 9 || (octet & 15) > 9) wire.fail('a size or precision has a digit above 9');
  if (octet > 0 && octet < 10) wire.fail('a size or precision of zero has an exponent');
  return (octet >>> 4) * 10 ** (octet & 15);
}

function formatMetres(centimetres: number): string {
  const sign = centimetres < 0 ? '-' : '';
  const value = Math.abs(centimetres);
  return `${sign}${Math.floor(value / 100)}.${String(value % 100).padStart(2, '0')}m`;
}

function readAngle(wire: WireReader, maxDegrees: number): number {
  const angle = wire.u32() - ZERO_ANGLE;
  if (Math.abs(angle) > maxDegrees * DEGREE) wire.fail(`an angle has more than ${maxDegrees} degrees`);
  return angle;
}

function formatAngle(angle: number, positive: string, negative: string): string {
  const value = Math.abs(angle);
  const degrees = Math.floor(value / DEGREE);
  const minutes = Math.floor((value % DEGREE) / 60_000);
  const seconds = Math.floor((value % 60_000) / 1000);
  const thousandths = String(value % 1000).padStart(3, '0');
  return `${degrees} ${minutes} ${seconds}.${thousandths} ${angle < 0 ? negative : positive}`;
}

/** The whole of a LOC rdata (RFC 1876): version 0, sizes, latitude, longitude, altitude. */
export const location: Field = {
  parse: (tokens, out) => {
    const latitude = takeAngle(tokens, 90, 'N', 'S');
    const longitude = takeAngle(tokens, 180, 'E', 'W');
    const altitude = takeMetres(tokens, 'altitude', -ALTITUDE_BASE, 0xffff_ffff - ALTITUDE_BASE);
    out.u8(0);
    for (const size of DEFAULT_SIZES) {
      out.u8(encodeSize(tokens.atEnd ? size : takeMetres(tokens, 'size or precision', 0, 9_000_000_000)));
    }
    out.u32(latitude);
    out.u32(longitude);
    out.u32(altitude + ALTITUDE_BASE);
  },
  format: (wire) => {
    wire.skip(1);
    const sizes = [readSize(wire), readSize(wire), readSize(wire)].map(formatMetres).join(' ');
    const latitude = formatAngle(readAngle(wire, 90), 'N', 'S');
    const longitude = formatAngle(readAngle(wire, 180), 'E', 'W');
    return `${latitude} ${longitude} ${formatMetres(wire.u32() - ALTITUDE_BASE)} ${sizes}`;
  },
  check: (wire) => {
    if (wire.u8() !== 0) return wire.skip(wire.remaining); // nothing is known of other versions
    for (let i = 0; i < 3; i++) readSize(wire);
    readAngle(wire, 90);
    readAngle(wire, 180);
    wire.skip(4);
  },
};

/** Whether well-formed LOC rdata is of a version without a text of its own. */
export function isOtherVersion(rdata: Uint8Array): boolean {
  return rdata[0] !== 0;
}
