import { type Alive, aliveNow, cdsEnd } from './alive.js';
import { changeKeys } from './apply.js';
import {
  currentFacts,
  isParentKnown,
  isStuck,
  keySetFacts,
  pendingViews,
  signsKeys,
  signsZone,
} from './facts.js';
import { type CreateStep, dueAt, findGoals } from './goals.js';
import type {
  Conflict,
  Decision,
  KeyChange,
  KeySetFacts,
  KeySetUse,
  ManagedKey,
  RolloverState,
  Step,
  Wait,
} from './model.js';
import { type Move, movesOf, type Option, removable } from './moves.js';
import { isWhole, newConflicts } from './safety.js';
import { TIMING, type Timing } from './timing.js';
import { describeBehind, describeParent, keyName, timeText } from './words.js';

/**
 * What is to be done to a zone's keys now, and what waits, and why: each step is one after which no cache can hold
 * something that does not validate (docs/adr/0002-key-rollover.md). At most one step changes the key set; the next ones
 * come when every view serves what it says. Steps depend on the state alone: whoever decides again gets the same.
 * @param now seconds since 1970
 */
export function decide(state: RolloverState, now: number, timing: Timing = TIMING): Decision {
  const { goals, creates, waiting } = findGoals(state, now);
  const keys = state.keys.map((key) => ({ ...key, goal: goals.get(key.id) ?? key.goal }));
  const draft = new Draft({ ...state, keys }, now, timing);
  // nothing comes of waiting for what cannot be published
  const pending = draft.isStuck ? [] : pendingViews(state);
  const blocked = draft.tryMoves([...creates, ...waiting], pending);
  if (pending.length === 0) draft.remove();
  const change = draft.step([...goalChanges(state, goals), ...activations(state, now)]);
  const steps = [...creates, ...change, ...destructions(state, now)];
  const waits = [...waiting.map((step) => waitForParent(state, step)), ...blocked, ...draft.waitForRemoval()];
  const held = state.isHeld ? steps.map(waitForRelease) : [];
  return {
    steps: state.isHeld ? [] : steps,
    waits: [...held, ...waits],
    nextAt: earliest(now, [
      ...waits.map((wait) => wait.until),
      ...dueTimes(keys, state),
      // until then the parent may read an older CDS, which is what a wait without an end may be for
      ...(waits.length === 0 ? [] : state.uses.map((use) => cdsEnd(state, use, timing))),
    ]),
  };
}

/** A key set while moves are tried on it, one after the other. */
class Draft {
  readonly #state: RolloverState;
  readonly #now: number;
  readonly #alive: Alive;
  #keys: readonly ManagedKey[];
  #deleteSentinel: boolean;
  readonly #changes: KeyChange[] = [];
  readonly #reasons: string[] = [];
  /** Whether the zone is served signed, and cannot be published any more by the key set as it is. */
  readonly isStuck: boolean;

  constructor(state: RolloverState, now: number, timing: Timing) {
    this.#state = state;
    this.#now = now;
    this.#alive = aliveNow(state, now, timing);
    this.#keys = state.keys;
    this.#deleteSentinel = state.deleteSentinel;
    this.isStuck = isStuck(state);
  }

