import { ZonesealError } from '../errors.js';

/** RR TYPE numbers by mnemonic (IANA DNS parameters): the types a zone may hold, and those of messages. */
export const RRType = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  SIG: 24,
  KEY: 25,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  AVC: 258,
} as const;

/** CLASS numbers. */
export const RRClass = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

const mnemonics = new Map<number, string>(Object.entries(RRType).map(([text, type]) => [type, text]));
const numbers = new Map<string, number>(Object.entries(RRType));

/** The mnemonic of a type, or TYPEnnn (RFC 3597 §5). */
export function typeToText(type: number): string {
  return mnemonics.get(type) ?? `TYPE${type}`;
}

/** The number of a type mnemonic or TYPEnnn, case-insensitive; undefined when it is neither. */
export function typeFromText(text: string): number | undefined {
  const known = numbers.get(text) ?? numbers.get(text.toUpperCase());
  if (known !== undefined) return known;
  const match = /^TYPE([0-9]{1,5})$/i.exec(text);
  if (match === null) return undefined;
  const type = Number(match[1]);
  return type <= 0xffff ? type : undefined;
}

/**
 * The number of a type mnemonic or TYPEnnn.
 * @throws ZonesealError TYPE_UNKNOWN
 */
export function parseType(text: string): number {
  const type = typeFromText(text);
  if (type === undefined) throw new ZonesealError('TYPE_UNKNOWN', `unknown type "${text}"`, { type: text });
  return type;
}

/** Whether a type is a meta or query type that no zone can hold (RFC 6895 §3.1: 0, OPT, 128 to 255). */
export function isMetaType(type: number): boolean {
  return type === 0 || type === RRType.OPT || (type >= 128 && type <= 255);
}
