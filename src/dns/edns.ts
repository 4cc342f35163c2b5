import { ZonesealError } from '../errors.js';

/** One EDNS option (RFC 6891 §6.1.2). */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

/** What an OPT record says (RFC 6891 §6.1). */
export interface Edns {
  /** The largest UDP payload that the sender takes, in octets. */
  readonly udpSize: number;
  /** The upper eight bits of the extended RCODE. */
  readonly extendedRcode: number;
  readonly version: number;
  /** The DO bit (RFC 3225). */
  readonly dnssecOk: boolean;
  readonly options: readonly EdnsOption[];
}

/** The EDNS version that is spoken here. */
export const EDNS_VERSION = 0;

/** Option codes (IANA DNS parameters) that the gateway and its clients name. */
export const EDNS_OPTION = {
  NSID: 3,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

/** Options read from one OPT record; there are some twenty in the registry. */
const MAX_OPTIONS = 128;

const DNSSEC_OK = 0x8000;

/**
 * Reads an OPT record from its fixed fields and its rdata; option data are views into the rdata.
 * @param udpSize the CLASS field
 * @param ttl the TTL field as an unsigned 32-bit number
 * @throws ZonesealError MESSAGE_INVALID
 */
export function parseEdns(udpSize: number, ttl: number, rdata: Uint8Array): Edns {
  const options: EdnsOption[] = [];
  let at = 0;
  while (at < rdata.length) {
    if (at + 4 > rdata.length) fail('an EDNS option is cut off');
    const code = ((rdata[at] as number) << 8) | (rdata[at + 1] as number);
    const end = at + 4 + (((rdata[at + 2] as number) << 8) | (rdata[at + 3] as number));
    if (end > rdata.length) fail('an EDNS option is cut off');
    if (options.length === MAX_OPTIONS) fail(`there are more than ${MAX_OPTIONS} EDNS options`);
    options.push({ code, data: rdata.subarray(at + 4, end) });
    at = end;
  }
  return {
    udpSize,
    extendedRcode: ttl >>> 24,
    version: (ttl >>> 16) & 0xff,
    dnssecOk: (ttl & DNSSEC_OK) !== 0,
    options,
  };
}

/** The TTL field of an OPT record: extended RCODE, version and flags (RFC 6891 §6.1.3); unsigned 32 bits. */
export function ednsTtl(edns: Edns): number {
  return ((edns.extendedRcode << 24) | (edns.version << 16) | (edns.dnssecOk ? DNSSEC_OK : 0)) >>> 0;
}

/** The octets of a whole OPT record: root owner, fixed fields and options. */
export function ednsLength(edns: Edns): number {
  let length = 11;
  for (const option of edns.options) length += 4 + option.data.length;
  return length;
}

/** The rdata of an OPT record. */
export function ednsRdata(options: readonly EdnsOption[]): Uint8Array {
  const rdata = new Uint8Array(options.reduce((length, option) => length + 4 + option.data.length, 0));
  const view = new DataView(rdata.buffer);
  let at = 0;
  for (const option of options) {
    view.setUint16(at, option.code);
    view.setUint16(at + 2, option.data.length);
    rdata.set(option.data, at + 4);
    at += 4 + option.data.length;
  }
  return rdata;
}

function fail(reason: string): never {
  throw new ZonesealError('MESSAGE_INVALID', reason, { reason });
}
