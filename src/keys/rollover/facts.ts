import { tagsOf } from '../../dnssec/dnskey.js';
import { flagsOfRole, signingKeys, signsKeySets, signsZoneData, type ZoneKey } from '../key-set.js';
import type { KeySetFacts, KeySetUse, ManagedKey, RolloverState } from './model.js';

/** Whether a key signs what is not a key set, in the views that it signs in. */
export function signsZone(key: ManagedKey): boolean {
  return key.signs && signsZoneData(key.role) && !(key.role === 'CSK' && key.keySetsOnly);
}

/** Whether a key signs the DNSKEY, CDS and CDNSKEY RRsets. */
export function signsKeys(key: ManagedKey): boolean {
  return key.signs && signsKeySets(key.role);
}

/** What a key set publishes and signs with in each view; keys that were removed do neither. */
export function keySetFacts(
  keys: readonly (ZoneKey & Partial<Pick<ManagedKey, 'removedAt'>>)[],
  views: readonly string[],
  version: number,
  deleteSentinel: boolean,
): KeySetFacts {
  const kept = keys.filter((key) => (key.removedAt ?? null) === null);
  return {
    version,
    published: idsOf(kept.filter((key) => key.published)),
    keySigners: idsOf(signingKeys(kept, null).keySigning),
    zoneSigners: Object.fromEntries(views.map((view) => [view, idsOf(signingKeys(kept, view).zoneSigning)])),
    parent: deleteSentinel ? [] : idsOf(kept.filter((key) => key.parent === true)),
    deleteSentinel,
  };
}

/** What the state's own key set publishes and signs with. */
export function currentFacts(state: RolloverState): KeySetFacts {
  return keySetFacts(state.keys, state.views, state.keySetVersion, state.deleteSentinel);
}

/** An algorithm that is published without a key of it that signs the DNSKEY RRset (no view), or the data of a view. */
export interface MissingSigner {
  readonly algorithm: number;
  readonly view: string | null;
}

/** What a key set lacks for some views: each published algorithm has to sign the DNSKEY RRset and the data (RFC 4035 §2.2). */
export function missingSigners(
  state: Pick<RolloverState, 'keys'>,
  facts: KeySetFacts,
  views: readonly string[],
): MissingSigner[] {
  const algorithms = (ids: readonly string[]): Set<number> => {
    const named = state.keys.filter((key) => ids.includes(key.id) && facts.published.includes(key.id));
    return new Set(named.map((key) => key.algorithm));
  };
  const bySigners = [
    { view: null, signed: algorithms(facts.keySigners) },
    ...views.map((view) => ({ view, signed: algorithms(facts.zoneSigners[view] ?? []) })),
  ];
  return [...algorithms(facts.published)].flatMap((algorithm) =>
    bySigners.filter(({ signed }) => !signed.has(algorithm)).map(({ view }) => ({ algorithm, view })),
  );
}

/** Whether a view can be published by a key set. Gateways publish no other. */
export function isPublishable(state: Pick<RolloverState, 'keys'>, facts: KeySetFacts, view: string): boolean {
  return missingSigners(state, facts, [view]).length === 0;
}

/**
 * Views that do not serve yet what the key set says, and will: one that cannot be published by it (the zone was assigned to it while
 * all keys that sign data are of other views, or an emergency took what signed) is waiting for the next step itself.
 */
export function pendingViews(state: RolloverState): string[] {
  const facts = currentFacts(state);
  return state.views.filter((view) => {
    if (!isPublishable(state, facts, view)) return false;
    const served = servedIn(state.uses, view);
    if (served !== undefined) return contentIn(state, served.facts, view) !== contentIn(state, facts, view);
    return facts.published.length > 0 || (facts.zoneSigners[view] ?? []).length > 0;
  });
}

/** Whether a zone is served signed in all its views, and cannot be published in any by its key set as it is. */
export function isStuck(state: RolloverState): boolean {
  const facts = currentFacts(state);
  const isNone = facts.published.length === 0 && state.policy.signed;
  return (
    state.views.length > 0 &&
    state.views.every((view) => {
      const served = servedIn(state.uses, view)?.facts.published ?? [];
      return served.length > 0 && (isNone || !isPublishable(state, facts, view));
    })
  );
}

