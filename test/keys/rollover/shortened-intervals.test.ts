import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TIMING, type Timing } from '../../../src/keys/rollover/timing.js';
import { scenarios } from './scenarios.js';
import { subject } from './subject.js';
import { type Subject, World } from './world.js';

const SEED = Number(process.env['ZONESEAL_SEED'] ?? 3);
const MOST = 1500;

/** Which world is the first in which a cache holds something bogus; undefined: none of so many. */
function firstBogus(tried: Subject): number | undefined {
  let runs = 0;
  let caught: number | undefined;
  const result = fc.check(
    fc.property(scenarios, (scenario) => {
      runs++;
      if (new World(scenario, tried).run().bogus.length === 0) return true;
      caught = runs;
      return false;
    }),
    { numRuns: MOST, seed: SEED, endOnFailure: true },
  );
  if (result.failed && caught === undefined) throw result.errorInstance as Error;
  return caught;
}

describe(`the model is able to fail (ZONESEAL_SEED=${SEED})`, () => {
  const terms = Object.keys(TIMING) as (keyof Timing)[];
  it.each(terms.flatMap((term) => [0, 0.5].map((part) => [term, part] as const)))(
    '%s times %d is caught',
    { timeout: 0 },
    (term, part) => {
      const whole = TIMING[term] as (...of: unknown[]) => number;
      const shortened = (...of: unknown[]): number => Math.floor(whole(...of) * part);
      const found = firstBogus(subject({ ...TIMING, [term]: shortened }));
      console.log(`${term} × ${part}: caught in world ${found}`);
      expect(found).toBeLessThanOrEqual(MOST);
    },
  );

  it('a gateway that goes by any digest of a DS set is caught', { timeout: 0 }, () => {
    const right = subject();
    const observe: Subject['observe'] = (state, seen, at) =>
      right.observe(
        state,
        seen.filter(({ isOfStrongest }) => !isOfStrongest),
        at,
      );
    const found = firstBogus({ ...right, observe });
    console.log(`any digest: caught in world ${found}`);
    expect(found).toBeLessThanOrEqual(MOST);
  });
});
