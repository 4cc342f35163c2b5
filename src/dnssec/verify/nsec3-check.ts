import { RRType } from '../../dns/types.js';
import { checkDenialTtl, type DenialCheck } from './nsec-check.js';
import {
  type HashText,
  hashOf,
  hashOfLabel,
  labelOfHash,
  type Nsec3Parameters,
  type Nsec3Record,
  readNsec3,
  sameChain,
} from './nsec3-record.js';
import { keysBetween, nameOfKey, type OwnerKey } from './owner-key.js';
import type { FaultList, FaultPlace } from './report.js';
import { readTypes, typeDifference } from './type-set.js';
import { hasData, statedTypes, type VerifiedNode } from './verified-node.js';

const OPT_OUT = 1;
const SHA1_OCTETS = 20;

/** A name that exists: an owner or an empty non-terminal. */
interface ExistingName {
  readonly hash: HashText;
  readonly key: OwnerKey;
  readonly order: number;
  readonly types: readonly number[];
  /** False where opt-out may leave it out: delegations without DS, and empty non-terminals above these alone. */
  required: boolean;
}

/** An NSEC3 record of the chain; what every name has is kept as text, to be small. */
interface ChainLink {
  readonly hash: HashText;
  readonly next: HashText;
  readonly optOut: boolean;
  readonly bitmap: string;
  readonly key: OwnerKey;
  readonly order: number;
}

/** Judges the NSEC3 chain of a zone (RFC 5155 §7.1). Keeps some 200 octets a name. */
export class Nsec3Check implements DenialCheck {
  readonly #faults: FaultList;
  readonly #ttl: number | undefined;
  readonly #apex: OwnerKey;
  readonly #parameters: Nsec3Parameters;
  readonly #names: ExistingName[] = [];
  readonly #links: ChainLink[] = [];
  readonly #typeLists = new Map<string, readonly number[]>(); // one list for all names that have the same types
  readonly #bitmaps = new Map<string, string>();
  #open: ExistingName[] = []; // empty non-terminals above the last name
  #previousKey: OwnerKey;

  /** @param ttl what denial records have to have (RFC 9077 §3); undefined: any */
  constructor(faults: FaultList, ttl: number | undefined, apex: OwnerKey, parameters: Nsec3Parameters) {
    this.#faults = faults;
    this.#ttl = ttl;
    this.#apex = apex;
    this.#parameters = parameters;
    this.#previousKey = apex;
  }

  /** How many names exist, empty non-terminals counted. */
  get nameCount(): number {
    return this.#names.length;
  }

  add(node: VerifiedNode): void {
    if (node.sets.has(RRType.NSEC3)) this.#addLink(node);
    if (node.kind === 'occluded' || node.kind === 'hashed' || !hasData(node)) return;
    const types = statedTypes(node);
    const required = node.kind !== 'delegation' || types.includes(RRType.DS);
    if (required) types.push(RRType.RRSIG);
    this.#addNonTerminals(node, required);
    this.#addName(node.key, node.owner.wire, node.order, types, required);
    this.#previousKey = node.key;
  }

  finish(): void {
    this.#names.sort(byHash);
    this.#links.sort(byHash);
    this.#checkCollisions();
    this.#checkChain();
    this.#checkNames();
  }

