import { RRType } from '../dns/types.js';
import { findSigned, type SignedKind, type SignedNode } from '../signing/signed-node.js';
import { findRRset, type ZoneNode } from '../zone/node.js';

/** Whether and how a node hides what lies below it. */
export type Hiding = 'nothing' | 'cut' | 'dname';

export function hiding(node: (Pick<ZoneNode, 'rrsets'> & { readonly kind: SignedKind }) | undefined): Hiding {
  return node === undefined ? 'nothing' : byKind(node.kind, findRRset(node, RRType.DNAME) !== undefined);
}

/** The same of a signed node. */
export function hidingOf(node: SignedNode | undefined): Hiding {
  return node === undefined ? 'nothing' : byKind(node.kind, findSigned(node, RRType.DNAME) !== undefined);
}

function byKind(kind: SignedKind, hasDname: boolean): Hiding {
  if (kind === 'occluded') return 'nothing';
  if (kind === 'delegation') return 'cut';
  return hasDname ? 'dname' : 'nothing';
}
