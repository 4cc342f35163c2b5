import type { Name } from '../../dns/name.js';
import { dnskeyRdata, dsMatches, parseDs, strongestDs } from '../../dnssec/dnskey.js';
import { currentFacts, signsKeys, wantedDs } from './facts.js';
import type { DsUse, KeySetFacts, ManagedKey, RolloverState } from './model.js';
import type { ParentNow } from './ports.js';
import { describeParent, describeSilent, keyNames } from './words.js';

/** What the parent has, as it was last seen; null: nobody has asked it, or not all of its nameservers have ever answered. */
type Present = Pick<ParentNow, 'sets'> | null;

type DsSet = Pick<DsUse, 'keys' | 'algorithms'>;

const SAME_DIGESTS = 'have the parent take for every key DS of the same digests';

/**
 * That a DS set which the parent was last seen with is of no key that signs the key sets which are served, so that resolvers take all of the
 * zone for bogus (RFC 4035 §5.2), in words for an operator; null: nothing of the kind.
 */
export function bogusDs(state: RolloverState, parent: Present): string | null {
  const served = state.uses.filter(
    (use) => use.replacedAt === null && use.until === null && state.views.includes(use.view),
  );
  const seen = seenDs(state, parent);
  const isWrong = (ds: DsSet): boolean =>
    ds.algorithms.length > 0 &&
    served.some(({ facts }) => !signersOf(facts).some((id) => ds.keys.includes(id)));
  const wrong = seen.filter(isWrong);
  if (wrong.length === 0) return null;
  const { zone } = state;
  const has = wrong.map((ds) => keyNames(state, ds.keys)).join('; ');
  const own = [...new Set(served.flatMap(({ facts }) => signersOf(facts)))];
  const signed =
    own.length === 0 ? 'the zone is served unsigned' : `${keyNames(state, own)} signs its key sets`;
  // the strongest digests of a set are a part of it (`parentNow`); what another nameserver has may be one as well
  const isPart = (ds: DsSet): boolean =>
    seen.some((it) => !isWrong(it) && ds.keys.every((id) => it.keys.includes(id)));
  if (wrong.every(isPart)) {
    return `zone ${zone} is bogus to some: validators that take the strongest digest only, or ask a nameserver of the parent that has less, find the DS of ${has} alone, and ${signed}; see "zoneseal parent check ${zone}", and ${SAME_DIGESTS}, as "zoneseal keys ds ${zone}" prints them`;
  }
  return `zone ${zone} is bogus: the parent has the DS of ${has} alone, and ${signed}; look at what is wanted with "zoneseal keys ds ${zone}", and correct the DS at the parent`;
}

/** What is wrong with the DS RRset that one nameserver of the parent gives, in words; null: the zone validates with it, or is insecure. */
export function misfitOf(zone: Name, ds: readonly Uint8Array[], keys: readonly ManagedKey[]): string | null {
  const signers = keys.filter((key) => key.published && signsKeys(key)).map(dnskeyRdata);
  const isOfSigner = (rdata: Uint8Array): boolean => signers.some((dnskey) => dsMatches(zone, rdata, dnskey));
  if (ds.length === 0) return null;
  const see = `zoneseal keys ds ${zone.toLower()}`;
  if (!ds.some(isOfSigner)) {
    return `no DS record there is of a key that signs the DNSKEY RRset of ${zone.toLower()}: validators see bogus answers; have the parent take those of: ${see}`;
  }
  // where this leads to a signer, the strongest of each algorithm does as well, for it is a part of these
  const strongest = strongestDs(ds, 'all');
  if (strongest.some(isOfSigner)) return null;
  const tags = [...new Set(strongest.map((rdata) => parseDs(rdata).keyTag))].join(', ');
  return `validators that take the strongest digest only find the DS of ${tags} alone, which signs no DNSKEY RRset of ${zone.toLower()}, and bogus answers; ${SAME_DIGESTS}: ${see}`;
}

/** That the DS set which is wanted is not what was seen at the parent, in words for an operator; null: it is, or none is wanted. */
export function unseenDs(state: RolloverState, parent: Present): string | null {
  const wanted = wantedDs(currentFacts(state));
  const seen = seenDs(state, parent);
  const isWanted = (ds: DsSet): boolean => wanted !== undefined && isSame(ds.keys, wanted);
  if (wanted === undefined || (seen.length > 0 && seen.every(isWanted))) return null;
  const { zone, silent = [] } = state;
  const unseen = seen.some(isWanted) ? 'is not all that was seen there' : 'was not seen there';
  const what =
    wanted.length === 0
      ? `the parent is to remove all DS, and was ${seen.some(isWanted) ? 'seen with some as well' : 'not seen without'}`
      : `the DS of ${keyNames(state, wanted)} is wanted at the parent, and ${unseen}`;
  const has =
    seen.length === 0
      ? `nobody knows what it has: ${describeParent(state)}`
      : `${silent.length === 0 ? '' : `${describeSilent(silent)}; `}it has ${seen.map((ds) => (ds.keys.length === 0 ? 'none' : `that of ${keyNames(state, ds.keys)}`)).join('; ')}`;
  return `${what}; ${has}; "zoneseal keys ds ${zone}" prints what to give it where it does not take CDS`;
}

/** Of the uses, those that the parent may take again stay open while it is asked for them, though it has them no more: they are no fault. */
function seenDs(state: RolloverState, parent: Present): readonly DsSet[] {
  if (parent !== null) return parent.sets;
  return state.ds.filter((use) => use.until === null && use.seenAt !== null);
}

function signersOf({ published, keySigners }: KeySetFacts): string[] {
  return keySigners.filter((id) => published.includes(id));
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
