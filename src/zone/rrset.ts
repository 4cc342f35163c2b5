import { canonicalRdata, compareOctets } from '../dns/rdata/index.js';

/** One record's rdata beside its canonical form. */
interface Entry {
  readonly plain: Uint8Array;
  readonly canonical: Uint8Array;
}

/**
 * The rdata of an RRset in canonical order without duplicates (RFC 4034 §6.3), in plain form (case kept). Of records that
 * differ in the case of names alone, the one with the lesser octets stays, whatever order they came in.
 */
export function sortRdata(type: number, rdata: readonly Uint8Array[]): readonly Uint8Array[] {
  if (rdata.length < 2 || isSorted(type, rdata)) return rdata;
  const entries = rdata.map((plain): Entry => ({ plain, canonical: canonicalRdata(type, plain) }));
  entries.sort((a, b) => compareOctets(a.canonical, b.canonical) || compareOctets(a.plain, b.plain));
  const sorted: Uint8Array[] = [];
  let previous: Uint8Array | undefined;
  for (const { plain, canonical } of entries) {
    if (previous === undefined || compareOctets(previous, canonical) !== 0) sorted.push(plain);
    previous = canonical;
  }
  return sorted;
}

/** Whether rdata is in canonical order and free of duplicates as it is. */
function isSorted(type: number, rdata: readonly Uint8Array[]): boolean {
  let previous: Uint8Array | undefined;
  for (const plain of rdata) {
    const canonical = canonicalRdata(type, plain);
    if (previous !== undefined && compareOctets(previous, canonical) >= 0) return false;
    previous = canonical;
  }
  return true;
}
