import { isDsAlive, isUseAlive } from '../../../src/keys/rollover/alive.js';
import { applyStep, observeDs } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import { emergency } from '../../../src/keys/rollover/emergency.js';
import { TIMING, type Timing } from '../../../src/keys/rollover/timing.js';
import type { Subject } from './world.js';

/** src/keys/rollover/ with the true terms, or with others. */
export function subject(timing: Timing = TIMING): Subject {
  return {
    decide: (state, now) => decide(state, now, timing),
    apply: applyStep,
    observe: (state, seen, at) => {
      const sets = seen.map(({ keys, algorithms, ttl }) => ({ keys, algorithms, ttl }));
      return observeDs(state, sets, at, timing);
    },
    emergency: (state, key, now) => emergency(state, key, now, timing),
    needsUse: (state, use, now) => isUseAlive(state, use, now, timing),
    needsDs: (state, use, now) => isDsAlive(state, use, now, timing),
  };
}
