import { nameTextAt } from '../name.js';
import { formatIpv4, formatIpv6, ipv4, ipv6 } from './address.js';
import type { Field } from './field.js';
import { takeNumber } from './numbers.js';

/** What the gateway of an IPSECKEY is (RFC 4025 §2.3). */
const GATEWAY_NONE = 0;
const GATEWAY_IPV4 = 1;
const GATEWAY_IPV6 = 2;
const GATEWAY_NAME = 3;

/** Gateway type, algorithm and gateway, whose shape the type gives: in text and on the wire the algorithm lies between. */
export const gateway: Field = {
  parse: (tokens, out) => {
    const kind = takeNumber(tokens, 'gateway type', GATEWAY_NAME);
    out.u8(kind);
    out.u8(takeNumber(tokens, 'algorithm', 0xff));
    if (kind === GATEWAY_IPV4) return ipv4.parse(tokens, out);
    if (kind === GATEWAY_IPV6) return ipv6.parse(tokens, out);
    const token = tokens.word('the gateway');
    if (kind === GATEWAY_NAME) out.name(token.text, tokens.origin);
    else if (token.text !== '.') tokens.failToken(token, 'stands where the gateway type 0 asks for a dot');
  },
  format: (wire) => {
    const kind = wire.u8();
    const start = `${kind} ${wire.u8()}`;
    if (kind === GATEWAY_NONE) return `${start} .`;
    if (kind === GATEWAY_IPV4) return `${start} ${formatIpv4(wire.take(4))}`;
    if (kind === GATEWAY_IPV6) return `${start} ${formatIpv6(wire.take(16))}`;
    const at = wire.at;
    wire.skipName();
    return `${start} ${nameTextAt(wire.octets, at)}`;
  },
  check: (wire) => {
    const kind = wire.u8();
    wire.skip(1);
    if (kind === GATEWAY_IPV4) wire.skip(4);
    else if (kind === GATEWAY_IPV6) wire.skip(16);
    else if (kind === GATEWAY_NAME) wire.skipName();
    else if (kind !== GATEWAY_NONE) wire.fail('its gateway type is not 0 to 3');
  },
};

/** Whether an IPSECKEY has a key exactly when its algorithm is not 0 (RFC 4025 §2.4). */
export function keyRule(rdata: Uint8Array): string | undefined {
  const kind = rdata[1] as number;
  let keyAt = 3 + (kind === GATEWAY_IPV4 ? 4 : kind === GATEWAY_IPV6 ? 16 : 0);
  if (kind === GATEWAY_NAME) {
    while (rdata[keyAt] !== 0) keyAt += 1 + (rdata[keyAt] as number);
    keyAt++;
  }
  const hasKey = keyAt < rdata.length;
  if (hasKey === (rdata[2] !== 0)) return undefined;
  return hasKey ? 'algorithm 0 means that there is no key' : 'the public key is missing';
}
