import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { Name } from '../dns/name.js';
import { parseTsigKeyFile, type TsigAlgorithm, tsigAlgorithmInfo } from '../dns/tsig-key.js';
import { ZonesealError } from '../errors.js';
import type { StoredTsigKey } from '../gateway-store.js';
import type { DatabaseParts } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { hint } from './stored-zone.js';
import { openSink, type TextSink } from './terminal.js';

/** Which key files are to be written. */
export interface FileOptions extends GlobalOptions {
  readonly keyFile?: string;
  readonly kdigFile?: string;
}

/** Where a secret that is given comes from, and for which algorithm it is. */
export interface SecretOptions extends GlobalOptions {
  readonly algorithm?: TsigAlgorithm;
  readonly secretFile?: string;
  readonly secretEnv?: string;
  readonly secretStdin?: true;
}

/** A secret of a TSIG key. */
export interface Secret {
  readonly algorithm: TsigAlgorithm;
  readonly octets: Uint8Array;
}

/** Adds the options of FileOptions. */
export function addFileOptions(command: Command): Command {
  return command
    .option(
      '--key-file <file>',
      "write it as a BIND key statement, which named, NSD's tools and dig -k read; mode 0600",
    )
    .option('--kdig-file <file>', 'write it as algorithm:name:base64, which kdig -k reads; mode 0600');
}

/** Adds the options by which a secret can be given. */
export function addSecretOptions(command: Command): Command {
  return command
    .option('--secret-file <file>', 'read the secret from this file')
    .addOption(
      new Option('--secret-env <variable>', 'read the secret from this environment variable').conflicts(
        'secretFile',
      ),
    )
    .addOption(
      new Option('--secret-stdin', 'read the secret from standard input').conflicts([
        'secretFile',
        'secretEnv',
      ]),
    );
}

/** A secret as long as the MAC. */
export function newSecret(algorithm: TsigAlgorithm): Secret {
  return { algorithm, octets: randomBytes(tsigAlgorithmInfo(algorithm).octets) };
}

/** The secret that was given; undefined where one is to be made. @throws ZonesealError TSIG_KEY_INVALID; UsageError */
export function readGivenSecret(name: Name, options: SecretOptions): Secret | undefined {
  const text = givenText(options)?.trim();
  if (text === undefined) return undefined;
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    const octets = new Uint8Array(Buffer.from(text, 'base64'));
    if (Buffer.from(octets).toString('base64') === text) {
      return { algorithm: options.algorithm ?? 'hmac-sha256', octets };
    }
  }
  const key = parseTsigKeyFile(text);
  if (!key.name.equals(name)) throw new UsageError(`the secret is for a key of another name, ${key.name}`);
  if (options.algorithm !== undefined && options.algorithm !== key.algorithm) {
    throw new UsageError(`the secret is for ${key.algorithm}, not for ${options.algorithm}`);
  }
  return { algorithm: key.algorithm, octets: key.secret };
}

function givenText({ secretFile, secretEnv, secretStdin }: SecretOptions): string | undefined {
  if (secretFile !== undefined) return readFileSync(secretFile, 'latin1');
  if (secretStdin === true) return readFileSync(0, 'latin1');
  if (secretEnv === undefined) return undefined;
  const text = process.env[secretEnv];
  if (text === undefined) throw new UsageError(`the environment variable ${secretEnv} is not set`);
  return text;
}

/** The key of a name. @throws ZonesealError NOT_HELD */
export async function findKey(tsig: DatabaseParts['tsig'], name: Name): Promise<StoredTsigKey> {
  const wanted = name.toLower().toString();
  const key = (await tsig.list()).find((it) => it.name === wanted);
  if (key !== undefined) return key;
  throw new ZonesealError('NOT_HELD', `there is no TSIG key "${wanted}"; see: zoneseal tsig list`, {
    name: wanted,
  });
}

/** A key file that is open, and not there yet. */
export interface KeyFile {
  readonly path: string;
  readonly sink: TextSink;
  readonly form: 'bind' | 'kdig';
}

/** Opens the files that are asked for, before anything is stored. @throws ZonesealError FILE_UNWRITABLE */
export async function openFiles({ keyFile, kdigFile }: FileOptions): Promise<KeyFile[]> {
  const files: KeyFile[] = [];
  try {
    for (const [form, path] of [
      ['bind', keyFile],
      ['kdig', kdigFile],
    ] as const) {
      if (path !== undefined) files.push({ path, form, sink: await openSink(path, 0o600) });
    }
  } catch (error) {
    for (const { sink } of files) await sink.abort();
    throw error;
  }
  return files;
}

/** Writes and closes key files. */
export async function writeFiles(
  files: readonly KeyFile[],
  name: Name,
  { algorithm, octets }: Secret,
  options: GlobalOptions,
): Promise<void> {
  const base64 = Buffer.from(octets).toString('base64');
  const text = name.toLower().toString();
  const forms = {
    bind: `key "${text}" {\n\talgorithm ${algorithm};\n\tsecret "${base64}";\n};\n`,
    kdig: `${algorithm}:${text}:${base64}\n`,
  };
  for (const { path, sink, form } of files) {
    await sink.write(forms[form]);
    await sink.commit();
    if (path !== '-') hint(options, `wrote ${path}`);
  }
}
