/** `tsx interop/report.ts FILE`: what failed by a report of vitest's JSON reporter, and the totals in the last line. */
import { readFileSync } from 'node:fs';
import { failuresOf, type VitestReport } from './lib/vitest-report.js';

const report = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as VitestReport;
for (const failure of failuresOf(report)) console.log(failure);
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed`);
