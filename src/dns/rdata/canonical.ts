import { rdataParts } from './names.js';
import { A6_TYPE, a6NameOffset } from './obsolete.js';
import { copyOctets } from './wire.js';

/**
 * The canonical form of well-formed plain rdata: names in lower case for the types of RFC 4034 §6.2 as amended by
 * RFC 6840 §5.1. Returns the same array where nothing changes.
 */
export function canonicalRdata(type: number, rdata: Uint8Array): Uint8Array {
  const parts = rdataParts(type);
  if (parts === undefined) return type === A6_TYPE ? canonicalA6(rdata) : rdata;
  let out = rdata;
  let at = 0;
  for (const part of parts) {
    if (part.kind === 'octets') at += part.length;
    else if (part.kind === 'string') at += 1 + (rdata[at] as number);
    else {
      const end = nameEnd(rdata, at);
      if (part.lower) out = lowerRange(rdata, out, at, end);
      at = end;
    }
  }
  return out;
}

function canonicalA6(rdata: Uint8Array): Uint8Array {
  const at = a6NameOffset(rdata);
  return at === undefined ? rdata : lowerRange(rdata, rdata, at, rdata.length);
}

function nameEnd(rdata: Uint8Array, start: number): number {
  let at = start;
  for (let length = rdata[at]; length !== 0 && length !== undefined; length = rdata[at]) at += length + 1;
  return at + 1;
}

/** Lower-cases a range; `rdata` is copied before the first change. */
function lowerRange(rdata: Uint8Array, current: Uint8Array, start: number, end: number): Uint8Array {
  let out = current;
  for (let at = start; at < end; at++) {
    const octet = rdata[at] as number;
    if (octet < 0x41 || octet > 0x5a) continue;
    if (out === rdata) out = copyOctets(rdata);
    out[at] = octet + 0x20;
  }
  return out;
}

/** The order of records within an RRset: canonical rdata as octet strings, a prefix first (RFC 4034 §6.3). */
export function compareOctets(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
