/**
 * The benchmark's zone, the same at every run: of each ten names one is a delegation (every second one with DS), one an
 * alias, one has two addresses, two have IPv6 as well, and MX and TXT come at every twentieth. 100,000 names make
 * 155,007 records, and 225,008 signatures with NSEC and one KSK and ZSK.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** Name of the benchmarks' zone. */
export const ZONE = 'bench.example.';

const SEED = 0x5eed;

/** Mulberry32: 32-bit pseudo-random numbers, the same on every machine. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** The lines of the zone in master-file form, absolute names. */
export function* zoneLines(zone: string, names: number): Generator<string> {
  const next = random(SEED);
  const octet = (): number => next() & 0xff;
  const hex = (digits: number): string => next().toString(16).padStart(8, '0').slice(0, digits);
  yield `${zone}\t3600\tIN\tSOA\tns1.${zone} hostmaster.${zone} 1 7200 900 1209600 300`;
  yield `${zone}\t3600\tIN\tNS\tns1.${zone}`;
  yield `${zone}\t3600\tIN\tNS\tns2.example.net.`;
  yield `${zone}\t3600\tIN\tMX\t10 mail1.example.net.`;
  yield `${zone}\t3600\tIN\tMX\t20 mail2.example.net.`;
  yield `ns1.${zone}\t3600\tIN\tA\t192.0.2.1`;
  yield `ns1.${zone}\t3600\tIN\tAAAA\t2001:db8::1`;
  for (let i = 0; i < names; i++) {
    const owner = `${hex(4)}-${i.toString(36)}.${zone}`;
    switch (i % 10) {
      case 0:
        yield `${owner}\t86400\tIN\tNS\tns1.${hex(6)}.example.net.`;
        yield `${owner}\t86400\tIN\tNS\tns2.${hex(6)}.example.net.`;
        if (i % 20 === 0) {
          yield `${owner}\t86400\tIN\tDS\t${next() & 0xffff} 13 2 ${Array.from({ length: 8 }, () => hex(8)).join('')}`;
        }
        continue;
      case 1:
        yield `${owner}\t3600\tIN\tCNAME\t${hex(6)}.example.net.`;
        continue;
      default:
        yield `${owner}\t3600\tIN\tA\t198.51.${octet()}.${octet()}`;
    }
    if (i % 10 === 2) yield `${owner}\t3600\tIN\tA\t203.0.${octet()}.${octet()}`;
    if (i % 10 === 3 || i % 10 === 4) yield `${owner}\t3600\tIN\tAAAA\t2001:db8:${hex(4)}::${hex(4)}`;
    if (i % 20 === 5) yield `${owner}\t3600\tIN\tMX\t10 ${hex(6)}.example.net.`;
    if (i % 20 === 6) yield `${owner}\t3600\tIN\tTXT\t"v=spf1 ip4:198.51.${octet()}.0/24 -all"`;
  }
}

/** Writes the zone to a master file; the number of its records. */
export async function writeZone(file: string, zone: string, names: number): Promise<number> {
  const out = createWriteStream(file);
  let block = '';
  let records = 0;
  for (const line of zoneLines(zone, names)) {
    records++;
    block += `${line}\n`;
    if (block.length > 65_536) {
      if (!out.write(block)) await once(out, 'drain');
      block = '';
    }
  }
  out.end(block);
  await once(out, 'finish');
  return records;
}
