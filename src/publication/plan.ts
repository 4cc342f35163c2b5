import { isDeepStrictEqual } from 'node:util';
import { Name } from '../dns/name.js';
import { distinctOctets } from '../dns/octet-key.js';
import type { RRset } from '../dns/record.js';
import type { ZoneKey } from '../keys/key-set.js';
import type { Policy } from '../keys/policy.js';
import { keyPrint } from '../signing/signed-node.js';
import { sameContent } from '../zone/diff.js';
import type { Publication, PublicationStore, StoredPage } from './ports.js';
import { type Rules, readRules } from './rules.js';

/** How a publication is brought up to date without looking at the whole zone. */
export interface Plan {
  /** Sort keys of the owners that are looked at. */
  readonly touched: readonly Uint8Array[];
  /** Pages with signatures that leave their slots. */
  readonly expiring: readonly StoredPage[];
}

/** Owners that are looked at one by one; with more, reading all rows is cheaper. */
const MAX_TOUCHED = 2000;

/** Pages of which signatures are renewed in one publication, some 16 MiB: what is left follows in the next. */
const MAX_EXPIRING = 1024;

/**
 * How a publication follows from the one before it; undefined when the whole zone has to be looked at: all
 * signatures are to be made anew, the policy signs differently, another key signs the zone's data, or
 * the changes are too many or not listed.
 */
export async function planOf(
  publication: Publication,
  base: Publication,
  rules: Rules,
  store: Pick<PublicationStore, 'readChanges' | 'readPolicy' | 'readKeySet' | 'expiringPages'>,
  limits: { readonly expiring: number } = { expiring: MAX_EXPIRING },
): Promise<Plan | undefined> {
  const { notBefore, formatVersion } = publication;
  if (notBefore !== base.notBefore || formatVersion !== base.formatVersion) return undefined;
  if (base.resignAt === null || base.generation === null) return undefined;
  const touched: Uint8Array[] = [];
  const alike = await alikeUnder(rules, publication, base, store);
  if (alike === 'nothing') return undefined;
  if (alike === 'below-apex') touched.push(Name.parse(publication.zone).sortKey());
  const { zoneId, view, zoneVersion } = publication;
  const changes = await store.readChanges(zoneId, view, base.zoneVersion, zoneVersion, MAX_TOUCHED);
  if (changes.kind === 'all') return undefined;
  const isDue = publication.time >= base.resignAt;
  // a slot ends when so much validity is left
  const until = publication.time + rules.policy.refresh;
  const expiring = isDue ? await store.expiringPages(base.generation, until, limits.expiring) : [];
  return { touched: distinctOctets([...touched, ...changes.keys]), expiring };
}

/** What the rules of two publications of a zone make the same of the same rows. */
export async function alikeUnder(
  rules: Rules,
  publication: Publication,
  other: Publication,
  store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>,
): Promise<'all' | 'below-apex' | 'nothing'> {
  const isSame =
    other.view === publication.view &&
    other.keySetVersion === publication.keySetVersion &&
    other.policyVersion === publication.policyVersion;
  if (isSame) return 'all';
  const others = await readRules(other, store);
  if (!signsAlike(others.policy, rules.policy)) return 'nothing';
  if (!sameKeys(others.roles.zoneSigning, rules.roles.zoneSigning)) return 'nothing';
  const isApexAlike =
    sameRrsets(others.keyRrsets, rules.keyRrsets) &&
    sameKeys(others.roles.keySigning, rules.roles.keySigning);
  return isApexAlike ? 'all' : 'below-apex';
}

/**
 * Whether two policies make the same records of the same keys; what new keys are like and what serials follow makes none, and what CDS and
 * CDNSKEY are like shows at the apex.
 */
function signsAlike(a: Policy, b: Policy): boolean {
  const relevant = ({
    denial,
    nsec3,
    validity,
    refresh,
    inceptionOffset,
    dnskeyTtl,
    zonemd,
  }: Policy): unknown => {
    return [denial, denial === 'nsec3' ? nsec3 : null, validity, refresh, inceptionOffset, dnskeyTtl, zonemd];
  };
  return isDeepStrictEqual(relevant(a), relevant(b));
}

function sameRrsets(a: readonly RRset[], b: readonly RRset[]): boolean {
  return (
    a.length === b.length && a.every((rrset, i) => rrset.type === b[i]?.type && sameContent(rrset, b[i]))
  );
}

function sameKeys(a: readonly ZoneKey[], b: readonly ZoneKey[]): boolean {
  const prints = (keys: readonly ZoneKey[]): string[] => {
    return keys
      .map(({ algorithm, keyTag, publicKey }) => `${algorithm} ${keyTag} ${keyPrint(publicKey)}`)
      .sort();
  };
  return isDeepStrictEqual(prints(a), prints(b));
}
