import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { ZonesealError } from '../errors.js';
import { type KeySet, type SigningKeys, signingKeys } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import { isUnsigned, keySetRrsets } from '../keys/key-set-records.js';
import type { Policy } from '../keys/policy.js';
import type { Publication, PublicationStore } from './ports.js';

/** What a publication is signed by and with. */
export interface Rules {
  readonly policy: Policy;
  /** What the key set makes at the apex; none: the zone is served unsigned. */
  readonly keyRrsets: readonly RRset[];
  readonly roles: SigningKeys;
}

/** The policy and the keys of a publication. @throws ZonesealError KEY_SET_INVALID, POLICY_INVALID */
export async function readRules(
  publication: Publication,
  store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>,
): Promise<Rules> {
  const [policy, stored] = await Promise.all([
    store.readPolicy(publication.policyName, publication.policyVersion),
    store.readKeySet(publication.zoneId, publication.keySetVersion),
  ]);
  const isOlder = publication.formatVersion < ROLLOVER_FORMAT;
  const keySet = isOlder ? withoutRollover(stored) : stored;
  if (isUnsigned(keySet, policy) && !isOlder)
    return { policy, keyRrsets: [], roles: { keySigning: [], zoneSigning: [] } };
  refuseKeySet(publication, keySet);
  const keyRrsets = keySetRrsets(keySet, Name.parse(publication.zone), policy);
  return { policy, keyRrsets, roles: signingKeys(keySet.keys, publication.view) };
}

/** The output format from which on key sets say what they say at the parent, and may be empty. */
const ROLLOVER_FORMAT = 3;

/** A key set as releases read it that make an older output format, so that both make the same of it. */
function withoutRollover({ keys }: KeySet): KeySet {
  return {
    keys: keys.map((key) => ({ ...key, keySetsOnly: false, parent: false })),
    deleteSentinel: false,
  };
}

function refuseKeySet(publication: Publication, { keys }: KeySet): void {
  if (keys.length === 0) throw noKeys(publication);
  const faults = checkKeySet(keys, [publication.view]).filter((problem) => problem.severity === 'error');
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
