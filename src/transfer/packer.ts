import { SENDING_RESERVE_OCTETS } from '../dns/largest-record.js';
import { FLAG, HEADER_OCTETS, MAX_MESSAGE_OCTETS } from '../dns/message.js';
import { MessageWriter } from '../dns/message-writer.js';
import type { Name } from '../dns/name.js';
import { rdataParts } from '../dns/rdata/names.js';
import type { RRset } from '../dns/record.js';
import { RRClass, RRType, typeToText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';

/** Where a message of a transfer ends unless told otherwise: compression pointers do not reach further. */
export const TRANSFER_MESSAGE_OCTETS = 0x4000;

/** What is packed. */
export interface PackerOptions {
  /** The zone, whose name is the question of the first message. */
  readonly zone: Name;
  /** A message ends before the record that would make it longer than this; 16,384 unless given, 512 to 16,384. */
  readonly messageOctets?: number;
}

/**
 * Packs records into the messages of one AXFR answer (RFC 5936 §2.2): id 0, QR and AA set, the question (zone, AXFR,
 * IN) in the first message and none in those that follow, records in the order in which they come. A record that is
 * larger than a message should be goes alone.
 *
 * No name is compressed against the question: sending puts it in as the client spelt it, and the records stay as they are.
 */
export class MessagePacker {
  readonly #zone: Name;
  readonly #messageOctets: number;
  readonly #writer: MessageWriter;
  #isFinished = false;
  #largeWriter: MessageWriter | undefined;
  /** The question section of the first message; undefined once that is done. */
  #question: Uint8Array | undefined;
  #isEmpty = true;
  #ready: Uint8Array[] = [];
  #recordCount = 0;
  #messageCount = 0;

  constructor(options: PackerOptions) {
    this.#zone = options.zone;
    this.#messageOctets = Math.min(
      Math.max(options.messageOctets ?? TRANSFER_MESSAGE_OCTETS, 512),
      TRANSFER_MESSAGE_OCTETS,
    );
    this.#question = questionSection(options.zone);
    this.#writer = takeWriter(this.#messageOctets);
    this.#begin();
  }

  /** Records packed so far. */
  get recordCount(): number {
    return this.#recordCount;
  }

  /** Messages done so far. */
  get messageCount(): number {
    return this.#messageCount;
  }

  /**
   * Packs all records of an RRset.
   * @returns whether messages are ready to be taken
   * @throws ZonesealError MESSAGE_TOO_LARGE, naming the record that fits into no message
   */
  add(rrset: RRset): boolean {
    const { owner, type, ttl } = rrset;
    for (const rdata of rrset.rdata) this.addRecord(owner, type, ttl, rdata);
    return this.#ready.length > 0;
  }

  /**
   * Packs one record of class IN.
   * @param ttl seconds
   * @param rdata plain wire format
   * @returns whether messages are ready to be taken
   * @throws ZonesealError MESSAGE_TOO_LARGE, naming the record that fits into no message
   */
  addRecord(owner: Name, type: number, ttl: number, rdata: Uint8Array): boolean {
    if (this.#isFinished) throw new TypeError(`zone ${this.#zone}: its last message was packed already`);
    if (!this.#write(this.#writer, owner, type, ttl, rdata)) {
      this.#end();
      if (!this.#write(this.#writer, owner, type, ttl, rdata)) this.#addLarge(owner, type, ttl, rdata);
    }
    this.#recordCount++;
    return this.#ready.length > 0;
  }

  /** The messages that are done, in order; each is the caller's. */
  take(): Uint8Array[] {
    const ready = this.#ready;
    this.#ready = [];
    return ready;
  }

  /** The messages that are done and the last one, which ends here; nothing is packed after it. */
  finish(): Uint8Array[] {
    this.#end();
    if (!this.#isFinished) giveBack(this.#writer);
    this.#isFinished = true;
    return this.take();
  }

  #write(writer: MessageWriter, owner: Name, type: number, ttl: number, rdata: Uint8Array): boolean {
    try {
      if (!writer.writeRecord('answer', owner, type, RRClass.IN, ttl, rdata)) return false;
    } catch (error) {
      if (!(error instanceof ZonesealError)) throw error;
      const text = `zone ${this.#zone}: ${owner} ${typeToText(type)} cannot be packed: ${errorMessage(error)}`;
      throw new ZonesealError('RDATA_INVALID', text, this.#fields(owner, type), { cause: error });
    }
    this.#isEmpty = false;
    return true;
  }

  #addLarge(owner: Name, type: number, ttl: number, rdata: Uint8Array): void {
    this.#largeWriter ??= new MessageWriter(MAX_MESSAGE_OCTETS);
    const writer = this.#largeWriter;
    writer.reset();
    writer.reserve(SENDING_RESERVE_OCTETS + (this.#question?.length ?? 0));
    writer.writeHeader(0, FLAG.QR | FLAG.AA);
    if (!this.#write(writer, owner, type, ttl, rdata)) {
      const text = `zone ${this.#zone}: ${owner} ${typeToText(type)} has ${rdata.length} octets of rdata; no message can hold it with its TSIG`;
      throw new ZonesealError('MESSAGE_TOO_LARGE', text, {
        ...this.#fields(owner, type),
        octets: rdata.length,
      });
    }
    this.#finishMessage(writer.finish());
    this.#begin();
  }

  #fields(owner: Name, type: number): Record<string, unknown> {
    return { zone: this.#zone.toString(), owner: owner.toString(), type: typeToText(type) };
  }

  /** Ends the current message, unless there is nothing in it. */
  #end(): void {
    if (this.#isEmpty) return;
    this.#finishMessage(this.#writer.finish());
    this.#begin();
  }

  #begin(): void {
    this.#writer.reset();
    this.#writer.reserve(this.#question?.length ?? 0);
    this.#writer.writeHeader(0, FLAG.QR | FLAG.AA);
    this.#isEmpty = true;
  }

  #finishMessage(message: Uint8Array): void {
    this.#ready.push(this.#question === undefined ? message : insertQuestion(message, this.#question));
    this.#question = undefined;
    this.#messageCount++;
  }
}

/** Writers of the usual size that nobody uses: what each has to look names up in is many times the size of a small zone. */
const FREE: MessageWriter[] = [];
const MAX_FREE = 16;

function takeWriter(octets: number): MessageWriter {
  return (octets === TRANSFER_MESSAGE_OCTETS ? FREE.pop() : undefined) ?? new MessageWriter(octets);
}

function giveBack(writer: MessageWriter): void {
  if (writer.limit === TRANSFER_MESSAGE_OCTETS && FREE.length < MAX_FREE) FREE.push(writer);
}

function questionSection(zone: Name): Uint8Array {
  const { AXFR } = RRType;
  return Uint8Array.of(...zone.wire, AXFR >>> 8, AXFR & 0xff, RRClass.IN >>> 8, RRClass.IN);
}

/**
 * A message with a question put between its header and its answer section. What compression pointers lead to moves by
 * the question's length, so they are moved too; nothing leads to the question.
 */
function insertQuestion(message: Uint8Array, question: Uint8Array): Uint8Array {
  const moved = question.length;
  const out = new Uint8Array(message.length + moved);
  out.set(message.subarray(0, HEADER_OCTETS));
  out.set(question, HEADER_OCTETS);
  out.set(message.subarray(HEADER_OCTETS), HEADER_OCTETS + moved);
  const view = new DataView(out.buffer);
  view.setUint16(4, 1);
  for (let at = HEADER_OCTETS + moved; at < out.length; ) {
    at = movePointer(view, at, moved);
    const type = view.getUint16(at);
    const rdataAt = at + 10;
    at = rdataAt + view.getUint16(at + 8);
    movePointersInRdata(view, type, rdataAt, moved);
  }
  return out;
}

function movePointersInRdata(view: DataView, type: number, rdataAt: number, moved: number): void {
  const parts = rdataParts(type) ?? [];
  if (!parts.some((part) => part.kind === 'name' && part.compress)) return;
  let at = rdataAt;
  for (const part of parts) {
    if (part.kind === 'octets') at += part.length;
    else if (part.kind === 'string') at += view.getUint8(at) + 1;
    else at = movePointer(view, at, moved);
  }
}

/** Moves the pointer that ends the name at an offset, if one does; returns where the name ends. */
function movePointer(view: DataView, start: number, moved: number): number {
  let at = start;
  for (;;) {
    const length = view.getUint8(at);
    if (length === 0) return at + 1;
    if (length < 0xc0) {
      at += length + 1;
      continue;
    }
    view.setUint16(at, view.getUint16(at) + moved);
    return at + 2;
  }
}
