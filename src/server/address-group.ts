import ipaddr from 'ipaddr.js';
import { parseAddress } from '../transfer/address-range.js';

/** What counts as one client address: an IPv4 address, or the /64 of an IPv6 address, which one host has whole. */
export function addressGroup(text: string): string {
  const address = parseAddress(text);
  if (!(address instanceof ipaddr.IPv6)) return address?.toString() ?? text;
  return address.parts.slice(0, 4).join(':');
}
