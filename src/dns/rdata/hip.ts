import { nameTextAt } from '../name.js';
import { formatBase64, formatHex, parseBase64, parseHex } from './encodings.js';
import type { Field } from './field.js';
import { takeNumber } from './numbers.js';

/**
 * The whole of a HIP rdata (RFC 8005 §5): algorithm, host identity tag in hexadecimal, public key in base64, each one
 * token, and any number of rendezvous servers.
 */
export const hostIdentity: Field = {
  parse: (tokens, out) => {
    const algorithm = takeNumber(tokens, 'algorithm', 0xff);
    const tagToken = tokens.word('the host identity tag');
    const tag = parseHex(tagToken.text);
    if (tag === undefined || tag.length === 0 || tag.length > 0xff) {
      return tokens.failToken(tagToken, 'is no host identity tag: 1 to 255 octets in hexadecimal');
    }
    const keyToken = tokens.word('the public key');
    const key = parseBase64(keyToken.text);
    if (key === undefined || key.length === 0 || key.length > 0xffff) {
      return tokens.failToken(keyToken, 'is no public key in base64');
    }
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
