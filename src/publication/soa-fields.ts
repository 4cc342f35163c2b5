/** SOA rdata ends in five numbers of 32 bits: serial, refresh, retry, expire, minimum (RFC 1035 §3.3.13). */
function numbers(rdata: Uint8Array): DataView {
  return new DataView(rdata.buffer, rdata.byteOffset + rdata.length - 20, 20);
}

/** The serial of SOA rdata. */
export function serialIn(rdata: Uint8Array): number {
  return numbers(rdata).getUint32(0);
}

/** The seconds after which a secondary without contact stops serving the zone. */
export function expireOf(rdata: Uint8Array): number {
  return numbers(rdata).getUint32(12);
}

/** The minimum field: what denial of existence is cached for (RFC 2308 §4). */
export function minimumOf(rdata: Uint8Array): number {
  return numbers(rdata).getUint32(16);
}

/** The TTL of answers that something is not there (RFC 2308 §3). */
export function negativeTtl({ ttl, rdata }: { readonly ttl: number; readonly rdata: Uint8Array }): number {
  return Math.min(ttl, minimumOf(rdata));
}

/**
 * Until when signatures are safe, of which the first expires at an instant: a nameserver that loses contact then serves the zone for the
 * SOA's expire, and caches what they have of it for the largest TTL.
 */
export function safeUntil(expiresAt: number, soa: Uint8Array, maxTtl: number): number {
  return expiresAt - expireOf(soa) - maxTtl;
}

/** Whether two SOA rdatas say the same but for the serial. */
export function sameButSerial(a: Uint8Array, b: Uint8Array): boolean {
  const blank = (rdata: Uint8Array): Uint8Array => {
    const copy = rdata.slice();
    numbers(copy).setUint32(0, 0);
    return copy;
  };
  return Buffer.compare(blank(a), blank(b)) === 0;
}
