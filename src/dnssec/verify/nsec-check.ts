import { Name } from '../../dns/name.js';
import { RRType } from '../../dns/types.js';
import { nameOfKey, type OwnerKey, ownerKey } from './owner-key.js';
import type { FaultList } from './report.js';
import { readTypes, typeDifference } from './type-set.js';
import { hasData, statedTypes, type VerifiedNode } from './verified-node.js';

/** What a denial chain of either kind does with the owners of a zone. */
export interface DenialCheck {
  /** Takes the owners in canonical order, the apex first. */
  add(node: VerifiedNode): void;
  finish(): void;
}

/** Judges the NSEC chain of a zone (RFC 4034 §4, RFC 4035 §2.3). */
export class NsecCheck implements DenialCheck {
  readonly #faults: FaultList;
  readonly #ttl: number | undefined;
  #first: VerifiedNode | undefined;
  #previous: { readonly node: VerifiedNode; readonly next: OwnerKey } | undefined;

  /** @param ttl what denial records have to have (RFC 9077 §3); undefined: any */
  constructor(faults: FaultList, ttl: number | undefined) {
    this.#faults = faults;
    this.#ttl = ttl;
  }

  add(node: VerifiedNode): void {
    const set = node.sets.get(RRType.NSEC);
    const needed = node.kind !== 'occluded' && node.kind !== 'hashed' && hasData(node);
    if (!needed) {
      if (set === undefined) return;
      const what = node.kind === 'occluded' ? 'an occluded owner' : 'an owner without data';
      this.#faults.error('nsec-unexpected', node, RRType.NSEC, `${what} has an NSEC record`);
      return;
    }
    this.#first ??= node;
    this.#expectNext(node);
    this.#previous = undefined;
    if (set === undefined) {
      this.#faults.error('nsec-missing', node, RRType.NSEC, 'there is no NSEC record');
      return;
    }
    const [record, ...others] = set.records;
    if (record === undefined) return;
    if (others.length > 0)
      this.#faults.error('nsec-multiple', node, RRType.NSEC, 'there is more than one NSEC record');
    checkDenialTtl(this.#faults, node, RRType.NSEC, record.ttl, this.#ttl);
    const next = Name.readWire(record.rdata, 0);
    this.#previous = { node, next: ownerKey(next) };
    const stated = readTypes(record.rdata.subarray(next.wire.length)) ?? [];
    const there = [...statedTypes(node), RRType.RRSIG, RRType.NSEC].sort((a, b) => a - b);
    const difference = typeDifference(stated, there);
    if (difference !== undefined) {
      this.#faults.error('nsec-bitmap', node, RRType.NSEC, `the bitmap ${difference}`);
    }
  }

  finish(): void {
    if (this.#first !== undefined) this.#expectNext(this.#first);
  }

  /** The record before has to name this owner. */
  #expectNext(node: VerifiedNode): void {
    if (this.#previous === undefined || this.#previous.next === node.key) return;
    const message = `the next owner is ${nameOfKey(this.#previous.next).toString()} instead of ${node.owner.toString()}`;
    this.#faults.error('nsec-next', this.#previous.node, RRType.NSEC, message);
  }
}

/** RFC 9077 §3. */
export function checkDenialTtl(
  faults: FaultList,
  node: VerifiedNode,
  type: number,
  ttl: number,
  expected: number | undefined,
): void {
  if (expected === undefined || ttl === expected) return;
  const message = `the TTL is ${ttl}; the lesser of the SOA TTL and minimum is ${expected}`;
  faults.error('denial-ttl', node, type, message);
}
