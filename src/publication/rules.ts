import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { ZonesealError } from '../errors.js';
import { dnskeyRrset, type SigningKeys, signingKeys, type ZoneKey } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import type { Policy } from '../keys/policy.js';
import type { Publication, PublicationStore } from './ports.js';

/** What a publication is signed by and with. */
export interface Rules {
  readonly policy: Policy;
  readonly dnskeys: RRset;
  readonly roles: SigningKeys;
}

/** The policy and the keys of a publication. @throws ZonesealError KEY_SET_INVALID, POLICY_INVALID */
export async function readRules(
  publication: Publication,
  store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>,
): Promise<Rules> {
  const [policy, keySet] = await Promise.all([
    store.readPolicy(publication.policyName, publication.policyVersion),
    store.readKeySet(publication.zoneId, publication.keySetVersion),
  ]);
  refuseKeySet(publication, keySet);
  const dnskeys = dnskeyRrset(keySet, Name.parse(publication.zone), policy.dnskeyTtl);
  if (dnskeys === undefined) throw noKeys(publication);
  return { policy, dnskeys, roles: signingKeys(keySet, publication.view) };
}

function refuseKeySet(publication: Publication, keySet: readonly ZoneKey[]): void {
  if (keySet.length === 0) throw noKeys(publication);
  const faults = checkKeySet(keySet, [publication.view]).filter((problem) => problem.severity === 'error');
  if (faults.length === 0) return;
  throw new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${publication.zone} in view ${publication.view}: ${faults.map((fault) => fault.message).join('; ')}`,
    { zone: publication.zone, view: publication.view },
  );
}

function noKeys({ zone }: Publication): ZonesealError {
  return new ZonesealError(
    'KEY_SET_INVALID',
    `zone ${zone} has no keys; make some with "zoneseal keys generate ${zone}"`,
    { zone },
  );
}
