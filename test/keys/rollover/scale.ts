import type { Policy } from '../../../src/keys/policy.js';
import type { Delay, Scenario } from './world.js';

/** What a roll takes, about, with the longest of all that the scenario has. */
export function scaleOf({ policy, zoneTtl, actions }: Scenario, changes: readonly Partial<Policy>[]): number {
  const all = actions.map(({ action }) => action);
  const longest = (first: number, ...more: (number | undefined)[]): number =>
    Math.max(first, ...more.filter((it) => it !== undefined));
  const delay = (of: Delay): number =>
    longest(policy[of], ...all.map((it) => (it.kind === 'delay' && it.of === of ? it.seconds : 0)));
  const ttls = all.map((it) => (it.kind === 'ttl' ? it.ttl : 0));
  const largest = longest(zoneTtl, policy.dnskeyTtl, ...ttls, ...changes.map((it) => it.dnskeyTtl));
  const safety = longest(policy.publishSafety, ...changes.map((it) => it.publishSafety));
  const dsTtl = longest(policy.parentDsTtl, ...all.map((it) => (it.kind === 'dsTtl' ? it.ttl : 0)));
  return 3 * (delay('propagationDelay') + safety + largest) + delay('parentPropagationDelay') + dsTtl;
}
