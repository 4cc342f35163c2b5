import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address.js';
import { formatBase64, parseBase64 } from './encodings.js';
import { parseDecimal } from './numbers.js';

/** Numbers of the service parameters that rules name (IANA DNS SVCB; RFC 9460 §14.3.2). */
export const ServiceKey = { mandatory: 0, alpn: 1, noDefaultAlpn: 2 } as const;

/** The largest key; 65535 is reserved as invalid. */
const MAX_KEY = 65_534;

/** How the value of one service parameter is written and what octets it may be. */
export interface ServiceValue {
  readonly name: string;
  /** Octets from the value as it stands after the escapes of a character string, one character an octet; undefined: invalid. */
  parse(value: string): Uint8Array | undefined;
  /** The value, one character an octet, before the escapes of a character string; undefined: no value is written. */
  format(octets: Uint8Array): string | undefined;
  /** Whether the octets are a value of this key. */
  isValid(octets: Uint8Array): boolean;
  /** What a value has to be. */
  readonly expected: string;
  /** Written as keyNNNNN, for programs that do not know the name yet. */
  readonly formatGeneric?: true;
}

const NONE = new Uint8Array(0);

function numbers(octets: Uint8Array): number[] {
  const out: number[] = [];
  for (let at = 0; at + 1 < octets.length; at += 2)
    out.push((octets[at] as number) * 256 + (octets[at + 1] as number));
  return out;
}

function fromNumbers(values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [value >>> 8, value & 0xff]));
}

/** The parts between commas, each turned into octets; undefined when one of them is not valid. */
function parseList(
  value: string,
  parse: (part: string) => Uint8Array | undefined,
): readonly Uint8Array[] | undefined {
  const parts = value.split(',').map(parse);
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

function chunks(octets: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: octets.length / size }, (_, i) => octets.subarray(i * size, (i + 1) * size));
}

function addressList(
  name: string,
  family: string,
  size: number,
  parse: (part: string) => Uint8Array | undefined,
  format: (octets: Uint8Array) => string,
): ServiceValue {
  return {
    name,
    expected: `${family} addresses separated by commas`,
    parse: (value) => {
      const parts = parseList(value, parse);
      return parts && Buffer.concat(parts);
    },
    format: (octets) =>
      chunks(octets, size)
        .map((chunk) => format(chunk))
        .join(','),
    isValid: (octets) => octets.length > 0 && octets.length % size === 0,
  };
}

function parseAddress6(text: string): Uint8Array | undefined {
  const out = new Uint8Array(16);
  return parseIpv6(text, out, 0) ? out : undefined;
}

function parseAddress4(text: string): Uint8Array | undefined {
  const address = parseIpv4(text);
  return address === undefined ? undefined : fromNumbers([Math.floor(address / 65536), address % 65536]);
}

function flag(name: string, generic: boolean): ServiceValue {
  return {
    name,
    expected: 'no value',
    parse: (value) => (value === '' ? NONE : undefined),
    format: () => undefined,
    isValid: (octets) => octets.length === 0,
    ...(generic ? { formatGeneric: true as const } : {}),
  };
}

/** The items of a comma-separated list in which `\,` and `\\` are escapes (RFC 9460 Appendix A.1). */
function parseEscapedList(value: string): string[] | undefined {
  const items: string[] = [];
  let item = '';
  for (let i = 0; i < value.length; i++) {
    const char = value[i] as string;
    if (char === ',') {
      items.push(item);
      item = '';
    } else if (char !== '\\') item += char;
    else {
      const escaped = value[++i];
      if (escaped !== ',' && escaped !== '\\') return undefined;
      item += escaped;
    }
  }
  return [...items, item];
}

function readStrings(octets: Uint8Array): string[] | undefined {
  const items: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = at + 1 + (octets[at] as number);
    if (end === at + 1 || end > octets.length) return undefined;
    items.push(Buffer.from(octets.subarray(at + 1, end)).toString('latin1'));
    at = end;
  }
  return items;
}

