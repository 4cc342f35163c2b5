/** What vitest's JSON reporter wrote, as far as the gate reads it. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

export interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));

function firstLines(message: string): string {
  return stripVTControlCharacters(message).split('\n').slice(0, 8).join('\n    ').slice(0, 800);
}

/** What failed and why, a few lines each: for the end of a log of thousands of lines. */
export function failuresOf(report: VitestReport): string[] {
  return report.testResults.flatMap((suite) => {
    const name = relative(root, suite.name);
    const tests = suite.assertionResults.filter((test) => test.status === 'failed');
    if (tests.length === 0)
      return suite.status === 'failed' ? [`FAILED: ${name}\n    ${firstLines(suite.message)}`] : [];
    return tests.map(
      (test) => `FAILED: ${name}: ${test.fullName}\n    ${firstLines(test.failureMessages.join('\n'))}`,
    );
  });
}
