import { readFile, stat } from 'node:fs/promises';
import { systemClock } from '../clock.js';
import { readSecret, SECRET_VARIABLES } from '../config.js';
import type { Name } from '../dns/name.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { decodePrivateKey } from '../keys/formats/decode.js';
import { MAX_KEY_OCTETS } from '../keys/formats/shape.js';
import { importKey } from '../keys/generate.js';
import { WITHOUT_EXPIRATION } from '../keys/key-error.js';
import { readKeyFolder } from '../keys/key-folder.js';
import type { KeyRole, ZoneKey } from '../keys/key-set.js';
import { type KeyReference, readStoredKeys } from '../keys/key-vault.js';
import { timeText } from '../keys/rollover/words.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { addToKeySet, type KeyToStore, policyOfZone } from './key-set-addition.js';
import { keyJson, keyText } from './key-text.js';
import { loadKeys } from './loaded-keys.js';
import { withKeyStore } from './stored-keys.js';
import { hint } from './stored-zone.js';
import { printJson } from './terminal.js';

export interface ImportKeysOptions extends GlobalOptions {
  readonly role?: KeyRole;
  readonly algorithm?: number;
  readonly view?: string;
  readonly json?: true;
}

interface Context {
  readonly parts: DatabaseParts;
  readonly zone: Name;
  readonly options: ImportKeysOptions;
  readonly passphrase: { readonly passphrase?: string };
}

/** A secret that expires later than that is warned of, as there is time to replace it. */
const FAR_OFF_SECONDS = 365 * 86_400;

/** A URL that ends in /secrets/ and an id, or the id alone. */
const REFERENCE = /^(https?:\/\/\S+\/secrets\/)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/?$/i;

/** Adds keys from files, folders and references to a zone's key set, all at once. */
export async function importKeys(
  zone: Name,
  sources: readonly string[],
  options: ImportKeysOptions,
): Promise<void> {
  await withDatabase(options, async (parts) => {
    const loaded = await loadKeys(parts, zone);
    const passphrase = readSecret(SECRET_VARIABLES.keyPassphrase, parts.config.keyPassphraseFile);
    const context: Context = {
      parts,
      zone,
      options,
      passphrase: passphrase === undefined ? {} : { passphrase },
    };
    const stored = await readReferences(
      context,
      sources.filter((source) => REFERENCE.test(source)),
    );
    const toStore: KeyToStore[] = [];
    for (const source of sources.filter((source) => !REFERENCE.test(source))) {
      toStore.push(...(await readSource(context, source)));
    }
    const view = options.view ?? null;
    const other = [...stored, ...toStore].find(({ role }) => role !== 'ZSK');
    if (view !== null && other !== undefined) {
      throw new UsageError(`only a ZSK can be for one view, and ${keyText(other)} is none`);
    }
    const addition = {
      zone,
      loaded,
      toStore,
      areNew: false,
      stored: stored.map((key) => ({ ...key, view })),
      view,
    };
    const added = await addToKeySet(parts, addition, options);
    if (options.json === true) await printJson(added.map(keyJson));
    else for (const key of added) hint(options, `zone ${zone}: ${keyText(key)} added, ${key.secretRef}`);
  });
}

async function readReferences(context: Context, references: readonly string[]): Promise<readonly ZoneKey[]> {
  if (references.length === 0) return [];
  const { parts, zone, options, passphrase } = context;
  const { role, algorithm } = options;
  const wanted = references.map(
    (reference): KeyReference => ({
      reference,
      ...(role === undefined ? {} : { role }),
      ...(algorithm === undefined ? {} : { algorithm }),
    }),
  );
  const { keys } = await withKeyStore(parts.config, ({ client }) =>
    readStoredKeys(client, zone, wanted, passphrase.passphrase),
  );
  for (const key of keys) judgeExpiration(key, options);
  return keys;
}

/** A key whose secret goes by itself takes its zone down with it. @throws ZonesealError KEY_EXPIRES where that is near */
function judgeExpiration(key: ZoneKey, options: GlobalOptions): void {
  const { zone, keyTag, secretRef, secretExpires } = key;
  if (secretExpires === undefined) return;
  const what = `zone ${zone}: ${keyText(key)}: Barbican deletes its secret ${secretRef} by itself at ${timeText(secretExpires)}, and the zone cannot be signed with it afterwards`;
  if (secretExpires >= systemClock.seconds() + FAR_OFF_SECONDS) {
    hint(options, `warning: ${what}; ${WITHOUT_EXPIRATION} before that`);
    return;
  }
  throw new ZonesealError('KEY_EXPIRES', `${what}; it is not imported: ${WITHOUT_EXPIRATION}`, {
    zone,
    keyTag,
  });
}

async function readSource(context: Context, source: string): Promise<KeyToStore[]> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(source)).isDirectory();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? errorMessage(error);
    throw new ZonesealError('KEY_MISSING', `${source}: the file cannot be read (${reason})`, {
      file: source,
    });
  }
  if (isFolder) return readFolder(context, source);
  try {
    return [await readFileKey(context, source)];
  } catch (error) {
    if (!(error instanceof ZonesealError)) throw error;
    throw new ZonesealError(error.code, `${source}: ${error.message}`, { ...error.fields, file: source });
  }
}

/** All keys of the zone in a folder, with the roles and times that their files say. */
async function readFolder({ zone, options, passphrase }: Context, folder: string): Promise<KeyToStore[]> {
  if (options.role !== undefined || options.algorithm !== undefined) {
    throw new UsageError(
      `${folder}: the files of a folder say role and algorithm themselves; leave out --role and --algorithm`,
    );
  }
  const found = await readKeyFolder(folder, zone, { now: systemClock.seconds(), ...passphrase });
  return Promise.all(
    found.keys.map(async ({ id, role, algorithm, flags, signs, published }) => {
      const pkcs8 = found.privateKeys.get(id)?.export({ format: 'der', type: 'pkcs8' });
      if (pkcs8 === undefined) throw new Error(`no private key for ${id}`);
      const key = await importKey(pkcs8, { algorithm, role });
      if (key.flags !== flags) {
        throw new ZonesealError(
          'KEY_UNSUPPORTED',
          `${folder}: key ${id} has flags ${flags}, which a ${role} here does not have; it is not imported`,
          { folder },
        );
      }
      return { ...key, signs, published };
    }),
  );
}

async function readFileKey({ parts, zone, options, passphrase }: Context, file: string): Promise<KeyToStore> {
  const { role } = options;
  if (role === undefined)
    throw new UsageError(`${file}: say what the key is for with --role, or give its folder`);
  if ((await stat(file)).size > MAX_KEY_OCTETS)
    throw new ZonesealError('KEY_UNREADABLE', 'the file is too large for a key');
  const decoded = await decodePrivateKey(await readFile(file), passphrase);
  const algorithm = options.algorithm ?? (await chooseAlgorithm(parts, zone, decoded.algorithms));
  const key = await importKey(decoded.pkcs8, { algorithm, role });
  decoded.pkcs8.fill(0);
  return { ...key, signs: true, published: true };
}

/** An RSA key fits two algorithms: the policy's, where it is one of them. */
async function chooseAlgorithm(
  parts: DatabaseParts,
  zone: Name,
  possible: readonly number[],
): Promise<number> {
  const [first] = possible;
  if (first !== undefined && possible.length === 1) return first;
  const { algorithm } = await policyOfZone(parts, zone);
  if (possible.includes(algorithm)) return algorithm;
  throw new UsageError(
    `the key can be used with algorithms ${possible.join(' and ')}; say which with --algorithm`,
  );
}