  /** Takes the moves that are safe, if no view is pending, and says what the others wait for. */
  tryMoves(lacking: readonly CreateStep[], pending: readonly string[]): Wait[] {
    const { ds, guessed } = this.#alive;
    const mayBeSecure = [...ds, ...guessed].some(({ algorithms }) => algorithms.length > 0);
    return movesOf(this.#state, lacking, mayBeSecure).flatMap((move) => {
      const wait = this.#tryMove(move, pending);
      return wait === undefined ? [] : [wait];
    });
  }

  #tryMove(move: Move, pending: readonly string[]): Wait | undefined {
    let conflicts: Conflict[] = [];
    const last = move.options.at(-1) as Option;
    const step = { kind: 'change' as const, keys: last.changes, ...sentinel(last), reason: move.reason };
    if (move.needsParent === true && !isParentKnown(this.#state)) {
      return waitForParent(this.#state, step);
    }
    for (const option of move.options) {
      conflicts = this.#conflictsOf(option);
      // signatures run out meanwhile
      if (conflicts.length > 0 && !(this.isStuck && this.#makesWhole(option))) continue;
      if (pending.length > 0) break;
      this.#take(option, option.reason ?? move.reason);
      return undefined;
    }
    const lacking = `what the key set says is not published in ${viewNames(pending)} yet`;
    if (conflicts.length > 0)
      return waitForCaches(this.#state, step, conflicts, pending.length > 0 ? lacking : undefined);
    return waitOf(step, null, `for ${lacking}`);
  }

  #conflictsOf(option: Option): Conflict[] {
    return newConflicts(this.#state, this.#alive, currentFacts(this.#state), this.#factsAfter(option));
  }

  #makesWhole(option: Option): boolean {
    return isWhole(this.#state, this.#factsAfter(option));
  }

  #factsAfter({ changes, deleteSentinel }: Option): KeySetFacts {
    const { views, keySetVersion } = this.#state;
    const keys = changeKeys(this.#keys, changes);
    return keySetFacts(keys, views, keySetVersion + 1, deleteSentinel ?? this.#deleteSentinel);
  }

  #take(option: Option, reason: string): void {
    this.#keys = changeKeys(this.#keys, option.changes);
    this.#deleteSentinel = option.deleteSentinel ?? this.#deleteSentinel;
    this.#changes.push(...option.changes);
    this.#reasons.push(reason);
  }

  /** Keys of which nothing is left in any cache are removed. */
  remove(): void {
    const isUsed = (id: string): boolean => this.#traces(id).length > 0;
    for (const id of removable({ ...this.#state, keys: this.#keys }, isUsed)) {
      this.#changes.push({ id, removedAt: this.#now });
      this.#reasons.push(`${keyName(this.#state, id)} is removed: no cache needs it any more`);
    }
  }

  /** Keys that are out while caches may hold traces of them. */
  waitForRemoval(): Wait[] {
    return removable({ ...this.#state, keys: this.#keys }, () => false).flatMap((id) => {
      const ends = this.#traces(id);
      if (ends.length === 0) return [];
      const until = ends.includes(null) ? null : Math.max(...(ends as number[]));
      const why =
        until === null
          ? `for ${this.#whatIsOpen(id)}`
          : `for caches may hold it or what it signed until ${timeText(until)}`;
      const reason = `${keyName(this.#state, id)} is removed`;
      const step = { kind: 'change', keys: [{ id, removedAt: until ?? this.#now }], reason } as const;
      return [waitOf(step, until, why)];
    });
  }

  /** Why there is no telling when the traces of a key are gone: nameservers, the parent, or both. */
  #whatIsOpen(id: string): string {
    const isTrace = ({ view, facts: { published, keySigners, zoneSigners } }: KeySetUse): boolean =>
      [published, keySigners, zoneSigners[view] ?? []].some((ids) => ids.includes(id));
    const uses = this.#state.uses.filter(isTrace);
    const behind = describeBehind(this.#state, uses);
    const served = uses.filter((use) => use.replacedAt === null && use.until === null);
    const views = [...new Set(served.map(({ view }) => view))];
    const hasDs = this.#alive.ds.some((it) => it.until === null && it.keys.includes(id));
    return [
      ...(views.length === 0
        ? []
        : [`it is served until what the key set says is published in ${viewNames(views)}`]),
      ...(behind === null ? [] : [behind]),
      ...(hasDs ? [`the parent may have its DS still; ${describeParent(this.#state)}`] : []),
    ].join('; and ');
  }

  #traces(id: string): (number | null)[] {
    const { dnskeys, signatures, ds } = this.#alive;
    return [
      ...dnskeys.filter((it) => it.published.includes(id) || it.signers.includes(id)),
      ...signatures.filter((it) => it.signers.includes(id)),
      ...ds.filter((it) => it.keys.includes(id)),
    ].map((it) => it.until);
  }

  /** All that was taken as one step, with changes that nobody sees. */
  step(unseen: readonly { readonly change: KeyChange; readonly reason: string }[]): Step[] {
    const changes = [...this.#changes, ...unseen.map((it) => it.change)];
    const isSame = this.#deleteSentinel === this.#state.deleteSentinel;
    if (changes.length === 0 && isSame) return [];
    const reason = [...this.#reasons, ...unseen.map((it) => it.reason)].join('; ');
    const keys = mergeChanges(changes);
    return [{ kind: 'change', keys, ...(isSame ? {} : { deleteSentinel: this.#deleteSentinel }), reason }];
  }
}

type Unseen = { readonly change: KeyChange; readonly reason: string };

function goalChanges(state: RolloverState, goals: ReturnType<typeof findGoals>['goals']): Unseen[] {
  return state.keys.flatMap((key) => {
    const goal = goals.get(key.id);
    if (goal === undefined || goal === key.goal) return [];
    return [{ change: { id: key.id, goal }, reason: `${keyName(state, key.id)} is to be ${goal}` }];
  });
}

/** Keys that do what their role does for the first time. */
function activations(state: RolloverState, now: number): Unseen[] {
  const served = state.uses.filter((use) => use.until === null && use.replacedAt === null);
  const seen = state.ds.filter((use) => use.until === null && use.seenAt !== null);
  const signsData = (id: string): boolean =>
    served.some((use) => (use.facts.zoneSigners[use.view] ?? []).includes(id));
  const hasDs = (id: string): boolean => seen.some((use) => use.keys.includes(id));
  const isActive = (key: ManagedKey): boolean => {
    if (key.role === 'ZSK') return signsData(key.id);
    return hasDs(key.id) && (key.role === 'KSK' ? signsKeys(key) : signsZone(key));
  };
  return state.keys
    .filter((key) => key.activeAt === null && key.removedAt === null && isActive(key))
    .map(({ id }) => ({ change: { id, activeAt: now }, reason: `${keyName(state, id)} is in use` }));
}

function destructions(state: RolloverState, now: number): Step[] {
  return state.keys
    .filter((key) => key.removedAt !== null && key.removedAt + state.policy.keyRetention <= now)
    .map(({ id }) => ({
      kind: 'destroy',
      key: id,
      reason: `${keyName(state, id)} was taken out long enough ago (keyRetention)`,
    }));
}

function waitForParent(state: RolloverState, step: Step): Wait {
  return waitOf(step, null, `for the parent's DS set is not known; ${describeParent(state)}`);
}

function waitForRelease(step: Step): Wait {
  return waitOf(step, null, "for the zone's keys are held");
}

function waitForCaches(
  state: RolloverState,
  step: Step,
  conflicts: readonly Conflict[],
  lacking: string | undefined,
): Wait {
  const open = conflicts.filter((conflict) => conflict.until === null);
  const until = open.length > 0 ? null : Math.max(...conflicts.map((conflict) => conflict.until as number));
  const last = open[0] ?? conflicts.find((conflict) => conflict.until === until);
  const held = until === null ? (describeBehind(state, state.uses) ?? lacking) : undefined;
  const more = held === undefined ? '' : `; ${held}`;
  return waitOf(step, until, `for otherwise ${last?.message}${more}`, conflicts);
}

function waitOf(step: Step, until: number | null, why: string, conflicts: readonly Conflict[] = []): Wait {
  const comma = why.startsWith('for ') ? ',' : '';
  return { step, conflicts, until, why, message: `${step.reason}: waits${comma} ${why}` };
}

function dueTimes(keys: readonly ManagedKey[], state: RolloverState): (number | null)[] {
  return keys.map((key) => {
    if (key.removedAt !== null) return key.removedAt + state.policy.keyRetention;
    return key.goal === 'in' ? dueAt(key, state.policy) : null;
  });
}

function earliest(now: number, times: readonly (number | null)[]): number | null {
  const coming = times.filter((time): time is number => time !== null && time > now);
  return coming.length === 0 ? null : Math.min(...coming);
}

function mergeChanges(changes: readonly KeyChange[]): KeyChange[] {
  const merged = new Map<string, KeyChange>();
  for (const change of changes) merged.set(change.id, { ...merged.get(change.id), ...change });
  return [...merged.values()];
}

function sentinel(option: Option): { readonly deleteSentinel?: boolean } {
  return option.deleteSentinel === undefined ? {} : { deleteSentinel: option.deleteSentinel };
}

function viewNames(views: readonly string[]): string {
  return `${views.length === 1 ? 'view' : 'views'} ${views.join(', ')}`;
}
