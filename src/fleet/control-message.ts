import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { encode, type Packet } from 'dns-packet';
import { FLAG, HEADER_OCTETS, type Message, OPCODE, RCODE, readHeader, readMessage } from '../dns/message.js';
import type { Name } from '../dns/name.js';
import { TSIG_ERROR, type TsigKey, TsigSigner, TsigVerifier } from '../dns/tsig.js';
import { RRClass, RRType, typeToText } from '../dns/types.js';

/** An SOA record as a NOTIFY hints at it. */
export interface SoaHint {
  /** Seconds. */
  readonly ttl: number;
  /** Plain wire rdata. */
  readonly rdata: Uint8Array;
}

/** A message that a nameserver is asked with. */
export interface ControlQuestion {
  readonly kind: 'notify' | 'query';
  readonly zone: Name;
  /** SOA unless given. */
  readonly type?: number;
  /** Asks for signatures (RFC 4035 §3.2.1), and takes answers of up to 1232 octets over UDP. */
  readonly dnssec?: boolean;
  /** For a NOTIFY: the SOA that is published now (RFC 1996 §3.7). */
  readonly hint?: SoaHint;
}

/**
 * What a datagram or stream message is to a request: nothing, and why, where it is an answer but for its TSIG; a sound answer; or
 * an answer without a proof, which stands only when no sound one comes. A refusal that is proved is sound.
 */
export type AnswerCheck =
  | { readonly kind: 'ignored'; readonly problem?: string }
  | { readonly kind: 'answer'; readonly message: Message }
  | { readonly kind: 'refused'; readonly problem: string; readonly isProved: boolean };

const IGNORED: AnswerCheck = { kind: 'ignored' };

/** The octets of a question's type and class. */
const TYPE_AND_CLASS = 4;
/** What passes everywhere unfragmented, and the DO bit (RFC 6891 §6.1.3). */
const UDP_OCTETS = 1232;
const DNSSEC_OK = 0x8000;
/** A compression pointer to the question's name (RFC 1035 §4.1.4). */
const QUESTION_POINTER = Uint8Array.of(0xc0, HEADER_OCTETS);

const rcodeNames = new Map(Object.entries(RCODE).map(([name, value]) => [value as number, name]));
const tsigErrorNames = new Map(Object.entries(TSIG_ERROR).map(([name, value]) => [value as number, name]));

/** The mnemonic of an RCODE. */
export function rcodeText(rcode: number): string {
  return rcodeNames.get(rcode) ?? `RCODE${rcode}`;
}

/** A NOTIFY (RFC 1996 §3.6, §3.7) or a query, signed where there is a key, and what checks the answers to it. */
export class ControlRequest {
  readonly octets: Uint8Array;
  readonly #id: number;
  readonly #question: ControlQuestion;
  readonly #key: TsigKey | undefined;
  readonly #mac: Uint8Array;

