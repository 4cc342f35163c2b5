import { type Message, readMessage } from '../dns/message.js';
import type { RRset } from '../dns/record.js';
import { RRClass, RRType } from '../dns/types.js';

/** SERIAL, REFRESH, RETRY, EXPIRE and MINIMUM end an SOA's rdata (RFC 1035 §3.3.13). */
const NUMBERS_OCTETS = 20;
/** Of them EXPIRE and MINIMUM. */
const EXPIRE_OCTETS = 8;

/** The serial of an SOA RRset. */
export function serialOf(soa: RRset): number {
  return serialOfRdata(soa.rdata[0] as Uint8Array);
}

/**
 * The serial that an IXFR client has: that of the one SOA of the zone in the authority section (RFC 1995 §3); undefined
 * when the query is not formed like that.
 */
export function ixfrSerial(query: Message): number | undefined {
  const [soa, ...others] = query.authority;
  const zone = query.question[0]?.name;
  if (soa === undefined || others.length > 0 || zone === undefined) return undefined;
  if (soa.type !== RRType.SOA || soa.class !== RRClass.IN || !soa.owner.equals(zone)) return undefined;
  return serialOfRdata(soa.rdata);
}

/** The seconds after which a nameserver that cannot refresh falls silent (RFC 1035 §3.3.13), of an SOA RRset. */
export function expireOf(soa: RRset): number {
  return expireOfRdata(soa.rdata[0] as Uint8Array);
}

/** The same, of the SOA that begins the first message of a transfer. */
export function expireOfFirstMessage(message: Uint8Array): number | undefined {
  const [soa] = readMessage(message).answer;
  return soa?.type === RRType.SOA ? expireOfRdata(soa.rdata) : undefined;
}

function expireOfRdata(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(
    rdata.length - EXPIRE_OCTETS,
  );
}

function serialOfRdata(rdata: Uint8Array): number {
  return new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength).getUint32(
    rdata.length - NUMBERS_OCTETS,
  );
}
