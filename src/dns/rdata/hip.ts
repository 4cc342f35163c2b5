import { nameTextAt } from '../name.js';
import { formatBase64, formatHex, parseBase64, parseHex } from './encodings.js';
import type { Field } from './field.js';
import { takeNumber } from './numbers.js';
import type { TokenReader } from './tokens.js';

/** Takes one token as 1 to `max` octets. */
function takeOctets(
  tokens: TokenReader,
  what: string,
  max: number,
  parse: (text: string) => Uint8Array | undefined,
): Uint8Array {
  const token = tokens.word(`the ${what}`);
  const octets = parse(token.text);
  if (octets !== undefined && octets.length > 0 && octets.length <= max) return octets;
  return tokens.failToken(
    token,
    `is no ${what}: 1 to ${max} octets in ${parse === parseHex ? 'hexadecimal' : 'base64'}`,
  );
}

/**
 * The whole of a HIP rdata (RFC 8005 §5): algorithm, host identity tag in hexadecimal, public key in base64, each one
 * token, and any number of rendezvous servers.
 */
export const hostIdentity: Field = {
  parse: (tokens, out) => {
    const algorithm = takeNumber(tokens, 'algorithm', 0xff);
    const tag = takeOctets(tokens, 'host identity tag', 0xff, parseHex);
    const key = takeOctets(tokens, 'public key', 0xffff, parseBase64);
    out.u8(tag.length);
    out.u8(algorithm);
    out.u16(key.length);
    out.bytes(tag);
    out.bytes(key);
    while (!tokens.atEnd) out.name(tokens.word('a rendezvous server').text, tokens.origin);
  },
  format: (wire) => {
    const tagOctets = wire.u8();
    const algorithm = wire.u8();
    const keyOctets = wire.u16();
    let text = `${algorithm} ${formatHex(wire.take(tagOctets))} ${formatBase64(wire.take(keyOctets))}`;
    while (wire.remaining > 0) {
      const at = wire.at;
      wire.skipName();
      text += ` ${nameTextAt(wire.octets, at)}`;
    }
    return text;
  },
  check: (wire) => {
    const tagOctets = wire.u8();
    wire.skip(1);
    const keyOctets = wire.u16();
    if (tagOctets === 0 || keyOctets === 0) wire.fail('the host identity tag or the public key is empty');
    wire.skip(tagOctets + keyOctets);
    while (wire.remaining > 0) wire.skipName();
  },
};
