import { ZonesealError } from '../../errors.js';
import { signsKeySets } from '../key-set.js';
import { aliveNow, aliveOfUse } from './alive.js';
import { changeKeys } from './apply.js';
import { currentFacts, keySetFacts, plannedKey, signsKeys } from './facts.js';
import { findGoals, fits } from './goals.js';
import type { Conflict, KeyChange, ManagedKey, RolloverState, Step } from './model.js';
import { newConflicts } from './safety.js';
import { TIMING, type Timing } from './timing.js';
import { keyName } from './words.js';

/** A roll that does not wait. */
export interface Emergency {
  /** What comes next: its successor is made, or, once there is one, the key goes out at once and the successor takes its place. */
  readonly steps: readonly Step[];
  /** What validators will see, and until when; none: nobody will notice. */
  readonly conflicts: readonly Conflict[];
  /** When caches have let go of what is served now, if it is replaced at once, seconds since 1970. */
  readonly goneAt: number;
  /** The parent will not take CDS and CDNSKEY (RFC 7344 §4.1): its DS set has to be changed by hand. */
  readonly needsDsByHand: boolean;
}

/**
 * The next step of an emergency roll of a key, which is not asked whether it is safe: to be called again when its successor
 * was made. What is left then (the parent's DS set, removal) is decided as in any other roll.
 * @param id of a key that is to be used no more
 * @param now seconds since 1970
 * @throws ZonesealError NOT_HELD when the zone has no such key, or has removed it
 */
export function emergency(state: RolloverState, id: string, now: number, timing: Timing = TIMING): Emergency {
  const key = state.keys.find((it) => it.id === id && it.removedAt === null);
  if (key === undefined) {
    throw new ZonesealError(
      'NOT_HELD',
      `zone ${state.zone} has no key ${id} that could be rolled; see \`zoneseal keys list\``,
      {
        zone: state.zone,
      },
    );
  }
  const asked: RolloverState = { ...state, asked: [...state.asked, id] };
  const { goals, creates, waiting } = findGoals(asked, now);
  const create = [...creates, ...waiting].find((step) => fits(key, step));
  const made = create === undefined ? undefined : plannedKey(create, state, now);
  const successor = made ?? successorOf(asked, key, goals);
  const changes = [
    { id, goal: 'out', published: false, signs: false, parent: false } as const,
    ...(successor === undefined ? [] : [intoUse(successor)]),
  ];
  const conflicts = conflictsOf(
    made === undefined ? asked : { ...asked, keys: [...asked.keys, made] },
    changes,
    now,
    timing,
  );
  const needsDsByHand = breaksChain(asked, changes, now);
  const goneAt = whenGone(state, now, timing);
  if (create !== undefined) return { steps: [create], conflicts, goneAt, needsDsByHand };
  const instead = successor === undefined ? '' : `, ${keyName(state, successor.id)} takes its place`;
  const reason = `${keyName(state, id)} goes out at once${instead}: an emergency`;
  return { steps: [{ kind: 'change', keys: changes, reason }], conflicts, goneAt, needsDsByHand };
}

function whenGone(state: RolloverState, now: number, timing: Timing): number {
  const ends = state.uses.flatMap((use) => {
    const replaced = { ...use, replacedAt: use.replacedAt ?? now, until: use.until ?? now };
    const { dnskeys, signatures } = aliveOfUse(state, replaced, timing);
    return [dnskeys.until ?? now, signatures.until ?? now];
  });
  return Math.max(now, ...ends);
}

function successorOf(
  state: RolloverState,
  key: ManagedKey,
  goals: ReadonlyMap<string, 'in' | 'out'>,
): ManagedKey | undefined {
  return state.keys.find((it) => it.id !== key.id && fits(it, key) && goals.get(it.id) === 'in');
}

/** Whether the key that goes is all by which the parent could tell that CDS are the zone's. */
function breaksChain(state: RolloverState, changes: readonly KeyChange[], now: number): boolean {
  const left = changeKeys(state.keys, changes).filter((key) => key.published && signsKeys(key));
  return aliveNow(state, now).ds.some(
    (ds) => ds.until === null && ds.keys.length > 0 && !left.some((key) => ds.keys.includes(key.id)),
  );
}

function intoUse({ id, role }: ManagedKey): KeyChange {
  const parent = signsKeySets(role) ? { parent: true } : {};
  const all = role === 'CSK' ? { keySetsOnly: false } : {};
  return { id, goal: 'in', published: true, signs: true, ...parent, ...all };
}

function conflictsOf(
  state: RolloverState,
  changes: readonly KeyChange[],
  now: number,
  timing: Timing,
): Conflict[] {
  const facts = keySetFacts(
    changeKeys(state.keys, changes),
    state.views,
    state.keySetVersion + 1,
    state.deleteSentinel,
  );
  return newConflicts(state, aliveNow(state, now, timing), currentFacts(state), facts);
}
