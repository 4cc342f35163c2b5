/**
 * Zones of every kind, signed in every way, taken from a running gateway by AXFR with TSIG and shown to every validator.
 */
import { afterAll, beforeAll } from 'vitest';
import { describeAcceptance } from './acceptance.js';
import { describeCommandLine } from './command-line.js';
import { describeComparison } from './comparison.js';
import { describeDigests } from './digests.js';
import { describeExclusions } from './exclusions.js';
import { describeHundredThousand } from './hundred-thousand.js';
import { ValidatorLab } from './lab.js';
import { describeRfcChains } from './rfc-chains.js';

let running: ValidatorLab | undefined;

const lab = (): ValidatorLab => {
  if (running === undefined) throw new Error('the gateway does not run');
  return running;
};

beforeAll(async () => {
  running = await ValidatorLab.start();
});
afterAll(() => running?.stop());

describeRfcChains(lab);
describeAcceptance(lab);
describeDigests(lab);
describeComparison(lab);
describeCommandLine(lab);
describeExclusions(lab);
describeHundredThousand(lab);
