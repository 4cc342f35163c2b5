import { ZonesealError } from '../errors.js';
import { Name } from './name.js';

/** The HMAC algorithms that are spoken (RFC 8945 §6); hmac-sha1 for keys that name it. hmac-md5 is not. */
export const TSIG_ALGORITHMS = [
  'hmac-sha1',
  'hmac-sha224',
  'hmac-sha256',
  'hmac-sha384',
  'hmac-sha512',
] as const;

/** The mnemonic of a TSIG algorithm, which is its name without the last dot. */
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

/** A shared secret, the name it goes by, and the one algorithm it is used with. */
export interface TsigKey {
  readonly name: Name;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

/** What an algorithm is on the wire and to node:crypto; `octets` is the length of a whole MAC. */
export interface TsigAlgorithmInfo {
  readonly name: Name;
  readonly hash: string;
  readonly octets: number;
}

const algorithms: Record<TsigAlgorithm, TsigAlgorithmInfo> = {
  'hmac-sha1': { name: Name.parse('hmac-sha1.'), hash: 'sha1', octets: 20 },
  'hmac-sha224': { name: Name.parse('hmac-sha224.'), hash: 'sha224', octets: 28 },
  'hmac-sha256': { name: Name.parse('hmac-sha256.'), hash: 'sha256', octets: 32 },
  'hmac-sha384': { name: Name.parse('hmac-sha384.'), hash: 'sha384', octets: 48 },
  'hmac-sha512': { name: Name.parse('hmac-sha512.'), hash: 'sha512', octets: 64 },
};

const byKey = new Map<string, TsigAlgorithm>(TSIG_ALGORITHMS.map((it) => [algorithms[it].name.key, it]));

/** Name, hash and MAC length of an algorithm. */
export function tsigAlgorithmInfo(algorithm: TsigAlgorithm): TsigAlgorithmInfo {
  return algorithms[algorithm];
}

/** The algorithm that a name on the wire stands for, compared without case; undefined for one not spoken here. */
export function tsigAlgorithmOf(name: Name): TsigAlgorithm | undefined {
  return byKey.get(name.key);
}

/** The algorithm of a mnemonic such as `hmac-sha256`, case-insensitive; undefined for one not spoken here. */
export function parseTsigAlgorithm(text: string): TsigAlgorithm | undefined {
  const lower = text.toLowerCase();
  return TSIG_ALGORITHMS.find((it) => it === lower || `${it}.` === lower);
}

/**
 * Reads one key: BIND's `key "name" { algorithm hmac-sha256; secret "base64"; };` (what tsig-keygen writes, comments
 * allowed) or the `hmac-sha256:name:base64` of dig -y and kdig -y. No error says any of the secret.
 * @throws ZonesealError TSIG_KEY_INVALID
 */
export function parseTsigKeyFile(text: string): TsigKey {
  const trimmed = text.trim();
  const colons = trimmed.split(':');
  if (colons.length === 3 && !/[\s{};"]/.test(trimmed)) {
    const [algorithm, name, secret] = colons as [string, string, string];
    return makeKey(name, algorithm, secret);
  }
  return parseStatement(trimmed);
}

function parseStatement(text: string): TsigKey {
  const tokens = tokenize(text);
  let at = 0;
  const expect = (wanted: string): void => {
    if (tokens[at]?.text !== wanted || tokens[at]?.quoted === true) fail(`"${wanted}" is missing`);
    at++;
  };
  const take = (what: string): string => {
    const token = tokens[at++];
    if (token === undefined || (!token.quoted && '{};'.includes(token.text))) fail(`the ${what} is missing`);
    return token.text;
  };
  expect('key');
  const name = take('name');
  expect('{');
  const values = new Map<string, string>();
  while (tokens[at] !== undefined && tokens[at]?.text !== '}') {
    const clause = take('clause');
    if (clause !== 'algorithm' && clause !== 'secret') fail('a clause is neither algorithm nor secret');
    if (values.has(clause)) fail(`there are two ${clause} clauses`);
    values.set(clause, take(clause));
    expect(';');
  }
  expect('}');
  if (tokens[at]?.text === ';') at++;
  if (at !== tokens.length) fail('something follows the key; one file holds one key');
  const algorithm = values.get('algorithm') ?? fail('the algorithm clause is missing');
  return makeKey(name, algorithm, values.get('secret') ?? fail('the secret clause is missing'));
}

function tokenize(text: string): { text: string; quoted: boolean }[] {
  const pattern =
    /\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/|"([^"\n]*)"|([{};])|((?:(?!\/\/|\/\*)[^\s{};"#])+)/y;
  const tokens: { text: string; quoted: boolean }[] = [];
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) fail('a quotation mark or comment is not closed');
    const [, quoted, mark, word] = match;
    const token = quoted ?? mark ?? word;
    if (token !== undefined) tokens.push({ text: token, quoted: quoted !== undefined });
  }
  return tokens;
}

function makeKey(nameText: string, algorithmText: string, secretText: string): TsigKey {
  const algorithm = parseTsigAlgorithm(algorithmText);
  if (algorithm === undefined) {
    fail(`the algorithm is not spoken here; use one of ${TSIG_ALGORITHMS.join(', ')}`);
  }
  let name: Name;
  try {
    name = Name.parse(nameText, Name.root);
  } catch {
    fail("the key's name is no domain name"); // nor is it quoted: it may be a secret in the wrong place
  }
  const base64 = secretText.replaceAll(/\s/g, '');
  const secret = new Uint8Array(Buffer.from(base64, 'base64'));
  const isCanonical = Buffer.from(secret).toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  if (secret.length === 0 || !isCanonical || !/^[^=]+={0,2}$/.test(base64)) fail('the secret is not base64');
  return { name, algorithm, secret };
}

function fail(reason: string): never {
  throw new ZonesealError('TSIG_KEY_INVALID', `a TSIG key cannot be read: ${reason}`, { reason });
}
