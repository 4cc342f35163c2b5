import { ZonesealError } from '../errors.js';
import type { Policy } from './policy.js';

/** A setting that is refused or doubted, and why. */
export interface SettingProblem {
  readonly setting: string;
  readonly message: string;
}

/** Beyond it validators take a zone for insecure, as RFC 9276 §3.2 allows: BIND and others beyond 50, Unbound beyond 150. */
const MOST_ITERATIONS = 50;

/**
 * Refuses settings that parse and cannot work. Asked when a policy is written, not when it is read: what an older release has let through must go on
 * renewing signatures.
 * @param views the views that there are; undefined: that is not known
 * @throws ZonesealError POLICY_INVALID naming each setting
 */
export function refuseSettings(name: string, policy: Policy, views?: readonly string[]): void {
  const problems: SettingProblem[] = [];
  const refuse = (setting: string, message: string): void => void problems.push({ setting, message });
  const { rsaBits, nsec3, viewZsks, cdsDigests } = policy;
  if (rsaBits % 8 !== 0) {
    refuse('rsaBits', `must be a multiple of 8, for RSA keys are made in steps of 8 bits; it is ${rsaBits}`);
  }
  if (nsec3.iterations > MOST_ITERATIONS) {
    refuse(
      'nsec3.iterations',
      `must be ${MOST_ITERATIONS} or less, it is ${nsec3.iterations}: validators take a zone with more for insecure (RFC 9276 §3.2), and 0 is what it should be`,
    );
  }
  for (const view of repeated(viewZsks)) refuse('viewZsks', `names view ${view} twice`);
  for (const digest of repeated(cdsDigests)) refuse('cdsDigests', `names digest type ${digest} twice`);
  if (views !== undefined) {
    for (const view of new Set(viewZsks.filter((it) => !views.includes(it)))) {
      refuse('viewZsks', `there is no view "${view}"; create it with: zoneseal view add ${view}`);
    }
  }
  if (problems.length === 0) return;
  const reasons = problems.map(({ setting, message }) => `${setting}: ${message}`).join('; ');
  throw new ZonesealError('POLICY_INVALID', `policy "${name}": ${reasons}`, { policy: name });
}

/** Settings that work and are ill advised. */
export function doubtfulSettings({ denial, nsec3 }: Policy): SettingProblem[] {
  if (denial !== 'nsec3' || nsec3.iterations === 0) return [];
  return [
    {
      setting: 'nsec3.iterations',
      message: `is ${nsec3.iterations}: it should be 0, for more costs validators and protects nothing, and they may take the zone for insecure (RFC 9276)`,
    },
  ];
}

function repeated<T>(items: readonly T[]): T[] {
  return [...new Set(items.filter((item, i) => items.indexOf(item) !== i))];
}
