import type { Name } from '../dns/name.js';
import { distinctOctets, octetKey } from '../dns/octet-key.js';
import { placedUnder } from '../signing/zone-stream.js';
import { loadNodes } from '../zone/load.js';
import type { ZoneNode } from '../zone/node.js';
import type { ZoneRow } from '../zone/row.js';
import { hiding } from './hiding.js';
import type { KeyRange } from './nsec-update.js';
import type { Publication, PublicationStore } from './ports.js';
import { nodeOf, type Section } from './section.js';

/** The names that a change concerns, as they are now. */
export interface Touched {
  /** In order, none overlapping: single names, and names with all that lies below them. */
  readonly ranges: readonly KeyRange[];
  /** The nodes in those ranges, in order. */
  readonly nodes: readonly ZoneNode[];
  /** The apex, which is read in any case. */
  readonly apex: ZoneNode;
}

/** Rows below names whose cut came or went; with more the zone is better made anew. */
const MAX_ROWS_BELOW = 20_000;

/**
 * What there is now of the owners that changed. Where a zone cut or DNAME has come or gone, everything below it
 * changes its kind with it. Names are judged with the cuts above them, whose rows are read as well.
 * @returns undefined when so much lies below a cut that the zone is better made anew
 * @throws ZonesealError ZONE_INVALID, RDATA_INVALID as `loadNodes` does
 */
export async function readTouched(
  publication: Publication,
  zone: Name,
  keys: readonly Uint8Array[],
  names: Section,
  store: Pick<PublicationStore, 'readRowsAt' | 'readRowsBelow'>,
): Promise<Touched | undefined> {
  const { zoneId, zoneVersion, view } = publication;
  const apexKey = zone.sortKey();
  const sorted = keys.toSorted((a, b) => Buffer.compare(a, b));
  const wanted = distinctOctets([
    apexKey,
    ...sorted.flatMap((key) => [...ancestors(key, apexKey.length), key]),
  ]);
  const [rows] = await Promise.all([store.readRowsAt(zoneId, zoneVersion, wanted), names.load(sorted)]);
  let nodes = await nodesOf(rows, zone, view);
  const ranges: KeyRange[] = [];
  const below: Uint8Array[] = [];
  for (const key of sorted) {
    const last = ranges.at(-1);
    if (last !== undefined && Buffer.compare(key, last.to) < 0) continue;
    const before = await names.get(key);
    const old = before === undefined ? undefined : hiding(nodeOf(before));
    const young = hiding(nodes.get(octetKey(key)));
    if (old === young) {
      ranges.push({ from: key, to: Buffer.concat([key, Uint8Array.of(0)]) });
    } else {
      ranges.push({ from: key, to: endOfBelow(key) });
      below.push(key);
    }
  }
  if (below.length > 0) {
    const more = await store.readRowsBelow(zoneId, zoneVersion, below, MAX_ROWS_BELOW);
    if (more === undefined) return undefined;
    const beside = rows.filter(({ sortKey }) => !below.some((key) => isBelow(sortKey, key)));
    const all = [...beside, ...more].sort((a, b) => Buffer.compare(a.sortKey, b.sortKey));
    nodes = await nodesOf(all, zone, view);
  }
  const apex = nodes.get(octetKey(apexKey));
  if (apex === undefined) throw new Error('loading a zone without an apex throws');
  return {
    ranges,
    nodes: [...nodes.values()].filter((node) => ranges.some((range) => isIn(node, range))),
    apex,
  };
}

async function nodesOf(rows: readonly ZoneRow[], zone: Name, view: string): Promise<Map<string, ZoneNode>> {
  const nodes = new Map<string, ZoneNode>();
  for await (const batch of loadNodes([rows], { zone, view })) {
    for (const node of batch) nodes.set(octetKey(node.name.sortKey()), placedUnder(zone, node));
  }
  return nodes;
}

/** Sort keys of the names between the apex and a name: each label ends with 0x00, which nothing else in a key is. */
function* ancestors(key: Uint8Array, apexOctets: number): Generator<Uint8Array, void, undefined> {
  for (let at = apexOctets; at < key.length - 1; at++) if (key[at] === 0) yield key.subarray(0, at + 1);
}

/** The first key after all that lie below one. */
function endOfBelow(key: Uint8Array): Uint8Array {
  const end = Uint8Array.from(key);
  end[end.length - 1] = 1;
  return end;
}

function isBelow(key: Uint8Array, ancestor: Uint8Array): boolean {
  return key.length > ancestor.length && Buffer.compare(key.subarray(0, ancestor.length), ancestor) === 0;
}

function isIn(node: ZoneNode, { from, to }: KeyRange): boolean {
  const key = node.name.sortKey();
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0;
}
