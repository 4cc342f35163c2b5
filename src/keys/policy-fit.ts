import { ZonesealError } from '../errors.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { Policy } from './policy.js';
import { doubtfulTimes, unsafeTimes } from './policy-arithmetic.js';

/** The times of a zone that its policy has to fit. */
export interface ZoneTimes {
  readonly zone: string;
  /** Whether it has keys that sign or are published: by a policy that says `signed: false` it is on its way out. */
  readonly hasKeys: boolean;
  /** An RRset that no other has a larger TTL than; null where the zone has no data. */
  readonly largest: { readonly owner: string; readonly type: string; readonly ttl: number } | null;
  /** EXPIRE of the SOA record, seconds; null where it is not there or cannot be read. */
  readonly soaExpire: number | null;
}

/** What is unsafe (an error) or doubtful (a warning) about a policy for one zone. */
export function judgePolicy(
  name: string,
  policy: Policy,
  { zone, hasKeys, largest, soaExpire }: ZoneTimes,
): ZoneProblem[] {
  if (largest === null || !(policy.signed || hasKeys)) return [];
  const { owner, type, ttl } = largest;
  const problem = (severity: ZoneProblem['severity'], text: string, next: string): ZoneProblem => ({
    severity,
    zone,
    view: null,
    owner,
    type,
    rule: severity === 'error' ? 'policy-unsafe' : 'policy-doubtful',
    message: `zone ${zone}: policy ${name}: ${text}; ${next}`,
  });
  const lower = `the largest TTL is that of ${owner} ${type}: lower it, or change the policy`;
  const unsafe = unsafeTimes(policy, ttl).map(({ setting, message }) =>
    problem('error', `${setting} ${message}`, lower),
  );
  if (unsafe.length > 0) return unsafe;
  return doubtfulTimes(policy, ttl, soaExpire ?? undefined).map(({ setting, message }) =>
    problem('warning', `${setting} ${message}`, `the largest TTL is that of ${owner} ${type}`),
  );
}

/** Zones that are named in a refusal; of the others it is said how many they are. */
const NAMED = 10;

/** Refuses a policy for zones that it is unsafe for. @throws ZonesealError POLICY_INVALID naming them, with the sums */
export function refuseUnsafe(name: string, problems: readonly ZoneProblem[]): void {
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return;
  const named = errors.slice(0, NAMED).map(({ message }) => message);
  const more = errors.length > NAMED ? `\nand ${errors.length - NAMED} more` : '';
  throw new ZonesealError('POLICY_INVALID', `${named.join('\n')}${more}`, {
    policy: name,
    zones: [...new Set(errors.slice(0, NAMED).map(({ zone }) => zone))],
  });
}
