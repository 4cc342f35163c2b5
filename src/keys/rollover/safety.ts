import type { Alive, AliveDnskeys, AliveDs, AliveSignatures } from './alive.js';
import { aliveOf, merge } from './alive.js';
import { isPublishable, missingSigners, servedIn } from './facts.js';
import type { Conflict, KeySetFacts, RolloverState } from './model.js';
import {
  describeDnskeys,
  describeDs,
  describeParent,
  describeSignatures,
  keyNames,
  whenGone,
} from './words.js';

/** A conflict with what it is between, to tell it from others. */
interface FoundConflict extends Conflict {
  /** The item that is not of the key set which is looked at, and which one that is; both when neither is. */
  readonly between: readonly [string, string];
}

/**
 * What would not validate if the key set said `facts`, and does validate, or sooner would, as it is: the step to it is
 * safe when there is nothing. Pairs that are broken as it is, and stay so no longer, are no reason to wait.
 * @param alive what caches may hold now, `aliveNow`
 */
export function newConflicts(
  state: RolloverState,
  alive: Alive,
  current: KeySetFacts,
  facts: KeySetFacts,
): Conflict[] {
  return [
    ...newCacheConflicts(state, alive, current, facts),
    ...incoherences(state, current, facts).map(asConflict),
  ];
}

/** The same, but for what the key set lacks in itself. */
export function newCacheConflicts(
  state: RolloverState,
  alive: Alive,
  current: KeySetFacts,
  facts: KeySetFacts,
): Conflict[] {
  const without = newAmong(state, alive, current, facts);
  if (alive.guessed.length === 0 || without.length > 0) return without;
  return newAmong(state, { ...alive, ds: [...alive.ds, ...alive.guessed] }, current, facts);
}

function newAmong(state: RolloverState, alive: Alive, current: KeySetFacts, facts: KeySetFacts): Conflict[] {
  const next = aliveOf(state, facts);
  const before = new Map<string, number | null>();
  for (const found of conflictsAmong(state, alive)) {
    for (const key of keysOf(found, namesOf(aliveOf(state, current)))) {
      before.set(key, before.has(key) ? later(before.get(key) as number | null, found.until) : found.until);
    }
  }
  const isNew = (found: FoundConflict): boolean =>
    !keysOf(found, namesOf(next)).some((key) => {
      const until = before.get(key);
      return until === null || (until !== undefined && found.until !== null && found.until <= until);
    });
  return conflictsAmong(state, merge([alive, next]))
    .filter(isNew)
    .map(asConflict);
}

function asConflict({ kind, algorithm, message, until }: FoundConflict): Conflict {
  return { kind, algorithm, message, until };
}

/** Sets of one key that differ in their digests are sets of their own. */
function stillThere(state: RolloverState): string {
  const digests =
    state.silent === undefined
      ? '; `zoneseal parent check` tells of digests that differ'
      : ', which tells of digests that differ as well';
  return `; the parent has that set or may take it: ${describeParent(state)}${digests}`;
}

/** Everything that caches may hold and that does not validate together. */
export function conflictsAmong(state: RolloverState, alive: Alive): FoundConflict[] {
  const secure = alive.ds.filter((ds) => ds.algorithms.length > 0);
  if (secure.length === 0) return [];
  const secureUntil = secure.map((ds) => ds.until).reduce(later);
  return [
    ...secure.flatMap((ds) => alive.dnskeys.flatMap((dnskeys) => dsConflicts(state, ds, dnskeys))),
    ...alive.dnskeys.flatMap((dnskeys) =>
      alive.signatures.flatMap((signatures) => signatureConflicts(state, dnskeys, signatures, secureUntil)),
    ),
  ];
}

/** Each algorithm of the DS set has to sign the DNSKEY RRset, with a key that both name (RFC 4035 §2.2, RFC 6840 §5.11). */
function dsConflicts(state: RolloverState, ds: AliveDs, dnskeys: AliveDnskeys): FoundConflict[] {
  const shared = ds.keys.filter((id) => dnskeys.published.includes(id) && dnskeys.signers.includes(id));
  const served = algorithms(state, shared);
  const until = earlier(ds.until, dnskeys.until);
  return ds.algorithms
    .filter((algorithm) => !served.has(algorithm))
    .map((algorithm) => ({
      kind: 'ds-dnskey' as const,
      algorithm,
      message: `${describeDs(state, ds)} finds no key of algorithm ${algorithm} in ${describeDnskeys(state, dnskeys)}${whenGone(until)}${until === null ? stillThere(state) : ''}`,
      until,
      between: [ds.id, dnskeys.id] as const,
    }));
}

