import { createHash } from 'node:crypto';
import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import type { NodeKind, ZoneNode } from '../zone/node.js';

/** An RRset with the RRSIG rdatas over it; none where the zone does not sign it. */
export interface SignedRRset {
  readonly rrset: RRset;
  readonly signatures: readonly Uint8Array[];
  /** The print of the key that made each signature, in the same order. */
  readonly prints: readonly number[];
}

/** What a name is in a signed zone: a node of the zone, or the owner of an NSEC3 record. */
export type SignedKind = NodeKind | 'nsec3';

/** One name of a signed variant with all it owns there: RRsets by ascending type, the NSEC among them. */
export interface SignedNode {
  readonly name: Name;
  readonly kind: SignedKind;
  /** The hash that the name of an NSEC3 record is of (20 octets); undefined for names of the zone. */
  readonly hash: Uint8Array | undefined;
  /** Of an NSEC3 record: how many names of the chain are directly below the name that was hashed. */
  readonly children: number;
  readonly rrsets: readonly SignedRRset[];
}

/** A node before it is signed. */
export interface UnsignedNode extends Omit<SignedNode, 'rrsets'> {
  readonly rrsets: readonly RRset[];
  /** The node of this name as another view has it, signed. */
  readonly beside?: SignedNode | undefined;
}

/** A node of the zone, and what another view has of its name. */
export interface SourceNode extends ZoneNode {
  readonly beside?: SignedNode | undefined;
}

/** A node that another view has with the same RRsets, the denial record set aside: nothing is made for it but where that differs or signatures do not serve. */
export class SameNode implements SourceNode, UnsignedNode {
  readonly name: Name;
  readonly kind: NodeKind;
  readonly hash = undefined;
  readonly children = 0;
  readonly beside: SignedNode;

  /** @param beside of a name of the zone, not the apex: that has RRsets of the publication's own */
  constructor(beside: SignedNode) {
    const { kind } = beside;
    if (kind === 'apex' || kind === 'nsec3') throw new TypeError(`no ${kind} is the same in two views`);
    this.name = beside.name;
    this.kind = kind;
    this.beside = beside;
  }

  /** All but the denial record. */
  get rrsets(): readonly RRset[] {
    const own: RRset[] = [];
    for (const { rrset } of this.beside.rrsets) if (rrset.type !== RRType.NSEC) own.push(rrset);
    return own;
  }
}

/** The octets by which nodes of one section are in order: the sort key of the name, or the hash. */
export function nodeKey({ name, hash }: Pick<SignedNode, 'name' | 'hash'>): Uint8Array {
  return hash ?? name.sortKey();
}

/** The signed RRset of a type, if the node has one. */
export function findSigned(node: SignedNode, type: number): SignedRRset | undefined {
  for (const signed of node.rrsets) if (signed.rrset.type === type) return signed;
  return undefined;
}

/** The RRsets of a node in the order in which a transfer sends them: the SOA first (RFC 5936 §2.2). */
export function inTransferOrder({ kind, rrsets }: SignedNode): readonly SignedRRset[] {
  if (kind !== 'apex') return rrsets;
  const soa = rrsets.filter(({ rrset }) => rrset.type === RRType.SOA);
  return [...soa, ...rrsets.filter(({ rrset }) => rrset.type !== RRType.SOA)];
}

/** A number of 48 bits that tells public keys apart, also those that share a key tag. */
export function keyPrint(publicKey: Uint8Array): number {
  return createHash('sha256').update(publicKey).digest().readUIntBE(0, 6);
}
