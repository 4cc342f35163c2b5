import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { ManagedKey } from '../keys/rollover/model.js';
import type { SecretFate } from '../keys/secret-keeper.js';
import { confirmDeletion } from './confirm.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { keyText } from './key-text.js';
import { resolveCreations, withKeyMaker } from './stored-keys.js';
import { hint } from './stored-zone.js';

export interface DeleteKeyOptions extends GlobalOptions {
  readonly yes: boolean;
  readonly anySecret: boolean;
}

/** What is said of a secret, by what became of it. */
const STAYS: Readonly<Record<SecretFate, (reference: string) => string>> = {
  deleted: () => '',
  shared: () => '; other zones use its secret, which stays',
  kept: (reference) =>
    `; its secret is kept in Barbican, as it was not put there from here: delete it with: openstack secret delete ${reference}`,
};

/**
 * Deletes a key that nothing uses: it is taken out of the key set, so that no roll can bring it into use any more, then its private half goes, then
 * the rest. What is interrupted goes on when the policy's keyRetention is over, or at the next `keys delete`.
 */
export async function deleteKey(zone: Name, tag: number, options: DeleteKeyOptions): Promise<void> {
  await withDatabase(options, async (parts) => {
    const key = findKey(zone, tag, await parts.keys.list(zone.toString()));
    if (key.signs || key.published || key.parent) throw inUse(zone, key);
    hint(
      options,
      `warning: caches may hold signatures of ${keyText(key)} for as long as the largest TTL after it was taken out`,
    );
    if (!options.yes)
      await confirmDeletion(`${keyText(key)} of zone ${zone}, and its private key for good`, String(tag));
    await withKeyMaker(parts, async (maker) => {
      await resolveCreations(maker, options);
      // a roll may have brought it into use while somebody was asked
      if (!(await parts.keys.takeOut(key.id))) {
        const now = (await parts.keys.list(zone.toString())).find(({ id }) => id === key.id);
        throw now === undefined ? goneMeanwhile(zone, key) : inUse(zone, now);
      }
      const outcome = await maker.destroyKey(key, options.anySecret);
      await parts.keys.delete(key.id);
      const stays = STAYS[outcome](key.secretRef);
      hint(options, `zone ${zone}: ${keyText(key)} deleted${stays}`);
    });
  });
}

function findKey(zone: Name, tag: number, keys: readonly ManagedKey[]): ManagedKey {
  const found = keys.filter((key) => key.keyTag === tag);
  const [key] = found;
  const fields = { zone: zone.toString(), keyTag: tag };
  if (key === undefined) {
    throw new ZonesealError(
      'NOT_HELD',
      `zone ${zone} has no key ${tag}; see: zoneseal keys list ${zone}`,
      fields,
    );
  }
  const idle = found.filter(({ signs, published, parent }) => !signs && !published && !parent);
  if (found.length === 1 || idle.length === 0) return key;
  if (idle.length === 1) return idle[0] as ManagedKey;
  const which = found.map(keyText).join(' and ');
  throw new ZonesealError(
    'KEY_IN_USE',
    `zone ${zone}: several keys have the tag ${tag} (${which}), and none of them is deleted`,
    fields,
  );
}

function goneMeanwhile(zone: Name, key: ManagedKey): ZonesealError {
  return new ZonesealError('NOT_HELD', `zone ${zone}: ${keyText(key)} was deleted meanwhile`, {
    zone: zone.toString(),
    keyTag: key.keyTag,
  });
}

function inUse(zone: Name, key: ManagedKey): ZonesealError {
  const does = [
    ...(key.signs ? ['signs'] : []),
    ...(key.published ? ['is published'] : []),
    ...(key.parent ? ['is wanted at the parent'] : []),
  ];
  const what = does.length === 0 ? 'may have its DS at the parent' : does.join(' and ');
  return new ZonesealError(
    'KEY_IN_USE',
    `zone ${zone}: ${keyText(key)} ${what}, and is not deleted; have it replaced first, with: zoneseal keys roll ${zone} ${key.keyTag}`,
    { zone: zone.toString(), keyTag: key.keyTag },
  );
}
