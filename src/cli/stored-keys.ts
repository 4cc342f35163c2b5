import type { KeyObject } from 'node:crypto';
import { hostname } from 'node:os';
import { type Config, readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import type { OpenKeyStore } from '../gateway-parts.js';
import type { FolderKeys } from '../keys/key-folder.js';
import { creationText, deletedKeyText, KeyMaker } from '../keys/key-maker.js';
import { KeyRing } from '../keys/key-ring.js';
import type { ZoneKey } from '../keys/key-set.js';
import { findStoredKeys, type KeyReference, readStoredKeys } from '../keys/key-vault.js';
import type { DatabaseParts } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { say } from './terminal.js';

/**
 * A zone's keys from the configured key store: those behind the references, or else those that it marks as the zone's.
 * @throws ZonesealError KEY_MISSING, KEYSTORE_UNAVAILABLE and the like; UsageError
 */
export async function fetchStoredKeys(
  config: Config,
  zone: Name,
  references: readonly string[] | undefined,
): Promise<FolderKeys> {
  const wanted = references?.map(parseKeyReference);
  const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, config.keyPassphraseFile);
  return withKeyStore(config, ({ client }) =>
    wanted === undefined
      ? findStoredKeys(client, zone, passphrase)
      : readStoredKeys(client, zone, wanted, passphrase),
  );
}

/** `KSK=https://…/secrets/ID`, or the reference alone. @throws UsageError */
export function parseKeyReference(text: string): KeyReference {
  const match = /^([A-Za-z]{3})=(.+)$/.exec(text);
  if (match === null) return { reference: text };
  const role = (match[1] as string).toUpperCase();
  if (role !== 'KSK' && role !== 'ZSK' && role !== 'CSK') {
    throw new UsageError(`--key-ref ${text}: the role before "=" is KSK, ZSK or CSK`);
  }
  return { role, reference: match[2] as string };
}

/**
 * The private keys of zone keys, by their ids, from the configured key store.
 * @throws ZonesealError as KeyRing
 */
export async function privateKeysOf(
  config: Config,
  keys: readonly ZoneKey[],
): Promise<ReadonlyMap<string, KeyObject>> {
  const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, config.keyPassphraseFile);
  return withKeyStore(config, ({ client }) =>
    new KeyRing(client, passphrase === undefined ? {} : { passphrase }).privateKeys(keys),
  );
}

/** Opens the configured key store for the time of some work. */
export async function withKeyStore<T>(
  config: Config,
  work: (keyStore: OpenKeyStore) => Promise<T>,
): Promise<T> {
  const { openKeyStore } = await import('../gateway-parts.js');
  const keyStore = await openKeyStore(config);
  try {
    return await work(keyStore);
  } finally {
    await keyStore.close();
  }
}

/** What this process is in the metadata of secrets. */
export function thisCommand(): string {
  return `command on ${hostname()}, process ${process.pid}`;
}

/** Opens the configured key store, and what makes and destroys secrets in it, for the time of some work. */
export function withKeyMaker<T>(
  { config, store }: Pick<DatabaseParts, 'config' | 'store'>,
  work: (maker: KeyMaker, keyStore: OpenKeyStore) => Promise<T>,
): Promise<T> {
  return withKeyStore(config, (keyStore) => {
    const { client: keeper, access } = keyStore;
    return work(
      new KeyMaker({ keeper, creations: store.creations, createdBy: thisCommand(), access }),
      keyStore,
    );
  });
}

/** Removes what commands and gateways that were killed have left half made, and keys of deleted zones; what cannot be removed is told of. */
export async function resolveCreations(maker: KeyMaker, { quiet }: GlobalOptions): Promise<void> {
  const { removed, failed } = await maker.resolve();
  const deleted = await maker.destroyDeleted();
  if (quiet) return;
  for (const key of deleted.destroyed) say(`destroyed ${deletedKeyText(key)}`);
  for (const { error } of deleted.failed) say(`warning: ${error.message}`);
  for (const creation of removed) say(`removed what was left of ${creationText(creation)}`);
  for (const { creation, error } of failed) {
    say(`warning: what was left of ${creationText(creation)} cannot be removed: ${error.message}`);
  }
}

/** Warns where what is about to be stored would lie in the development Barbican. */
export function warnOfDevelopment({ development }: OpenKeyStore, { quiet }: GlobalOptions): void {
  if (!development || quiet) return;
  say(
    'warning: no Barbican is configured: secrets lie unencrypted in the data folder (development Barbican)',
  );
}
