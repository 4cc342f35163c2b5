import type { Policy } from '../policy.js';
import {
  currentFacts,
  isAskedFor,
  isParentKnown,
  isPublishable,
  mayHaveDs,
  servedIn,
  wantedDs,
} from './facts.js';
import type { DsUse, KeySetFacts, KeySetUse, RolloverState } from './model.js';
import { dnskeyInterval, dsInterval, endOf, signatureInterval, TIMING, type Timing } from './timing.js';

/** What a zone without signatures publishes. */
const UNSIGNED: KeySetFacts = {
  version: 0,
  published: [],
  keySigners: [],
  zoneSigners: {},
  parent: [],
  deleteSentinel: false,
};

interface Cached {
  /** Alike for what has the same content. */
  readonly id: string;
  /** When the last cache is without it, seconds since 1970; null: that is open. */
  readonly until: number | null;
}

/** A DNSKEY RRset (or the answer that there is none) with its signatures. */
export interface AliveDnskeys extends Cached {
  readonly published: readonly string[];
  readonly signers: readonly string[];
}

/** Signatures of a view's data. */
export interface AliveSignatures extends Cached {
  readonly view: string;
  readonly signers: readonly string[];
}

/** A DS set; one without algorithms says that the zone is insecure. */
export interface AliveDs extends Cached {
  readonly keys: readonly string[];
  readonly algorithms: readonly number[];
}

/** All that caches may hold. */
export interface Alive {
  readonly dnskeys: readonly AliveDnskeys[];
  readonly signatures: readonly AliveSignatures[];
  readonly ds: readonly AliveDs[];
  /** DS sets that the parent may have without anybody having asked for them here: what is done is safe with them and without them. */
  readonly guessed: readonly AliveDs[];
}

/**
 * What caches may hold from now on if nothing is changed: what was served and has not run out, what is served and what
 * the key set says, with the DS sets that the parent has or may take.
 */
export function aliveNow(state: RolloverState, now: number, timing: Timing = TIMING): Alive {
  const uses = state.uses.map((use) => aliveOfUse(state, use, timing));
  const before = beforeKnown(state, timing);
  const past: Alive = {
    dnskeys: [...uses.map((use) => use.dnskeys), ...before.map((use) => use.dnskeys)],
    signatures: [...uses.map((use) => use.signatures), ...before.map((use) => use.signatures)],
    ds: [
      ...state.ds.map((use) => ({ ...dsItem(use.keys, use.algorithms), until: dsEnd(state, use, timing) })),
      ...unknownDs(state, timing),
      ...askedDs(state, now, timing),
    ],
    guessed: guessedDs(state),
  };
  return merge([stillAlive(past, now), aliveOf(state, currentFacts(state))]);
}

/**
 * What caches may hold of a key set once it is served: without end. Signatures are those of the state's views, but for a view in which
 * nothing is served and which cannot be published by it.
 */
export function aliveOf(state: RolloverState, facts: KeySetFacts): Alive {
  const wanted = wantedDs(facts);
  const views = state.views.filter(
    (view) => servedIn(state.uses, view) !== undefined || isPublishable(state, facts, view),
  );
  return {
    dnskeys: [dnskeysItem(facts, null)],
    signatures: views.map((view) => signaturesItem(view, facts, null)),
    ds: wanted === undefined ? [] : [{ ...dsItem(wanted, algorithmsOf(state, wanted)), until: null }],
    guessed: [],
  };
}

/** One of all, each content once, until the last of its like is gone. */
export function merge(all: readonly Alive[]): Alive {
  return {
    dnskeys: distinct(all.flatMap((alive) => alive.dnskeys)),
    signatures: distinct(all.flatMap((alive) => alive.signatures)),
    ds: distinct(all.flatMap((alive) => alive.ds)),
    guessed: distinct(all.flatMap((alive) => alive.guessed)),
  };
}

/** Whether caches may hold anything of a use, or the parent may take what its CDS says: it must not be forgotten before. */
export function isUseAlive(
  state: RolloverState,
  use: KeySetUse,
  now: number,
  timing: Timing = TIMING,
): boolean {
  return isAlive(aliveOfUse(state, use, timing).signatures, now) || isCdsAlive(state, use, now, timing);
}

/** Whether caches may hold a DS set of the parent: it must not be forgotten before. */
export function isDsAlive(state: RolloverState, use: DsUse, now: number, timing: Timing = TIMING): boolean {
  return isAlive({ until: dsEnd(state, use, timing) }, now);
}

/**
 * DS sets that the parent is asked for, or was where it may still read that: a nameserver that lags or a cache of its own
 * can give it an old CDS (RFC 7344 §6.2 wants it to notice; that is not relied on). Without CDS, people ask.
 * @param now may be past: what was asked for then and has been replaced since counts
 */
export function askedDs(state: RolloverState, now: number, timing: Timing = TIMING): AliveDs[] {
  const hasCds = state.policy.cdsDigests.length > 0;
  const readable = state.uses.filter((use) =>
    hasCds ? isCdsAlive(state, use, now, timing) : use.replacedAt !== null && use.replacedAt > now,
  );
  return [currentFacts(state), ...readable.map((use) => use.facts)].flatMap((facts) => {
    const wanted = wantedDs(facts);
    return wanted === undefined ? [] : [{ ...dsItem(wanted, algorithmsOf(state, wanted)), until: null }];
  });
}

