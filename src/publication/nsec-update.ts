import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { encodeBitmap } from '../dnssec/bitmap.js';
import { nsecRdata, nsecTypes } from '../dnssec/nsec.js';
import { addRRset } from '../signing/zone-stream.js';
import { sameContent } from '../zone/diff.js';
import { type Entry, nodeOf, type Section } from './section.js';

/** A range of names of which the nodes were replaced: sort keys, the end not included. */
export interface KeyRange {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** What the NSEC records of a zone follow from. */
export interface NsecRules {
  readonly apex: Name;
  readonly ttl: number;
  /** Types of the apex that are not among its stored RRsets. */
  readonly apexTypes: readonly number[];
}

/**
 * Puts the NSEC chain in order where nodes were replaced: each node of the ranges gets its NSEC, and the node before
 * each range one that points to what now comes next (RFC 4034 §4.1.1).
 */
export async function updateNsec(
  section: Section,
  ranges: readonly KeyRange[],
  { apex, ttl, apexTypes }: NsecRules,
): Promise<void> {
  const concerned = new Set<Entry>();
  for (const { from, to } of ranges) {
    const previous = await section.chainedBefore(from);
    if (previous !== undefined) concerned.add(previous);
    for (const entry of await section.range(from, to)) concerned.add(entry);
  }
  for (const entry of concerned) {
    const node = nodeOf(entry);
    if (node.kind === 'occluded' || node.kind === 'nsec3') continue;
    const next = await section.chainedAfter(entry.key);
    const plain = { ...node, rrsets: node.rrsets.filter(({ type }) => type !== RRType.NSEC) };
    const bitmap = encodeBitmap(
      nsecTypes({ kind: node.kind, rrsets: plain.rrsets }, node.kind === 'apex' ? apexTypes : []),
    );
    const nsec: RRset = {
      owner: node.name,
      type: RRType.NSEC,
      ttl,
      rdata: [nsecRdata(next === undefined ? apex : nodeOf(next).name, bitmap)],
    };
    const present = node.rrsets.find(({ type }) => type === RRType.NSEC);
    if (present === undefined || !sameContent(present, nsec)) section.touch(entry, addRRset(plain, nsec));
  }
}
