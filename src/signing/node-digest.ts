import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { mergeOwners } from '../dnssec/merge-owners.js';
import { type OwnerRecords, ZonemdDigest } from '../dnssec/zonemd.js';
import type { Batches } from '../zone/batches.js';
import type { SignedNode, SignedRRset } from './signed-node.js';

/** All records of a signed node as the digest takes them, its RRSIGs with them. */
export function ownerRecords({ name, rrsets }: Pick<SignedNode, 'name' | 'rrsets'>): OwnerRecords {
  return { name, rrsets: rrsets.flatMap(withSignatures) };
}

function withSignatures({ rrset, signatures }: SignedRRset): RRset[] {
  if (signatures.length === 0) return [rrset];
  return [rrset, { owner: rrset.owner, type: RRType.RRSIG, ttl: rrset.ttl, rdata: signatures }];
}

/**
 * The ZONEMD digest (RFC 8976 §3.3) over a signed variant, from its two sections: the names of the zone and the owners of
 * NSEC3 records, which lie among them. Each in canonical order.
 */
export async function digestNodes(
  zone: Name,
  names: Batches<SignedNode>,
  chain: Batches<SignedNode>,
): Promise<Uint8Array> {
  const digest = new ZonemdDigest(zone);
  for await (const owners of mergeOwners(owned(names), owned(chain)))
    for (const owner of owners) digest.addOwner(owner);
  return digest.digest();
}

async function* owned(nodes: Batches<SignedNode>): AsyncGenerator<readonly OwnerRecords[], void, undefined> {
  for await (const batch of nodes) yield batch.map(ownerRecords);
}

/**
 * The digest over what `signZone` yields, in memory: for whoever keeps no pages of it. With NSEC, nodes go into the
 * digest as they come; with NSEC3 all are held, since the owners of the chain lie among those of the zone and come after them.
 */
export class StreamDigest {
  readonly #zone: Name;
  readonly #direct: ZonemdDigest | undefined;
  readonly #names: SignedNode[] = [];
  readonly #chain: SignedNode[] = [];

  constructor(zone: Name, denial: 'nsec' | 'nsec3') {
    this.#zone = zone;
    if (denial === 'nsec') this.#direct = new ZonemdDigest(zone);
  }

  /** Takes a node in its order. */
  add(node: SignedNode): void {
    if (this.#direct !== undefined) this.#direct.addOwner(ownerRecords(node));
    else (node.kind === 'nsec3' ? this.#chain : this.#names).push(node);
  }

  /** The digest over everything added; nothing can be added after it. */
  finish(): Promise<Uint8Array> {
    if (this.#direct !== undefined) return Promise.resolve(this.#direct.digest());
    return digestNodes(this.#zone, [this.#names], [this.#chain]);
  }
}
