/** The times of a policy that have to fit together, in seconds. */
export interface PolicyTimes {
  readonly validity: number;
  readonly refresh: number;
  readonly dnskeyTtl: number;
  readonly zskLifetime: number;
  readonly kskLifetime: number;
  readonly propagationDelay: number;
  readonly publishSafety: number;
  readonly parentDsTtl: number;
  readonly parentPropagationDelay: number;
}

/** What is unsafe or doubtful about a policy. */
export interface TimesProblem {
  readonly setting: 'validity' | 'refresh' | 'zskLifetime' | 'kskLifetime';
  /** Says the sum, its terms and what would do. */
  readonly message: string;
}

type Term = readonly [name: string, seconds: number];

/**
 * Why a policy cannot be safe for a zone: signatures that expire in caches or on nameservers, lifetimes that end before the
 * roll that is to end them.
 * @param largestTtl of the zone, seconds; without, as if dnskeyTtl were it
 */
export function unsafeTimes(policy: PolicyTimes, largestTtl = policy.dnskeyTtl): TimesProblem[] {
  const largest: Term =
    largestTtl > policy.dnskeyTtl ? ['largest TTL', largestTtl] : ['dnskeyTtl', policy.dnskeyTtl];
  const propagation: Term = ['propagationDelay', policy.propagationDelay];
  const safety: Term = ['publishSafety', policy.publishSafety];
  const problems: TimesProblem[] = [];
  const check = (setting: TimesProblem['setting'], terms: readonly Term[], why: string): void => {
    const sum = terms.reduce((total, [, seconds]) => total + seconds, 0);
    if (policy[setting] > sum) return;
    const text = terms.map(([name, seconds]) => `${name} ${seconds} s`).join(' + ');
    problems.push({
      setting,
      message: `must be longer than ${text} = ${sum} s, it is ${policy[setting]} s: ${why}`,
    });
  };
  check('validity', [['refresh', policy.refresh], largest, propagation], 'signatures would expire in caches');
  const publish: readonly Term[] = [propagation, ['dnskeyTtl', policy.dnskeyTtl], safety];
  if (policy.zskLifetime > 0) {
    check(
      'zskLifetime',
      [...publish, propagation, largest, safety],
      'a roll takes that long (RFC 7583 §3.2.1)',
    );
  }
  const ds: readonly Term[] = [
    ['parentPropagationDelay', policy.parentPropagationDelay],
    ['parentDsTtl', policy.parentDsTtl],
    safety,
  ];
  if (policy.kskLifetime > 0) {
    check('kskLifetime', [...publish, ...ds, ...publish], 'a roll takes that long (RFC 7583 §3.3)');
  }
  return problems;
}

/**
 * What is doubtful about a policy for a zone.
 * @param soaExpire EXPIRE of the zone's SOA record, seconds; without, it is not looked at
 */
export function doubtfulTimes(
  policy: PolicyTimes,
  largestTtl = policy.dnskeyTtl,
  soaExpire?: number,
): TimesProblem[] {
  const problems: TimesProblem[] = [];
  const inCaches = policy.propagationDelay + largestTtl;
  if (policy.refresh < inCaches) {
    problems.push({
      setting: 'refresh',
      message: `is ${policy.refresh} s, less than propagationDelay ${policy.propagationDelay} s + largest TTL ${largestTtl} s = ${inCaches} s: caches may get signatures that expire before their TTL`,
    });
  }
  if (soaExpire !== undefined && policy.refresh < soaExpire + largestTtl) {
    problems.push({
      setting: 'refresh',
      message: `is ${policy.refresh} s, less than the SOA's expire ${soaExpire} s + largest TTL ${largestTtl} s = ${soaExpire + largestTtl} s: a nameserver that loses contact serves expired signatures before it gives up; raise refresh, or lower expire`,
    });
  }
  return problems;
}
