import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address.js';
import type { Field } from './field.js';
import { parseDecimal } from './numbers.js';
import type { Token, TokenReader } from './tokens.js';
import type { WireReader } from './wire.js';

/** Address family 1 is IPv4, 2 is IPv6 (RFC 3123 §4): their address octets. */
const FAMILY_OCTETS: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

interface AddressPrefix {
  readonly family: number;
  readonly prefix: number;
  readonly negated: boolean;
  /** The address without its trailing zero octets. */
  readonly octets: Uint8Array;
}

function parseAddress(family: number, text: string): Uint8Array | undefined {
  const octets = new Uint8Array(16);
  if (family === 2) return parseIpv6(text, octets, 0) ? octets : undefined;
  const address = parseIpv4(text);
  if (address === undefined) return undefined;
  new DataView(octets.buffer).setUint32(0, address);
  return octets.subarray(0, 4);
}

function parseItem(tokens: TokenReader, token: Token): AddressPrefix {
  const match = /^(!?)([12]):([0-9a-f:.]+)\/([0-9]{1,3})$/i.exec(token.text);
  const family = Number(match?.[2]);
  const octets = match === null ? undefined : parseAddress(family, match[3] as string);
  const prefix = parseDecimal(match?.[4] ?? '', (FAMILY_OCTETS[family] ?? 0) * 8);
  if (octets === undefined || prefix === undefined) {
    return tokens.failToken(token, 'is no address prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32');
  }
  let length = octets.length;
  while (length > 0 && octets[length - 1] === 0) length--;
  return { family, prefix, negated: match?.[1] === '!', octets: octets.subarray(0, length) };
}

function readItem(wire: WireReader): AddressPrefix {
  const family = wire.u16();
  const prefix = wire.u8();
  const length = wire.u8();
  const octets = wire.take(length & 0x7f);
  const familyOctets = FAMILY_OCTETS[family];
  if (familyOctets !== undefined && (prefix > familyOctets * 8 || octets.length > familyOctets)) {
    wire.fail('an address prefix is longer than its address family allows');
  }
  if (octets.at(-1) === 0) wire.fail('an address prefix ends in a zero octet');
  return { family, prefix, negated: length > 0x7f, octets };
}

function formatItem({ family, prefix, negated, octets }: AddressPrefix): string {
  const whole = new Uint8Array(16);
  whole.set(octets);
  const address = family === 1 ? formatIpv4(whole) : formatIpv6(whole);
  return `${negated ? '!' : ''}${family}:${address}/${prefix}`;
}

/** Any number of address prefixes (RFC 3123), the whole of an APL rdata. */
export const addressPrefixes: Field = {
  parse: (tokens, out) => {
    while (!tokens.atEnd) {
      const { family, prefix, negated, octets } = parseItem(tokens, tokens.word('an address prefix'));
      out.u16(family);
      out.u8(prefix);
      out.u8(octets.length + (negated ? 0x80 : 0));
      out.bytes(octets);
    }
  },
  format: (wire) => {
    const items: string[] = [];
    while (wire.remaining > 0) items.push(formatItem(readItem(wire)));
    return items.join(' ');
  },
  check: (wire) => {
    while (wire.remaining > 0) readItem(wire);
  },
};

/** Whether well-formed APL rdata has an address family without a text of its own. */
export function hasOtherFamily(rdata: Uint8Array): boolean {
  for (let at = 0; at < rdata.length; at += 4 + ((rdata[at + 3] as number) & 0x7f)) {
    if (FAMILY_OCTETS[(rdata[at] as number) * 256 + (rdata[at + 1] as number)] === undefined) return true;
  }
  return false;
}
