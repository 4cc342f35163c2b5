import { ZonesealError } from '../../errors.js';
import { signsKeySets } from '../key-set.js';
import { aliveNow, aliveOfUse } from './alive.js';
import { changeKeys } from './apply.js';
import { currentFacts, isPublishable, keySetFacts, plannedKey, signsKeys } from './facts.js';
import { findGoals, fits } from './goals.js';
import type { Conflict, KeyChange, KeySetFacts, ManagedKey, RolloverState, Step } from './model.js';
import { isWhole, newConflicts } from './safety.js';
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
 * @throws ZonesealError NOT_HELD when the zone has no such key, or has removed it; KEY_SET_INVALID when nothing can take its place
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
  const lacking = [...creates, ...waiting];
  const own = lacking.filter((step) => fits(key, step)).slice(0, 1);
  const successor = successorOf(asked, key, goals);
  // a place that the policy does not want any more: what it wants instead has to be there
  const isInstead = own.length === 0 && successor === undefined;
  const missing = isInstead ? lacking : own;
  const planned = missing.reduce<readonly ManagedKey[]>(
    (keys, step) => [...keys, plannedKey(step, { ...state, keys }, now)],
    asked.keys,
  );
  const made = planned.slice(asked.keys.length);
  const others = isInstead ? asked.keys.filter((it) => goals.get(it.id) === 'in' && !isInUse(it)) : [];
  const successors = [...made, ...(successor === undefined ? [] : [successor]), ...others];
  const after: RolloverState = { ...asked, keys: planned };
  const changes = withStranded(after, [
    { id, goal: 'out', published: false, signs: false, parent: false },
    ...successors.map(intoUse),
  ]);
  const facts = factsAfter(after, changes);
  if (!isWhole(after, facts) && isWhole(asked, currentFacts(asked))) throw nothingLeft(state, id);
  const conflicts = newConflicts(after, aliveNow(after, now, timing), currentFacts(after), facts);
  const needsDsByHand = breaksChain(after, changes, now);
  const goneAt = whenGone(state, now, timing);
  const [create] = missing;
  if (create !== undefined) return { steps: [create], conflicts, goneAt, needsDsByHand };
  const names = successors.map((it) => keyName(state, it.id)).join(' and ');
  const instead = names === '' ? '' : `, ${names} ${successors.length === 1 ? 'takes' : 'take'} its place`;
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

/** With the keys of algorithms that do not sign everything any more: published, they would keep the zone from being published. */
function withStranded(state: RolloverState, changes: readonly KeyChange[]): KeyChange[] {
  const { published, keySigners, zoneSigners } = factsAfter(state, changes);
  const after = changeKeys(state.keys, changes).filter((key) => key.removedAt === null);
  const signs = (algorithm: number, ids: readonly string[]): boolean =>
    after.some((key) => key.algorithm === algorithm && ids.includes(key.id) && published.includes(key.id));
  // a view that could not be published before is no reason to take out what signs the others
  const before = currentFacts(state);
  const views = state.views.filter((view) => isPublishable(state, before, view));
  const isStranded = ({ algorithm }: ManagedKey): boolean =>
    !signs(algorithm, keySigners) || views.some((view) => !signs(algorithm, zoneSigners[view] ?? []));
  const stranded = after.filter((key) => (key.published || key.signs) && isStranded(key));
  return [
    ...changes,
    ...stranded.map(
      ({ id }) => ({ id, goal: 'out', published: false, signs: false, parent: false }) as const,
    ),
  ];
}

function isInUse(key: ManagedKey): boolean {
  return key.published && key.signs && !key.keySetsOnly && (key.parent || !signsKeySets(key.role));
}

function nothingLeft(state: RolloverState, id: string): ZonesealError {
  const { zone } = state;
  return new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${zone}: without ${keyName(state, id)} its key set would not be whole, and its policy wants no other key; have it assigned another policy`,
    { zone },
  );
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

function factsAfter(state: RolloverState, changes: readonly KeyChange[]): KeySetFacts {
  return keySetFacts(
    changeKeys(state.keys, changes),
    state.views,
    state.keySetVersion + 1,
    state.deleteSentinel,
  );
}
