import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType, typeToText } from '../dns/types.js';
import type { Finding } from './problem.js';
import type { ViewMask } from './view-set.js';

/** Types whose target must not be an alias (RFC 2181 §10.3, RFC 2782), and where in the rdata the target begins. */
const TARGET_OFFSETS = new Map<number, number>([
  [RRType.NS, 0],
  [RRType.MX, 2],
  [RRType.SRV, 6],
]);

/** The names that records of a type point to, where such a name must not be an alias: those of NS, MX and SRV. */
export function targetsOf(type: number, rdata: readonly Uint8Array[]): Name[] {
  const offset = TARGET_OFFSETS.get(type);
  return offset === undefined ? [] : rdata.map((octets) => Name.readWire(octets, offset));
}

/** Where a target was first named, and in which views. */
interface Reference {
  readonly owner: Name;
  readonly type: number;
  readonly target: Name;
  views: ViewMask;
  /** How many more owners name the same target. */
  others: number;
}

/** An RRset with the views that see it. */
export interface SeenRRset {
  readonly rrset: RRset;
  readonly views: ViewMask;
}

/**
 * Rules about names that records point to, over all views at once. A target may come before or after the record that names
 * it, so aliases and targets inside the zone are remembered to the end; nothing else is.
 */
export class TargetRules {
  readonly #zone: Name;
  readonly #references = new Map<string, Reference>();
  readonly #aliases = new Map<string, ViewMask>();
  readonly #dnames = new Map<string, ViewMask>();
  readonly #wildcards = new Map<string, ViewMask>();
  /** Servers of the apex and of children that are named below themselves: they come after the NS, and need an address. */
  readonly #addressless = new Map<string, Reference>();

  constructor(zone: Name) {
    this.#zone = zone;
  }

  /** Takes the next owner's RRsets; `occluded` says in which views the owner is below a cut or DNAME. */
  add(name: Name, rrsets: readonly SeenRRset[], occluded: ViewMask): void {
    for (const { rrset, views } of rrsets) {
      const { type } = rrset;
      if (TARGET_OFFSETS.has(type)) this.#addTargets(rrset, views & ~occluded);
      else if (type === RRType.CNAME) addViews(this.#aliases, name.key, views & ~occluded);
      else if (type === RRType.DNAME) addViews(this.#dnames, name.key, views & ~occluded);
      else if (type === RRType.A || type === RRType.AAAA) this.#addAddress(name, views);
    }
  }

  /** What is wrong, with the views in which it is, when the last owner has been seen. */
  *finish(): Generator<{ readonly finding: Finding; readonly views: ViewMask }, void, undefined> {
    for (const reference of this.#references.values()) {
      const views = reference.views & this.#aliasViews(reference.target);
      if (views !== 0n) yield { finding: aliasFinding(reference), views };
    }
    for (const reference of this.#addressless.values()) {
      const { target } = reference;
      const views = reference.views & ~this.#aliasViews(target) & ~this.#wildcardViews(target);
      if (views !== 0n) yield { finding: addressFinding(reference), views };
    }
  }

  #addTargets({ owner, type, rdata }: RRset, views: ViewMask): void {
    if (views === 0n) return;
    for (const target of targetsOf(type, rdata)) {
      if (target.isRoot || !target.isAtOrBelow(this.#zone)) continue;
      addReference(this.#references, { owner, type, target, views, others: 0 });
      if (type === RRType.NS && target.isAtOrBelow(owner) && !target.equals(owner)) {
        addReference(this.#addressless, { owner, type, target, views, others: 0 });
      }
    }
  }

  #addAddress(name: Name, views: ViewMask): void {
    if (name.isWildcard) addViews(this.#wildcards, name.key, views);
    if (this.#addressless.size === 0) return;
    const key = `${RRType.NS} ${name.key}`;
    const waiting = this.#addressless.get(key);
    if (waiting === undefined) return;
    waiting.views &= ~views;
    if (waiting.views === 0n) this.#addressless.delete(key);
  }

  #aliasViews(target: Name): ViewMask {
    let views = this.#aliases.get(target.key) ?? 0n;
    if (this.#dnames.size === 0) return views;
    for (let name = target; !name.equals(this.#zone); ) {
      name = name.parent();
      views |= this.#dnames.get(name.key) ?? 0n;
    }
    return views;
  }

  #wildcardViews(target: Name): ViewMask {
    let views = 0n;
    if (this.#wildcards.size === 0) return views;
    for (let name = target; !name.equals(this.#zone); ) {
      name = name.parent();
      views |= this.#wildcards.get(`\u0001*${name.key}`) ?? 0n;
    }
    return views;
  }
}

function addViews(map: Map<string, ViewMask>, key: string, views: ViewMask): void {
  if (views !== 0n) map.set(key, (map.get(key) ?? 0n) | views);
}

function addReference(map: Map<string, Reference>, reference: Reference): void {
  const key = `${reference.type} ${reference.target.key}`;
  const known = map.get(key);
  if (known === undefined) {
    map.set(key, reference);
    return;
  }
  known.views |= reference.views;
  known.others++;
}

function aliasFinding({ owner, type, target, others }: Reference): Finding {
  const more = others === 0 ? '' : ` (as ${others} more do)`;
  return {
    severity: 'warning',
    rule: 'target-is-alias',
    owner: owner.toString(),
    type: typeToText(type),
    reason: `points to ${target.toString()}, which is an alias${more}`,
    next: 'point to the name that the alias stands for',
  };
}

function addressFinding({ owner, type, target }: Reference): Finding {
  return {
    severity: 'warning',
    rule: 'ns-without-address',
    owner: owner.toString(),
    type: typeToText(type),
    reason: `points to ${target.toString()}, which has no address in the zone`,
    next: 'add its A or AAAA, or point elsewhere',
  };
}