/** Each algorithm of the DNSKEY RRset has to sign everything, with a key that is in it (RFC 4035 §2.2). */
function signatureConflicts(
  state: RolloverState,
  dnskeys: AliveDnskeys,
  signatures: AliveSignatures,
  secureUntil: number | null,
): FoundConflict[] {
  const signing = algorithms(
    state,
    signatures.signers.filter((id) => dnskeys.published.includes(id)),
  );
  const until = earlier(secureUntil, earlier(dnskeys.until, signatures.until));
  return [...algorithms(state, dnskeys.published)]
    .filter((algorithm) => !signing.has(algorithm))
    .map((algorithm) => ({
      kind: 'dnskey-signature' as const,
      algorithm,
      message: `${describeSignatures(state, signatures)} have none of algorithm ${algorithm} by a key of ${describeDnskeys(state, dnskeys)}${whenGone(until)}`,
      until,
      between: [dnskeys.id, signatures.id] as const,
    }));
}

/** What a key set would lack in itself that it does not lack now. A view that is not served, and cannot be by the key set as it is, loses nothing. */
function incoherences(state: RolloverState, current: KeySetFacts, facts: KeySetFacts): FoundConflict[] {
  const views = state.views.filter(
    (view) => servedIn(state.uses, view) !== undefined || isPublishable(state, current, view),
  );
  const before = lacking({ ...state, views }, current);
  return [...lacking({ ...state, views }, facts)]
    .filter(([what]) => !before.has(what))
    .map(([, conflict]) => conflict);
}

/**
 * Whether a key set is whole in itself, whether the parent has a DS or not: each published algorithm signs the DNSKEY RRset and the data
 * of every view, and a zone that is to be signed has a key. No gateway publishes a zone by one that is not.
 */
export function isWhole(state: RolloverState, facts: KeySetFacts): boolean {
  return lacking(state, facts).size === 0;
}

function lacking(state: RolloverState, of: KeySetFacts): Map<string, FoundConflict> {
  const found = new Map<string, FoundConflict>();
  const add = (kind: Conflict['kind'], algorithm: number, what: string): void => {
    const message = `the key set (${keyNames(state, of.published)}) would have no ${what} of algorithm ${algorithm}`;
    found.set(`${algorithm} ${what}`, { kind, algorithm, message, until: null, between: ['', ''] });
  };
  for (const { algorithm, view } of missingSigners(state, of, state.views)) {
    if (view === null) add('ds-dnskey', algorithm, 'key that signs the key sets');
    else add('dnskey-signature', algorithm, `key that signs in view ${view}`);
  }
  if (state.policy.signed && of.published.length === 0)
    add('ds-dnskey', state.policy.algorithm, 'key at all');
  return found;
}

function algorithms(state: RolloverState, ids: readonly string[]): Set<number> {
  return new Set(state.keys.filter((key) => ids.includes(key.id)).map((key) => key.algorithm));
}

/** Which ids are the key set's own, by what they are of it. */
function namesOf(own: Alive): ReadonlyMap<string, string> {
  return new Map([
    ...own.dnskeys.map((item) => [item.id, 'dnskey'] as const),
    ...own.signatures.map((item) => [item.id, `signatures ${item.view}`] as const),
  ]);
}

/** What a conflict is told by: what it is between, where each of both may be called what it is of the key set. */
function keysOf({ kind, algorithm, between }: FoundConflict, names: ReadonlyMap<string, string>): string[] {
  const [first, second] = between.map((id) => [id, names.get(id)].filter((it) => it !== undefined));
  return (first ?? []).flatMap((a) => (second ?? []).map((b) => JSON.stringify([kind, algorithm, a, b])));
}

function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function later(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b);
}
