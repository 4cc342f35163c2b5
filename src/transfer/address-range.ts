import ipaddr from 'ipaddr.js';
import { ZonesealError } from '../errors.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** The prefix length from which an IPv6 range lies within the IPv4-mapped addresses (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * The address that text stands for, an IPv4-mapped IPv6 address as the IPv4 address it is; undefined for anything else.
 * A zone index (`%eth0`) says where a link-local address is reached and is left out.
 */
export function parseAddress(text: string): Address | undefined {
  const bare = text.includes('%') ? text.slice(0, text.indexOf('%')) : text;
  if (!isStrict(bare)) return undefined;
  return ipaddr.process(bare);
}

/** A CIDR range, or one address. */
export class AddressRange {
  readonly prefixLength: number;
  readonly #base: Address;

  private constructor(base: Address, prefixLength: number) {
    this.#base = base;
    this.prefixLength = prefixLength;
  }

  /**
   * Reads `192.0.2.0/24`, `2001:db8::/32`, or an address alone. A range of IPv4-mapped addresses is the IPv4 range.
   * @throws ZonesealError ACCESS_INVALID
   */
  static parse(text: string): AddressRange {
    const [address = '', bits, ...rest] = text.split('/');
    if (rest.length > 0 || !isStrict(address) || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits)))
      fail(text);
    const base = ipaddr.parse(address);
    const width = base.kind() === 'ipv4' ? 32 : 128;
    const prefixLength = bits === undefined ? width : Number(bits);
    if (prefixLength > width) fail(text);
    if (base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && prefixLength >= MAPPED_BITS) {
      return new AddressRange(base.toIPv4Address(), prefixLength - MAPPED_BITS);
    }
    return new AddressRange(base, prefixLength);
  }

  contains(address: Address): boolean {
    return address.kind() === this.#base.kind() && address.match(this.#base, this.prefixLength);
  }

  /** Whether some address lies in both. */
  overlaps(other: AddressRange): boolean {
    const [wide, narrow] = this.prefixLength < other.prefixLength ? [this, other] : [other, this];
    return wide.contains(narrow.#base);
  }

  /** Equal ranges have equal keys, however they were written. */
  get key(): string {
    const octets = this.#base.toByteArray();
    const network = octets.map((octet, i) => {
      const bits = Math.min(Math.max(this.prefixLength - i * 8, 0), 8);
      return octet & (0xff00 >>> bits) & 0xff;
    });
    return `${network.join('.')}/${this.prefixLength}`;
  }
}

/** ipaddr.js takes `10.1` and octal numbers as IPv4; nobody means those in a range or sends them. */
function isStrict(text: string): boolean {
  return (
    ipaddr.IPv4.isValidFourPartDecimal(text) ||
    (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text))
  );
}

function fail(text: string): never {
  throw new ZonesealError(
    'ACCESS_INVALID',
    `"${text.slice(0, 60)}" is no address range; write it as 192.0.2.0/24 or 2001:db8::/32`,
    { range: text.slice(0, 60) },
  );
}
