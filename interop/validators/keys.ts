/** Keys that Zoneseal and other signers share: made once by dnssec-keygen, and put down for any zone. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWell } from '../lib/processes.js';
import { TOOLS } from '../lib/tools.js';
import { ALGORITHMS, type AlgorithmNumber, type KeyKind } from './variants.js';

const KEYGEN = TOOLS['dnssec-keygen']?.path ?? 'dnssec-keygen';
const RSA: readonly number[] = [8, 10];

/** A key as BIND's files have it, of no zone yet. */
export interface SuiteKey {
  readonly algorithm: AlgorithmNumber;
  readonly role: 'KSK' | 'ZSK' | 'CSK';
  readonly tag: number;
  /** `flags protocol algorithm base64`. */
  readonly dnskey: string;
  /** The .private file. */
  readonly privateText: string;
}

export type SuiteKeys = ReadonlyMap<string, readonly SuiteKey[]>;

/** The name under which a set of keys is in the map. */
export const keySetName = (algorithm: number, kind: KeyKind): string => `${algorithm} ${kind}`;

/** Makes a KSK, a ZSK and a CSK of each algorithm. */
export async function makeSuiteKeys(
  folder: string,
  algorithms: readonly AlgorithmNumber[] = ALGORITHMS,
): Promise<SuiteKeys> {
  const sets = new Map<string, readonly SuiteKey[]>();
  await Promise.all(
    algorithms.map(async (algorithm) => {
      const ksk = await makeKey(folder, algorithm, 'KSK');
      const zsk = await makeKey(folder, algorithm, 'ZSK');
      sets.set(keySetName(algorithm, 'split'), [ksk, zsk]);
      sets.set(keySetName(algorithm, 'csk'), [await makeKey(folder, algorithm, 'CSK')]);
    }),
  );
  return sets;
}

async function makeKey(
  folder: string,
  algorithm: AlgorithmNumber,
  role: SuiteKey['role'],
): Promise<SuiteKey> {
  const own = mkdtempSync(join(folder, 'key-'));
  const size = RSA.includes(algorithm) ? ['-b', '2048'] : [];
  const flags = role === 'ZSK' ? [] : ['-f', 'KSK'];
  const args = ['-q', '-K', own, '-a', `${algorithm}`, ...size, ...flags, 'keys.example'];
  const base = join(own, (await runWell(KEYGEN, args)).trim());
  const [, dnskey] =
    /DNSKEY\s+(.+)/.exec(readFileSync(`${base}.key`, 'utf8').replaceAll(/^;.*$/gm, '')) ?? [];
  if (dnskey === undefined) throw new Error(`${base}.key has no DNSKEY`);
  return {
    algorithm,
    role,
    tag: Number(/\+(\d+)$/.exec(base)?.[1]),
    dnskey: dnskey.trim(),
    privateText: readFileSync(`${base}.private`, 'utf8'),
  };
}

/** Writes keys to a folder as K*.key and K*.private files of a zone; their base names with the path. */
export function writeKeys(folder: string, apex: string, keys: readonly SuiteKey[]): string[] {
  mkdirSync(folder, { recursive: true });
  return keys.map(({ algorithm, tag, dnskey, privateText }) => {
    const numbers = `+${`${algorithm}`.padStart(3, '0')}+${`${tag}`.padStart(5, '0')}`;
    const base = join(folder, `K${apex}${numbers}`);
    writeFileSync(`${base}.key`, `${apex} 3600 IN DNSKEY ${dnskey}\n`);
    writeFileSync(`${base}.private`, privateText, { mode: 0o600 });
    return base;
  });
}
