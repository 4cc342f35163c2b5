import type { Field } from './field.js';
import type { Token, TokenReader } from './tokens.js';
import type { WireWriter } from './wire.js';

/** Takes all tokens that are left, at least one unless `optional`, as one text. */
function takeRest(
  tokens: TokenReader,
  what: string,
  optional: boolean,
): { text: string; token: Token | undefined } {
  if (optional && tokens.atEnd) return { text: '', token: undefined };
  const token = tokens.word(what);
  let text = token.text;
  while (!tokens.atEnd) text += tokens.word(what).text;
  return { text, token };
}

/** The octets of hexadecimal digits; undefined when there are others or their number is odd. */
export function parseHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) return undefined;
  return Buffer.from(text, 'hex');
}

/** Hexadecimal digits in upper case. */
export function formatHex(octets: Uint8Array): string {
  return view(octets).toString('hex').toUpperCase();
}

/** The octets of padded base64 (RFC 4648 §4); undefined when it is not exactly that. */
export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const octets = Buffer.from(text, 'base64');
  // the bits that padding leaves unused must be zero
  const tail = text.slice(-4);
  return octets.subarray(octets.length - (octets.length % 3 || 3)).toString('base64') === tail
    ? octets
    : undefined;
}

/** Padded base64 (RFC 4648 §4). */
export function formatBase64(octets: Uint8Array): string {
  return view(octets).toString('base64');
}

function view(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
}

const BASE32_HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

/** The octets of base32hex without padding (RFC 4648 §7, RFC 5155 §3.3); undefined when it is not exactly that. */
export function parseBase32Hex(text: string): Uint8Array | undefined {
  const out = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const char of text.toUpperCase()) {
    const value = BASE32_HEX.indexOf(char);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = held >>> bits;
      held &= (1 << bits) - 1;
    }
  }
  return bits < 5 && held === 0 ? out : undefined;
}

/** Base32hex without padding, in upper case (RFC 5155 §3.3). */
export function formatBase32Hex(octets: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const octet of octets) {
    held = (held << 8) | octet;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32_HEX[held >>> bits];
      held &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + BASE32_HEX[held << (5 - bits)] : text;
}

interface Encoding {
  readonly name: string;
  parse(text: string): Uint8Array | undefined;
  format(octets: Uint8Array): string;
}

const HEX: Encoding = { name: 'an even number of hexadecimal digits', parse: parseHex, format: formatHex };
const BASE64: Encoding = { name: 'base64', parse: parseBase64, format: formatBase64 };
const BASE32HEX: Encoding = {
  name: 'base32hex without padding',
  parse: parseBase32Hex,
  format: formatBase32Hex,
};

function restField(encoding: Encoding, what: string, optional: boolean): Field {
  return {
    parse: (tokens, out) => {
      const { text, token } = takeRest(tokens, what, optional);
      if (token === undefined) return;
      out.bytes(
        encoding.parse(text) ?? tokens.failToken(token, `begins ${what}, which is not ${encoding.name}`),
      );
    },
    format: (wire) => encoding.format(wire.rest()),
    check: (wire) => {
      if (wire.remaining === 0 && !optional) wire.fail(`${what} is missing`);
      wire.skip(wire.remaining);
    },
  };
}

/** Hexadecimal digits up to the end of the rdata, in as many tokens as one likes. */
export function hexRest(what: string): Field {
  return restField(HEX, what, false);
}

/** Base64 up to the end of the rdata, in as many tokens as one likes. */
export function base64Rest(what: string): Field {
  return restField(BASE64, what, false);
}

/** Base64 up to the end of the rdata, or nothing. */
export function optionalBase64Rest(what: string): Field {
  return restField(BASE64, what, true);
}

function writeCounted(
  tokens: TokenReader,
  token: Token,
  octets: Uint8Array,
  what: string,
  out: WireWriter,
): void {
  if (octets.length > 255) tokens.failToken(token, `is a ${what} of more than 255 octets`);
  out.u8(octets.length);
  out.bytes(octets);
}

function countedField(encoding: Encoding, what: string, none: string | undefined): Field {
  return {
    parse: (tokens, out) => {
      const token = tokens.word(what);
      const octets =
        (token.text === none ? new Uint8Array(0) : encoding.parse(token.text)) ??
        tokens.failToken(token, `is no ${what}: ${encoding.name}`);
      writeCounted(tokens, token, octets, what, out);
    },
    format: (wire) => {
      const octets = wire.take(wire.u8());
      if (octets.length > 0) return encoding.format(octets);
      return none ?? wire.fail(`the ${what} is empty`);
    },
    check: (wire) => {
      const length = wire.u8();
      if (length === 0 && none === undefined) wire.fail(`the ${what} is empty`);
      wire.skip(length);
    },
  };
}

/** A length octet and as many octets, written in hexadecimal, a hyphen for none (RFC 5155 §3.3). */
export function salt(what: string): Field {
  return countedField(HEX, what, '-');
}

/** A length octet and as many octets, at least one, written as base32hex (RFC 5155 §3.3). */
export function hashedOwner(what: string): Field {
  return countedField(BASE32HEX, what, undefined);
}
