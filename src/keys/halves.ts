import { type KeyObject, sign, verify } from 'node:crypto';
import { ALGORITHMS } from '../dnssec/algorithm.js';
import { ZonesealError } from '../errors.js';
import type { DecodedKey } from './formats/decode.js';
import { publicKeyFromDnskey } from './formats/public-key.js';
import type { ZoneKey } from './key-set.js';

/**
 * Holds that a private key is the one of a DNSKEY: its public half is the same, and what it signs verifies with the
 * DNSKEY's public key (the two halves inside the material may differ).
 * @throws ZonesealError KEY_MISMATCH, KEY_UNSUPPORTED
 */
export function checkHalves(key: Pick<ZoneKey, 'algorithm' | 'publicKey'>, decoded: DecodedKey): void {
  if (!decoded.algorithms.includes(key.algorithm)) {
    throw mismatch(`it is for algorithm ${decoded.algorithms.join(' or ')}, the DNSKEY for ${key.algorithm}`);
  }
  if (Buffer.compare(decoded.publicKey, key.publicKey) !== 0) {
    throw mismatch('its public half is not that of the DNSKEY');
  }
  const algorithm = ALGORITHMS.get(key.algorithm);
  const digest = algorithm?.digest ?? null;
  const probe = Buffer.from('zoneseal: proof that two halves belong together');
  const publicKey = publicKeyFromDnskey(key.algorithm, key.publicKey);
  if (!proves(digest, probe, decoded.privateKey, publicKey)) {
    throw mismatch('a signature made with it does not verify with the DNSKEY');
  }
}

function proves(digest: string | null, probe: Buffer, privateKey: KeyObject, publicKey: KeyObject): boolean {
  try {
    return verify(digest, probe, publicKey, sign(digest, probe, privateKey));
  } catch {
    return false;
  }
}

function mismatch(reason: string): ZonesealError {
  return new ZonesealError('KEY_MISMATCH', `the private key is refused: ${reason}`, { reason });
}
