import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { positionsOf } from '../../../src/keys/rollover/goals.js';
import type { ManagedKey, RolloverState } from '../../../src/keys/rollover/model.js';
import { planRolls } from '../../../src/keys/rollover/plan.js';
import { key, zone } from './lab.js';
import { PlannedWorld } from './planned-world.js';
import { scenarios } from './scenarios.js';
import type { Scenario } from './world.js';

const RUNS = Number(process.env['ZONESEAL_ROLLOVER_RUNS'] ?? 60);
const SEED = Number(process.env['ZONESEAL_SEED'] ?? Date.now() & 0x7fff_ffff);

const assumptions = fc.record({
  signingTime: fc.constantFrom(1, 7, 600),
  peerDelay: fc.constantFrom(0, 60, 5000),
  parentDelay: fc.constantFrom(3, 3600, 90_000),
});

/** What else may be true of the keys that there are: not known to be in use yet, or on their way out. */
const conditions = fc.array(
  fc.constantFrom<Partial<ManagedKey>>({}, { activeAt: null }, { goal: 'out' }, { createdAt: -1 }),
  { minLength: 4, maxLength: 4 },
);

/** A zone that has been served for long, as the scenario begins and after its operator has had his way with policy and rolls. */
function beginning(
  { policy, views, start, zoneTtl, dsTtl, actions }: Scenario,
  more: readonly Partial<ManagedKey>[],
): RolloverState {
  const keys =
    start === 'unsigned'
      ? []
      : positionsOf(policy, views).map(({ role, algorithm, view }, i) =>
          key(`k${i}`, role, { algorithm, view, keyTag: 100 + i, ...more[i] }),
        );
  const state = zone(keys, { views, policy });
  const uses = state.uses.map((use) => ({ ...use, maxTtl: zoneTtl, dnskeyTtl: policy.dnskeyTtl }));
  const ds = start === 'unknown' ? [] : state.ds.map((use) => ({ ...use, ttl: dsTtl }));
  const begun = { ...state, uses, ds };
  return actions.reduce((now: RolloverState, { action }) => {
    if (action.kind === 'policy') return { ...now, policy: { ...now.policy, ...action.change } };
    const asked = action.kind === 'roll' ? keys[action.which % Math.max(1, keys.length)] : undefined;
    return asked === undefined ? now : { ...now, asked: [...now.asked, asked.id] };
  }, begun);
}

describe(`a plan (ZONESEAL_SEED=${SEED})`, () => {
  it('is what the keeper does when time passes as planned', { timeout: 0 }, async () => {
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(scenarios, conditions, assumptions, async (scenario, more, assumed) => {
        const state = beginning(scenario, more);
        const { entries } = planRolls(state, 0, 4_000_000, assumed);
        const world = new PlannedWorld(state, assumed);
        await world.run(4_000_000, entries.length + 1);
        expect(world.faults).toEqual([]);
        const line = ({ at, step }: { readonly at: number; readonly step: { reason: string } }): string =>
          `${at} ${step.reason}`;
        const planned = entries.slice(0, 300);
        expect(world.taken.slice(0, 300).map(line)).toEqual(planned.map(line));
        expect(world.taken.slice(0, 300).map(({ step }) => step)).toEqual(planned.map(({ step }) => step));
        steps += planned.length;
      }),
      { numRuns: RUNS, seed: SEED },
    );
    expect(steps).toBeGreaterThan(RUNS);
  });
});
