import type { Policy } from '../policy.js';
import type { DsUse, KeySetUse, RolloverState } from './model.js';

/** The terms that the intervals of RFC 7583 are made of, in seconds, each by itself. */
export interface Timing {
  /** Dprp: from a publication that is ready to the last nameserver that has it. */
  readonly propagationDelay: (policy: Policy) => number;
  /** On top of every wait: clocks that differ, and doubt. */
  readonly publishSafety: (policy: Policy) => number;
  /** TTLkey: how long caches keep the DNSKEY RRset of a use, and its signatures. */
  readonly dnskeyTtl: (use: Pick<KeySetUse, 'dnskeyTtl'>) => number;
  /** TTLsig: how long caches keep any other signature of a use. */
  readonly largestTtl: (use: Pick<KeySetUse, 'maxTtl'>) => number;
  /** DprpP: from a DS set that is seen at the parent to the last of its nameservers. */
  readonly parentPropagationDelay: (policy: Policy) => number;
  /** TTLds: how long caches keep a DS set, or that there is none. */
  readonly dsTtl: (use: Pick<DsUse, 'ttl'>, policy: Policy) => number;
}

/** The true terms. */
export const TIMING: Timing = {
  propagationDelay: (policy) => policy.propagationDelay,
  publishSafety: (policy) => policy.publishSafety,
  dnskeyTtl: (use) => use.dnskeyTtl,
  largestTtl: (use) => use.maxTtl,
  parentPropagationDelay: (policy) => policy.parentPropagationDelay,
  dsTtl: (use, policy) => use.ttl ?? policy.parentDsTtl,
};

/** From a DNSKEY RRset that all known nameservers have, to the last cache that has it: Ipub of RFC 7583 §3.2.1. */
export function dnskeyInterval(
  use: Pick<KeySetUse, 'dnskeyTtl'>,
  policy: Policy,
  timing: Timing = TIMING,
): number {
  return timing.propagationDelay(policy) + timing.dnskeyTtl(use) + timing.publishSafety(policy);
}

/** From signatures that all known nameservers are without, to the last cache without them: Iret of RFC 7583 §3.2.1. */
export function signatureInterval(
  use: Pick<KeySetUse, 'maxTtl'>,
  policy: Policy,
  timing: Timing = TIMING,
): number {
  return timing.propagationDelay(policy) + timing.largestTtl(use) + timing.publishSafety(policy);
}

/** From a DS set that the parent is seen without, to the last cache without it: Iret of RFC 7583 §3.3.1. */
export function dsInterval(use: Pick<DsUse, 'ttl'>, policy: Policy, timing: Timing = TIMING): number {
  return timing.parentPropagationDelay(policy) + timing.dsTtl(use, policy) + timing.publishSafety(policy);
}

/**
 * When an interval is over that begins at a time. What began while the policy promised more takes as long as it promised then.
 * @returns seconds since 1970
 */
export function endOf(
  { policy, formerly }: Pick<RolloverState, 'policy' | 'formerly'>,
  from: number,
  interval: (policy: Policy) => number,
): number {
  const before = formerly.map(
    ({ until, delays }) => Math.min(from, until) + interval({ ...policy, ...delays }),
  );
  return Math.max(from + interval(policy), ...before);
}

/** How long before a ZSK's lifetime ends its successor has to be made, to sign when it does. */
export function zskLead(policy: Policy): number {
  return dnskeyInterval(policy, policy);
}

/**
 * How long before a KSK's or CSK's lifetime ends its successor has to be made, for its DS to be there alone when it does, if
 * the parent does not take its time.
 */
export function kskLead(policy: Policy): number {
  const untilDsSeen = 2 * dnskeyInterval(policy, policy) + policy.parentPropagationDelay;
  return untilDsSeen + dsInterval({ ttl: null }, policy);
}
