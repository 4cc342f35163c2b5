import { RRType } from '../../dns/types.js';
import type { OwnerRecords, RecordSet } from './record-table.js';

/**
 * What an owner is to the zone: its apex; an owner whose data the zone answers with; a zone cut, where the zone has NS and
 * DS alone; occluded, below a cut or a DNAME; or the hashed owner of an NSEC3 record and nothing else.
 */
export type OwnerKind = 'apex' | 'authoritative' | 'delegation' | 'occluded' | 'hashed';

/** One owner of the zone that is verified. */
export interface VerifiedNode extends OwnerRecords {
  readonly kind: OwnerKind;
}

const DENIAL_TYPES: ReadonlySet<number> = new Set([RRType.RRSIG, RRType.NSEC, RRType.NSEC3]);

/** Whether a type is data, and not made by signing at this very owner. */
export function isData(type: number): boolean {
  return !DENIAL_TYPES.has(type);
}

/** Whether the owner has data; without it, it does not exist by itself. */
export function hasData(node: OwnerRecords): boolean {
  for (const type of node.sets.keys()) if (isData(type)) return true;
  return false;
}

/** Whether the zone signs what an owner has of a type (RFC 4035 §2.2). */
export function isSigned(node: VerifiedNode, type: number): boolean {
  if (type === RRType.RRSIG || node.kind === 'occluded') return false;
  if (node.kind !== 'delegation') return true;
  return type === RRType.DS || type === RRType.NSEC || type === RRType.NSEC3;
}

/**
 * The types of data whose existence the denial records of an owner state, ascending: at a delegation NS and DS
 * (RFC 4035 §2.3, RFC 5155 §7.1).
 */
export function statedTypes(node: VerifiedNode): number[] {
  const types: number[] = [];
  for (const type of node.sets.keys()) {
    if (!isData(type)) continue;
    if (node.kind === 'delegation' && type !== RRType.NS && type !== RRType.DS) continue;
    types.push(type);
  }
  return types;
}

/** Tells the kinds of owners that come in canonical order. */
export class OwnerClassifier {
  readonly #apex: string;
  #cover: string | undefined; // the delegation or DNAME that occludes what is below it
  /** Whether the last occluded owner is below a DNAME. */
  belowDname = false;

  constructor(apex: string) {
    this.#apex = apex;
  }

  kindOf(node: OwnerRecords): OwnerKind {
    const { key, sets } = node;
    if (sets.has(RRType.NSEC3) && !hasData(node)) return 'hashed';
    if (this.#cover !== undefined && key.startsWith(this.#cover) && key !== this.#cover) return 'occluded';
    const isCut = key !== this.#apex && sets.has(RRType.NS);
    this.#cover = isCut || sets.has(RRType.DNAME) ? key : undefined;
    this.belowDname = !isCut && this.#cover !== undefined;
    if (key === this.#apex) return 'apex';
    return isCut ? 'delegation' : 'authoritative';
  }
}

/** The only record of a set, or the first one. */
export function firstRdata(set: RecordSet | undefined): Uint8Array | undefined {
  return set?.records[0]?.rdata;
}
