import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Name } from '../../src/dns/name.js';
import { parseTsigAlgorithm, type TsigKey } from '../../src/dns/tsig-key.js';
import type { GatewayProcess } from './gateway.js';
import type { SecondaryKey } from './secondary.js';

/** Has `zoneseal tsig add` make a key, and reads what it writes for the nameserver. */
export async function addTsigKey(
  gateway: GatewayProcess,
  name: string,
  options: readonly string[],
): Promise<SecondaryKey> {
  const file = join(gateway.folder, `${name}key`);
  await gateway.command(['tsig', 'add', name, ...options, '--key-file', file]);
  const text = readFileSync(file, 'utf8');
  const word = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  return {
    name: word(/key\s+"?([^"\s]+)"?/),
    algorithm: word(/algorithm\s+([^;\s]+);/),
    secret: word(/secret\s+"([^"]+)"/),
  };
}

/** The same key for a client of the suites. */
export function tsigKeyOf({ name, algorithm, secret }: SecondaryKey): TsigKey {
  const known = parseTsigAlgorithm(algorithm);
  if (known === undefined) throw new Error(`no TSIG algorithm: ${algorithm}`);
  return { name: Name.parse(name, Name.root), algorithm: known, secret: Buffer.from(secret, 'base64') };
}