  /** @param nowSeconds this host's time, for TSIG */
  constructor(question: ControlQuestion, key: TsigKey | undefined, nowSeconds: number) {
    this.#id = randomInt(0x1_0000);
    this.#question = question;
    this.#key = key;
    const plain = buildMessage(this.#id, question);
    if (key === undefined) {
      this.octets = plain;
      this.#mac = new Uint8Array(0);
      return;
    }
    const signer = new TsigSigner(key);
    this.octets = signer.sign(plain, nowSeconds);
    this.#mac = signer.mac;
  }

  /**
   * What some octets from the peer's address and port are to this request: the id, the question, QR and OPCODE have to be the same,
   * and the TSIG right (RFC 1996 §3.8, RFC 8945 §5.4).
   */
  check(octets: Uint8Array, nowSeconds: number): AnswerCheck {
    const header = readHeader(octets);
    const opcode = this.#question.kind === 'notify' ? OPCODE.NOTIFY : OPCODE.QUERY;
    if (header === undefined || header.id !== this.#id || !header.qr || header.opcode !== opcode)
      return IGNORED;
    let message: Message;
    try {
      message = readMessage(octets);
    } catch {
      return IGNORED;
    }
    const isBare = message.question.length === 0;
    // what could not read the question may answer without it
    if (isBare ? message.rcode === RCODE.NOERROR : !this.#isOurs(message)) return IGNORED;
    const key = this.#key;
    if (key === undefined) {
      return message.tsig === undefined ? { kind: 'answer', message } : IGNORED;
    }
    // each by itself: one that is forged must not spoil the next
    const check = new TsigVerifier(key, this.#mac).verify(octets, message, nowSeconds);
    if (check.status === 'signed') return { kind: 'answer', message };
    if (check.status === 'refused') {
      const error = tsigErrorNames.get(check.tsigError) ?? `TSIG error ${check.tsigError}`;
      return {
        kind: 'refused',
        problem: `${rcodeText(message.rcode)} (${error})`,
        isProved: check.authentic,
      };
    }
    if (check.status !== 'invalid') return IGNORED;
    if (check.reason !== 'MISSING') return { kind: 'ignored', problem: badTsig(check.reason, key) };
    const what = message.rcode === RCODE.NOERROR ? 'an answer' : rcodeText(message.rcode);
    const next = `does the peer have key ${key.name.toString()} for this address?`;
    return { kind: 'refused', problem: `${what} without TSIG; ${next}`, isProved: false };
  }

  #isOurs({ question: [question] }: Message): boolean {
    return (
      question !== undefined &&
      question.type === (this.#question.type ?? RRType.SOA) &&
      question.class === RRClass.IN &&
      question.name.equals(this.#question.zone)
    );
  }
}

/** What is wrong with the TSIG of an answer, and where to look. Anybody can have sent it, so it says no more than that. */
function badTsig(reason: 'FORMAT' | 'BADKEY' | 'BADSIG' | 'BADTIME', key: TsigKey): string {
  const name = key.name.toString();
  const why = {
    FORMAT: `of a malformed TSIG; see what the peer does with key ${name}`,
    BADKEY: `signed with another key or algorithm than ${name}`,
    BADSIG: `with a wrong MAC; compare the secret of key ${name} on both sides`,
    BADTIME: `signed with key ${name} at another time; compare the clocks`,
  };
  return `no valid answer, but one ${why[reason]}`;
}

/**
 * The serial in an answer to an SOA query; a text where there is none: the peer has to be an authority for the zone, or what it
 * knows is from somewhere else.
 */
export function serialInAnswer(message: Message, zone: Name): number | string {
  if (message.rcode !== RCODE.NOERROR) return rcodeText(message.rcode);
  const soa = message.answer.find(
    (record) => record.type === RRType.SOA && record.class === RRClass.IN && record.owner.equals(zone),
  );
  if (soa === undefined) return 'an answer without SOA';
  if (!message.aa) return 'an answer that is not authoritative';
  return Buffer.from(soa.rdata.buffer, soa.rdata.byteOffset, soa.rdata.length).readUInt32BE(
    soa.rdata.length - 20,
  );
}

/** dns-packet takes names as text and splits them at escaped dots, so it writes the root, and the zone is put in as it is. */
function buildMessage(
  id: number,
  { kind, zone, type = RRType.SOA, dnssec, hint }: ControlQuestion,
): Uint8Array {
  const isNotify = kind === 'notify';
  const packet = {
    type: 'query',
    id,
    flags: isNotify ? (OPCODE.NOTIFY << 11) | FLAG.AA : 0,
    questions: [{ type: typeToText(type), class: 'IN', name: '.' }],
    // rdata in octets, for the same reason
    answers:
      isNotify && hint !== undefined
        ? [
            {
              type: `UNKNOWN_${RRType.SOA}`,
              class: 'IN',
              name: '.',
              ttl: hint.ttl,
              data: Buffer.from(hint.rdata),
            },
          ]
        : [],
    additionals:
      dnssec === true
        ? [{ type: 'OPT', name: '.', udpPayloadSize: UDP_OCTETS, flags: DNSSEC_OK, options: [] }]
        : [],
  };
  const octets = encode(packet as unknown as Packet);
  const afterQuestion = HEADER_OCTETS + 1 + TYPE_AND_CLASS;
  const parts = [
    octets.subarray(0, HEADER_OCTETS),
    zone.wire,
    octets.subarray(HEADER_OCTETS + 1, afterQuestion),
  ];
  if (packet.answers.length > 0) parts.push(QUESTION_POINTER, octets.subarray(afterQuestion + 1));
  else parts.push(octets.subarray(afterQuestion));
  return new Uint8Array(Buffer.concat(parts));
}
