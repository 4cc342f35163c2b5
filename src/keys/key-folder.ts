import { createHash, type KeyObject } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Name } from '../dns/name.js';
import { DNSKEY_SEP, dnskeyRdata, keyTag } from '../dnssec/dnskey.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { decodePrivateKey } from './formats/decode.js';
import { MAX_KEY_OCTETS } from './formats/shape.js';
import { checkHalves } from './halves.js';
import type { KeyRole, ZoneKey } from './key-set.js';

/** The keys of one zone from a folder of files, and their private halves by the keys' id. */
export interface FolderKeys {
  readonly keys: readonly ZoneKey[];
  readonly privateKeys: ReadonlyMap<string, KeyObject>;
}

/** A DNSKEY record as a K*.key file holds it. */
export interface DnskeyFile {
  readonly zone: Name;
  readonly flags: number;
  readonly algorithm: number;
  readonly publicKey: Uint8Array;
}

interface FileKey extends DnskeyFile {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly timing: Readonly<Record<string, number>>;
}

/** More files than this in a folder are no zone's keys. */
const MAX_FILES = 10_000;

/**
 * The keys of a zone among a folder's K*.private files with their K*.key files beside them (dnssec-keygen,
 * ldns-keygen). The private file may have any form that decodePrivateKey reads. Roles follow from the SEP flag; where an
 * algorithm has keys with the flag only, or without it only, each is a CSK. A time that a file does not give does
 * not hold its key back.
 * @param now seconds since 1970: keys are published and sign according to the times in their files
 * @throws ZonesealError KEY_MISSING when the folder has none for the zone; KEY_UNREADABLE and the like, naming the file
 */
export async function readKeyFolder(
  folder: string,
  zone: Name,
  options: { readonly now: number; readonly passphrase?: string },
): Promise<FolderKeys> {
  const names = (await listFolder(folder)).filter((name) => /^K.*\.private$/.test(name)).sort();
  const found: FileKey[] = [];
  for (const name of names) {
    const key = await readPair(folder, name, zone, options.passphrase);
    if (key !== undefined) found.push(key);
  }
  if (found.length === 0) {
    throw new ZonesealError(
      'KEY_MISSING',
      `${folder}: no K*.private file with a K*.key file for zone ${zone.toString()}`,
    );
  }
  const keys = found.map((key) => zoneKey(key, found, options.now));
  return { keys, privateKeys: new Map(found.map((key) => [key.id, key.privateKey])) };
}

/**
 * Reads a K*.key file: comments and one DNSKEY record.
 * @throws ZonesealError KEY_UNREADABLE
 */
export function parseDnskeyFile(text: string): DnskeyFile {
  const lines = text.split('\n').map((line) => line.replace(/;.*$/, '').trim());
  const record =
    /^(\S+)\s+(?:[0-9]+\s+)?(?:IN\s+)?(?:[0-9]+\s+)?DNSKEY\s+([0-9]{1,5})\s+3\s+([0-9]{1,3})\s+([A-Za-z0-9+/=\s()]+)$/i;
  const records = lines.filter((line) => line !== '');
  const match = record.exec(records.join(' '));
  if (match === null)
    throw new ZonesealError('KEY_UNREADABLE', 'the file is not one DNSKEY record of protocol 3');
  const [, owner = '', flags, algorithm, base64 = ''] = match;
  const publicKey = new Uint8Array(Buffer.from(base64.replace(/[\s()]/g, ''), 'base64'));
  return {
    zone: Name.parse(owner, Name.root),
    flags: Number(flags),
    algorithm: Number(algorithm),
    publicKey,
  };
}

async function listFolder(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new ZonesealError('KEY_MISSING', `the folder of keys cannot be read: ${errorMessage(error)}`);
  }
  if (names.length > MAX_FILES)
    throw new ZonesealError('KEY_UNREADABLE', `${folder} has over ${MAX_FILES} files`);
  return names;
}

async function readPair(
  folder: string,
  name: string,
  zone: Name,
  passphrase: string | undefined,
): Promise<FileKey | undefined> {
  const path = join(folder, name);
  try {
    const published = parseDnskeyFile(
      (await readSmall(path.replace(/\.private$/, '.key'))).toString('latin1'),
    );
    if (!published.zone.equals(zone)) return undefined;
    const decoded = await decodePrivateKey(
      await readSmall(path),
      passphrase === undefined ? {} : { passphrase },
    );
    checkHalves(published, decoded);
    return {
      ...published,
      id: name.replace(/\.private$/, ''),
      privateKey: decoded.privateKey,
      timing: decoded.timing ?? {},
    };
  } catch (error) {
    const code = error instanceof ZonesealError ? error.code : 'KEY_UNREADABLE';
    throw new ZonesealError(code, `${path}: ${errorMessage(error)}`, { file: path });
  }
}

async function readSmall(path: string): Promise<Buffer> {
  if ((await stat(path)).size > MAX_KEY_OCTETS) throw new Error('the file is too large for a key');
  return readFile(path);
}

function zoneKey(key: FileKey, all: readonly FileKey[], now: number): ZoneKey {
  const { id, zone, flags, algorithm, publicKey, timing } = key;
  const reached = (name: string, otherwise: boolean) => {
    const time = timing[name];
    return time === undefined ? otherwise : time <= now;
  };
  return {
    id,
    zone: zone.toLower().toString(),
    role: roleAmong(key, all),
    algorithm,
    keyTag: keyTag(dnskeyRdata({ flags, algorithm, publicKey })),
    flags,
    publicKey,
    secretRef: `file:${createHash('sha256').update(publicKey).digest('hex')}`,
    view: null,
    signs: reached('Activate', true) && !reached('Inactive', false) && !reached('Delete', false),
    published: reached('Publish', true) && !reached('Delete', false),
  };
}

function roleAmong(key: FileKey, all: readonly FileKey[]): KeyRole {
  const entryPoint = (flags: number) => (flags & DNSKEY_SEP) !== 0;
  const others = all.filter((other) => other.algorithm === key.algorithm);
  if (others.every((other) => entryPoint(other.flags) === entryPoint(key.flags))) return 'CSK';
  return entryPoint(key.flags) ? 'KSK' : 'ZSK';
}
