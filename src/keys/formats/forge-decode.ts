import forge from 'node-forge';
import { ZonesealError } from '../../errors.js';
import { BIND_RSA_FIELDS, type BindKey, parseBindKey } from './bind.js';
import { type ShapedKey, unreadable } from './shape.js';

/** Key material brought to unencrypted PKCS#8. */
export interface DecodedPkcs8 {
  readonly pkcs8: Uint8Array;
  /** The DNSSEC algorithm number, where the form names one (BIND). */
  readonly algorithm?: number;
  readonly timing?: Readonly<Record<string, number>>;
}

/**
 * The most rounds of key derivation that an encrypted key may ask for: some seven seconds of this thread. Files
 * written with care use up to 600,000.
 */
export const MAX_DERIVATION_ROUNDS = 1_000_000;

const { asn1, pki } = forge;
type Asn1 = forge.asn1.Asn1;
const universal = asn1.Class.UNIVERSAL;

const OID_EC = '1.2.840.10045.2.1';
const EC_CURVES = new Map([
  [13, { oid: '1.2.840.10045.3.1.7', octets: 32 }],
  [14, { oid: '1.3.132.0.34', octets: 48 }],
]);
const EDWARDS = new Map([
  [15, { oid: '1.3.101.112', octets: 32 }],
  [16, { oid: '1.3.101.113', octets: 57 }],
]);
const ROUNDS_OIDS = new Set([
  '1.2.840.113549.1.5.12', // PBKDF2
  '1.2.840.113549.1.12.1.1', // the PKCS#12 schemes
  '1.2.840.113549.1.12.1.2',
  '1.2.840.113549.1.12.1.3',
  '1.2.840.113549.1.12.1.4',
  '1.2.840.113549.1.12.1.5',
  '1.2.840.113549.1.12.1.6',
]);

/**
 * Decodes every form but plain PKCS#8 with node-forge. Runs for up to seconds: meant for a worker thread.
 * @throws ZonesealError KEY_UNREADABLE, KEY_UNSUPPORTED, KEY_PASSPHRASE_NEEDED, KEY_PASSPHRASE_WRONG
 */
export function decodeWithForge(key: ShapedKey, passphrase: string | undefined): DecodedPkcs8 {
  switch (key.format) {
    case 'PKCS#8':
      return { pkcs8: key.octets };
    case 'PKCS#1':
      return { pkcs8: wrapPkcs1(parseDer(key.octets)) };
    case 'SEC1':
      return { pkcs8: wrapSec1(parseDer(key.octets)) };
    case 'encrypted PKCS#1':
      return { pkcs8: decryptedAs(() => wrapPkcs1(parseDer(decryptOldPem(key, passphrase)))) };
    case 'encrypted SEC1':
      return { pkcs8: decryptedAs(() => wrapSec1(parseDer(decryptOldPem(key, passphrase)))) };
    case 'encrypted PKCS#8':
      return { pkcs8: decryptPkcs8(parseDer(key.octets), needed(passphrase, key.format)) };
    case 'PKCS#12':
      return { pkcs8: openPkcs12(parseDer(key.octets), passphrase) };
    default:
      return decodeBind(parseBindKey(Buffer.from(key.octets).toString('latin1')));
  }
}

function needed(passphrase: string | undefined, format: string): string {
  if (passphrase !== undefined) return passphrase;
  throw new ZonesealError(
    'KEY_PASSPHRASE_NEEDED',
    `the private key (${format}) is encrypted; give its passphrase`,
  );
}

function wrong(): ZonesealError {
  return new ZonesealError('KEY_PASSPHRASE_WRONG', 'the passphrase does not open the private key');
}

/** What decrypts to something that is no key was decrypted with a wrong passphrase: old PEM has no integrity check. */
function decryptedAs<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'KEY_UNREADABLE') throw wrong();
    throw error;
  }
}

function parseDer(octets: Uint8Array): Asn1 {
  try {
    return asn1.fromDer(forge.util.createBuffer(binary(octets)));
  } catch {
    throw unreadable('its DER structure is damaged');
  }
}

function toOctets(structure: Asn1): Uint8Array {
  return Buffer.from(asn1.toDer(structure).getBytes(), 'binary');
}

function binary(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('binary');
}

function sequence(...parts: Asn1[]): Asn1 {
  return asn1.create(universal, asn1.Type.SEQUENCE, true, parts);
}

function oid(text: string): Asn1 {
  return asn1.create(universal, asn1.Type.OID, false, asn1.oidToDer(text).getBytes());
}

function octetString(octets: string): Asn1 {
  return asn1.create(universal, asn1.Type.OCTETSTRING, false, octets);
}

function integer(octets: string): Asn1 {
  return asn1.create(universal, asn1.Type.INTEGER, false, octets);
}

/** PrivateKeyInfo (RFC 5208 §5) of version 0. */
function privateKeyInfo(algorithm: Asn1[], key: string): Uint8Array {
  return toOctets(sequence(integer('\0'), sequence(...algorithm), octetString(key)));
}

