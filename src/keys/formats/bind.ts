import { isBase64, unreadable } from './shape.js';

/** The fields of a BIND private key file, decoded from base64. */
export interface BindKey {
  readonly algorithm: number;
  /** For RSA: the eight integers, unsigned big-endian. */
  readonly rsa?: Readonly<Record<BindRsaField, Uint8Array>>;
  /** For ECDSA the scalar, for EdDSA the seed. */
  readonly secret?: Uint8Array;
  /** Whether the file ends within the line of a field of the key itself: what is short there is cut off. */
  readonly mayBeCut: boolean;
  /** Seconds since 1970 by the names of the file: Created, Publish, Activate, Revoke, Inactive, Delete … */
  readonly timing: Readonly<Record<string, number>>;
}

/** The RSA fields in the order in which they are written. */
export const BIND_RSA_FIELDS = [
  'Modulus',
  'PublicExponent',
  'PrivateExponent',
  'Prime1',
  'Prime2',
  'Exponent1',
  'Exponent2',
  'Coefficient',
] as const;
export type BindRsaField = (typeof BIND_RSA_FIELDS)[number];

const TIMING_FIELDS = new Set([
  'Created',
  'Publish',
  'Activate',
  'Revoke',
  'Inactive',
  'Delete',
  'DSPublish',
  'DSRemoved',
  'SyncPublish',
  'SyncDelete',
]);

/**
 * Reads `Private-key-format: v1.2` and `v1.3` as dnssec-keygen, ldns-keygen and pdnsutil write it.
 * @throws ZonesealError KEY_UNREADABLE; the text names fields, never their values
 */
export function parseBindKey(text: string): BindKey {
  const fields = readFields(text);
  const version = fields.get('Private-key-format') ?? '';
  if (!/^v1\.[0-9]{1,2}$/.test(version)) throw unreadable('its "Private-key-format" is not v1.x');
  const algorithm = /^([0-9]{1,3})(\s|$)/.exec(fields.get('Algorithm') ?? '')?.[1];
  if (algorithm === undefined) throw unreadable('the field "Algorithm" is missing or no number');
  if (fields.has('Engine') || fields.has('Label')) {
    throw unreadable('it names a key inside a hardware module and does not hold the key itself');
  }
  const timing = readTiming(fields);
  const mayBeCut = /(^|\n)(PrivateKey|Coefficient):[^\n]*$/.test(text);
  if (fields.has('Modulus')) {
    const rsa = Object.fromEntries(BIND_RSA_FIELDS.map((name) => [name, decodeField(fields, name)]));
    return { algorithm: Number(algorithm), rsa: rsa as Record<BindRsaField, Uint8Array>, mayBeCut, timing };
  }
  return { algorithm: Number(algorithm), secret: decodeField(fields, 'PrivateKey'), mayBeCut, timing };
}

function readFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let number = 0;
  for (const line of text.split('\n')) {
    number++;
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith(';')) continue;
    const match = /^([A-Za-z][A-Za-z0-9-]{0,31}):\s*(.*)$/.exec(trimmed);
    if (match === null) throw unreadable(`line ${number} is not of the form "Name: value"`);
    const name = match[1] as string;
    if (fields.has(name)) throw unreadable(`the field "${name}" is given twice`);
    fields.set(name, match[2] as string);
  }
  return fields;
}

function decodeField(fields: ReadonlyMap<string, string>, name: string): Uint8Array {
  const value = fields.get(name);
  if (value === undefined) throw unreadable(`the field "${name}" is missing`);
  if (!isBase64(value)) throw unreadable(`the field "${name}" is not base64`);
  return Buffer.from(value, 'base64');
}

function readTiming(fields: ReadonlyMap<string, string>): Record<string, number> {
  const timing: Record<string, number> = {};
  for (const [name, value] of fields) {
    if (!TIMING_FIELDS.has(name)) continue;
    const match = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(\s|$)/.exec(value);
    if (match === null) throw unreadable(`the field "${name}" is not a time of the form YYYYMMDDHHMMSS`);
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    timing[name] = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  }
  return timing;
}