/**
 * When the last of the parent's nameservers has what the parent read in the CDS of a use, seconds since 1970; null: the
 * CDS is served still.
 */
export function cdsEnd(state: RolloverState, use: KeySetUse, timing: Timing = TIMING): number | null {
  const { until } = aliveOfUse(state, use, timing).dnskeys;
  return until === null ? null : endOf(state, until, (policy) => timing.parentPropagationDelay(policy));
}

function isCdsAlive(state: RolloverState, use: KeySetUse, now: number, timing: Timing): boolean {
  return isAlive({ until: cdsEnd(state, use, timing) }, now);
}

/** The algorithms of keys by id, ascending. */
export function algorithmsOf(state: Pick<RolloverState, 'keys'>, ids: readonly string[]): number[] {
  const named = state.keys.filter((key) => ids.includes(key.id));
  return [...new Set(named.map((key) => key.algorithm))].sort((a, b) => a - b);
}

/** What was before the parent was first seen: any key that may have been there was, alone. */
function unknownDs(state: RolloverState, timing: Timing): AliveDs[] {
  const seen = state.ds.flatMap((use) => (use.seenAt === null ? [] : [use.seenAt]));
  const until = isParentKnown(state)
    ? endOf(state, Math.min(...seen), (policy) => dsInterval({ ttl: null }, policy, timing))
    : null;
  return state.keys.filter(isAskedFor).map((key) => ({ ...dsItem([key.id], [key.algorithm]), until }));
}

/** What an operator may have given to a parent that was never looked at. */
function guessedDs(state: RolloverState): AliveDs[] {
  if (isParentKnown(state)) return [];
  return state.keys
    .filter((key) => mayHaveDs(key) && !isAskedFor(key))
    .map((key) => ({ ...dsItem([key.id], [key.algorithm]), until: null }));
}

export function aliveOfUse(state: RolloverState, use: KeySetUse, timing: Timing) {
  const end = (interval: (use: KeySetUse, policy: Policy, timing: Timing) => number): number | null =>
    use.until === null ? null : endOf(state, use.until, (policy) => interval(use, policy, timing));
  return {
    dnskeys: dnskeysItem(use.facts, end(dnskeyInterval)),
    signatures: signaturesItem(use.view, use.facts, end(signatureInterval)),
  };
}

/** Before the first version that is known of in a view, the zone may have been served unsigned, by us or by another primary. */
function beforeKnown(state: RolloverState, timing: Timing) {
  return state.views.flatMap((view) => {
    const known = state.uses.filter((use) => use.view === view);
    const [first] = known.sort((a, b) => a.since - b.since);
    return first === undefined
      ? []
      : [aliveOfUse(state, { ...first, facts: UNSIGNED, until: first.since }, timing)];
  });
}

/** With what TTL it was served before it was first seen, its own does not say: no longer than the policy does. */
function dsEnd(state: RolloverState, use: DsUse, timing: Timing): number | null {
  const { until, seenAt } = use;
  if (until === null) return null;
  const end = (from: number, of: Pick<DsUse, 'ttl'>): number =>
    endOf(state, from, (policy) => dsInterval(of, policy, timing));
  return Math.max(end(until, use), end(Math.min(seenAt ?? until, until), { ttl: null }));
}

function dnskeysItem(facts: KeySetFacts, until: number | null): AliveDnskeys {
  const { published, keySigners: signers } = facts;
  return { id: `dnskey ${sorted(published)} by ${sorted(signers)}`, published, signers, until };
}

function signaturesItem(view: string, facts: KeySetFacts, until: number | null): AliveSignatures {
  const signers = facts.zoneSigners[view] ?? [];
  return { id: `signatures ${view} by ${sorted(signers)}`, view, signers, until };
}

function dsItem(keys: readonly string[], algorithms: readonly number[]): Omit<AliveDs, 'until'> {
  return { id: `ds ${sorted(keys)} ${[...algorithms].sort((a, b) => a - b).join(',')}`, keys, algorithms };
}

function sorted(ids: readonly string[]): string {
  return [...ids].sort().join(',');
}

function stillAlive(alive: Alive, now: number): Alive {
  return {
    dnskeys: alive.dnskeys.filter((item) => isAlive(item, now)),
    signatures: alive.signatures.filter((item) => isAlive(item, now)),
    ds: alive.ds.filter((item) => isAlive(item, now)),
    guessed: alive.guessed,
  };
}

function isAlive(item: Pick<Cached, 'until'>, now: number): boolean {
  return item.until === null || item.until > now;
}

function distinct<T extends Cached>(items: readonly T[]): T[] {
  const found = new Map<string, T>();
  for (const item of items) {
    const other = found.get(item.id);
    if (other === undefined || (other.until !== null && (item.until === null || item.until > other.until))) {
      found.set(item.id, item);
    }
  }
  return [...found.values()];
}
