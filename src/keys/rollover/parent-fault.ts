import { currentFacts, wantedDs } from './facts.js';
import type { DsUse, KeySetFacts, RolloverState } from './model.js';
import type { ParentNow } from './ports.js';
import { keyNames } from './words.js';

/** What the parent has, as it was last seen; null: nobody has asked it, or not all of its nameservers have ever answered. */
type Present = Pick<ParentNow, 'sets'> | null;

/**
 * That a DS set which the parent was last seen with is of no key that signs the key sets which are served, so that resolvers take all of the
 * zone for bogus (RFC 4035 §5.2), in words for an operator; null: nothing of the kind.
 */
export function bogusDs(state: RolloverState, parent: Present): string | null {
  const served = state.uses.filter(
    (use) => use.replacedAt === null && use.until === null && state.views.includes(use.view),
  );
  const wrong = seenDs(state, parent).filter(
    (ds) =>
      ds.algorithms.length > 0 &&
      served.some(({ facts }) => !signersOf(facts).some((id) => ds.keys.includes(id))),
  );
  if (wrong.length === 0) return null;
  const { zone } = state;
  const has = wrong.map((ds) => keyNames(state, ds.keys)).join('; ');
  const own = [...new Set(served.flatMap(({ facts }) => signersOf(facts)))];
  const signed =
    own.length === 0 ? 'the zone is served unsigned' : `${keyNames(state, own)} signs its key sets`;
  return `zone ${zone} is bogus: the parent has the DS of ${has} alone, and ${signed}; look at what is wanted with "zoneseal keys ds ${zone}", and correct the DS at the parent`;
}

/** That the DS set which is wanted was not seen at the parent, in words for an operator; null: it was, or none is wanted. */
export function unseenDs(state: RolloverState, parent: Present): string | null {
  const wanted = wantedDs(currentFacts(state));
  const seen = seenDs(state, parent);
  if (wanted === undefined || seen.some((ds) => isSame(ds.keys, wanted))) return null;
  const { zone } = state;
  const what =
    wanted.length === 0
      ? 'the parent is to remove all DS, and was not seen without'
      : `the DS of ${keyNames(state, wanted)} is wanted at the parent, and was not seen there`;
  const has =
    seen.length === 0
      ? 'nobody knows what it has: have it asked (zoneseal parent set), or say it with "zoneseal keys ds-seen"'
      : `it has ${seen.map((ds) => (ds.keys.length === 0 ? 'none' : `that of ${keyNames(state, ds.keys)}`)).join('; ')}`;
  return `${what}; ${has}; "zoneseal keys ds ${zone}" prints what to give it where it does not take CDS`;
}

/** Of the uses, those that the parent may take again stay open while it is asked for them, though it has them no more: they are no fault. */
function seenDs(state: RolloverState, parent: Present): readonly Pick<DsUse, 'keys' | 'algorithms'>[] {
  if (parent !== null) return parent.sets;
  return state.ds.filter((use) => use.until === null && use.seenAt !== null);
}

function signersOf({ published, keySigners }: KeySetFacts): string[] {
  return keySigners.filter((id) => published.includes(id));
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
