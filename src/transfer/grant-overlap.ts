import { Name } from '../dns/name.js';
import { AddressRange } from './address-range.js';

/** What a TSIG key is granted, in words. */
export interface GrantTerms {
  readonly view: string;
  /** Names; null: every zone. */
  readonly zones: readonly string[] | null;
  /** Ranges; null: any address. */
  readonly addresses: readonly string[] | null;
}

/** Two grants of one key by which it would see a zone in two views at one address, and so in none. */
export interface GrantOverlap {
  readonly views: readonly [string, string];
  /** A zone that both are for; null: every zone. */
  readonly zone: string | null;
  /** The narrower of two ranges that both are for; null: any address. */
  readonly address: string | null;
}

/**
 * The first of some new grants that contradicts another one of the same key.
 * @throws ZonesealError NAME_INVALID, ACCESS_INVALID where a new one cannot be read
 */
export function findGrantOverlap(
  added: readonly GrantTerms[],
  present: readonly GrantTerms[],
): GrantOverlap | undefined {
  for (const [index, grant] of added.entries()) {
    for (const other of [...present, ...added.slice(0, index)]) {
      if (grant.view === other.view) continue;
      const zone = common(grant.zones, other.zones, (a, b) => (sameName(a, b) ? a : undefined));
      const address = common(grant.addresses, other.addresses, commonRange);
      if (zone === undefined || address === undefined) continue;
      return { views: [other.view, grant.view], zone, address };
    }
  }
  return undefined;
}

/** Something that is of both lists, null where both have everything; undefined where there is nothing. */
function common(
  a: readonly string[] | null,
  b: readonly string[] | null,
  meet: (a: string, b: string) => string | undefined,
): string | null | undefined {
  if (a === null || b === null) return (a ?? b)?.[0] ?? null;
  for (const one of a) {
    for (const other of b) {
      const both = meet(one, other);
      if (both !== undefined) return both;
    }
  }
  return undefined;
}

function sameName(a: string, b: string): boolean {
  return Name.parse(a, Name.root).equals(Name.parse(b, Name.root));
}

function commonRange(a: string, b: string): string | undefined {
  const [one, other] = [AddressRange.parse(a), AddressRange.parse(b)];
  if (!one.overlaps(other)) return undefined;
  return one.prefixLength < other.prefixLength ? b : a;
}
