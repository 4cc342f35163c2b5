import { type Config, readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import type { FolderKeys } from '../keys/key-folder.js';
import { findStoredKeys, type KeyReference, readStoredKeys } from '../keys/key-vault.js';
import { UsageError } from './exit.js';

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
  const { openKeyStore } = await import('../gateway-parts.js');
  const keyStore = await openKeyStore(config);
  try {
    return wanted === undefined
      ? await findStoredKeys(keyStore.client, zone, passphrase)
      : await readStoredKeys(keyStore.client, zone, wanted, passphrase);
  } finally {
    await keyStore.close();
  }
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
