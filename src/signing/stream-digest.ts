import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { mergeOwners } from '../dnssec/merge-owners.js';
import { type OwnerRecords, ZonemdDigest } from '../dnssec/zonemd.js';
import type { SignedRRset } from './sign-zone.js';

/** RRsets that follow one another, put together by owner. */
class OwnerCollector {
  readonly #take: (owner: OwnerRecords) => void;
  #name: Name | undefined;
  #rrsets: RRset[] = [];

  constructor(take: (owner: OwnerRecords) => void) {
    this.#take = take;
  }

  add({ rrset, signatures }: SignedRRset): void {
    if (this.#name === undefined || !this.#name.equals(rrset.owner)) {
      this.finish();
      this.#name = rrset.owner;
    }
    this.#rrsets.push(rrset);
    if (signatures.length > 0) {
      this.#rrsets.push({ owner: rrset.owner, type: RRType.RRSIG, ttl: rrset.ttl, rdata: signatures });
    }
  }

  finish(): void {
    if (this.#name !== undefined) this.#take({ name: this.#name, rrsets: this.#rrsets });
    this.#name = undefined;
    this.#rrsets = [];
  }
}

/**
 * The ZONEMD digest over what `signZone` yields, in memory: for whoever keeps no image of it. With NSEC, owners go into the
 * digest as they come; with NSEC3 all are held, since the names of the chain lie among those of the zone and come after them.
 */
export class StreamDigest {
  readonly #digest: ZonemdDigest;
  readonly #names: OwnerCollector;
  readonly #hashes: OwnerCollector;
  readonly #heldNames: OwnerRecords[] = [];
  readonly #heldHashes: OwnerRecords[] = [];

  constructor(zone: Name, denial: 'nsec' | 'nsec3') {
    this.#digest = new ZonemdDigest(zone);
    this.#names = new OwnerCollector(
      denial === 'nsec' ? (owner) => this.#digest.addOwner(owner) : (owner) => this.#heldNames.push(owner),
    );
    this.#hashes = new OwnerCollector((owner) => this.#heldHashes.push(owner));
  }

  /** Takes what was yielded, in its order. */
  add(batch: readonly SignedRRset[]): void {
    for (const signed of batch) (signed.rrset.type === RRType.NSEC3 ? this.#hashes : this.#names).add(signed);
  }

  /** The digest over everything added; nothing can be added after it. */
  async finish(): Promise<Uint8Array> {
    this.#names.finish();
    this.#hashes.finish();
    for await (const owners of mergeOwners([this.#heldNames], [this.#heldHashes])) {
      for (const owner of owners) this.#digest.addOwner(owner);
    }
    return this.#digest.digest();
  }
}
