import { type SigningKey, signItems } from '../signing/batch.js';
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
    return Promise.resolve(signItems(block, (_, handle) => new Uint8Array(OCTETS.get(handle) ?? RSA_OCTETS)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
