import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { broken, scenarios } from './scenarios.js';
import { subject } from './subject.js';
import { World } from './world.js';

const RUNS = Number(process.env['ZONESEAL_ROLLOVER_RUNS'] ?? 40);
const SEED = Number(process.env['ZONESEAL_SEED'] ?? Date.now() & 0x7fff_ffff);

describe(`a resolver that remembers (ZONESEAL_SEED=${SEED})`, () => {
  it('has nothing that fails to validate, and every roll ends', { timeout: 0 }, () => {
    const totals = { decisions: 0, versions: 0, years: 0 };
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const { bogus, unfinished, log, ...counts } = new World(scenario, subject()).run();
        totals.decisions += counts.decisions;
        totals.versions += counts.versions;
        totals.years += counts.years;
        if (bogus.length + unfinished.length > 0) {
          throw new Error(JSON.stringify({ bogus: bogus.slice(0, 5), unfinished, log }, null, 1));
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    const { versions, decisions, years } = totals;
    console.log(
      `${RUNS} worlds, ${Math.round(years)} years: ${versions} key sets, ${decisions} decisions; ZONESEAL_SEED=${SEED}`,
    );
    expect(versions).toBeGreaterThan(RUNS);
  });

  it('sees every zone whole again, after emergency rolls too', { timeout: 0 }, () => {
    fc.assert(
      fc.property(broken, (scenario) => {
        const { unfinished, log } = new World(scenario, subject()).run();
        if (unfinished.length > 0) throw new Error(JSON.stringify({ unfinished, log }, null, 1));
      }),
      { numRuns: Math.ceil(RUNS / 4), seed: SEED },
    );
  });
});
