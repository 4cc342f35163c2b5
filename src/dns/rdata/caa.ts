import type { Field } from './field.js';
import { quoteOctets, writeUnescaped } from './strings.js';
import type { WireReader } from './wire.js';

const TAG = /^[A-Za-z0-9]{1,255}$/;

function readTag(wire: WireReader): string {
  const tag = Buffer.from(wire.take(wire.u8())).toString('latin1');
  return TAG.test(tag) ? tag : wire.fail('its property tag is not made of ASCII letters and digits');
}

/** The property tag of a CAA: ASCII letters and digits after a length octet, never quoted (RFC 8659 §4.1). */
export const propertyTag: Field = {
  parse: (tokens, out) => {
    const token = tokens.word('the property tag');
    if (!TAG.test(token.text)) tokens.failToken(token, 'is no property tag: ASCII letters and digits');
    out.u8(token.text.length);
    out.bytes(Buffer.from(token.text, 'latin1'));
  },
  format: readTag,
  check: (wire) => {
    readTag(wire);
  },
};

/** Whether well-formed CAA rdata has upper case in its tag, which NSD reads in the form of RFC 3597 alone. */
export function hasUpperCaseTag(rdata: Uint8Array): boolean {
  return /[A-Z]/.test(Buffer.from(rdata.subarray(2, 2 + (rdata[1] as number))).toString('latin1'));
}

/** One token whose octets are the rest of the rdata, without a length octet: what a CAA's value and a URI's target are. */
export function longString(what: string, allowEmpty: boolean): Field {
  return {
    parse: (tokens, out) => {
      const token = tokens.any(what);
      const start = out.length;
      writeUnescaped(tokens, token, 0, out);
      if (out.length === start && !allowEmpty) tokens.failToken(token, `is empty, and so is no ${what}`);
    },
    format: (wire) => quoteOctets(wire.rest()),
    check: (wire) => {
      if (wire.remaining === 0 && !allowEmpty) wire.fail(`the ${what} is empty`);
      wire.skip(wire.remaining);
    },
  };
}
