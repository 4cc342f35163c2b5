export type { VerifiableRecord } from './load.js';
export { VERIFY_RULES, type VerifyFault, type VerifyRule } from './report.js';
export { type VerifyOptions, type VerifyProgress, type VerifyReport, verifyZone } from './verify-zone.js';
