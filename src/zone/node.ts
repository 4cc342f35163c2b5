import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';

/**
 * What a name is to the zone (RFC 4035 §2.2, RFC 5155 §7.1): the apex; authoritative data; a delegation (NS below the
 * apex); occluded, which is everything below a zone cut (glue or not) or below a DNAME.
 */
export type NodeKind = 'apex' | 'authoritative' | 'delegation' | 'occluded';

/**
 * One owner as one view sees it. RRsets ascend by type; the rdata of each is in canonical order (RFC 4034 §6.3) and free
 * of duplicates. Nodes come in canonical order of their names (RFC 4034 §6.1).
 */
export interface ZoneNode {
  readonly name: Name;
  readonly kind: NodeKind;
  readonly rrsets: readonly RRset[];
}

/** The RRset of a type, if the node has one. */
export function findRRset(node: Pick<ZoneNode, 'rrsets'>, type: number): RRset | undefined {
  for (const rrset of node.rrsets) if (rrset.type === type) return rrset;
  return undefined;
}

/**
 * Whether the zone signs an RRset of this type at a node of this kind (RFC 4035 §2.2): everything it is authoritative
 * for. At a delegation that is DS (and the denial record) but neither NS nor glue; below a cut, nothing; RRSIGs never.
 */
export function isSigned(kind: NodeKind, type: number): boolean {
  if (type === RRType.RRSIG) return false;
  if (kind === 'delegation') return type === RRType.DS || type === RRType.NSEC;
  return kind !== 'occluded';
}

/** Whether a delegation has no DS, so that the child is insecure (RFC 5155 §6: what opt-out may leave out). */
export function isInsecureDelegation(node: ZoneNode): boolean {
  return node.kind === 'delegation' && findRRset(node, RRType.DS) === undefined;
}

/**
 * The types that a denial record proves at a node, without RRSIG, NSEC and NSEC3: those of all its RRsets, but at a
 * delegation NS and DS alone (RFC 4035 §2.3, RFC 5155 §7.1). Ascending; empty for occluded names, which have no denial
 * record.
 */
export function provenTypes(node: Pick<ZoneNode, 'kind' | 'rrsets'>): number[] {
  if (node.kind === 'occluded') return [];
  const types: number[] = [];
  for (const { type } of node.rrsets) {
    if (node.kind !== 'delegation' || type === RRType.NS || type === RRType.DS) types.push(type);
  }
  return types;
}
