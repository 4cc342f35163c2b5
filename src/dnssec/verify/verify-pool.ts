import { constants, type KeyObject, verify } from 'node:crypto';
import type { ZoneKey } from './zone-keys.js';

/** Checks under way at once: enough for the threads of Node's pool, few enough to leave room for others' work there. */
const AT_ONCE = 32;

/** Checks signatures on the threads of Node's pool, a bounded number at once. */
export class VerifyPool {
  #running = 0;
  #waiting: (() => void)[] = [];

  /** Whether `room` should be awaited before more is submitted. */
  get full(): boolean {
    return this.#running >= AT_ONCE;
  }

  /** Starts a check; `done` hears whether one of the keys made the signature. */
  submit(
    keys: readonly ZoneKey[],
    data: Uint8Array,
    signature: Uint8Array,
    done: (right: boolean) => void,
  ): void {
    const [key, ...others] = keys;
    if (key?.publicKey === undefined) {
      done(false);
      return;
    }
    this.#running++;
    const finish = (right: boolean) => {
      this.#running--;
      if (right || others.length === 0) done(right);
      else this.submit(others, data, signature, done);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    try {
      verify(key.hash, data, keyInput(key.publicKey), signature, (error, right) =>
        finish(error === null && right),
      );
    } catch {
      finish(false); // a signature of a length that the algorithm does not have
    }
  }

  /** Resolves when more may be submitted. */
  async room(): Promise<void> {
    while (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when every check has ended. */
  async drain(): Promise<void> {
    while (this.#running > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** A key as node:crypto verifies with it, in DNSSEC's forms of signatures. */
export function keyInput(key: KeyObject): Parameters<typeof verify>[2] & object {
  switch (key.asymmetricKeyType) {
    case 'ec':
      return { key, dsaEncoding: 'ieee-p1363' };
    case 'rsa':
      return { key, padding: constants.RSA_PKCS1_PADDING };
    default:
      return { key };
  }
}
