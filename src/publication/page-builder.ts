import type { Name } from '../dns/name.js';
import { type PackedPage, packedOctets, packPage } from '../signing/page-codec.js';
import type { SignedNode } from '../signing/signed-node.js';

/** Where a page ends: large enough that a zone is few rows, small enough that a change rewrites little. */
export const PAGE_OCTETS = 16 * 1024;

/** Puts nodes that come in order into pages. */
export class PageBuilder {
  readonly #zone: Name;
  readonly #limit: number;
  #nodes: SignedNode[] = [];
  #octets = 0;

  /** @param limit octets at which a page ends */
  constructor(zone: Name, limit = PAGE_OCTETS) {
    this.#zone = zone;
    this.#limit = limit;
  }

  /** Takes a node; returns the page that ended before it, if one did. */
  add(node: SignedNode): PackedPage | undefined {
    const octets = packedOctets(node);
    const first = this.#nodes[0];
    const isFull = this.#octets + octets > this.#limit;
    // each section has pages of its own
    const isOther = (first?.kind === 'nsec3') !== (node.kind === 'nsec3');
    const ended = first !== undefined && (isFull || isOther) ? this.finish() : undefined;
    this.#nodes.push(node);
    this.#octets += octets;
    return ended;
  }

  /** The page that is open, which ends here. */
  finish(): PackedPage | undefined {
    if (this.#nodes.length === 0) return undefined;
    const page = packPage(this.#nodes, this.#zone);
    this.#nodes = [];
    this.#octets = 0;
    return page;
  }
}

/** Nodes of one section as pages. */
export function pagesOf(nodes: readonly SignedNode[], zone: Name, limit?: number): PackedPage[] {
  const builder = new PageBuilder(zone, limit);
  const pages: PackedPage[] = [];
  for (const node of nodes) {
    const ended = builder.add(node);
    if (ended !== undefined) pages.push(ended);
  }
  const last = builder.finish();
  if (last !== undefined) pages.push(last);
  return pages;
}
