import type { Name } from '../dns/name.js';
import { octetKey } from '../dns/octet-key.js';
import { RRType } from '../dns/types.js';
import {
  NSEC3_OPT_OUT,
  type Nsec3Parameters,
  nsec3Hash,
  nsec3Owner,
  nsec3Rdata,
  splitNsec3,
} from '../dnssec/nsec3.js';
import { ZonesealError } from '../errors.js';
import { type Entry, nodeOf, type Section } from './section.js';

/** What the NSEC3 records of a zone follow from. */
export interface Nsec3Rules extends Nsec3Parameters {
  readonly apex: Name;
  readonly ttl: number;
  readonly optOut: boolean;
}

const EMPTY = new Uint8Array(0);

/**
 * The NSEC3 chain of a zone while names come, go and change. Each record counts the names of the chain directly below
 * its own, so that an empty non-terminal is known to be needed (RFC 5155 §7.1) without looking at the names themselves.
 */
export class Nsec3Update {
  readonly #section: Section;
  readonly #rules: Nsec3Rules;
  /** Hashes that came or went: what is before them points elsewhere now. */
  readonly #moved = new Map<string, Uint8Array>();

  constructor(section: Section, rules: Nsec3Rules) {
    this.#section = section;
    this.#rules = rules;
  }

  /** Loads what changes of these names will need, with one question to the database. */
  async load(names: readonly Name[]): Promise<void> {
    const hashes: Uint8Array[] = [];
    for (const name of names) {
      for (let at = name; at.labelCount >= this.#rules.apex.labelCount; at = at.parent()) {
        hashes.push(this.#hash(at));
        if (at.isRoot) break;
      }
    }
    await this.#section.load(hashes);
  }

  /** A name that was not in the chain. @throws ZonesealError ZONE_INVALID when another name has its hash */
  async enter(name: Name, bitmap: Uint8Array): Promise<void> {
    const entry = await this.#section.get(this.#hash(name));
    if (entry === undefined) {
      await this.#insert(name, bitmap, 0);
      await this.#addChild(name.parent());
      return;
    }
    if (bitmapOf(entry).length > 0) throw this.#collision(name);
    this.#change(entry, { bitmap });
  }

  /** A name of the chain whose types changed, or may have. */
  async change(name: Name, bitmap: Uint8Array): Promise<void> {
    const entry = await this.#expect(name);
    if (Buffer.compare(bitmapOf(entry), bitmap) !== 0) this.#change(entry, { bitmap });
  }

  /** A name of the chain that is not to be in it any more, unless names below need it as an empty non-terminal. */
  async leave(name: Name): Promise<void> {
    const entry = await this.#expect(name);
    if (nodeOf(entry).children > 0) this.#change(entry, { bitmap: EMPTY });
    else await this.#remove(name, entry);
  }

  /** Points the records that concern it to what now comes next (RFC 5155 §7.1). */
  async finish(): Promise<void> {
    const concerned = new Set<Entry>();
    for (const hash of this.#moved.values()) {
      const present = await this.#section.get(hash);
      if (present !== undefined) concerned.add(present);
      const previous = (await this.#section.chainedBefore(hash)) ?? (await this.#section.chainedBefore(null));
      if (previous !== undefined) concerned.add(previous);
    }
    for (const entry of concerned) {
      const next = (await this.#section.chainedAfter(entry.key)) ?? (await this.#section.chainedAfter(EMPTY));
      if (next === undefined) throw new Error('a chain has the apex');
      if (Buffer.compare(nextOf(entry), next.key) !== 0) this.#change(entry, { next: next.key });
    }
  }

  async #addChild(name: Name): Promise<void> {
    const entry = await this.#section.get(this.#hash(name));
    if (entry !== undefined) {
      this.#change(entry, { children: nodeOf(entry).children + 1 });
      return;
    }
    if (name.labelCount <= this.#rules.apex.labelCount) throw this.#broken(name);
    await this.#insert(name, EMPTY, 1);
    await this.#addChild(name.parent());
  }

  async #remove(name: Name, entry: Entry): Promise<void> {
    await this.#section.remove(entry.key);
    this.#moved.set(octetKey(entry.key), entry.key);
    const parent = name.parent();
    const above = await this.#expect(parent);
    const children = nodeOf(above).children - 1;
    if (children < 0) throw this.#broken(parent);
    if (children === 0 && bitmapOf(above).length === 0) await this.#remove(parent, above);
    else this.#change(above, { children });
  }

  async #insert(name: Name, bitmap: Uint8Array, children: number): Promise<void> {
    const { apex, ttl, optOut } = this.#rules;
    const hash = this.#hash(name);
    const owner = nsec3Owner(hash, apex);
    const rdata = nsec3Rdata(this.#rules, optOut ? NSEC3_OPT_OUT : 0, hash, bitmap);
    const rrset = { owner, type: RRType.NSEC3, ttl, rdata: [rdata] };
    await this.#section.put({ name: owner, kind: 'nsec3', hash, children, rrsets: [rrset] });
    this.#moved.set(octetKey(hash), hash);
  }

  #change(
    entry: Entry,
    {
      bitmap = bitmapOf(entry),
      next = nextOf(entry),
      children = nodeOf(entry).children,
    }: {
      readonly bitmap?: Uint8Array;
      readonly next?: Uint8Array;
      readonly children?: number;
    },
  ): void {
    const { optOut, ttl } = this.#rules;
    const node = nodeOf(entry);
    const rdata = nsec3Rdata(this.#rules, optOut ? NSEC3_OPT_OUT : 0, next, bitmap);
    const rrset = { owner: node.name, type: RRType.NSEC3, ttl, rdata: [rdata] };
    this.#section.touch(entry, { ...node, children, rrsets: [rrset] });
  }

  async #expect(name: Name): Promise<Entry> {
    const entry = await this.#section.get(this.#hash(name));
    if (entry === undefined) throw this.#broken(name);
    return entry;
  }

  #hash(name: Name): Uint8Array {
    return nsec3Hash(name, this.#rules);
  }

  #collision(name: Name): ZonesealError {
    const zone = this.#rules.apex.toString();
    const reason = `${name} has the same NSEC3 hash as another name; choose another salt`;
    return new ZonesealError('ZONE_INVALID', `zone ${zone}: ${reason}`, {
      zone,
      owner: name.toString(),
      reason,
    });
  }

  #broken(name: Name): ZonesealError {
    const zone = this.#rules.apex.toString();
    return new ZonesealError('PAGES_LOST', `zone ${zone}: the stored NSEC3 chain does not fit ${name}`, {
      zone,
    });
  }
}

function split(entry: Entry): { next: Uint8Array; bitmap: Uint8Array } {
  const rdata = nodeOf(entry).rrsets[0]?.rdata[0];
  if (rdata === undefined) throw new Error('a node of the chain has an NSEC3 record');
  return splitNsec3(rdata);
}

function bitmapOf(entry: Entry): Uint8Array {
  return split(entry).bitmap;
}

function nextOf(entry: Entry): Uint8Array {
  return split(entry).next;
}
