import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType, typeToText } from '../dns/types.js';
import type { NodeKind, ZoneNode } from './node.js';
import { judgeNode } from './node-rules.js';
import type { Report } from './problem.js';

/**
 * Turns the RRsets that one view sees, owner by owner in canonical order, into nodes, and judges them. One pass suffices: in
 * canonical order everything below a cut or a DNAME follows it at once, so the topmost one is all there is to remember.
 */
export class NodeBuilder {
  readonly #zone: Name;
  readonly #report: Report;
  #cut: Name | undefined;
  #dname: Name | undefined;
  #apexSeen = false;

  constructor(zone: Name, report: Report) {
    this.#zone = zone;
    this.#report = report;
  }

  /** The next owner's node. Several RRsets of one type (rows whose views overlap) are reported, and the first stays. */
  build(name: Name, rrsets: readonly RRset[]): ZoneNode {
    const distinct = this.#distinct(name, rrsets);
    const node: ZoneNode = { name, kind: this.#place(name, distinct), rrsets: distinct };
    if (node.kind === 'apex') this.#judgeApex(node);
    else if (!this.#apexSeen) this.#judgeApex(undefined);
    judgeNode(node, this.#report);
    if (node.kind === 'occluded' && this.#dname !== undefined) this.#reportBelowDname(node, this.#dname);
    return node;
  }

  /** Reports what is missing when the last owner has been seen. */
  finish(): void {
    if (!this.#apexSeen) this.#judgeApex(undefined);
  }

  /**
   * The zone cut that a name lies strictly below, for a name that is not before the last one built. The cut is the topmost
   * one; undefined when there is none.
   */
  cutAbove(name: Name): Name | undefined {
    const cut = this.#cut;
    return cut !== undefined && name.labelCount > cut.labelCount && name.isAtOrBelow(cut) ? cut : undefined;
  }

  /** Finds out what a name is, and remembers a cut or DNAME that begins here (RFC 4035 §2.2, RFC 6672 §2.4). */
  #place(name: Name, rrsets: readonly RRset[]): NodeKind {
    if (this.#cut !== undefined) {
      if (name.isAtOrBelow(this.#cut)) return 'occluded';
      this.#cut = undefined;
    }
    if (this.#dname !== undefined) {
      if (name.isAtOrBelow(this.#dname)) return 'occluded';
      this.#dname = undefined;
    }
    const isApex = !this.#apexSeen && name.equals(this.#zone);
    if (!isApex && hasType(rrsets, RRType.NS)) {
      this.#cut = name;
      return 'delegation';
    }
    if (hasType(rrsets, RRType.DNAME)) this.#dname = name;
    return isApex ? 'apex' : 'authoritative';
  }

  #distinct(name: Name, rrsets: readonly RRset[]): readonly RRset[] {
    if (isAscending(rrsets)) return rrsets;
    const sorted = rrsets.toSorted((a, b) => a.type - b.type);
    const distinct = sorted.filter((rrset, i) => rrset.type !== sorted[i - 1]?.type);
    if (distinct.length < sorted.length) {
      const several = sorted.filter(
        (rrset, i) => rrset.type === sorted[i - 1]?.type && rrset.type !== sorted[i - 2]?.type,
      );
      for (const { type } of several) {
        this.#report({
          severity: 'error',
          rule: 'views-overlap',
          owner: name.toString(),
          type: typeToText(type),
          reason: 'several rows of this owner and type are seen by the same view',
          next: 'make their views distinct, or put their data into one row',
        });
      }
    }
    return distinct;
  }

  #judgeApex(apex: ZoneNode | undefined): void {
    this.#apexSeen = true;
    for (const [type, rule] of [
      [RRType.SOA, 'soa-missing'],
      [RRType.NS, 'ns-missing'],
    ] as const) {
      if (apex !== undefined && hasType(apex.rrsets, type)) continue;
      this.#report({
        severity: 'error',
        rule,
        owner: this.#zone.toString(),
        type: typeToText(type),
        reason: 'is missing at the apex',
        next: 'add it',
      });
    }
  }

  #reportBelowDname(node: ZoneNode, dname: Name): void {
    for (const { type } of node.rrsets) {
      this.#report({
        severity: 'error',
        rule: 'below-dname',
        owner: node.name.toString(),
        type: typeToText(type),
        reason: `lies below the DNAME of ${dname.toString()}, which hides it (RFC 6672 §2.4)`,
        next: 'delete it, or the DNAME',
      });
    }
  }
}

function isAscending(rrsets: readonly RRset[]): boolean {
  let previous = -1;
  for (const { type } of rrsets) {
    if (type <= previous) return false;
    previous = type;
  }
  return true;
}

function hasType(rrsets: readonly RRset[], type: number): boolean {
  for (const rrset of rrsets) if (rrset.type === type) return true;
  return false;
}