function wrapPkcs1(structure: Asn1): Uint8Array {
  try {
    // read as RSA once, so that a structure that only looks alike is refused here
    const rsa = pki.privateKeyFromAsn1(structure);
    return toOctets(pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(rsa)));
  } catch {
    throw unreadable('its PKCS#1 structure is damaged');
  }
}

function wrapSec1(structure: Asn1): Uint8Array {
  const parts = Array.isArray(structure.value) ? structure.value : [];
  const parameters = parts.find(
    (part) => part.tagClass === asn1.Class.CONTEXT_SPECIFIC && part.type === asn1.Type.NONE,
  );
  const curve = Array.isArray(parameters?.value) ? parameters.value[0] : undefined;
  if (curve === undefined || curve.type !== asn1.Type.OID)
    throw unreadable('its EC key does not name a curve');
  const key = asn1.toDer(structure).getBytes();
  return privateKeyInfo([oid(OID_EC), curve], key);
}

function decryptOldPem(key: ShapedKey, passphrase: string | undefined): Uint8Array {
  const secret = needed(passphrase, key.format);
  const { cipher, iv } = key.dek ?? { cipher: '', iv: '' };
  const sizes: Record<string, number> = {
    'AES-128-CBC': 16,
    'AES-192-CBC': 24,
    'AES-256-CBC': 32,
    'DES-EDE3-CBC': 24,
  };
  const size = sizes[cipher];
  if (size === undefined) {
    throw new ZonesealError(
      'KEY_UNSUPPORTED',
      'the private key is encrypted with a cipher that is not read here',
      {},
    );
  }
  const vector = forge.util.hexToBytes(iv);
  const derived = (forge as unknown as { pbe: OpensslDerivation }).pbe.opensslDeriveBytes(
    forge.util.encodeUtf8(secret),
    vector.slice(0, 8),
    size,
  );
  const decipher = forge.cipher.createDecipher(cipher.startsWith('AES') ? 'AES-CBC' : '3DES-CBC', derived);
  decipher.start({ iv: vector });
  decipher.update(forge.util.createBuffer(binary(key.octets)));
  if (!decipher.finish()) throw wrong();
  return Buffer.from(decipher.output.getBytes(), 'binary');
}

interface OpensslDerivation {
  opensslDeriveBytes(password: string, salt: string, octets: number): string;
}

function decryptPkcs8(structure: Asn1, passphrase: string): Uint8Array {
  boundRounds(structure);
  const info = decryptInfo(structure, forge.util.encodeUtf8(passphrase));
  return toOctets(info);
}

function decryptInfo(structure: Asn1, passphrase: string): Asn1 {
  let info: Asn1 | null;
  try {
    info = pki.decryptPrivateKeyInfo(structure, passphrase) as Asn1 | null;
  } catch (error) {
    throw unsupportedCipher(error) ?? wrong();
  }
  // a wrong passphrase leaves sound padding once in 256 times: what came out has to look like a PrivateKeyInfo
  const parts = info !== null && Array.isArray(info.value) ? info.value : [];
  if (info === null || parts[0]?.type !== asn1.Type.INTEGER || parts[2]?.type !== asn1.Type.OCTETSTRING)
    throw wrong();
  return info;
}

/** node-forge names what it does not know with an object identifier beside the message. */
function unsupportedCipher(error: unknown): ZonesealError | undefined {
  const text = error instanceof Error ? error.message : '';
  if (!/unsupported|not a supported|Unknown hash/i.test(text)) return undefined;
  return new ZonesealError(
    'KEY_UNSUPPORTED',
    'the private key is encrypted in a way that is not read here; write it anew with ' +
      '"openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256"',
  );
}

function openPkcs12(structure: Asn1, passphrase: string | undefined): Uint8Array {
  boundRounds(structure);
  const secret = needed(passphrase, 'PKCS#12');
  if (!/^[\x20-\x7e]*$/.test(secret)) {
    throw new ZonesealError(
      'KEY_UNSUPPORTED',
      'a PKCS#12 file is read with a passphrase of ASCII characters only',
    );
  }
  let file: forge.pkcs12.Pkcs12Pfx;
  try {
    file = forge.pkcs12.pkcs12FromAsn1(structure, false, secret);
  } catch (error) {
    throw pkcs12Error(error);
  }
  const shrouded = pki.oids['pkcs8ShroudedKeyBag'] as string;
  const bags = file.safeContents.flatMap((content) => content.safeBags);
  const keys = bags.filter((bag) => bag.type === shrouded || bag.type === pki.oids['keyBag']);
  if (keys.length !== 1)
    throw unreadable(`its PKCS#12 file holds ${keys.length} private keys; one is wanted`);
  return keyOfBag(keys[0] as forge.pkcs12.Bag);
}

/** A bag of a key that node-forge cannot read itself (EC, EdDSA) still has its PrivateKeyInfo. */
function keyOfBag(bag: forge.pkcs12.Bag): Uint8Array {
  if (bag.key === undefined || bag.key === null) return toOctets(bag.asn1);
  return toOctets(pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(bag.key)));
}

