import { octetKey } from '../dns/octet-key.js';
import type { RRset } from '../dns/record.js';
import { type Batches, BatchReader } from './batches.js';
import type { ZoneNode } from './node.js';
import { sortRdata } from './rrset.js';

/** One owner and type that two zones do not have alike. */
export type RRsetDifference =
  | { readonly kind: 'added'; readonly after: RRset }
  | { readonly kind: 'removed'; readonly before: RRset }
  | { readonly kind: 'changed'; readonly before: RRset; readonly after: RRset };

/** The records that a difference takes away and puts in, as an IXFR says it (RFC 1995 §4). */
export interface RecordChanges {
  readonly removed: RRset | undefined;
  readonly added: RRset | undefined;
}

/**
 * The differences between two streams of RRsets in canonical order (owners, then types ascending), in that order. RRsets are
 * alike when TTL and rdata octets are; the case of owners makes no difference, that of names in rdata does.
 */
export async function* diffRRsets(
  before: Batches<RRset>,
  after: Batches<RRset>,
): AsyncGenerator<RRsetDifference, void, undefined> {
  const old = new BatchReader(before);
  const young = new BatchReader(after);
  try {
    for (;;) {
      if (old.needsFill) await old.fill();
      if (young.needsFill) await young.fill();
      const a = old.current;
      const b = young.current;
      if (a === undefined && b === undefined) return;
      const order = a === undefined ? 1 : b === undefined ? -1 : compareRRsets(a, b);
      const difference = differenceOf(order <= 0 ? a : undefined, order >= 0 ? b : undefined);
      if (difference !== undefined) yield difference;
      if (order <= 0) old.advance();
      if (order >= 0) young.advance();
    }
  } finally {
    await Promise.all([old.close(), young.close()]);
  }
}

function differenceOf(before: RRset | undefined, after: RRset | undefined): RRsetDifference | undefined {
  if (before === undefined) return after && { kind: 'added', after };
  if (after === undefined) return { kind: 'removed', before };
  return sameContent(before, after) ? undefined : { kind: 'changed', before, after };
}

/** The RRsets of batches of nodes, for `diffRRsets`. */
export async function* rrsetsOfNodes(
  batches: Batches<ZoneNode>,
): AsyncGenerator<readonly RRset[], void, undefined> {
  for await (const nodes of batches) yield nodes.flatMap((node) => node.rrsets);
}

/** The records that leave and come; where the TTL changes, all records do (an RRset has one TTL, RFC 2181 §5.2). */
export function recordChanges(difference: RRsetDifference): RecordChanges {
  if (difference.kind === 'added') return { removed: undefined, added: difference.after };
  if (difference.kind === 'removed') return { removed: difference.before, added: undefined };
  const { before, after } = difference;
  if (before.ttl !== after.ttl) return { removed: before, added: after };
  return { removed: without(before, after), added: without(after, before) };
}

/** The order of RRsets in a zone: owners in canonical order, then types ascending. */
export function compareRRsets(a: RRset, b: RRset): number {
  return (a.owner === b.owner ? 0 : a.owner.compare(b.owner)) || a.type - b.type;
}

/** Whether two RRsets of one owner and type have the same TTL and the same octets of rdata, in the same order. */
export function sameContent(a: RRset, b: RRset): boolean {
  if (a.ttl !== b.ttl || a.rdata.length !== b.rdata.length) return false;
  for (let i = 0; i < a.rdata.length; i++)
    if (!sameOctets(a.rdata[i] as Uint8Array, b.rdata[i] as Uint8Array)) return false;
  return true;
}

/** Most rdata is so short that a call costs more. */
function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length > 64) return Buffer.compare(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The part of an RRset whose rdata another has not; undefined when there is none. */
function without(rrset: RRset, other: RRset): RRset | undefined {
  const known = new Set(other.rdata.map(octetKey));
  const rdata = rrset.rdata.filter((octets) => !known.has(octetKey(octets)));
  return rdata.length === 0 ? undefined : { ...rrset, rdata: sortRdata(rrset.type, rdata) };
}
