import type { KeyObject } from 'node:crypto';
import type { Name } from '../../dns/name.js';
import { ALGORITHMS } from '../../dnssec/algorithm.js';
import { ZonesealError } from '../../errors.js';
import { BIND_RSA_FIELDS } from './bind.js';

/** A private key as unencrypted PKCS#8 PEM. */
export function encodePkcs8Pem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }) as string;
}

/** JWK names in the order of BIND's RSA fields. */
const RSA_JWK = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/**
 * A private key as the text of BIND's K*.private file, `Private-key-format: v1.3`.
 * @param times seconds since 1970 by BIND's names (Created, Publish, Activate …)
 * @throws ZonesealError KEY_UNSUPPORTED for an algorithm that Zoneseal does not sign with
 */
export function encodeBindPrivate(
  key: KeyObject,
  algorithm: number,
  times: Record<string, number> = {},
): string {
  const known = ALGORITHMS.get(algorithm);
  if (known === undefined)
    throw new ZonesealError('KEY_UNSUPPORTED', `algorithm ${algorithm} is not supported`);
  const jwk = key.export({ format: 'jwk' });
  const lines = ['Private-key-format: v1.3', `Algorithm: ${algorithm} (${known.mnemonic})`];
  if (known.family === 'rsa') {
    BIND_RSA_FIELDS.forEach((field, i) =>
      lines.push(`${field}: ${toBase64(jwk[RSA_JWK[i] as keyof typeof jwk])}`),
    );
  } else {
    lines.push(`PrivateKey: ${toBase64(jwk.d)}`);
  }
  for (const [name, seconds] of Object.entries(times)) lines.push(`${name}: ${bindTime(seconds)}`);
  return `${lines.join('\n')}\n`;
}

/** The text of BIND's K*.key file: one DNSKEY record. */
export function encodeBindPublic(
  zone: Name,
  flags: number,
  algorithm: number,
  publicKey: Uint8Array,
): string {
  return `${zone.toString()} IN DNSKEY ${flags} 3 ${algorithm} ${Buffer.from(publicKey).toString('base64')}\n`;
}

/**
 * The file name that BIND gives a key, without its extension: `Kexample.+013+12345`. Octets that are no letter, digit,
 * hyphen or underscore are written as %XX.
 */
export function bindFileName(zone: Name, algorithm: number, keyTag: number): string {
  const labels = zone
    .toLower()
    .labels()
    .map((label) => `${Array.from(label, fileOctet).join('')}.`);
  const name = labels.length === 0 ? '.' : labels.join('');
  return `K${name}+${String(algorithm).padStart(3, '0')}+${String(keyTag).padStart(5, '0')}`;
}

function fileOctet(octet: number): string {
  const char = String.fromCharCode(octet);
  return /[A-Za-z0-9_-]/.test(char) ? char : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
}

function toBase64(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : '', 'base64url').toString('base64');
}

function bindTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:T]/g, '').slice(0, 14);
}
