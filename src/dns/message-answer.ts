import { EDNS_VERSION, type Edns, type EdnsOption } from './edns.js';
import { FLAG, HEADER_OCTETS, type Message, type MessageHeader } from './message.js';
import { MessageWriter } from './message-writer.js';

/** The smallest UDP payload that every client takes (RFC 1035 §4.2.1). */
export const MIN_UDP_OCTETS = 512;

/** What an answer says in its header and its OPT record. */
export interface AnswerOptions {
  /** AA: the answer comes from a zone that is held here. */
  readonly aa?: boolean;
  /** TC: the rest has to be asked for over TCP. */
  readonly tc?: boolean;
  /** The UDP payload that is taken here, in octets, as the OPT record says it. */
  readonly udpSize: number;
  /** EDNS options of the answer, said only to a client that speaks EDNS. */
  readonly options?: readonly EdnsOption[];
}

/**
 * The flags word of an answer: QR, the query's OPCODE and RD, AA and TC as asked, the lower four bits of the RCODE.
 * AD and CD are clear (RFC 4035 §3.1.6), RA too.
 */
export function answerFlags(
  query: Pick<MessageHeader, 'opcode' | 'rd'>,
  rcode: number,
  options: Pick<AnswerOptions, 'aa' | 'tc'> = {},
): number {
  return (
    FLAG.QR |
    (query.opcode << 11) |
    (options.aa === true ? FLAG.AA : 0) |
    (options.tc === true ? FLAG.TC : 0) |
    (query.rd ? FLAG.RD : 0) |
    (rcode & 0xf)
  );
}

/** The OPT record of an answer; undefined where the query had none (RFC 6891 §6.1.1, §7). DO is copied (RFC 3225 §3). */
export function answerEdns(query: Message, rcode: number, options: AnswerOptions): Edns | undefined {
  if (query.edns === undefined) return undefined;
  return {
    udpSize: options.udpSize,
    extendedRcode: rcode >>> 4,
    version: EDNS_VERSION,
    dnssecOk: query.edns.dnssecOk,
    options: options.options ?? [],
  };
}

/** The largest answer that a client takes over UDP: what its OPT record says, but 512 at least and `maximum` at most. */
export function udpAnswerLimit(query: Message, maximum: number): number {
  return Math.max(MIN_UDP_OCTETS, Math.min(query.edns?.udpSize ?? MIN_UDP_OCTETS, maximum));
}

/**
 * An answer without records: header, the question as it was asked, and OPT where the query had one. An RCODE above 15
 * (BADVERS) needs a query with OPT, which alone can bring it about.
 */
export function buildAnswer(query: Message, rcode: number, options: AnswerOptions): Uint8Array {
  const writer = new MessageWriter(MIN_UDP_OCTETS);
  writer.writeHeader(query.id, answerFlags(query, rcode, options));
  for (const { name, type, class: klass } of query.question) writer.writeQuestion(name, type, klass);
  const edns = answerEdns(query, rcode, options);
  if (edns !== undefined) writer.writeEdns(edns);
  return writer.finish();
}

/** An answer that is a header alone, for a query of which no more could be read (FORMERR, NOTIMP). */
export function buildHeaderAnswer(
  query: Pick<MessageHeader, 'id' | 'opcode' | 'rd'>,
  rcode: number,
): Uint8Array {
  const writer = new MessageWriter(HEADER_OCTETS);
  writer.writeHeader(query.id, answerFlags(query, rcode));
  return writer.finish();
}
