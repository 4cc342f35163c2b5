import { ZonesealError } from '../../errors.js';

/** The forms in which private keys are read. */
export type KeyFormat =
  | 'PKCS#8'
  | 'encrypted PKCS#8'
  | 'PKCS#1'
  | 'encrypted PKCS#1'
  | 'SEC1'
  | 'encrypted SEC1'
  | 'PKCS#12'
  | 'BIND';

/** Key material whose form has been recognised. */
export interface ShapedKey {
  readonly format: KeyFormat;
  /** DER, or the text of a BIND file. */
  readonly octets: Uint8Array;
  /** The cipher and initialisation vector of an encrypted PEM of the old kind (RFC 1421 DEK-Info). */
  readonly dek?: { readonly cipher: string; readonly iv: string };
}

/** Larger input is no key. */
export const MAX_KEY_OCTETS = 131_072;

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([\s\S]*?)-----END \1-----/g;

const PEM_FORMATS = new Map<string, KeyFormat>([
  ['PRIVATE KEY', 'PKCS#8'],
  ['ENCRYPTED PRIVATE KEY', 'encrypted PKCS#8'],
  ['RSA PRIVATE KEY', 'PKCS#1'],
  ['EC PRIVATE KEY', 'SEC1'],
  ['PKCS12', 'PKCS#12'],
]);

/** An error about key material; its text never holds any of it. */
export function unreadable(reason: string): ZonesealError {
  return new ZonesealError('KEY_UNREADABLE', `the private key cannot be read: ${reason}`, { reason });
}

/**
 * Recognises the form of key material by its text labels or its outermost DER elements; decrypts and decodes nothing.
 * @throws ZonesealError KEY_UNREADABLE, KEY_UNSUPPORTED
 */
export function recogniseKey(input: Uint8Array): ShapedKey {
  if (input.length === 0) throw unreadable('it is empty');
  if (input.length > MAX_KEY_OCTETS) throw unreadable(`it is longer than ${MAX_KEY_OCTETS} octets`);
  if (input[0] === 0x30) return { format: derFormat(input), octets: input };
  const text = Buffer.from(input.buffer, input.byteOffset, input.length).toString('latin1');
  if (/^\s*(;[^\n]*\n\s*)*Private-key-format:/i.test(text)) return { format: 'BIND', octets: input };
  if (text.includes('-----BEGIN ')) return recognisePem(text);
  throw unreadable('it is neither PEM, DER, PKCS#12 nor a BIND "Private-key-format" file');
}

function recognisePem(text: string): ShapedKey {
  const labels: string[] = [];
  const keys: ShapedKey[] = [];
  for (const [, label = '', body = ''] of text.matchAll(PEM_BLOCK)) {
    labels.push(label);
    const format = PEM_FORMATS.get(label);
    if (format !== undefined) keys.push(readPemBody(format, body));
  }
  const [key] = keys;
  if (key === undefined) {
    if (labels.length === 0) throw unreadable('its PEM block has no end');
    const found = labels.map((label) => `"${label}"`).join(', ');
    throw new ZonesealError('KEY_UNSUPPORTED', `no private key among the PEM blocks, which are ${found}`, {
      labels,
    });
  }
  if (keys.length > 1) throw unreadable(`it holds ${keys.length} private keys; give each its own file`);
  return key;
}

function readPemBody(format: KeyFormat, body: string): ShapedKey {
  const dekInfo = /^DEK-Info:\s*([A-Za-z0-9-]{1,32}),([0-9A-Fa-f]{16,64})\s*$/m.exec(body);
  const encrypted = /^Proc-Type:\s*4,ENCRYPTED\s*$/m.test(body);
  const base64 = body.replace(/^[A-Za-z-]+:.*$/gm, '').replace(/\s+/g, '');
  if (!isBase64(base64)) throw unreadable('its PEM block is not base64');
  const octets = Buffer.from(base64, 'base64');
  if (!encrypted) return { format, octets };
  if (dekInfo === null || (format !== 'PKCS#1' && format !== 'SEC1'))
    throw unreadable('its PEM headers are damaged');
  const dek = { cipher: (dekInfo[1] as string).toUpperCase(), iv: dekInfo[2] as string };
  return { format: `encrypted ${format}`, octets, dek };
}

/** Whether text is whole base64 without white space, padded, and not empty. */
export function isBase64(text: string): boolean {
  return text.length > 0 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
}

/**
 * The form of a DER structure by its first elements: PrivateKeyInfo and OneAsymmetricKey (RFC 5958), RSAPrivateKey
 * (RFC 8017 A.1.2), ECPrivateKey (RFC 5915), EncryptedPrivateKeyInfo, PFX (RFC 7292).
 */
function derFormat(octets: Uint8Array): KeyFormat {
  const outer = element(octets, 0, octets.length);
  if (outer.end !== octets.length) throw unreadable('octets follow its DER structure, or it is cut off');
  const first = element(octets, outer.content, outer.end);
  if (first.end >= outer.end) throw unreadable('its DER structure is no private key');
  const second = element(octets, first.end, outer.end);
  if (first.tag === SEQUENCE && second.tag === OCTET_STRING) return 'encrypted PKCS#8';
  if (first.tag === INTEGER && first.end - first.content === 1) {
    const version = octets[first.content] as number;
    if (second.tag === SEQUENCE && version <= 1) return 'PKCS#8';
    if (second.tag === SEQUENCE && version === 3) return 'PKCS#12';
    if (second.tag === INTEGER && version === 0) return 'PKCS#1';
    if (second.tag === OCTET_STRING && version === 1) return 'SEC1';
  }
  throw unreadable('its DER structure is no private key');
}

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OCTET_STRING = 0x04;

interface DerElement {
  readonly tag: number;
  readonly content: number;
  readonly end: number;
}

function element(octets: Uint8Array, at: number, limit: number): DerElement {
  const tag = octets[at];
  const first = octets[at + 1];
  if (tag === undefined || first === undefined || at + 2 > limit)
    throw unreadable('its DER structure is cut off');
  let length = first;
  let content = at + 2;
  if (first >= 0x80) {
    const width = first - 0x80;
    if (width === 0 || width > 3) throw unreadable('its DER structure has a length of an unusual form');
    length = 0;
    for (let i = 0; i < width; i++) length = length * 256 + (octets[content + i] ?? 0);
    content += width;
  }
  if (content + length > limit) throw unreadable('its DER structure is cut off');
  return { tag, content, end: content + length };
}
