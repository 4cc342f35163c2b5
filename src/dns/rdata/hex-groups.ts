import type { Field } from './field.js';

/**
 * A fixed number of octets as equal groups of hexadecimal digits with a separator between; groups of two octets may leave
 * out leading zeros.
 */
function hexGroups(
  what: string,
  octets: number,
  groupOctets: 1 | 2,
  separator: string,
  example: string,
): Field {
  const groups = octets / groupOctets;
  return {
    part: { kind: 'octets', length: octets },
    parse: (tokens, out) => {
      const token = tokens.word(what);
      const parts = token.text.split(separator);
      const isGroup = groupOctets === 1 ? /^[0-9a-f]{2}$/i : /^[0-9a-f]{1,4}$/i;
      if (parts.length !== groups || !parts.every((part) => isGroup.test(part))) {
        tokens.failToken(token, `is no ${what} such as ${example}`);
      }
      out.bytes(Buffer.from(parts.map((part) => part.padStart(groupOctets * 2, '0')).join(''), 'hex'));
    },
    format: (wire) => {
      const digits = Buffer.from(wire.take(octets)).toString('hex');
      return (digits.match(new RegExp(`.{${groupOctets * 2}}`, 'g')) as string[]).join(separator);
    },
    check: (wire) => wire.skip(octets),
  };
}

/** A 48-bit address (RFC 7043 §3). */
export const eui48 = hexGroups('48-bit address', 6, 1, '-', '00-00-5e-00-53-2a');

/** A 64-bit address (RFC 7043 §4). */
export const eui64 = hexGroups('64-bit address', 8, 1, '-', '00-00-5e-ef-10-00-00-2a');

/** A node identifier or 64-bit locator (RFC 6742 §2.1, §2.3). */
export const locator64 = hexGroups('64-bit locator', 8, 2, ':', '2001:0db8:1140:1000');
