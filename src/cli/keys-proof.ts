import { readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import { algorithmToText } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import { KeyRing } from '../keys/key-ring.js';
import type { ZoneKey } from '../keys/key-set.js';
import { withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { keyJson } from './key-text.js';
import { withKeyStore } from './stored-keys.js';
import { printJson, printTable, say } from './terminal.js';

/** Keys that are fetched at the same time: as many as there are requests at the same time. */
const AT_ONCE = 8;

/** What became of the proof of one key. */
interface Proof {
  readonly key: ZoneKey;
  readonly error: ZonesealError | undefined;
}

/** Fetches, matches and proves the keys of a zone, or of all, and tells of each. @throws Exit where one fails */
export async function proveKeys(
  zone: Name | undefined,
  options: GlobalOptions & { readonly json?: true },
): Promise<void> {
  const proofs = await withDatabase(options, async ({ config, keys }) => {
    const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, config.keyPassphraseFile);
    const listed = await keys.list(zone?.toString());
    return withKeyStore(config, ({ client }) =>
      proveAll(listed, new KeyRing(client, passphrase === undefined ? {} : { passphrase })),
    );
  });
  if (options.json === true) {
    await printJson(
      proofs.map(({ key, error }) => ({
        ...keyJson(key),
        ok: error === undefined,
        ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
      })),
    );
  } else {
    await printTable(['ZONE', 'ROLE', 'TAG', 'ALGORITHM', 'VIEW', 'RESULT'], proofs.map(proofLine));
    for (const { error } of proofs) if (error !== undefined) say(error.message);
  }
  if (proofs.some(({ error }) => error !== undefined)) throw new Exit(EXIT_CODES.REFUSED.code);
}

async function proveAll(keys: readonly ZoneKey[], ring: KeyRing): Promise<Proof[]> {
  const proofs: Proof[] = [];
  for (let i = 0; i < keys.length; i += AT_ONCE) {
    proofs.push(...(await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => prove(key, ring)))));
  }
  return proofs;
}

async function prove(key: ZoneKey, ring: KeyRing): Promise<Proof> {
  try {
    await ring.privateKey(key);
    return { key, error: undefined };
  } catch (error) {
    if (!(error instanceof ZonesealError)) throw error;
    return { key, error };
  }
}

function proofLine({ key, error }: Proof): string[] {
  const { zone, role, keyTag, algorithm, view } = key;
  return [zone, role, String(keyTag), algorithmToText(algorithm), view ?? 'all', error?.code ?? 'OK'];
}
