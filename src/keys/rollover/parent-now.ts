import type { Name } from '../../dns/name.js';
import { dnskeyRdata, dsMatches, parseDs, strongestDs } from '../../dnssec/dnskey.js';
import type { ZoneKey } from '../key-set.js';
import type { SilentServer } from './model.js';
import type { ParentNow, PresentDs } from './ports.js';

/** What one of the parent's nameservers was last seen with. */
export interface LastSighting {
  /** Its address; empty: an operator said it of all. */
  readonly server: string;
  /** DS rdata in order; none: there is no DS. Null: it has never answered. */
  readonly ds: readonly Uint8Array[] | null;
  readonly ttl: number | null;
  /** When it was first seen with that, and last, nothing else in between. Seconds since 1970, with their fraction: what an operator says may follow at once. */
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/**
 * What the parent has, from what each of its nameservers was last seen with; what an operator said counts as seen at all of them.
 * Null while one has never answered, or there is nothing to go by.
 */
export function parentNow(
  zone: Name,
  keys: readonly ZoneKey[],
  sightings: readonly LastSighting[],
): ParentNow | null {
  const { servers, said } = partsOf(sightings);
  const present = servers.map((it) => presentOf(it, said));
  if (present.length === 0 && said !== undefined) present.push(said);
  if (present.length === 0 || present.some(({ ds }) => ds === null)) return null;
  const sets = new Map<string, PresentDs>();
  for (const { ds, ttl } of present) {
    // validators differ in which digests they go by: what is done has to be right for all of them, as if both sets were there
    for (const read of [ds ?? [], strongestDs(ds ?? [], 'algorithm')]) {
      const set = presentDs(zone, keys, read, ttl);
      const place = JSON.stringify([set.keys, set.algorithms]);
      const other = sets.get(place);
      sets.set(place, other === undefined ? set : { ...set, ttl: larger(set.ttl, other.ttl) });
    }
  }
  const heard = present.map(({ lastSeen }) => lastSeen);
  return {
    sets: [...sets.values()],
    at: Math.ceil(Math.max(...heard)),
    settledAt: settledAt(Math.min(...heard), Math.max(...present.map(({ firstSeen }) => firstSeen))),
  };
}

/**
 * The nameservers that keep it from being known what all of them have: those that have never answered, and those that were last heard of
 * before another one changed (`settledAt`).
 */
export function silentServers(sightings: readonly LastSighting[]): SilentServer[] {
  const { servers, said } = partsOf(sightings);
  const changes = servers.map((it) => presentOf(it, said)).filter(({ ds }) => ds !== null);
  const lastChange = Math.max(...changes.map(({ firstSeen }) => firstSeen));
  return servers
    .filter((it) => {
      const { ds, lastSeen } = presentOf(it, said);
      return ds === null || lastSeen < lastChange;
    })
    .map(({ server, ds, firstSeen, lastSeen }) => {
      return {
        server,
        answeredAt: ds === null ? null : Math.floor(lastSeen),
        askedAt: Math.floor(firstSeen),
      };
    });
}

/** What an operator says is so at that moment, and says nothing of the time before. */
function partsOf(sightings: readonly LastSighting[]): {
  readonly servers: readonly LastSighting[];
  readonly said: LastSighting | undefined;
} {
  const byHand = sightings.find(({ server }) => server === '');
  return {
    servers: sightings.filter(({ server }) => server !== ''),
    said: byHand === undefined ? undefined : { ...byHand, firstSeen: byHand.lastSeen },
  };
}

/** What counts for a server: what it was seen with, or what was said since. */
function presentOf(seen: LastSighting, said: LastSighting | undefined): LastSighting {
  return said !== undefined && (seen.ds === null || said.lastSeen > seen.lastSeen) ? said : seen;
}

/**
 * Until when all servers are known to have had what they have, if there is such a time: one that was last heard of before another
 * changed may have taken meanwhile what that one had before.
 */
function settledAt(lastOfFirst: number, lastChange: number): number | null {
  return lastOfFirst < lastChange ? null : Math.ceil(lastOfFirst);
}

/** The keys that a DS set is of. A digest that is not known here does not tell which key it is of. */
function presentDs(
  zone: Name,
  keys: readonly ZoneKey[],
  ds: readonly Uint8Array[],
  ttl: number | null,
): PresentDs {
  const ids = new Set<string>();
  const algorithms = new Set<number>();
  for (const rdata of ds) {
    const { keyTag, algorithm } = parseDs(rdata);
    const key = keys.find((it) => it.keyTag === keyTag && dsMatches(zone, rdata, dnskeyRdata(it)));
    ids.add(key?.id ?? `unknown:${keyTag}`);
    algorithms.add(algorithm);
  }
  return { keys: [...ids].sort(), algorithms: [...algorithms].sort((a, b) => a - b), ttl };
}

function larger(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
