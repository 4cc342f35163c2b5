import { type Edns, ednsLength, ednsRdata, ednsTtl } from '../dns/edns.js';
import { FLAG, HEADER_OCTETS, type Message } from '../dns/message.js';
import type { TsigSigner } from '../dns/tsig.js';
import { RRType } from '../dns/types.js';

/** What one client's transfer puts on the messages of an image. */
export interface SendingOptions {
  /** The request: its id, RD and question are copied. The question is for the zone of the image. */
  readonly query: Message;
  /** The OPT record of the first message; undefined where the request had none (RFC 5936 §2.2.5). */
  readonly edns: Edns | undefined;
  /** Signs each message; undefined where the request was not signed. */
  readonly signer: TsigSigner | undefined;
}

/** Makes the messages of an image into those of one answer. The image's own octets stay as they are. */
export class TransferSending {
  readonly #options: SendingOptions;
  #isFirst = true;

  constructor(options: SendingOptions) {
    this.#options = options;
  }

  /**
   * The next message: a copy with id and RD, the first one with the question as it was asked and OPT, then TSIG.
   * @param nowSeconds this host's time, for TSIG
   */
  next(message: Uint8Array, nowSeconds: number): Uint8Array {
    const { query, edns, signer } = this.#options;
    const added = this.#isFirst ? edns : undefined;
    const out = new Uint8Array(message.length + (added === undefined ? 0 : ednsLength(added)));
    out.set(message);
    const view = new DataView(out.buffer);
    view.setUint16(0, query.id);
    if (query.rd) view.setUint16(2, view.getUint16(2) | FLAG.RD);
    if (this.#isFirst) setQuestion(out, view, query);
    if (added !== undefined) appendEdns(view, message.length, added);
    this.#isFirst = false;
    return signer === undefined ? out : signer.sign(out, nowSeconds);
  }
}

/** The name differs in the case of letters at most, so it is as long. */
function setQuestion(out: Uint8Array, view: DataView, query: Message): void {
  const question = query.question[0];
  if (question === undefined || view.getUint16(4) !== 1) return;
  out.set(question.name.wire, HEADER_OCTETS);
  view.setUint16(HEADER_OCTETS + question.name.wire.length, question.type);
}

function appendEdns(view: DataView, at: number, edns: Edns): void {
  const rdata = ednsRdata(edns.options);
  view.setUint8(at, 0);
  view.setUint16(at + 1, RRType.OPT);
  view.setUint16(at + 3, edns.udpSize);
  view.setUint32(at + 5, ednsTtl(edns));
  view.setUint16(at + 9, rdata.length);
  new Uint8Array(view.buffer, view.byteOffset + at + 11).set(rdata);
  view.setUint16(10, view.getUint16(10) + 1);
}