const alpn: ServiceValue = {
  name: 'alpn',
  expected: 'protocol identifiers of 1 to 255 octets separated by commas',
  parse: (value) => {
    const items = parseEscapedList(value);
    if (items === undefined || items.some((item) => item.length === 0 || item.length > 255)) return undefined;
    return Buffer.from(items.map((item) => String.fromCharCode(item.length) + item).join(''), 'latin1');
  },
  format: (octets) => (readStrings(octets) ?? []).map((item) => item.replace(/[\\,]/g, '\\$&')).join(','),
  isValid: (octets) => octets.length > 0 && readStrings(octets) !== undefined,
};

const mandatory: ServiceValue = {
  name: 'mandatory',
  expected: 'different keys other than mandatory, separated by commas',
  parse: (value) => {
    const keys = value.split(',').map(parseServiceKey);
    if (!keys.every((key) => key !== undefined)) return undefined;
    return fromNumbers(keys.sort((a, b) => a - b));
  },
  format: (octets) => numbers(octets).map(formatServiceKey).join(','),
  isValid: (octets) => {
    const keys = numbers(octets);
    const ascending = keys.every((key, i) => key > (keys[i - 1] ?? ServiceKey.mandatory) && key <= MAX_KEY);
    return octets.length > 0 && octets.length % 2 === 0 && ascending;
  },
};

const port: ServiceValue = {
  name: 'port',
  expected: 'a port number',
  parse: (value) => {
    const number = parseDecimal(value, 0xffff);
    return number === undefined ? undefined : fromNumbers([number]);
  },
  format: (octets) => String(numbers(octets)[0]),
  isValid: (octets) => octets.length === 2,
};

const ech: ServiceValue = {
  name: 'ech',
  expected: 'base64 without spaces',
  parse: parseBase64,
  format: formatBase64,
  isValid: (octets) => octets.length > 0,
};

function isPathTemplate(octets: Uint8Array): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(octets);
    return text.startsWith('/') && /\{[^{}]*\bdns\b[^{}]*\}/.test(text);
  } catch {
    return false;
  }
}

const dohpath: ServiceValue = {
  name: 'dohpath',
  expected: 'a relative URI template in UTF-8 with the variable dns (RFC 9461 §5)',
  parse: (value) => Buffer.from(value, 'latin1'),
  format: (octets) => Buffer.from(octets).toString('latin1'),
  isValid: isPathTemplate,
  formatGeneric: true,
};

const supportedGroups: ServiceValue = {
  name: 'tls-supported-groups',
  expected: 'different numbers of TLS groups separated by commas',
  parse: (value) => {
    const groups = value.split(',').map((part) => parseDecimal(part, 0xffff));
    return groups.every((group) => group !== undefined) ? fromNumbers(groups) : undefined;
  },
  format: (octets) => numbers(octets).join(','),
  isValid: (octets) => {
    const groups = numbers(octets);
    return octets.length > 0 && octets.length % 2 === 0 && new Set(groups).size === groups.length;
  },
  formatGeneric: true,
};

/** Service parameters by number (RFC 9460 §7, RFC 9461 §5, RFC 9540 §4, TLS key share prediction). */
export const SERVICE_VALUES: readonly ServiceValue[] = [
  mandatory,
  alpn,
  flag('no-default-alpn', false),
  port,
  addressList('ipv4hint', 'IPv4', 4, parseAddress4, formatIpv4),
  ech,
  addressList('ipv6hint', 'IPv6', 16, parseAddress6, formatIpv6),
  dohpath,
  flag('ohttp', true),
  supportedGroups,
];

const KEYS_BY_NAME: ReadonlyMap<string, number> = new Map(SERVICE_VALUES.map(({ name }, key) => [name, key]));

/** The number of a key, written by name or as keyNNNNN without leading zeros; undefined for any other text. */
export function parseServiceKey(text: string): number | undefined {
  const name = text.toLowerCase();
  const known = KEYS_BY_NAME.get(name);
  if (known !== undefined) return known;
  const match = /^key(0|[1-9][0-9]{0,4})$/.exec(name);
  return match === null ? undefined : parseDecimal(match[1] as string, MAX_KEY);
}

/** The name of a key, or keyNNNNN. */
export function formatServiceKey(key: number): string {
  const value = SERVICE_VALUES[key];
  return value === undefined || value.formatGeneric ? `key${key}` : value.name;
}
