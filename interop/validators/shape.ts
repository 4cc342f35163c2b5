/** What a signed zone looks like, whoever signed it: every record, but for what time, chance and house rules decide. */
import { parseMasterFile } from '../../src/dns/master-file.js';
import type { WritableRecord } from '../../src/dns/master-writer.js';
import { Name } from '../../src/dns/name.js';
import { canonicalRdata, formatRdata } from '../../src/dns/rdata/index.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { decodeBitmap } from '../../src/dnssec/bitmap.js';
import { parseRrsig } from '../../src/dnssec/rrsig.js';

/** One line a record, sorted, each once. */
export function shapeOf(records: readonly WritableRecord[]): string[] {
  return [...new Set(records.map(lineOf))].sort();
}

/** The shape of a zone in a file. */
export async function shapeOfFile(file: string, apex: string): Promise<string[]> {
  const records: WritableRecord[] = [];
  for await (const record of parseMasterFile(file, { origin: Name.parse(apex), file })) records.push(record);
  return shapeOf(records);
}

function lineOf({ owner, type, ttl, rdata }: WritableRecord): string {
  return `${owner.toLower()} ${ttlOf(type, rdata, ttl)} ${typeToText(type)} ${rdataOf(type, rdata)}`;
}

/** Of NSEC3PARAM, which nothing but nameservers reads, every signer has a TTL of its own. */
function ttlOf(type: number, rdata: Uint8Array, ttl: number): string {
  const isParameters =
    type === RRType.NSEC3PARAM ||
    (type === RRType.RRSIG && parseRrsig(rdata).typeCovered === RRType.NSEC3PARAM);
  return isParameters ? '-' : `${ttl}`;
}

function rdataOf(type: number, rdata: Uint8Array): string {
  switch (type) {
    case RRType.RRSIG: {
      const { typeCovered, algorithm, labels, originalTtl, keyTag, signer } = parseRrsig(rdata);
      const ttl = typeCovered === RRType.NSEC3PARAM ? '-' : originalTtl;
      return `${typeToText(typeCovered)} ${algorithm} ${labels} ${ttl} ${keyTag} ${signer.toLower()}`;
    }
    case RRType.NSEC: {
      const next = Name.readWire(rdata, 0);
      return `${next.toLower()} ${typesOf(rdata.subarray(next.wire.length))}`;
    }
    case RRType.SOA: {
      // kzonesign counts the serial up
      const others = rdata.slice();
      others.fill(0, rdata.length - 20, rdata.length - 16);
      return formatRdata(type, canonicalRdata(type, others));
    }
    case RRType.ZONEMD:
      // over signatures that differ, the digests differ
      return rdata.length === 54
        ? formatRdata(type, rdata).split(' ').slice(1, 3).join(' ')
        : formatRdata(type, rdata);
    default:
      return formatRdata(type, canonicalRdata(type, rdata));
  }
}

const typesOf = (bitmap: Uint8Array): string => decodeBitmap(bitmap).map(typeToText).join(' ');
