import type { ZoneKey } from '../key-set.js';
import { aliveNow } from './alive.js';
import { currentFacts, keySetFacts, plannedKey } from './facts.js';
import type { Conflict, ManagedKey, RolloverState } from './model.js';
import { newCacheConflicts } from './safety.js';
import { TIMING, type Timing } from './timing.js';

/**
 * What caches may hold that would not validate if keys were added to a zone and did at once what they say; none for a zone that was never
 * served from here. What the key set lacks in itself is not in it.
 * @param now seconds since 1970
 */
export function additionConflicts(
  state: RolloverState,
  added: readonly ZoneKey[],
  now: number,
  timing: Timing = TIMING,
): Conflict[] {
  if (state.uses.length === 0) return [];
  const idle = added.reduce<readonly ManagedKey[]>((keys, { role, algorithm, view }) => {
    const wanted = { role, algorithm, view, replaces: null };
    return [...keys, plannedKey(wanted, { ...state, keys }, now)];
  }, state.keys);
  const busy = idle.map((key, i) => {
    const { signs, published } = added[i - state.keys.length] ?? key;
    return { ...key, signs, published };
  });
  const before: RolloverState = { ...state, keys: idle };
  const facts = keySetFacts(busy, state.views, state.keySetVersion + 1, state.deleteSentinel);
  return newCacheConflicts(before, aliveNow(before, now, timing), currentFacts(before), facts);
}
