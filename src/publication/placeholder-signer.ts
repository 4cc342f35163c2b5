import { blockItems, type SigningKey } from '../signing/batch.js';
import type { Signer } from '../signing/signer.js';

/** Octets of a signature by algorithm number; of RSA with a modulus of 2048 bits, as the modulus is not known here. */
const OCTETS: ReadonlyMap<number, number> = new Map([
  [13, 64],
  [14, 96],
  [15, 64],
  [16, 114],
]);
const RSA_OCTETS = 256;

/** Makes octets that stand in place of signatures, without any key: for seeing what would be signed. */
export class PlaceholderSigner implements Signer {
  readonly window = 4;

  /** The handle is the algorithm, which is all that counts. */
  register({ algorithm }: SigningKey): number {
    return algorithm;
  }

  unregister(): void {
    // nothing is held
  }

  sign(block: Uint8Array): Promise<Uint8Array> {
    const lengths = [...blockItems(block)].map(({ handle }) => OCTETS.get(handle) ?? RSA_OCTETS);
    const signed = new Uint8Array(lengths.reduce((total, length) => total + 2 + length, 0));
    let at = 0;
    for (const length of lengths) {
      signed[at] = length >> 8;
      signed[at + 1] = length & 0xff;
      at += 2 + length;
    }
    return Promise.resolve(signed);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
