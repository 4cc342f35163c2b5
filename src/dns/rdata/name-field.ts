import { nameTextAt } from '../name.js';
import type { Field } from './field.js';

function nameField(compress: boolean, decompress: boolean, lower: boolean): Field {
  return {
    part: { kind: 'name', compress, decompress, lower },
    parse: (tokens, out) => out.name(tokens.word('a domain name').text, tokens.origin),
    format: (wire) => {
      const at = wire.at;
      wire.skipName();
      return nameTextAt(wire.octets, at);
    },
    check: (wire) => {
      wire.skipName();
    },
  };
}

/** A name of a type of RFC 1035: may be compressed, lower-cased in canonical form. */
export const wellKnownName = nameField(true, true, true);

/** A name that is sent uncompressed, though compressed ones are read (RFC 3597 §4), and lower-cased in canonical form. */
export const legacyName = nameField(false, true, true);

/** A name that is never compressed, and lower-cased in canonical form (KX, DNAME, A6, RRSIG). */
export const loweredName = nameField(false, false, true);

/** A name that is never compressed and keeps its case in canonical form (NSEC by RFC 6840 §5.1, and all later types). */
export const plainName = nameField(false, false, false);
