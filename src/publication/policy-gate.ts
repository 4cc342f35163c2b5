import { ZonesealError } from '../errors.js';
import { unsafeTimes } from '../keys/policy-arithmetic.js';
import type { Publication, PublicationStore } from './ports.js';
import type { Rules } from './rules.js';

/** Why signatures by these rules would expire in caches that keep records for so long; undefined: they would not. */
export function unsafeValidity({ policy, keyRrsets }: Rules, maxTtl: number): string | undefined {
  if (keyRrsets.length === 0) return undefined;
  const problem = unsafeTimes(policy, maxTtl).find(({ setting }) => setting === 'validity');
  return problem && `${problem.setting} ${problem.message}`;
}

/**
 * Refuses a publication whose largest TTL is too large for its policy. Where that is so of the one before it already, which is served, it is no worse,
 * and is published: else what is served could be neither renewed nor mended step by step.
 * @returns what is to be told of it; undefined: all is well
 * @throws ZonesealError POLICY_INVALID
 */
export async function passPolicyGate(
  publication: Publication,
  rules: Rules,
  maxTtl: number,
  base: Publication | undefined,
  store: Pick<PublicationStore, 'readPolicy'>,
): Promise<string | undefined> {
  const reason = unsafeValidity(rules, maxTtl);
  if (reason === undefined) return undefined;
  const { zone, view, serial, policyName } = publication;
  const message = `zone ${zone} in view ${view}: policy ${policyName}: ${reason}; lower the largest TTL, or change the policy`;
  if (base !== undefined && (await wasUnsafe(base, rules, store))) return message;
  throw new ZonesealError('POLICY_INVALID', message, { zone, view, serial, policy: policyName });
}

async function wasUnsafe(
  base: Publication,
  rules: Rules,
  store: Pick<PublicationStore, 'readPolicy'>,
): Promise<boolean> {
  // made by a release that did not keep it
  if (base.maxTtl === null) return true;
  const policy = await store.readPolicy(base.policyName, base.policyVersion);
  return unsafeValidity({ ...rules, policy }, base.maxTtl) !== undefined;
}
