import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { typeToText } from '../../src/dns/types.js';
import { loadNodes } from '../../src/zone/load.js';
import type { ZoneNode } from '../../src/zone/node.js';
import type { ZoneRow } from '../../src/zone/row.js';

/** `[internal,external] owner ttl TYPE rdata`; the views and nothing else may be left out. */
const LINE = /^(?:\[([^\]]*)\]\s+)?(\S+)\s+(-?[0-9.]+)\s+(\S+)\s+(.*)$/;

/**
 * Rows as the store gives them, from lines of text: owners relative to the zone (or absolute), names in rdata absolute. Lines
 * of one owner, type and tag become one row; rows come in canonical order.
 */
export function rowsOf(zone: string, text: string): ZoneRow[] {
  const origin = Name.parse(zone);
  const rows = new Map<string, ZoneRow & { data: string[] }>();
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith(';')) continue;
    const match = LINE.exec(trimmed);
    if (match === null) throw new Error(`cannot read "${trimmed}"`);
    const [, tag, ownerText, ttl, type, data] = match as unknown as [
      string,
      string | undefined,
      string,
      string,
      string,
      string,
    ];
    const owner = Name.parse(ownerText, origin);
    const views = tag === undefined ? null : tag.split(',').filter((view) => view !== '');
    const key = `${owner.key} ${type} ${tag}`;
    const row = rows.get(key) ?? {
      owner: owner.toString(),
      sortKey: owner.sortKey(),
      type,
      ttl: Number(ttl),
      data: [],
      views,
    };
    row.data.push(data);
    rows.set(key, row);
  }
  return [...rows.values()].sort(
    (a, b) => Buffer.compare(a.sortKey, b.sortKey) || (a.type < b.type ? -1 : Number(a.type > b.type)),
  );
}

/** All nodes of a zone in one array. */
export async function nodesOf(zone: string, text: string, view: string | null = null): Promise<ZoneNode[]> {
  return collect(loadNodes([rowsOf(zone, text)], { zone: Name.parse(zone), view }));
}

/** The values of all batches. */
export async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

/** An RRset as lines of `owner ttl TYPE rdata`. */
export function linesOf(rrset: RRset): string[] {
  return rrset.rdata.map(
    (rdata) =>
      `${rrset.owner.toString()} ${rrset.ttl} ${typeToText(rrset.type)} ${formatRdata(rrset.type, rdata)}`,
  );
}

/** The SOA and NS that every zone needs. */
export const APEX = `
  @ 3600 SOA ns.other.test. hostmaster.other.test. 1 7200 3600 1209600 300
  @ 3600 NS ns.other.test.
`;
