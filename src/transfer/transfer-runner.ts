import type { Clock } from '../clock.js';
import { RCODE } from '../dns/message.js';
import { typeToText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { EDE, type ExtendedError } from './answer.js';
import type { BoundedLog } from './bounded-log.js';
import { withDeadline } from './deadline.js';
import type { TransferAsked } from './exchange.js';
import type { ImageReader } from './ports.js';
import { expireOf, expireOfFirstMessage, serialOf } from './soa-serial.js';
import type { TransferCounters, TransferOutcome } from './transfer-counters.js';
import type { TransferLimits } from './transfer-limits.js';
import { TransferSlots } from './transfer-slots.js';

/** An image that has given its first message. */
interface Begun {
  readonly reader: ImageReader;
  readonly messages: AsyncIterator<Uint8Array>;
  readonly first: Uint8Array;
}

/** What the runner needs. */
export interface TransferRunnerOptions {
  readonly limits: TransferLimits;
  readonly log: BoundedLog;
  readonly clock: Clock;
}

/** Runs transfers: the image, a place, then its messages to one client at that client's pace. */
export class TransferRunner {
  readonly #options: TransferRunnerOptions;
  readonly #counters: TransferCounters;
  readonly #slots: TransferSlots;

  constructor(options: TransferRunnerOptions, counters: TransferCounters) {
    this.#options = options;
    this.#counters = counters;
    this.#slots = new TransferSlots(options.limits.transfers, options.limits.transfersWaiting);
  }

  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#slots.running, waiting: this.#slots.waiting };
  }

  /**
   * The messages of one transfer. A fault before the first is answered with SERVFAIL.
   * @throws whatever ends the image early, after the first message: the client must not take what it has for a zone
   */
  async *run(asked: TransferAsked): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = asked.client.request;
    // a place is for sending: what waits for its zone to be built takes none
    const begun = await this.#begin(asked);
    if (begun instanceof Uint8Array) {
      yield begun;
      return;
    }
    const slot = await this.#slots.acquire(this.#options.limits.transferWaitSeconds * 1000, signal);
    if (slot === undefined) {
      begun.reader.release();
      this.#end(asked, signal.aborted ? 'abandoned' : 'refused');
      yield this.#failure(asked, { code: EDE.OTHER, text: 'too many transfers at once' });
      return;
    }
    try {
      yield* this.#stream(asked, begun);
    } finally {
      slot.release();
    }
  }

  /**
   * What was asked for, begun: the differences where they were asked for and can be had, else the whole zone (RFC 1995 §4);
   * SERVFAIL when there is nothing to be had.
   */
  async #begin(asked: TransferAsked): Promise<Begun | Uint8Array> {
    const { signal } = asked.client.request;
    try {
      return (await this.#beginDifference(asked)) ?? (await this.#first(asked, asked.served.openImage()));
    } catch (error) {
      this.#end(asked, signal.aborted ? 'abandoned' : 'failed', faultOf(error));
      const isBuilding = error instanceof ZonesealError && error.code === 'PUBLICATION_NOT_READY';
      return this.#failure(asked, {
        code: isBuilding ? EDE.NOT_READY : EDE.OTHER,
        text: isBuilding ? 'publication not ready' : 'the zone cannot be transferred now',
      });
    }
  }

  /** Undefined where no differences were asked for, or none can be had. @throws ZonesealError when the client has gone */
  async #beginDifference(asked: TransferAsked): Promise<Begun | undefined> {
    const { client, served, clientSerial, zone, view } = asked;
    if (clientSerial === undefined) return undefined;
    try {
      return await this.#first(asked, served.openDifference(clientSerial));
    } catch (error) {
      if (client.request.signal.aborted) throw error;
      const fields = { zone: zone.toString(), view, clientSerial, reason: errorMessage(error) };
      this.#options.log.write('warn', fields, 'a difference cannot be had; the whole zone is sent');
      return undefined;
    }
  }

  /** Waits for an image and its first message; undefined where there is none. */
  async #first(asked: TransferAsked, opened: Promise<ImageReader>): Promise<Begun>;
  async #first(asked: TransferAsked, opened: Promise<ImageReader | undefined>): Promise<Begun | undefined>;
  async #first(asked: TransferAsked, opened: Promise<ImageReader | undefined>): Promise<Begun | undefined> {
    const { signal } = asked.client.request;
    const limitMs = this.#options.limits.firstMessageSeconds * 1000;
    const reader = await withDeadline(opened, 'opening the image', limitMs, signal, (late) =>
      late?.release(),
    );
    if (reader === undefined) return undefined;
    try {
      const messages = reader.messages()[Symbol.asyncIterator]();
      const first = await withDeadline(messages.next(), 'the first message', limitMs, signal);
      if (first.done === true) throw new ZonesealError('IMAGE_CLOSED', 'the image is empty');
      return { reader, messages, first: first.value };
    } catch (error) {
      reader.release();
      throw error;
    }
  }

  async *#stream(
    asked: TransferAsked,
    { reader, messages, first }: Begun,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { client } = asked;
    const { clock } = this.#options;
    const { signal } = client.request;
    const sending = client.answerer.transfer(expireAsked(asked, first));
    const started = clock.milliseconds();
    const sent = { messages: 0, octets: 0 };
    let outcome: TransferOutcome = 'abandoned';
    let fault: object = {};
    // wakes the wait for a message that has not been made yet
    const release = (): void => reader.release();
    signal.addEventListener('abort', release);
    try {
      for (
        let next: IteratorResult<Uint8Array> = { value: first };
        next.done !== true;
        next = await messages.next()
      ) {
        const message = sending.next(next.value, clock.seconds());
        yield message;
        sent.messages++;
        sent.octets += message.length;
      }
      outcome = 'completed';
    } catch (error) {
      if (!signal.aborted) outcome = 'failed';
      fault = faultOf(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', release);
      reader.release();
      this.#counters.transferOctets += sent.octets;
      const seconds = (clock.milliseconds() - started) / 1000;
      this.#end(asked, outcome, { ...sent, seconds, ...fault });
    }
  }

  #failure({ client }: TransferAsked, error: ExtendedError): Uint8Array {
    return client.answerer.rcode(RCODE.SERVFAIL, error);
  }

  #end(asked: TransferAsked, outcome: TransferOutcome, more: object = {}): void {
    const { client, zone, type, view, clientSerial, served } = asked;
    this.#counters.transfers[outcome]++;
    const fields = {
      zone: zone.toString(),
      view,
      address: client.request.address,
      ...(client.entry === undefined ? {} : { key: client.entry.name.toString() }),
      type: typeToText(type),
      ...(served.soa === undefined ? {} : { serial: serialOf(served.soa.rrset) }),
      ...(clientSerial === undefined ? {} : { clientSerial }),
      ...more,
    };
    if (outcome === 'completed') this.#options.log.write('info', fields, 'a transfer was completed');
    else if (outcome === 'abandoned') this.#options.log.write('info', fields, 'a client left its transfer');
    else if (outcome === 'refused')
      this.#options.log.write('warn', fields, 'a transfer found no place: there are too many at once');
    else this.#options.log.write('error', fields, 'a transfer failed; the client gets no closing SOA');
  }
}

/** A failure as the log has it. */
function faultOf(error: unknown): object {
  const reason = errorMessage(error);
  return error instanceof ZonesealError ? { code: error.code, reason } : { reason };
}

/** What the SOA's expire field says, where the client asks. A zone that is being signed for the first time has its SOA in the image alone. */
function expireAsked({ client, served }: TransferAsked, first: Uint8Array): number | undefined {
  if (!client.answerer.isExpireAsked) return undefined;
  return served.soa === undefined ? expireOfFirstMessage(first) : expireOf(served.soa.rrset);
}
