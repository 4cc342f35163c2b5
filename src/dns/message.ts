import { errorMessage, ZonesealError } from '../errors.js';
import { type Edns, parseEdns } from './edns.js';
import { HEADER_OCTETS, MessageNameReader, readMessageRdata } from './message-name.js';
import type { Name } from './name.js';
import { MAX_TTL, type ResourceRecord } from './record.js';
import { parseTsigRdata, type TsigRecord } from './tsig-record.js';
import { isMetaType, RRClass, RRType } from './types.js';

/** The header flags that are one bit, as they stand in the 16-bit flags word (RFC 1035 §4.1.1, RFC 4035 §3). */
export const FLAG = {
  QR: 0x8000,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  RA: 0x0080,
  AD: 0x0020,
  CD: 0x0010,
} as const;

/** OPCODE values (RFC 6895 §2.2). */
export const OPCODE = { QUERY: 0, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

/** RCODE values (RFC 6895 §2.3); those above 15 need EDNS to be said. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
} as const;

export { HEADER_OCTETS };

/** The octets of the largest message (RFC 1035 §4.2.2). */
export const MAX_MESSAGE_OCTETS = 0xffff;

/** Records in a query: an IXFR or NOTIFY has one, then OPT and TSIG. */
const MAX_QUERY_RECORDS = 64;
/** What names may cost, in labels and pointers: a 64 KiB answer full of PTR records for IPv6 has 125,000. */
const RESPONSE_STEPS = 160_000;
const QUERY_STEPS = 32_768;

/** One entry of the question section. */
export interface Question {
  readonly name: Name;
  readonly type: number;
  readonly class: number;
}

/** What the first four octets of a message say. */
export interface MessageHeader {
  readonly id: number;
  /** The 16-bit word with QR, OPCODE, the flags and the lower four bits of RCODE. */
  readonly flags: number;
  readonly opcode: number;
  readonly qr: boolean;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
}

/** One message, read whole. OPT and TSIG are taken out of the additional section. */
export interface Message extends MessageHeader {
  /** The extended RCODE: its upper eight bits come from OPT (RFC 6891 §6.1.3). */
  readonly rcode: number;
  readonly question: readonly Question[];
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
  readonly edns?: Edns;
  readonly tsig?: TsigRecord;
  /** Where the TSIG record begins in the message. */
  readonly tsigOffset?: number;
}

/**
 * The header of a message; undefined for octets that are less than one. What has QR set, and what has no header, gets
 * no answer.
 */
export function readHeader(octets: Uint8Array): MessageHeader | undefined {
  if (octets.length < HEADER_OCTETS) return undefined;
  const flags = readUint16(octets, 2);
  return {
    id: readUint16(octets, 0),
    flags,
    opcode: (flags >>> 11) & 0xf,
    qr: (flags & FLAG.QR) !== 0,
    aa: (flags & FLAG.AA) !== 0,
    tc: (flags & FLAG.TC) !== 0,
    rd: (flags & FLAG.RD) !== 0,
  };
}

/**
 * Reads one message strictly; its octets are copied. Rdata of class IN comes out plain (names expanded) and checked,
 * other classes' as they stand. Refused are: cut-off or trailing octets, pointers that do not lead backward, more than
 * one question (RFC 9619), OPT or TSIG twice, in another section or with a wrong owner, class or TTL, a TSIG that is
 * not last (RFC 8945 §5.1), and queries with more than 64 records. The work is bounded.
 * @throws ZonesealError MESSAGE_INVALID; where a header could be read, fields has id, opcode, rd, and isQuery (QR clear)
 */
export function readMessage(octets: Uint8Array): Message {
  const header = readHeader(octets);
  if (header === undefined) {
    throw new ZonesealError('MESSAGE_INVALID', 'a message is shorter than a header', { reason: 'no header' });
  }
  try {
    return new MessageReader(octets, header).read();
  } catch (error) {
    if (!(error instanceof ZonesealError)) throw error;
    throw new ZonesealError(
      'MESSAGE_INVALID',
      `a message is malformed: ${errorMessage(error)}`,
      {
        id: header.id,
        opcode: header.opcode,
        rd: header.rd,
        isQuery: !header.qr,
        reason: error.fields['reason'] ?? error.message,
      },
      { cause: error },
    );
  }
}

class MessageReader {
  readonly #octets: Uint8Array;
  readonly #header: MessageHeader;
  readonly #names: MessageNameReader;
  #at = HEADER_OCTETS;
  #edns: Edns | undefined;
  #tsig: TsigRecord | undefined;
  #tsigOffset = 0;

  constructor(octets: Uint8Array, header: MessageHeader) {
    // a Buffer's slices would share its memory
    this.#octets = new Uint8Array(octets.buffer, octets.byteOffset, octets.length);
    this.#header = header;
    this.#names = new MessageNameReader(this.#octets, header.qr ? RESPONSE_STEPS : QUERY_STEPS);
  }

  read(): Message {
    const octets = this.#octets;
    if (octets.length > MAX_MESSAGE_OCTETS) fail('the message is longer than 65,535 octets');
    const questions = readUint16(octets, 4);
    const answers = readUint16(octets, 6);
    const authorities = readUint16(octets, 8);
    const additionals = readUint16(octets, 10);
    const records = answers + authorities + additionals;
    if (questions > 1) fail('there is more than one question');
    if (!this.#header.qr && records > MAX_QUERY_RECORDS)
      fail(`a query has more than ${MAX_QUERY_RECORDS} records`);
    // the smallest question is 5 octets, the smallest record 11
    if (questions * 5 + records * 11 > octets.length - HEADER_OCTETS) fail('the counts exceed what is there');

    const question = questions === 0 ? [] : [this.#readQuestion()];
    const answer = this.#readSection(answers, false);
    const authority = this.#readSection(authorities, false);
    const additional = this.#readSection(additionals, true);
    if (this.#at !== octets.length) fail(`${octets.length - this.#at} octets follow the last record`);
    const rcode = (this.#header.flags & 0xf) | ((this.#edns?.extendedRcode ?? 0) << 4);
    return {
      ...this.#header,
      rcode,
      question,
      answer,
      authority,
      additional,
      ...(this.#edns === undefined ? {} : { edns: this.#edns }),
      ...(this.#tsig === undefined ? {} : { tsig: this.#tsig, tsigOffset: this.#tsigOffset }),
    };
  }

  #readQuestion(): Question {
    const name = this.#names.read(this.#at);
    const at = this.#names.end;
    if (at + 4 > this.#octets.length) fail('the question is cut off');
    this.#at = at + 4;
    return { name, type: readUint16(this.#octets, at), class: readUint16(this.#octets, at + 2) };
  }

  #readSection(count: number, isAdditional: boolean): ResourceRecord[] {
    const records: ResourceRecord[] = [];
    for (let i = 0; i < count; i++) {
      if (this.#tsig !== undefined) fail('the TSIG record is not the last');
      const record = this.#readRecord(isAdditional);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** The record here; undefined when it is OPT or TSIG, which are kept aside. */
  #readRecord(isAdditional: boolean): ResourceRecord | undefined {
    const octets = this.#octets;
    const start = this.#at;
    const owner = this.#names.read(start);
    const at = this.#names.end;
    if (at + 10 > octets.length) fail('a record is cut off');
    const type = readUint16(octets, at);
    const klass = readUint16(octets, at + 2);
    const ttl = (readUint16(octets, at + 4) * 0x10000 + readUint16(octets, at + 6)) >>> 0;
    const rdataAt = at + 10;
    const rdataOctets = readUint16(octets, at + 8);
    const end = rdataAt + rdataOctets;
    if (end > octets.length) fail('rdata is cut off');
    this.#at = end;
    if (type === RRType.OPT) {
      if (!isAdditional || this.#edns !== undefined || !owner.isRoot) fail('an OPT record is misplaced');
      this.#edns = parseEdns(klass, ttl, octets.slice(rdataAt, end));
      return undefined;
    }
    if (type === RRType.TSIG) {
      if (!isAdditional || klass !== RRClass.ANY || ttl !== 0) fail('a TSIG record is misplaced');
      this.#tsig = parseTsigRdata(owner, octets.slice(rdataAt, end));
      this.#tsigOffset = start;
      return undefined;
    }
    const plain = klass === RRClass.IN && !isMetaType(type);
    const rdata = plain
      ? readMessageRdata(this.#names, octets, type, rdataAt, rdataOctets)
      : octets.slice(rdataAt, end);
    // a TTL with its first bit set counts as zero (RFC 2181 §8)
    return { owner, type, class: klass, ttl: ttl > MAX_TTL ? 0 : ttl, rdata };
  }
}

function readUint16(octets: Uint8Array, at: number): number {
  return ((octets[at] as number) << 8) | (octets[at + 1] as number);
}

function fail(reason: string): never {
  throw new ZonesealError('MESSAGE_INVALID', reason, { reason });
}
