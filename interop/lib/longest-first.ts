import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Suites of several minutes, the longest first: begun late, one of them would be alone at the end. */
const LONG = [
  'validators/validators',
  'keystore/keystore',
  'rollover/rolls',
  'gateways/set-back',
  'rollover/runbook',
  'gateways/agreement',
  'secondaries/secondaries',
  'gateways/moments',
].map((suite) => `interop/${suite}.test.ts`);

/** The order in which suites begin. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const others = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((suite) => moduleId.endsWith(suite));
      return at < 0 ? LONG.length : at;
    };
    return others.toSorted((a, b) => place(a) - place(b));
  }
}
