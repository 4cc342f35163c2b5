import { type Message, RCODE } from './message.js';
import { type TsigKey, tsigAlgorithmOf } from './tsig-key.js';
import { isMacLengthAllowed, macMatches, TsigMac } from './tsig-mac.js';
import { readOtherTime, TSIG_ERROR, type TsigRecord } from './tsig-record.js';

/** Messages without TSIG that may stand between two that have one (RFC 8945 §5.3.1). */
const MAX_UNSIGNED = 99;

/**
 * What the TSIG of one answer message was found to be.
 * - `signed`: this message, and those before it that had no TSIG, come from the holder of the key, unchanged.
 * - `unsigned`: it has no TSIG; the next one that has covers it.
 * - `refused`: the server did not accept the request's TSIG; `tsigError` is what it says (one of TSIG_ERROR),
 *   `authentic` whether it signed that, `serverTime` its time in seconds where it said BADTIME.
 * - `invalid`: the answer cannot be trusted. MISSING: it had to have a TSIG; FORMAT: a MAC of impossible length or a
 *   record that contradicts its message; the others as on the server's side.
 */
export type TsigAnswerCheck =
  | { readonly status: 'signed' | 'unsigned' }
  | {
      readonly status: 'refused';
      readonly tsigError: number;
      readonly authentic: boolean;
      readonly serverTime?: number;
    }
  | { readonly status: 'invalid'; readonly reason: 'MISSING' | 'FORMAT' | 'BADKEY' | 'BADSIG' | 'BADTIME' };

/** The client's side of RFC 8945 §5.4: checks the messages of one answer, in their order. */
export class TsigVerifier {
  readonly #key: TsigKey;
  #mac: TsigMac;
  #isFirst = true;
  #unsigned = 0;
  #isBroken = false;

  /** @param requestMac the MAC of the request (TsigSigner.mac) */
  constructor(key: TsigKey, requestMac: Uint8Array) {
    this.#key = key;
    this.#mac = new TsigMac(key).addPrior(requestMac);
  }

  /** Whether all messages so far are proved: the last one had a TSIG and nothing went wrong. */
  get isComplete(): boolean {
    return !this.#isFirst && this.#unsigned === 0 && !this.#isBroken;
  }

  /**
   * Checks the next message. After `refused` or `invalid` nothing else of the answer is to be believed.
   * @param octets the message as it was received, of which `message` was read
   */
  verify(octets: Uint8Array, message: Message, nowSeconds: number): TsigAnswerCheck {
    const result = this.#isBroken ? invalid('BADSIG') : this.#check(octets, message, nowSeconds);
    if (result.status === 'refused' || result.status === 'invalid') this.#isBroken = true;
    return result;
  }

  #check(octets: Uint8Array, message: Message, nowSeconds: number): TsigAnswerCheck {
    const { tsig, tsigOffset } = message;
    if (tsig === undefined || tsigOffset === undefined) return this.#addUnsigned(octets);
    if (!tsig.keyName.equals(this.#key.name) || tsigAlgorithmOf(tsig.algorithmName) !== this.#key.algorithm) {
      return invalid('BADKEY');
    }
    const isRefusal = message.rcode === RCODE.NOTAUTH && tsig.error !== 0;
    if (isRefusal && tsig.mac.length === 0) return refused(tsig, false);
    if (!isMacLengthAllowed(this.#key, tsig.mac.length)) return invalid('FORMAT');

    this.#mac.addSignedMessage(octets, tsigOffset, tsig.originalId);
    if (this.#isFirst) this.#mac.addVariables(tsig);
    else this.#mac.addTimers(tsig.timeSigned, tsig.fudge);
    if (!macMatches(tsig.mac, this.#mac.finish())) return invalid('BADSIG');
    // a BADTIME answer has the client's own time (§5.2.3)
    if (Math.abs(nowSeconds - tsig.timeSigned) > tsig.fudge) return invalid('BADTIME');
    if (isRefusal) return refused(tsig, true);
    if (tsig.error !== 0) return invalid('FORMAT');

    this.#mac = new TsigMac(this.#key).addPrior(tsig.mac);
    this.#isFirst = false;
    this.#unsigned = 0;
    return { status: 'signed' };
  }

  #addUnsigned(octets: Uint8Array): TsigAnswerCheck {
    if (this.#isFirst || this.#unsigned === MAX_UNSIGNED) return invalid('MISSING');
    this.#unsigned++;
    this.#mac.addMessage(octets);
    return { status: 'unsigned' };
  }
}

function refused(tsig: TsigRecord, authentic: boolean): TsigAnswerCheck {
  const serverTime = tsig.error === TSIG_ERROR.BADTIME ? readOtherTime(tsig.other) : undefined;
  return {
    status: 'refused',
    tsigError: tsig.error,
    authentic,
    ...(serverTime === undefined ? {} : { serverTime }),
  };
}

function invalid(reason: 'MISSING' | 'FORMAT' | 'BADKEY' | 'BADSIG' | 'BADTIME'): TsigAnswerCheck {
  return { status: 'invalid', reason };
}
