import type { KeyRing } from '../keys/key-ring.js';
import type { SigningKeys, ZoneKey } from '../keys/key-set.js';
import type { SigningKey } from '../signing/batch.js';
import type { SignerKey } from '../signing/sign-zone.js';
import { keyPrint } from '../signing/signed-node.js';
import type { Signer } from '../signing/signer.js';
import { alikeIn } from './other-view.js';
import { planOf } from './plan.js';
import { passPolicyGate, unsafeValidity } from './policy-gate.js';
import type { PublicationStore } from './ports.js';
import type { Produced, Production } from './production.js';
import { readRules } from './rules.js';
import type { UpdateStore } from './seal-update.js';
import { makeUpdate } from './update.js';
import { makeWhole, type WholeStore } from './whole.js';

/** Version of the rules by which a publication's output is made; see PublicationTuple.formatVersion. */
export const FORMAT_VERSION = 3;

/** What making a publication needs of the database. */
export type ProductionStore = UpdateStore &
  WholeStore &
  Pick<
    PublicationStore,
    'readPolicy' | 'readKeySet' | 'listReady' | 'listAbandoned' | 'readChanges' | 'expiringPages'
  >;

export interface ProduceDependencies {
  readonly store: ProductionStore;
  readonly keyRing: Pick<KeyRing, 'privateKeys'>;
  readonly signer: Signer;
  /** Octets at which a page ends; for tests that want many. */
  readonly pageOctets?: number;
  /** Octets of another view's publication from which on a first one is made of it; for tests of small zones. */
  readonly alikeOctets?: number;
  /** Pages of which signatures are renewed in one publication; for tests that want few. */
  readonly expiringPages?: number;
}

/**
 * Makes a publication from what its tuple names. From the one before it, where that is enough: the owners that changed, and
 * their neighbours in the denial chain; else from all rows, using every signature again that is good for its slot.
 * @throws ZonesealError of the zone, its keys, its policy and the database
 */
export async function produce(production: Production, dependencies: ProduceDependencies): Promise<Produced> {
  const { publication, distrusted } = production;
  const { store, signer, keyRing, pageOctets, alikeOctets, expiringPages } = dependencies;
  const [rules, ready, abandoned] = await Promise.all([
    readRules(publication, store),
    store.listReady(publication.zoneId),
    store.listAbandoned(publication.zoneId),
  ]);
  const usable = ready.filter(({ id, generation }) => generation !== null && !distrusted.has(id));
  const base = usable.find(({ id }) => id === publication.previous);
  const siblings = usable.filter(({ view }) => view !== publication.view);
  const plan =
    base === undefined
      ? undefined
      : await planOf(
          publication,
          base,
          rules,
          store,
          expiringPages === undefined ? undefined : { expiring: expiringPages },
        );
  // what attempts that died have made of the zone serves again, which only a walk through all rows can see to
  const alike =
    base === undefined && abandoned.length === 0
      ? await alikeIn(siblings, publication, rules, store, alikeOctets)
      : undefined;
  const keys = await lendKeys(rules.roles, keyRing, signer);
  try {
    const common = {
      ...production,
      ...rules,
      ...keys.signing,
      base,
      siblings,
      abandoned,
      signer,
      pageOctets,
    };
    if (base !== undefined && plan !== undefined) {
      const update = await makeUpdate({ ...common, base, ...plan }, store);
      // an update may name a larger TTL than the zone has any more: the whole tells
      if (update !== undefined && unsafeValidity(rules, update.result.maxTtl) === undefined)
        return { ...update, finishImage: () => Promise.resolve() };
    }
    await production.beforeWhole?.();
    const whole = await makeWhole({ ...common, alike }, store);
    const before = ready.find(({ id }) => id === publication.previous);
    const unsafe = await passPolicyGate(publication, rules, whole.result.maxTtl, before, store);
    return unsafe === undefined ? whole : { ...whole, unsafe };
  } finally {
    keys.release();
  }
}

/** Private keys lent to a signer for the time of one production. */
interface LentKeys {
  readonly signing: { readonly keySigning: readonly SignerKey[]; readonly zoneSigning: readonly SignerKey[] };
  release(): void;
}

async function lendKeys(
  roles: SigningKeys,
  keyRing: ProduceDependencies['keyRing'],
  signer: Signer,
): Promise<LentKeys> {
  const distinct = [
    ...new Map([...roles.keySigning, ...roles.zoneSigning].map((key) => [key.id, key])).values(),
  ];
  const privateKeys = await keyRing.privateKeys(distinct);
  const handles = new Map<string, number>();
  for (const { id, algorithm } of distinct) {
    handles.set(id, signer.register({ key: privateKeys.get(id) as SigningKey['key'], algorithm }));
  }
  const signerKey = ({ id, algorithm, keyTag, publicKey }: ZoneKey): SignerKey => ({
    handle: handles.get(id) as number,
    algorithm,
    keyTag,
    print: keyPrint(publicKey),
  });
  return {
    signing: { keySigning: roles.keySigning.map(signerKey), zoneSigning: roles.zoneSigning.map(signerKey) },
    release: () => {
      for (const handle of handles.values()) signer.unregister(handle);
      handles.clear();
    },
  };
}
