import { readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import { algorithmToText } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import { WITHOUT_EXPIRATION } from '../keys/key-error.js';
import { KeyRing, type SecretPayload, type SecretSource } from '../keys/key-ring.js';
import type { ZoneKey } from '../keys/key-set.js';
import { timeText } from '../keys/rollover/words.js';
import { withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { keyJson, keyText } from './key-text.js';
import { withKeyStore } from './stored-keys.js';
import { printJson, printTable, say } from './terminal.js';

/** Keys that are fetched at the same time: as many as there are requests at the same time. */
const AT_ONCE = 8;

/** What became of the proof of one key. */
interface Proof {
  readonly key: ZoneKey;
  readonly error: ZonesealError | undefined;
  /** When Barbican deletes the secret by itself, seconds since 1970; undefined: never, or it is not known. */
  readonly expires: number | undefined;
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
      proveAll(listed, client, passphrase === undefined ? {} : { passphrase }),
    );
  });
  if (options.json === true) {
    await printJson(
      proofs.map(({ key, error, expires }) => ({
        ...keyJson(expires === undefined ? key : { ...key, secretExpires: expires }),
        ok: error === undefined,
        ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
      })),
    );
  } else {
    await printTable(['ZONE', 'ROLE', 'TAG', 'ALGORITHM', 'VIEW', 'RESULT'], proofs.map(proofLine));
    for (const { key, error, expires } of proofs) {
      if (error !== undefined) say(error.message);
      else if (expires !== undefined)
        say(
          `warning: zone ${key.zone}: ${keyText(key)}: Barbican deletes its secret by itself at ${timeText(expires)}; ${WITHOUT_EXPIRATION} before that`,
        );
    }
  }
  if (proofs.some(({ error }) => error !== undefined)) throw new Exit(EXIT_CODES.REFUSED.code);
}

async function proveAll(
  keys: readonly ZoneKey[],
  source: SecretSource,
  options: { readonly passphrase?: string },
): Promise<Proof[]> {
  const expirations = new Map<string, number>();
  const fetchPayload = async (reference: string): Promise<SecretPayload> => {
    const payload = await source.fetchPayload(reference);
    const { expiration } = payload;
    if (expiration !== undefined) expirations.set(reference, Math.floor(expiration));
    return payload;
  };
  const ring = new KeyRing({ fetchPayload }, options);
  const proofs: Proof[] = [];
  for (let i = 0; i < keys.length; i += AT_ONCE) {
    proofs.push(
      ...(await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => prove(key, ring, expirations)))),
    );
  }
  return proofs;
}

async function prove(key: ZoneKey, ring: KeyRing, expirations: ReadonlyMap<string, number>): Promise<Proof> {
  const expires = (): number | undefined => expirations.get(key.secretRef) ?? key.secretExpires;
  try {
    await ring.privateKey(key);
    return { key, error: undefined, expires: expires() };
  } catch (error) {
    if (!(error instanceof ZonesealError)) throw error;
    return { key, error, expires: expires() };
  }
}

function proofLine({ key, error, expires }: Proof): string[] {
  const { zone, role, keyTag, algorithm, view } = key;
  const until = expires === undefined ? 'OK' : `OK until ${timeText(expires)}`;
  return [zone, role, String(keyTag), algorithmToText(algorithm), view ?? 'all', error?.code ?? until];
}