/** The DS set that the parent may take: keys by id, none for "delete all"; undefined when nothing is asked of it. */
export function wantedDs(
  facts: Pick<KeySetFacts, 'parent' | 'deleteSentinel'>,
): readonly string[] | undefined {
  if (facts.deleteSentinel) return [];
  return facts.parent.length === 0 ? undefined : facts.parent;
}

/**
 * Key tags that a new key of the zone must not get: those of all keys that there are, revoked as well, and of keys that
 * the parent has a DS for.
 */
export function takenKeyTags(state: Pick<RolloverState, 'keys' | 'ds'>): ReadonlySet<number> {
  const unknown = state.ds.flatMap((use) => use.keys).filter((id) => id.startsWith(UNKNOWN_KEY));
  return new Set([
    ...state.keys.flatMap((key) => [key.keyTag, ...tagsOf(key)]),
    ...unknown.map((id) => Number(id.slice(UNKNOWN_KEY.length))),
  ]);
}

/** Begins the id of a key that the parent has a DS for and that is none of the zone's; its tag follows. */
export const UNKNOWN_KEY = 'unknown:';

/** Begins the id of a key that is not made yet, and stands for one in what is looked ahead at. */
export const PLANNED_KEY = 'planned:';

/** A key that is to be made, as if it were. */
export function plannedKey(
  step: Pick<ManagedKey, 'role' | 'algorithm' | 'view' | 'replaces'>,
  state: Pick<RolloverState, 'zone' | 'keys'>,
  at: number,
): ManagedKey {
  const planned = state.keys.filter((key) => key.id.startsWith(PLANNED_KEY));
  const number = Math.max(0, ...planned.map((key) => Number(key.id.slice(PLANNED_KEY.length)))) + 1;
  return {
    id: `${PLANNED_KEY}${number}`,
    zone: state.zone,
    role: step.role,
    algorithm: step.algorithm,
    keyTag: 0,
    flags: flagsOfRole(step.role),
    publicKey: new Uint8Array(0),
    secretRef: '',
    view: step.view,
    signs: false,
    published: false,
    goal: 'in',
    parent: false,
    keySetsOnly: false,
    createdAt: at,
    replaces: step.replaces,
    activeAt: null,
    removedAt: null,
  };
}

/** Whether the parent's nameservers were ever asked, or an operator said what they have. */
export function isParentKnown(state: Pick<RolloverState, 'ds'>): boolean {
  return state.ds.some((use) => use.seenAt !== null);
}

/** Whether the parent was asked for a DS of the key, or the key was taken over as one that it has a DS of. */
export function isAskedFor(key: ManagedKey): boolean {
  return key.removedAt === null && signsKeySets(key.role) && (key.parent || key.activeAt !== null);
}

/**
 * Whether the parent may have a DS of the key though nobody saw it: it was asked to, or it could be given one by hand, for it is published
 * and signs.
 */
export function mayHaveDs(key: ManagedKey): boolean {
  return isAskedFor(key) || (signsKeys(key) && key.published && key.removedAt === null);
}

/** What a view serves now; undefined when it serves nothing. */
export function servedIn(uses: readonly KeySetUse[], view: string): KeySetUse | undefined {
  return uses
    .filter((use) => use.view === view && use.replacedAt === null && use.until === null)
    .sort((a, b) => b.facts.version - a.facts.version)[0];
}

/** Alike for what looks the same in a view. */
function contentIn({ policy }: RolloverState, facts: KeySetFacts, view: string): string {
  const { published, keySigners, zoneSigners, parent, deleteSentinel } = facts;
  const sets = [published, keySigners, zoneSigners[view] ?? []].map((ids) => [...ids].sort());
  const cds =
    policy.cdsDigests.length === 0 || published.length === 0 ? [] : [[...parent].sort(), deleteSentinel];
  return JSON.stringify([...sets, ...cds]);
}

function idsOf(keys: readonly Pick<ManagedKey, 'id'>[]): string[] {
  return keys.map((key) => key.id).sort();
}
