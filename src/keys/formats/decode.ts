import { createPrivateKey, type KeyObject } from 'node:crypto';
import { ZonesealError } from '../../errors.js';
import { DecodeThread } from './decode-thread.js';
import type { DecodedPkcs8 } from './forge-decode.js';
import { algorithmsOfKey, dnskeyPublicKey } from './public-key.js';
import { type KeyFormat, recogniseKey, unreadable } from './shape.js';

/** A private key that was read, whatever form it had. */
export interface DecodedKey {
  readonly format: KeyFormat;
  /** The DNSSEC algorithm numbers that it can be used with; one where its form names it (BIND) or its kind has one. */
  readonly algorithms: readonly number[];
  /** Unencrypted PKCS#8 DER. Handle with care. */
  readonly pkcs8: Uint8Array;
  readonly privateKey: KeyObject;
  /** The public key field of its DNSKEY. */
  readonly publicKey: Uint8Array;
  /** Times of a BIND file in seconds since 1970, by their names there. */
  readonly timing?: Readonly<Record<string, number>>;
}

export interface DecodeOptions {
  readonly passphrase?: string;
  /** The thread to decode on; a shared one where left out. */
  readonly thread?: DecodeThread;
}

const sharedThread = new DecodeThread();

/**
 * Reads a private key: PKCS#8 (PEM or DER, encrypted too), PKCS#1, SEC1, PKCS#12, BIND's file. All forms but plain
 * PKCS#8 are decoded on a thread of their own.
 * @throws ZonesealError KEY_UNREADABLE, KEY_UNSUPPORTED, KEY_PASSPHRASE_NEEDED, KEY_PASSPHRASE_WRONG; the text says
 * what is wrong and holds nothing of the material
 */
export async function decodePrivateKey(input: Uint8Array, options: DecodeOptions = {}): Promise<DecodedKey> {
  const shaped = recogniseKey(input);
  const decoded: DecodedPkcs8 =
    shaped.format === 'PKCS#8'
      ? { pkcs8: shaped.octets }
      : await (options.thread ?? sharedThread).decode(shaped, options.passphrase);
  const privateKey = importPkcs8(decoded.pkcs8, shaped.format);
  const possible = algorithmsOfKey(privateKey);
  const { algorithm, timing } = decoded;
  if (algorithm !== undefined && !possible.includes(algorithm))
    throw unreadable(`it is no key of algorithm ${algorithm}`);
  return {
    format: shaped.format,
    algorithms: algorithm === undefined ? possible : [algorithm],
    pkcs8: privateKey.export({ format: 'der', type: 'pkcs8' }),
    privateKey,
    publicKey: publicHalf(privateKey),
    ...(timing === undefined ? {} : { timing }),
  };
}

function publicHalf(privateKey: KeyObject): Uint8Array {
  try {
    return dnskeyPublicKey(privateKey);
  } catch (error) {
    if (error instanceof ZonesealError) throw error;
    throw unreadable('no public key belongs to it');
  }
}

/** OpenSSL's reasons may name offsets and lengths but say little; one sentence of ours stands for all. */
function importPkcs8(pkcs8: Uint8Array, format: KeyFormat): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  } catch {
    if (format.startsWith('encrypted')) {
      throw new ZonesealError('KEY_PASSPHRASE_WRONG', 'the passphrase does not open the private key');
    }
    throw unreadable(`its ${format} structure is damaged, or of a kind that is not supported`);
  }
}
