import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto';
import { HEADER_OCTETS } from './message.js';
import { type TsigKey, tsigAlgorithmInfo } from './tsig-key.js';
import { type TsigRecord, writeTime } from './tsig-record.js';
import { RRClass } from './types.js';

/** The fields of a TSIG record that its MAC covers. */
export type TsigVariables = Pick<
  TsigRecord,
  'keyName' | 'algorithmName' | 'timeSigned' | 'fudge' | 'error' | 'other'
>;

/** The octets that one MAC covers, fed in the order of RFC 8945 §4.3 and §5.3.1. */
export class TsigMac {
  readonly #hmac: Hmac;

  constructor(key: TsigKey) {
    this.#hmac = createHmac(tsigAlgorithmInfo(key.algorithm).hash, key.secret);
  }

  /** The MAC of the request, or of the message before in a chain, with its length before it. */
  addPrior(mac: Uint8Array): this {
    this.#hmac.update(Uint8Array.of(mac.length >>> 8, mac.length)).update(mac);
    return this;
  }

  /** A whole message that has no TSIG record of its own. */
  addMessage(message: Uint8Array): this {
    this.#hmac.update(message);
    return this;
  }

  /**
   * A message as it was before its TSIG record was put on: without it, not counting it, with the original id
   * (RFC 8945 §4.3.2).
   */
  addSignedMessage(octets: Uint8Array, tsigOffset: number, originalId: number): this {
    const header = new Uint8Array(octets.subarray(0, HEADER_OCTETS));
    const view = new DataView(header.buffer);
    view.setUint16(0, originalId);
    view.setUint16(10, view.getUint16(10) - 1);
    this.#hmac.update(header).update(octets.subarray(HEADER_OCTETS, tsigOffset));
    return this;
  }

  /** All TSIG variables, names in canonical form (RFC 8945 §4.3.3). */
  addVariables(variables: TsigVariables): this {
    const name = variables.keyName.toLower().wire;
    const algorithm = variables.algorithmName.toLower().wire;
    const out = new Uint8Array(name.length + 6 + algorithm.length + 12 + variables.other.length);
    const view = new DataView(out.buffer);
    out.set(name);
    let at = name.length;
    view.setUint16(at, RRClass.ANY); // then a TTL of zero
    at += 6;
    out.set(algorithm, at);
    at += algorithm.length;
    writeTime(view, at, variables.timeSigned);
    view.setUint16(at + 6, variables.fudge);
    view.setUint16(at + 8, variables.error);
    view.setUint16(at + 10, variables.other.length);
    out.set(variables.other, at + 12);
    this.#hmac.update(out);
    return this;
  }

  /** The timers alone, for the messages after the first of a chain (RFC 8945 §5.3.1). */
  addTimers(timeSigned: number, fudge: number): this {
    const out = new Uint8Array(8);
    const view = new DataView(out.buffer);
    writeTime(view, 0, timeSigned);
    view.setUint16(6, fudge);
    this.#hmac.update(out);
    return this;
  }

  /** The whole MAC; nothing can be added afterwards. */
  finish(): Uint8Array {
    return new Uint8Array(this.#hmac.digest());
  }
}

/** How a MAC's length stands to its algorithm: RFC 8945 §5.2.2.1 forbids longer ones and very short ones. */
export function isMacLengthAllowed(key: TsigKey, length: number): boolean {
  const whole = tsigAlgorithmInfo(key.algorithm).octets;
  return length <= whole && length >= Math.max(10, whole / 2);
}

/** Whether a MAC, possibly truncated, is the beginning of the computed one; in constant time. */
export function macMatches(received: Uint8Array, computed: Uint8Array): boolean {
  return received.length > 0 && timingSafeEqual(received, computed.subarray(0, received.length));
}
