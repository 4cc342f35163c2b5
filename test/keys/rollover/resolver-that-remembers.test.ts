import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scenarios } from './scenarios.js';
import { subject } from './subject.js';
import { World } from './world.js';

const RUNS = Number(process.env['ZONESEAL_ROLLOVER_RUNS'] ?? 60);
const SEED = Number(process.env['ZONESEAL_SEED'] ?? Date.now() & 0x7fff_ffff);

describe('a resolver that remembers', () => {
  it(`has nothing that fails to validate, and every roll ends (ZONESEAL_SEED=${SEED})`, {
    timeout: 0,
  }, () => {
    const totals = { decisions: 0, versions: 0 };
    fc.assert(
      fc.property(scenarios, (scenario) => {
        const { bogus, unfinished, log, decisions, versions } = new World(scenario, subject()).run();
        totals.decisions += decisions;
        totals.versions += versions;
        if (bogus.length + unfinished.length > 0) {
          throw new Error(JSON.stringify({ bogus: bogus.slice(0, 5), unfinished, log }, null, 1));
        }
      }),
      { numRuns: RUNS, seed: SEED },
    );
    console.log(
      `${RUNS} worlds: ${totals.versions} key sets, ${totals.decisions} decisions; ZONESEAL_SEED=${SEED}`,
    );
    expect(totals.versions).toBeGreaterThan(RUNS);
  });
});
