import type { Clock } from '../clock.js';
import { EDNS_OPTION, type EdnsOption } from '../dns/edns.js';
import { MAX_MESSAGE_OCTETS, type Message, RCODE } from '../dns/message.js';
import { answerEdns, answerFlags, buildAnswer, udpAnswerLimit } from '../dns/message-answer.js';
import { MessageWriter } from '../dns/message-writer.js';
import { MAX_NAME_OCTETS } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import type { TsigSigner } from '../dns/tsig.js';
import { RRClass, RRType } from '../dns/types.js';
import type { Transport } from './request.js';
import { TransferSending } from './sending.js';
import { expireOf } from './soa-serial.js';

/** Extended DNS errors (RFC 8914 §4) that are said to clients that were let in. */
export const EDE = { OTHER: 0, NOT_READY: 14 } as const;

/** An extended DNS error: its info code and a short ASCII text for the operator at the other end. */
export interface ExtendedError {
  readonly code: number;
  readonly text: string;
}

/** One request, and how it is answered. */
export interface AnswererOptions {
  readonly query: Message;
  readonly transport: Transport;
  /** The UDP payload that is taken, and sent at most, in octets. */
  readonly udpOctets: number;
  readonly clock: Clock;
  /** Told the RCODE of each answer that is not a transfer. */
  readonly answered: (rcode: number) => void;
  /** Signs the answer of a request that was signed and proved. */
  readonly signer?: TsigSigner;
}

/** Builds the answers to one request. Each is ready to be sent: id, question, OPT where the request had one, TSIG. */
export class Answerer {
  readonly query: Message;
  readonly #options: AnswererOptions;

  constructor(options: AnswererOptions) {
    this.query = options.query;
    this.#options = options;
  }

  /** An answer without records. */
  rcode(rcode: number, error?: ExtendedError): Uint8Array {
    const options = error === undefined ? [] : [extendedErrorOption(error)];
    this.#options.answered(rcode);
    return this.#signed(buildAnswer(this.query, rcode, { udpSize: this.#options.udpOctets, options }));
  }

  /** An answer that is the SOA and, where there are any, the signatures over it; with TC set instead when they do not fit. */
  soa(soa: RRset, signatures: readonly Uint8Array[]): Uint8Array {
    const { query } = this;
    const { transport, udpOctets, signer, answered } = this.#options;
    answered(RCODE.NOERROR);
    const limit =
      transport === 'udp' ? udpAnswerLimit(query, udpOctets) : streamLimit([...soa.rdata, ...signatures]);
    const writer = new MessageWriter(limit);
    const edns = answerEdns(query, RCODE.NOERROR, {
      udpSize: udpOctets,
      options: this.#expire(expireOf(soa)),
    });
    writer.reserve(signer?.length ?? 0);
    writer.writeHeader(query.id, answerFlags(query, RCODE.NOERROR, { aa: true }));
    let fits = query.question.every((it) => writer.writeQuestion(it.name, it.type, it.class));
    const write = (type: number, rdata: Uint8Array): boolean =>
      fits && writer.writeRecord('answer', soa.owner, type, RRClass.IN, soa.ttl, rdata);
    for (const rdata of soa.rdata) fits = write(RRType.SOA, rdata);
    for (const rdata of signatures) fits = write(RRType.RRSIG, rdata);
    fits = fits && (edns === undefined || writer.writeEdns(edns));
    if (fits) return this.#signed(writer.finish());
    return this.#signed(buildAnswer(query, RCODE.NOERROR, { udpSize: udpOctets, aa: true, tc: true }));
  }

  /** Whether the client asks how long the zone is good for (RFC 7314 §2). */
  get isExpireAsked(): boolean {
    return (
      this.query.edns?.options.some((it) => it.code === EDNS_OPTION.EXPIRE && it.data.length === 0) === true
    );
  }

  /**
   * For the messages of a transfer, which begins here: nothing else may be answered after.
   * @param expire the SOA's expire field, where it is asked for; seconds
   */
  transfer(expire?: number): TransferSending {
    const { query } = this;
    const { udpOctets, signer } = this.#options;
    return new TransferSending({
      query,
      edns: answerEdns(query, RCODE.NOERROR, { udpSize: udpOctets, options: this.#expire(expire) }),
      signer,
    });
  }

  /** A primary says what its SOA says (RFC 7314 §4). */
  #expire(seconds: number | undefined): EdnsOption[] {
    if (seconds === undefined || !this.isExpireAsked) return [];
    const data = Uint8Array.of(seconds >>> 24, seconds >>> 16, seconds >>> 8, seconds);
    return [{ code: EDNS_OPTION.EXPIRE, data }];
  }

  #signed(message: Uint8Array): Uint8Array {
    const { signer, clock } = this.#options;
    return signer === undefined ? message : signer.sign(message, clock.seconds());
  }
}

/** Enough for a header, names, OPT, TSIG and the records, without the room for the largest of all messages. */
function streamLimit(rdata: readonly Uint8Array[]): number {
  const octets = rdata.reduce((sum, it) => sum + it.length + MAX_NAME_OCTETS + 10, 2048);
  return Math.min(octets, MAX_MESSAGE_OCTETS);
}

function extendedErrorOption({ code, text }: ExtendedError): EdnsOption {
  return { code: EDNS_OPTION.EDE, data: Uint8Array.of(code >>> 8, code, ...Buffer.from(text, 'ascii')) };
}
