import { algorithmsOf, askedDs } from './alive.js';
import { currentFacts, isParentKnown, wantedDs } from './facts.js';
import type { DsUse, KeyChange, ManagedKey, RolloverState, Step } from './model.js';
import type { ParentNow } from './ports.js';
import { TIMING, type Timing } from './timing.js';

/** The keys after changes; what a change does not name stays, and so do keys that none names. */
export function changeKeys(keys: readonly ManagedKey[], changes: readonly KeyChange[]): ManagedKey[] {
  return keys.map((key) =>
    changes
      .filter((change) => change.id === key.id)
      .reduce((changed, change) => ({ ...changed, ...change }), key),
  );
}

/**
 * The state after a `change` or `destroy` step: a key set version later, with the DS set that it allows the parent among
 * the DS uses. To be stored in the transaction of the step.
 */
export function applyStep(
  state: RolloverState,
  step: Exclude<Step, { kind: 'create' }>,
  at: number,
): RolloverState {
  if (step.kind === 'destroy') return { ...state, keys: state.keys.filter((key) => key.id !== step.key) };
  const changed: RolloverState = {
    ...state,
    keys: changeKeys(state.keys, step.keys),
    keySetVersion: state.keySetVersion + 1,
    deleteSentinel: step.deleteSentinel ?? state.deleteSentinel,
  };
  return { ...changed, ds: allowDs(changed, at) };
}

/** The DS uses with the set that the key set allows the parent, which counts as there from now on. */
export function allowDs(state: RolloverState, at: number): DsUse[] {
  const wanted = wantedDs(currentFacts(state));
  if (wanted === undefined || state.ds.some((use) => use.until === null && sameKeys(use.keys, wanted))) {
    return [...state.ds];
  }
  const algorithms = algorithmsOf(state, wanted);
  return [...state.ds, { keys: wanted, algorithms, since: at, seenAt: null, until: null, ttl: null }];
}

/** A DS set that one or more of the parent's nameservers were seen with. */
export interface SeenDs {
  /** Ids of the zone's keys; `unknown:` and the key tag for others. None: there is no DS. */
  readonly keys: readonly string[];
  readonly algorithms: readonly number[];
  /** TTL of the DS RRset, or of the answer that there is none, in seconds; null: not known. */
  readonly ttl: number | null;
}

/**
 * The DS uses after all the parent's nameservers were asked at one time. A set that none has is over, but for those that the parent may
 * still take because it is asked for them, or can read an older CDS.
 * @param at when they answered, seconds since 1970
 */
export function observeDs(
  state: RolloverState,
  seen: readonly SeenDs[],
  at: number,
  timing: Timing = TIMING,
): DsUse[] {
  return observeParent(state, { sets: seen, at, settledAt: at }, timing);
}

/**
 * The DS uses with what each of the parent's nameservers was last seen with, or an operator said. A set that none has is over only by
 * the moment at which that was so of all of them: one that was not heard of since may have taken what another one had meanwhile.
 */
export function observeParent(
  state: RolloverState,
  { sets, at, settledAt }: ParentNow,
  timing: Timing = TIMING,
): DsUse[] {
  const asked = settledAt === null ? [] : askedDs(state, settledAt, timing);
  const mayStay = (use: DsUse): boolean =>
    settledAt === null || use.since > settledAt || asked.some((it) => sameSet(it, use));
  // what was before the first sighting is over only once all were seen at one time
  const seenAt = settledAt === null && !isParentKnown(state) ? null : at;
  const kept = state.ds.map((use): DsUse => {
    if (use.until !== null) return use;
    const now = sets.find((it) => sameSet(it, use));
    if (now !== undefined) return { ...use, seenAt: use.seenAt ?? seenAt, ttl: largest(use.ttl, now.ttl) };
    return mayStay(use) ? use : { ...use, until: settledAt };
  });
  const open = kept.filter((use) => use.until === null);
  const fresh = sets.filter((it) => !open.some((use) => sameSet(it, use)));
  return [...kept, ...fresh.map((it) => ({ ...it, since: at, seenAt, until: null }))];
}

/** Whether DS uses are others, or told of in another way. */
export function isOtherDs(before: readonly DsUse[], after: readonly DsUse[]): boolean {
  return textOf(before) !== textOf(after);
}

function textOf(uses: readonly DsUse[]): string {
  return JSON.stringify(
    uses.map(({ keys, algorithms, since, seenAt, until, ttl }) => {
      return [keys, algorithms, since, seenAt, until, ttl];
    }),
  );
}

function sameSet(a: Pick<DsUse, 'keys' | 'algorithms'>, b: Pick<DsUse, 'keys' | 'algorithms'>): boolean {
  return sameKeys(a.keys, b.keys) && a.algorithms.length === b.algorithms.length;
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

function largest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.max(a, b);
}