  /** The names between this owner and the apex that have no records and were not below the name before. */
  #addNonTerminals(node: VerifiedNode, required: boolean): void {
    this.#open = this.#open.filter((name) => node.key.startsWith(name.key));
    for (const key of keysBetween(node.key, this.#apex)) {
      if (this.#previousKey.startsWith(key)) continue;
      this.#open.push(this.#addName(key, nameOfKey(key).wire, node.order, [], false));
    }
    if (required) for (const name of this.#open) name.required = true;
  }

  #addName(key: OwnerKey, wire: Uint8Array, order: number, types: number[], required: boolean): ExistingName {
    types.sort((a, b) => a - b);
    const text = types.join();
    let shared = this.#typeLists.get(text);
    if (shared === undefined) {
      shared = types;
      this.#typeLists.set(text, shared);
    }
    const name = { hash: hashOf(wire, this.#parameters), key, order, types: shared, required };
    this.#names.push(name);
    return name;
  }

  #addLink(node: VerifiedNode): void {
    const faults = this.#faults;
    const set = node.sets.get(RRType.NSEC3);
    const read = (set?.records ?? []).map(({ rdata, ttl }) => ({ ...readNsec3(rdata), ttl }));
    for (const { ttl, flags } of read) {
      checkDenialTtl(faults, node, RRType.NSEC3, ttl, this.#ttl);
      if ((flags & ~OPT_OUT) !== 0) faults.error('nsec3-flags', node, RRType.NSEC3, `the flags are ${flags}`);
    }
    const ours = read.filter(
      (record) => sameChain(record, this.#parameters) && record.next.length === SHA1_OCTETS,
    );
    if (ours.length < read.length) {
      faults.error('nsec3-parameters', node, RRType.NSEC3, 'the parameters are not those of NSEC3PARAM');
    }
    const [record, ...others] = ours;
    if (record === undefined) return;
    if (others.length > 0)
      faults.error('nsec3-multiple', node, RRType.NSEC3, 'there is more than one NSEC3 record');
    const hash = this.#hashOfOwner(node);
    if (hash === undefined) {
      faults.error('nsec3-owner', node, RRType.NSEC3, 'the owner is not a hash directly below the apex');
      return;
    }
    this.#links.push(this.#makeLink(node, hash, record));
  }

  #hashOfOwner(node: VerifiedNode): HashText | undefined {
    const between = keysBetween(node.key, this.#apex);
    const label = node.owner.labels()[0];
    return between.length > 0 || node.kind === 'apex' || label === undefined ? undefined : hashOfLabel(label);
  }

  #makeLink(node: VerifiedNode, hash: HashText, record: Nsec3Record): ChainLink {
    const text = Buffer.from(record.bitmap).toString('latin1');
    const bitmap = this.#bitmaps.get(text) ?? text;
    this.#bitmaps.set(bitmap, bitmap);
    const optOut = (record.flags & OPT_OUT) !== 0;
    return { hash, next: record.next, optOut, bitmap, key: node.key, order: node.order };
  }

  #checkCollisions(): void {
    for (let i = 1; i < this.#names.length; i++) {
      const [a, b] = [this.#names[i - 1], this.#names[i]];
      if (a === undefined || b === undefined || a.hash !== b.hash) continue;
      const message = `its hash is also that of ${nameOfKey(a.key).toString()}`;
      this.#faults.error('nsec3-collision', placeOf(b), undefined, message);
    }
  }

  #checkChain(): void {
    this.#links.forEach((link, i) => {
      const next = this.#links[(i + 1) % this.#links.length];
      if (next === undefined || link.next === next.hash) return;
      const message = `the next hash is ${labelOfHash(link.next)} instead of ${labelOfHash(next.hash)}`;
      this.#faults.error('nsec3-next', placeOf(link), RRType.NSEC3, message);
    });
  }

  /** Walks names and records side by side, both in the order of their hashes. */
  #checkNames(): void {
    let at = 0;
    for (const name of this.#names) {
      for (
        let link = this.#links[at];
        link !== undefined && link.hash < name.hash;
        link = this.#links[++at]
      ) {
        this.#unexpected(link);
      }
      const link = this.#links[at];
      if (link === undefined || link.hash !== name.hash) {
        this.#missing(name, this.#links.at(at - 1)); // before the first one comes the last one
        continue;
      }
      at++;
      const stated = readTypes(Buffer.from(link.bitmap, 'latin1')) ?? [];
      const difference = typeDifference(stated, name.types);
      if (difference === undefined) continue;
      const message = `the bitmap, of ${nameOfKey(name.key).toString()}, ${difference}`;
      this.#faults.error('nsec3-bitmap', placeOf(link), RRType.NSEC3, message);
    }
    for (const link of this.#links.slice(at)) this.#unexpected(link);
  }

  #unexpected(link: ChainLink): void {
    this.#faults.error('nsec3-unexpected', placeOf(link), RRType.NSEC3, 'no name in the zone has this hash');
  }

  #missing(name: ExistingName, covering: ChainLink | undefined): void {
    const hash = labelOfHash(name.hash);
    if (name.required) {
      this.#faults.error(
        'nsec3-missing',
        placeOf(name),
        RRType.NSEC3,
        `there is no NSEC3 record for its hash ${hash}`,
      );
    } else if (covering?.optOut !== true) {
      const message = `no NSEC3 record has or, by opt-out, covers its hash ${hash}`;
      this.#faults.error('nsec3-opt-out', placeOf(name), RRType.NSEC3, message);
    }
  }
}

function byHash(a: { readonly hash: HashText }, b: { readonly hash: HashText }): number {
  return a.hash < b.hash ? -1 : Number(a.hash > b.hash);
}

function placeOf({ key, order }: { readonly key: OwnerKey; readonly order: number }): FaultPlace {
  return { owner: nameOfKey(key), order };
}
