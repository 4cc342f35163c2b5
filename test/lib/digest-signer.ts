import { createHash } from 'node:crypto';
import { signItems } from '../../src/signing/batch.js';
import type { Signer } from '../../src/signing/signer.js';

/** Signs with a digest of what is signed, so that equal signatures mean equal input. */
export class DigestSigner implements Signer {
  readonly window = 2;
  made = 0;
  register = (): number => 1;
  unregister = (): void => undefined;
  close = (): Promise<void> => Promise.resolve();
  sign(block: Uint8Array): Promise<Uint8Array> {
    const signed = signItems(block, (octets) => {
      this.made++;
      return createHash('sha256').update(octets).digest();
    });
    return Promise.resolve(signed);
  }
}
