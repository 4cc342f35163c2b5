import fc from 'fast-check';
import { type Policy, parsePolicy } from '../../../src/keys/policy.js';
import type { Action, Scenario } from './world.js';

const VIEWS = [['internal'], ['internal', 'external']] as const;

/** Short and long at random, in seconds: what matters is which of two is longer. */
function span(least: number, most: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(least), fc.constant(most), fc.integer({ min: least, max: most }));
}

/** No policy here takes longer for a roll. */
const LONGEST_ROLL = 3 * (8000 + 3600 + 80_000) + 8000 + 80_000;

const algorithm = fc.constantFrom(8, 13, 15);
const viewZsks = fc.subarray(['internal', 'external']);

const policyChange: fc.Arbitrary<Partial<Policy>> = fc.oneof(
  { weight: 3, arbitrary: fc.record<Partial<Policy>>({ algorithm }) },
  { weight: 2, arbitrary: fc.record<Partial<Policy>>({ keys: fc.constantFrom('ksk+zsk', 'csk') }) },
  { weight: 2, arbitrary: fc.record<Partial<Policy>>({ signed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record<Partial<Policy>>({ viewZsks }) },
  {
    weight: 1,
    arbitrary: fc.record<Partial<Policy>>({ kskRoll: fc.constantFrom('double-signature', 'double-ds') }),
  },
  { weight: 1, arbitrary: fc.record<Partial<Policy>>({ dnskeyTtl: span(60, 40_000) }) },
  { weight: 1, arbitrary: fc.record<Partial<Policy>>({ publishSafety: span(120, 3600) }) },
  { weight: 1, arbitrary: fc.record<Partial<Policy>>({ keyRetention: span(60, 400_000) }) },
  {
    weight: 1,
    arbitrary: fc.record<Partial<Policy>>({
      zskLifetime: fc.constantFrom(0, 3 * LONGEST_ROLL, 9 * LONGEST_ROLL),
      kskLifetime: fc.constantFrom(0, 6 * LONGEST_ROLL, 20 * LONGEST_ROLL),
    }),
  },
);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: policyChange.map((change) => ({ kind: 'policy', change }) as const) },
  { weight: 4, arbitrary: fc.nat(5).map((which) => ({ kind: 'roll', which }) as const) },
  { weight: 1, arbitrary: fc.boolean().map((isHeld) => ({ kind: 'hold', isHeld }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .record({ ttl: span(60, 80_000), view: fc.constantFrom(undefined, 'internal', 'external') })
      .map(({ ttl, view }) => ({ kind: 'ttl', ttl, ...(view === undefined ? {} : { view }) }) as const),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        of: fc.constantFrom('propagationDelay', 'parentPropagationDelay'),
        seconds: span(60, 8000),
      })
      .map((delay) => ({ kind: 'delay', ...delay }) as const),
  },
  { weight: 1, arbitrary: span(60, 80_000).map((ttl) => ({ kind: 'dsTtl', ttl }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .record({ view: fc.constantFrom('internal', 'external'), isServed: fc.boolean() })
      .map((change) => ({ kind: 'view', ...change }) as const),
  },
);

const policy: fc.Arbitrary<Policy> = fc
  .record({
    algorithm,
    keys: fc.constantFrom('ksk+zsk', 'csk'),
    kskRoll: fc.constantFrom('double-signature', 'double-ds'),
    viewZsks: fc.oneof(fc.constant([]), viewZsks),
    dnskeyTtl: span(60, 40_000),
    propagationDelay: span(60, 8000),
    publishSafety: span(120, 3600),
    parentDsTtl: span(60, 80_000),
    parentPropagationDelay: span(60, 8000),
    cdsDigests: fc.constantFrom([2], [2], [2, 4], []),
    lifetimes: fc.record({ zsk: fc.constantFrom(0, 3, 9), ksk: fc.constantFrom(0, 0, 6, 20) }),
  })
  .map(({ lifetimes, ...chosen }) => {
    const { propagationDelay, publishSafety, parentDsTtl, parentPropagationDelay, dnskeyTtl } = chosen;
    const scale =
      3 * (propagationDelay + publishSafety + dnskeyTtl + 80_000) + parentPropagationDelay + parentDsTtl;
    const life = { zskLifetime: lifetimes.zsk * scale, kskLifetime: lifetimes.ksk * scale };
    return parsePolicy('random', { ...chosen, ...life, keyRetention: 86_400 });
  });

/** Any zone, any operator. */
export const scenarios: fc.Arbitrary<Scenario> = policy.chain((chosen) =>
  fc.record({
    seed: fc.integer(),
    policy: fc.constant(chosen),
    views: fc.constantFrom(...VIEWS),
    start: fc.constantFrom('unsigned', 'imported', 'imported', 'unknown'),
    zoneTtl: span(60, 80_000),
    dsTtl: fc.oneof(fc.constant(chosen.parentDsTtl), span(1, chosen.parentDsTtl)),
    parentPatience: fc.constantFrom(0.1, 0.5, 0.5, 1, 8),
    isBarbicanUnsteady: fc.boolean(),
    actions: fc.array(fc.record({ pause: fc.constantFrom(0, 0.1, 0.3, 1, 3), action }), {
      minLength: 1,
      maxLength: 8,
    }),
  }),
);

const emergencies: fc.Arbitrary<Scenario['actions']> = fc.array(
  fc.record({
    pause: fc.constantFrom(0, 0.1, 0.3, 1, 3),
    action: fc.nat(9).map((which) => ({ kind: 'emergency', which }) as const),
  }),
  { minLength: 1, maxLength: 2 },
);

/** The same, and keys that are taken out whatever breaks by it. */
export const broken: fc.Arbitrary<Scenario> = fc
  .tuple(scenarios, emergencies)
  .map(([scenario, sudden]) => ({ ...scenario, actions: [...scenario.actions, ...sudden] }));
