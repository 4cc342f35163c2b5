import { type Message, RCODE } from './message.js';
import type { Name } from './name.js';
import { type TsigKey, tsigAlgorithmInfo, tsigAlgorithmOf } from './tsig-key.js';
import { isMacLengthAllowed, macMatches, TsigMac } from './tsig-mac.js';
import {
  appendTsigRecord,
  TSIG_ERROR,
  TSIG_FUDGE,
  type TsigRecord,
  tsigRecordLength,
  writeTime,
} from './tsig-record.js';

export {
  parseTsigAlgorithm,
  parseTsigKeyFile,
  TSIG_ALGORITHMS,
  type TsigAlgorithm,
  type TsigKey,
  tsigAlgorithmInfo,
  tsigAlgorithmOf,
} from './tsig-key.js';
export { TSIG_ERROR, TSIG_FUDGE, type TsigRecord } from './tsig-record.js';
export { type TsigAnswerCheck, TsigVerifier } from './tsig-verifier.js';

/**
 * The shortest MAC in octets that is taken unless a caller says otherwise: 128 bits. RFC 8945 §5.2.2.1 lets hmac-sha1
 * and hmac-sha224 go down to 10 and 14 octets; those get BADTRUNC.
 */
export const TSIG_MIN_MAC_OCTETS = 16;

const NO_OCTETS = new Uint8Array(0);

/** Why a request's TSIG was not accepted, and what is needed to answer so; see `answerTsigFailure`. */
export interface TsigFailure {
  readonly status: 'error';
  /** The RCODE of the answer: NOTAUTH, or FORMERR for a MAC of impossible length and a request with an error field. */
  readonly rcode: number;
  /** One of TSIG_ERROR; zero with FORMERR, whose answer has no TSIG. */
  readonly tsigError: number;
  /** The TSIG record of the request. */
  readonly record: TsigRecord;
  /** The key, where the request was proved to be made with it: the answer is signed then. */
  readonly key?: TsigKey;
}

/** What the TSIG of a request was found to be. */
export type TsigRequestCheck =
  | { readonly status: 'none' }
  | {
      readonly status: 'ok';
      readonly key: TsigKey /** To be handed to TsigSigner. */;
      readonly mac: Uint8Array;
    }
  | TsigFailure;

/**
 * Checks the TSIG of a request in the order of RFC 8945 §5.2: key, MAC, time, truncation policy.
 * @param octets the request as it was received, of which `message` was read
 * @param lookup the key of that name and algorithm; a key whose algorithm is another counts as unknown
 * @param nowSeconds this host's time, seconds since 1970
 * @param minMacOctets local policy (§5.2.4): shorter MACs get BADTRUNC; at most the whole length is asked for
 */
export function verifyRequest(
  octets: Uint8Array,
  message: Message,
  lookup: (name: Name, algorithm: Name) => TsigKey | undefined,
  nowSeconds: number,
  minMacOctets: number = TSIG_MIN_MAC_OCTETS,
): TsigRequestCheck {
  const { tsig, tsigOffset } = message;
  if (tsig === undefined || tsigOffset === undefined) return { status: 'none' };
  const fail = (rcode: number, tsigError: number, key?: TsigKey): TsigFailure => ({
    status: 'error',
    rcode,
    tsigError,
    record: tsig,
    ...(key === undefined ? {} : { key }),
  });
  // §4.2: the error field of a request is zero
  if (tsig.error !== 0) return fail(RCODE.FORMERR, 0);

  const algorithm = tsigAlgorithmOf(tsig.algorithmName);
  const key = algorithm === undefined ? undefined : lookup(tsig.keyName, tsig.algorithmName);
  if (key === undefined || key.algorithm !== algorithm || !key.name.equals(tsig.keyName)) {
    return fail(RCODE.NOTAUTH, TSIG_ERROR.BADKEY);
  }
  if (!isMacLengthAllowed(key, tsig.mac.length)) return fail(RCODE.FORMERR, 0);
  const mac = new TsigMac(key)
    .addSignedMessage(octets, tsigOffset, tsig.originalId)
    .addVariables(tsig)
    .finish();
  if (!macMatches(tsig.mac, mac)) return fail(RCODE.NOTAUTH, TSIG_ERROR.BADSIG);
  if (Math.abs(nowSeconds - tsig.timeSigned) > tsig.fudge)
    return fail(RCODE.NOTAUTH, TSIG_ERROR.BADTIME, key);
  if (tsig.mac.length < Math.min(minMacOctets, mac.length))
    return fail(RCODE.NOTAUTH, TSIG_ERROR.BADTRUNC, key);
  return { status: 'ok', key, mac: tsig.mac };
}

