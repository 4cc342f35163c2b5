import type { Name } from '../dns/name.js';
import { tagsOf } from '../dnssec/dnskey.js';
import { ZonesealError } from '../errors.js';
import type { NewZoneKey } from '../gateway-store.js';
import type { NewKey } from '../keys/generate.js';
import type { CreatedKey } from '../keys/key-maker.js';
import type { ZoneKey } from '../keys/key-set.js';
import { checkKeySet } from '../keys/key-set-check.js';
import type { Policy } from '../keys/policy.js';
import type { LoadedRollover } from '../keys/rollover/ports.js';
import type { DatabaseParts } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { keyText } from './key-text.js';
import { resolveCreations, warnOfDevelopment, withKeyMaker } from './stored-keys.js';
import { hint, viewsOfZone } from './stored-zone.js';

/** A key whose private half is still to be stored. */
export interface KeyToStore extends NewKey {
  readonly signs: boolean;
  readonly published: boolean;
}

/** What is to be added to a zone's key set at once. */
export interface KeySetAddition {
  readonly zone: Name;
  /** The zone as it was when it was decided what to add; nothing is added to another key set. */
  readonly loaded: LoadedRollover;
  readonly toStore: readonly KeyToStore[];
  /** Keys that are in the key store already. */
  readonly stored: readonly ZoneKey[];
  /** Whether they were made just now. */
  readonly areNew: boolean;
  /** The one view in which the keys to be stored sign; null for all. */
  readonly view: string | null;
}

/** The policy a zone is signed by. @throws ZonesealError NOT_HELD, POLICY_INVALID */
export async function policyOfZone({ zones, store }: DatabaseParts, zone: Name): Promise<Policy> {
  const { policy } = await zones.findZone(zone.toString());
  const { version } = await zones.showPolicy(policy);
  return store.publications.readPolicy(policy, version);
}

/**
 * Stores private halves in the key store and adds the keys to the zone's key set, all in one version of it. What the database
 * refuses does not stay in the key store.
 * @returns the keys as the key set has them
 * @throws ZonesealError KEY_SET_INVALID when the key set would be broken by them, KEYS_UNSAFE when caches hold what would not validate with
 * them, KEY_TAG_TAKEN, DATABASE_CONFLICT when others changed the key set meanwhile
 */
export async function addToKeySet(
  parts: DatabaseParts,
  addition: KeySetAddition,
  options: GlobalOptions,
): Promise<ZoneKey[]> {
  const { zone, loaded, toStore, stored, view } = addition;
  const planned = [...stored, ...toStore.map((key) => asZoneKey(zone, key, '', view))];
  guardTags(zone, loaded.state.keys, planned);
  guardKeySet(zone, loaded.state.keys, planned, await viewsOfZone(parts, zone), options);
  await guardCaches(zone, loaded, planned);
  if (toStore.length === 0) return addRows(parts, addition, stored, options);
  return withKeyMaker(parts, async (maker, keyStore) => {
    warnOfDevelopment(keyStore, options);
    await resolveCreations(maker, options);
    const made: CreatedKey[] = [];
    try {
      for (const key of toStore) {
        made.push(await maker.storeKey(zone, key, view));
        key.pkcs8.fill(0);
      }
      const added = toStore.map((key, i) => asZoneKey(zone, key, (made[i] as CreatedKey).secretRef, view));
      return await addRows(parts, addition, [...stored, ...added], options);
    } catch (error) {
      for (const key of made) await maker.discard(key);
      throw error;
    }
  });
}

/**
 * Holds the keys of a zone that are not to be those which its policy wants, before they are there: what an operator brings in by hand does
 * not begin to roll by itself.
 */