function pkcs12Error(error: unknown): ZonesealError {
  const text = error instanceof Error ? error.message : '';
  if (/MAC could not be verified|Failed to decrypt|Too few bytes|Invalid password/i.test(text))
    return wrong();
  return unsupportedCipher(error) ?? unreadable('its PKCS#12 structure is damaged');
}

/**
 * Refuses a structure that asks for more rounds of key derivation than allowed, wherever it does so in the clear
 * (what is inside encrypted parts is held by the worker's deadline).
 */
function boundRounds(structure: Asn1): void {
  for (const parts of sequences(structure, 0)) {
    const [first, second] = parts;
    if (first?.type === asn1.Type.OID && ROUNDS_OIDS.has(asn1.derToOid(first.value as string))) {
      checkRounds(Array.isArray(second?.value) ? second.value[1] : undefined);
    }
    // MacData of a PFX: DigestInfo, salt, iterations
    const [, , third] = parts;
    if (
      Array.isArray(first?.value) &&
      second?.type === asn1.Type.OCTETSTRING &&
      third?.type === asn1.Type.INTEGER
    ) {
      checkRounds(third);
    }
  }
}

function checkRounds(count: Asn1 | undefined): void {
  const octets = typeof count?.value === 'string' ? Buffer.from(count.value, 'binary') : Buffer.of(1);
  const rounds = octets.length > 6 ? Number.MAX_SAFE_INTEGER : octets.readUIntBE(0, octets.length);
  if (rounds > MAX_DERIVATION_ROUNDS) {
    throw unreadable(`it asks for more than ${MAX_DERIVATION_ROUNDS} rounds of key derivation`);
  }
}

function* sequences(structure: Asn1, depth: number): Generator<readonly Asn1[]> {
  if (depth > 20) return;
  if (Array.isArray(structure.value)) {
    yield structure.value;
    for (const part of structure.value) yield* sequences(part, depth + 1);
  } else if (structure.type === asn1.Type.OCTETSTRING && structure.value.charCodeAt(0) === 0x30) {
    let inner: Asn1;
    try {
      inner = asn1.fromDer(forge.util.createBuffer(structure.value));
    } catch {
      return;
    }
    yield* sequences(inner, depth + 1);
  }
}

function decodeBind(key: BindKey): DecodedPkcs8 {
  const { algorithm, timing } = key;
  if (key.rsa !== undefined) {
    if (algorithm !== 8 && algorithm !== 10) throw unsupportedAlgorithm(algorithm);
    if (key.mayBeCut && key.rsa.Coefficient.length < key.rsa.Prime1.length) throw cutOff('Coefficient');
    const [n, e, d, p, q, dP, dQ, qInv] = BIND_RSA_FIELDS.map((name) =>
      bigInteger(key.rsa?.[name] as Uint8Array),
    );
    const rsa = pki.setRsaPrivateKey(
      n as Big,
      e as Big,
      d as Big,
      p as Big,
      q as Big,
      dP as Big,
      dQ as Big,
      qInv as Big,
    );
    return { pkcs8: toOctets(pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(rsa))), algorithm, timing };
  }
  const secret = key.secret as Uint8Array;
  const curve = EC_CURVES.get(algorithm);
  if (curve !== undefined) {
    if (key.mayBeCut && secret.length < curve.octets) throw cutOff('PrivateKey');
    const scalar = padLeft(secret, curve.octets);
    const sec1 = asn1.toDer(sequence(integer('\x01'), octetString(scalar))).getBytes();
    return { pkcs8: privateKeyInfo([oid(OID_EC), oid(curve.oid)], sec1), algorithm, timing };
  }
  const edwards = EDWARDS.get(algorithm);
  if (edwards === undefined) throw unsupportedAlgorithm(algorithm);
  if (secret.length !== edwards.octets)
    throw unreadable(`the field "PrivateKey" is not ${edwards.octets} octets long`);
  const seed = asn1.toDer(octetString(binary(secret))).getBytes();
  return { pkcs8: privateKeyInfo([oid(edwards.oid)], seed), algorithm, timing };
}

type Big = forge.jsbn.BigInteger;

function bigInteger(octets: Uint8Array): Big {
  return new forge.jsbn.BigInteger(Buffer.from(octets).toString('hex') || '0', 16);
}

function cutOff(field: string): ZonesealError {
  return unreadable(`the field "${field}" is short, and the file ends with it: its end is missing`);
}

/** Older writers left out the leading zeros of a scalar. */
function padLeft(octets: Uint8Array, length: number): string {
  if (octets.length > length) throw unreadable(`the field "PrivateKey" is longer than ${length} octets`);
  return binary(octets).padStart(length, '\0');
}

function unsupportedAlgorithm(algorithm: number): ZonesealError {
  return new ZonesealError(
    'KEY_UNSUPPORTED',
    `the private key is for DNSSEC algorithm ${algorithm}; 8, 10, 13, 14, 15 and 16 are supported`,
    { algorithm },
  );
}