/**
 * The answer to a request whose TSIG was not accepted, with the TSIG record that says why (RFC 8945 §5.3.2): BADKEY
 * and BADSIG unsigned, BADTIME and BADTRUNC signed. BADTIME's has the client's time and fudge, and the server's time as
 * Other Data (§5.2.3). A FORMERR is returned as it is.
 * @param message the answer without TSIG: the request's id and question, and the failure's rcode
 */
export function answerTsigFailure(message: Uint8Array, failure: TsigFailure, nowSeconds: number): Uint8Array {
  if (failure.tsigError === 0) return message;
  const { record, key, tsigError } = failure;
  const isTime = tsigError === TSIG_ERROR.BADTIME;
  const unsigned: TsigRecord = {
    keyName: record.keyName,
    algorithmName: record.algorithmName,
    timeSigned: isTime ? record.timeSigned : nowSeconds,
    fudge: isTime ? record.fudge : TSIG_FUDGE,
    mac: NO_OCTETS,
    originalId: idOf(message),
    error: tsigError,
    other: isTime ? timeOctets(nowSeconds) : NO_OCTETS,
  };
  if (key === undefined) return appendTsigRecord(message, unsigned);
  const mac = new TsigMac(key).addPrior(record.mac).addMessage(message).addVariables(unsigned).finish();
  return appendTsigRecord(message, { ...unsigned, mac });
}

/** The octets that a TSIG record made with a key takes at the end of a message without a TSIG error. */
export function tsigLength(key: TsigKey): number {
  const { name, octets } = tsigAlgorithmInfo(key.algorithm);
  return tsigRecordLength({
    keyName: key.name,
    algorithmName: name,
    mac: new Uint8Array(octets),
    other: NO_OCTETS,
  });
}

/**
 * Signs a message, and those that follow it in a multi-message answer: the first over the request's MAC and all TSIG
 * variables, each other over the MAC before it and the timers (RFC 8945 §5.3, §5.3.1). MACs are never truncated.
 */
export class TsigSigner {
  readonly #key: TsigKey;
  readonly #algorithmName: Name;
  #prior: Uint8Array | undefined;
  #isFirst = true;

  /** @param requestMac the MAC of the request that is answered, as it came (truncated perhaps); none for a request */
  constructor(key: TsigKey, requestMac?: Uint8Array) {
    this.#key = key;
    this.#algorithmName = tsigAlgorithmInfo(key.algorithm).name;
    this.#prior = requestMac;
  }

  /** The MAC of the message signed last: what TsigVerifier needs of a request. Empty before the first. */
  get mac(): Uint8Array {
    return this.#isFirst ? NO_OCTETS : (this.#prior as Uint8Array);
  }

  /** The octets by which `sign` makes a message longer. */
  get length(): number {
    return tsigLength(this.#key);
  }

  /**
   * A copy of a message with its TSIG record. The id that the message has is the one that is signed.
   * @throws ZonesealError MESSAGE_TOO_LARGE beyond 65,535 octets
   */
  sign(message: Uint8Array, nowSeconds: number): Uint8Array {
    const fields = {
      keyName: this.#key.name,
      algorithmName: this.#algorithmName,
      timeSigned: nowSeconds,
      fudge: TSIG_FUDGE,
      originalId: idOf(message),
      error: 0,
      other: NO_OCTETS,
    };
    const digest = new TsigMac(this.#key);
    if (this.#prior !== undefined) digest.addPrior(this.#prior);
    digest.addMessage(message);
    if (this.#isFirst) digest.addVariables(fields);
    else digest.addTimers(fields.timeSigned, fields.fudge);
    const mac = digest.finish();
    const signed = appendTsigRecord(message, { ...fields, mac });
    this.#prior = mac;
    this.#isFirst = false;
    return signed;
  }
}

function idOf(message: Uint8Array): number {
  return ((message[0] as number) << 8) | (message[1] as number);
}

function timeOctets(seconds: number): Uint8Array {
  const octets = new Uint8Array(6);
  writeTime(new DataView(octets.buffer), 0, seconds);
  return octets;
}