async function holdOthers(
  parts: DatabaseParts,
  zone: Name,
  keys: readonly ZoneKey[],
  options: GlobalOptions,
): Promise<void> {
  const { positionsOf } = await import('../keys/rollover/goals.js');
  const policy = await policyOfZone(parts, zone);
  if (!policy.signed) return;
  const places = positionsOf(policy, await viewsOfZone(parts, zone)).map(placeOf);
  const taken = keys.filter((key) => key.signs || key.published).map(placeOf);
  const isOther = taken.some((place, i) => !places.includes(place) || taken.indexOf(place) !== i);
  if (!isOther) return;
  const why = 'other keys than the policy wants were added';
  if (!(await parts.rollovers.hold(zone.toString(), true, why))) return;
  hint(
    options,
    `zone ${zone}: its keys are not just those that its policy wants, so they are held; let them roll to these with: zoneseal keys hold ${zone} --release`,
  );
}

function placeOf({ role, algorithm, view }: Pick<ZoneKey, 'role' | 'algorithm' | 'view'>): string {
  return `${role} ${algorithm} ${view ?? ''}`;
}

/** A tag is how people, DS records and RRSIGs name a key. */
function guardTags(zone: Name, existing: readonly ZoneKey[], added: readonly ZoneKey[]): void {
  added.forEach((key, i) => {
    const [tag, revoked] = tagsOf(key);
    const other = [...existing, ...added.slice(0, i)].find(
      (it) =>
        Buffer.compare(it.publicKey, key.publicKey) !== 0 &&
        tagsOf(it).some((taken) => taken === tag || taken === revoked),
    );
    if (other === undefined) return;
    throw new ZonesealError(
      'KEY_TAG_TAKEN',
      `zone ${zone}: ${keyText(key)} is not added: its tag, or the one that it has once revoked, is that of ${keyText(other)}; replace one of them where they were made`,
      { zone: zone.toString(), keyTag: tag },
    );
  });
}

/** Refuses keys that validators would find bogus answers with, for what is in caches. */
async function guardCaches(
  zone: Name,
  { state, now }: LoadedRollover,
  added: readonly ZoneKey[],
): Promise<void> {
  const { additionConflicts } = await import('../keys/rollover/addition.js');
  const [conflict] = additionConflicts(state, added, now);
  if (conflict === undefined) return;
  throw new ZonesealError(
    'KEYS_UNSAFE',
    `zone ${zone}: the keys are not added, validators would find answers bogus: ${conflict.message}; have its policy want such keys, and they are made and brought in without that, see: zoneseal keys plan ${zone}`,
    { zone: zone.toString() },
  );
}

/** Refuses keys that would break a sound key set; of one that is not sound yet, what is still missing is told. */
function guardKeySet(
  zone: Name,
  existing: readonly ZoneKey[],
  added: readonly ZoneKey[],
  views: readonly string[],
  options: GlobalOptions,
): void {
  const errorsOf = (keys: readonly ZoneKey[]): string[] =>
    checkKeySet(keys, views)
      .filter(({ severity }) => severity === 'error')
      .map(({ message }) => message);
  const after = errorsOf([...existing, ...added]);
  if (after.length === 0) return;
  if (errorsOf(existing).length === 0) {
    throw new ZonesealError(
      'KEY_SET_INVALID',
      `zone ${zone}: the keys are not added, they would break the key set: ${after.join('; ')}`,
      { zone: zone.toString() },
    );
  }
  for (const message of after) hint(options, `warning: zone ${zone}: ${message}`);
}

function asZoneKey(zone: Name, key: KeyToStore, secretRef: string, view: string | null): ZoneKey {
  const { role, algorithm, keyTag, flags, publicKey, signs, published } = key;
  return {
    id: '',
    zone: zone.toLower().toString(),
    role,
    algorithm,
    keyTag,
    flags,
    publicKey,
    secretRef,
    view,
    signs,
    published,
  };
}

async function addRows(
  parts: DatabaseParts,
  { zone, loaded: { state }, areNew }: KeySetAddition,
  added: readonly ZoneKey[],
  options: GlobalOptions,
): Promise<ZoneKey[]> {
  // last of all, so that what fails before holds nothing
  await holdOthers(parts, zone, [...state.keys, ...added], options);
  const rows = added.map(({ id: _id, zone: _zone, ...row }): NewZoneKey => row);
  const ids = await parts.keys.add(zone.toString(), rows, { areNew, keySetVersion: state.keySetVersion });
  return added.map((key, i) => ({ ...key, id: ids[i] as string }));
}
