import type { Clock } from '../clock.js';
import { EDNS_VERSION } from '../dns/edns.js';
import { type Message, type MessageHeader, OPCODE, RCODE, readHeader, readMessage } from '../dns/message.js';
import { buildHeaderAnswer } from '../dns/message-answer.js';
import type { Name } from '../dns/name.js';
import { answerTsigFailure, TsigSigner } from '../dns/tsig.js';
import { RRClass, RRType, typeToText } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import { isAfter } from '../publication/serial.js';
import { AccessRules, type OpenRange } from './access.js';
import { Answerer, EDE } from './answer.js';
import { authenticate } from './authenticate.js';
import { BoundedLog } from './bounded-log.js';
import { withDeadline } from './deadline.js';
import type { Client, TransferAsked } from './exchange.js';
import type { PublicationSource, ServedPublication, TsigKeyEntry, TsigKeySource } from './ports.js';
import type { DnsHandler, DnsRequest } from './request.js';
import { ixfrSerial, serialOf } from './soa-serial.js';
import { TransferCounters, type TransferCounts, tsigErrorText } from './transfer-counters.js';
import type { TransferLimits } from './transfer-limits.js';
import { TransferRunner } from './transfer-runner.js';

/** What the handler needs. */
export interface TransferHandlerOptions {
  readonly source: PublicationSource;
  readonly keys: TsigKeySource;
  /** Address ranges whose clients need no TSIG key. */
  readonly openRanges: readonly OpenRange[];
  readonly limits: TransferLimits;
  readonly log: Log;
  /** This host's clock, which TSIG uses. */
  readonly clock: Clock;
}

const TRANSFER_TYPES: ReadonlySet<number> = new Set([RRType.SOA, RRType.AXFR, RRType.IXFR]);

/**
 * Answers the requests of the transfer protocol: SOA, AXFR (RFC 5936) and IXFR (RFC 1995: the differences, or the whole zone where they
 * cannot be had). Everything else is refused. What a stranger asks for is never looked up, so zones held and not held get the same answer by the same work.
 */
export class TransferHandler implements DnsHandler {
  readonly #options: TransferHandlerOptions;
  readonly #log: BoundedLog;
  readonly #access: AccessRules;
  readonly #counters = new TransferCounters();
  readonly #runner: TransferRunner;

  /** @throws ZonesealError ACCESS_INVALID when an open range is malformed, or opened for two views */
  constructor(options: TransferHandlerOptions) {
    this.#options = options;
    const { limits, clock } = options;
    this.#log = new BoundedLog(options.log, clock);
    this.#access = new AccessRules(options.openRanges, this.#log);
    this.#runner = new TransferRunner({ limits, clock, log: this.#log }, this.#counters);
  }

  get counts(): TransferCounts {
    return this.#counters;
  }

  /** Transfers that run now, and that wait for a place. */
  get load(): { readonly running: number; readonly waiting: number } {
    return this.#runner.load;
  }

  async *answer(request: DnsRequest): AsyncGenerator<Uint8Array, void, undefined> {
    this.#counters.requests++;
    const header = readHeader(request.octets);
    // what is no query gets no answer, or two servers could talk to each other for ever
    if (header === undefined || header.qr) {
      this.#counters.silences++;
      return;
    }
    let next: Uint8Array | TransferAsked;
    try {
      next = await this.#respond(request);
    } catch (error) {
      // nothing that a client sends should lead here
      this.#log.write(
        'error',
        { address: request.address, reason: errorMessage(error) },
        'a request could not be answered',
      );
      next = this.#headerAnswer(header, RCODE.SERVFAIL);
    }
    if (next instanceof Uint8Array) yield next;
    else yield* this.#runner.run(next);
  }

  /** The one answer to a request, or what is to be transferred. */
  async #respond(request: DnsRequest): Promise<Uint8Array | TransferAsked> {
    let query: Message;
    try {
      query = readMessage(request.octets);
    } catch (error) {
      if (!(error instanceof ZonesealError)) throw error;
      return this.#malformed(request, error);
    }
    const client = await this.#authenticate(request, query);
    return client instanceof Uint8Array ? client : this.#decide(client);
  }

  /** Messages of opcodes that are not spoken have formats of their own (DSO, RFC 8490 §5.1). */
  #malformed(request: DnsRequest, error: ZonesealError): Uint8Array {
    const header = readHeader(request.octets);
    if (header === undefined) throw error;
    this.#log.write(
      'debug',
      { address: request.address, reason: error.fields['reason'] },
      'a malformed request',
    );
    return this.#headerAnswer(header, header.opcode === OPCODE.QUERY ? RCODE.FORMERR : RCODE.NOTIMP);
  }

  #headerAnswer(header: MessageHeader, rcode: number): Uint8Array {
    this.#counters.countAnswer(rcode);
    return buildHeaderAnswer(header, rcode);
  }

  /** The client, or the answer that its TSIG was not accepted. */
  async #authenticate(request: DnsRequest, query: Message): Promise<Client | Uint8Array> {
    const { keys, limits, clock } = this.#options;
    const answered = (rcode: number): void => this.#counters.countAnswer(rcode);
    const common = { query, transport: request.transport, udpOctets: limits.udpOctets, clock, answered };
    const secretOf = (entry: TsigKeyEntry): Promise<Uint8Array> =>
      withDeadline(
        keys.secret(entry),
        'the secret of a TSIG key',
        limits.lookupSeconds * 1000,
        request.signal,
      );
    try {
      const found = await authenticate(request.octets, query, keys, secretOf, clock);
      if (found.status === 'none') return { request, answerer: new Answerer(common), entry: undefined };
      if (found.status === 'ok') {
        const signer = new TsigSigner(found.key, found.mac);
        return { request, answerer: new Answerer({ ...common, signer }), entry: found.entry };
      }
      const error = tsigErrorText(found.tsigError);
      const key = found.record.keyName.toString();
      this.#log.write(
        'info',
        { address: request.address, key, error },
        'a request whose TSIG was not accepted',
      );
      this.#counters.countTsigFailure(found.tsigError);
      const answer = new Answerer(common).rcode(found.rcode);
      return answerTsigFailure(answer, found, clock.seconds());
    } catch (error) {
      const key = query.tsig?.keyName.toString();
      const fields = { address: request.address, key, reason: errorMessage(error) };
      this.#log.write('warn', fields, 'the secret of a TSIG key cannot be had; the request gets SERVFAIL');
      return new Answerer(common).rcode(RCODE.SERVFAIL);
    }
  }

  async #decide(client: Client): Promise<Uint8Array | TransferAsked> {
    const { answerer, entry, request } = client;
    const { query } = answerer;
    if (query.opcode !== OPCODE.QUERY) return answerer.rcode(RCODE.NOTIMP);
    if (query.edns !== undefined && query.edns.version !== EDNS_VERSION) return answerer.rcode(RCODE.BADVERS);
    const question = query.question[0];
    if (question === undefined) return answerer.rcode(RCODE.FORMERR);
    const { name: zone, type } = question;
    const view =
      entry === undefined
        ? this.#access.viewOfAddress(request.address)
        : this.#access.viewOfKey(entry, zone, request.address);
    const isServed = question.class === RRClass.IN && TRANSFER_TYPES.has(type);
    if (view === undefined || !isServed) return this.#refuse(client, zone, type, view);
    // RFC 5936 §4.2 leaves AXFR over UDP undefined; NSD and Knot DNS say NOTIMP as well
    if (type === RRType.AXFR && request.transport === 'udp') return answerer.rcode(RCODE.NOTIMP);
    const clientSerial = type === RRType.IXFR ? ixfrSerial(query) : undefined;
    if (type === RRType.IXFR && clientSerial === undefined) return answerer.rcode(RCODE.FORMERR);
    return this.#look({ client, zone, type, view, clientSerial });
  }

  async #look(asked: Omit<TransferAsked, 'served'>): Promise<Uint8Array | TransferAsked> {
    const { client, zone, type, view, clientSerial } = asked;
    const { answerer, request } = client;
    const { source, limits } = this.#options;
    let served: ServedPublication | undefined;
    try {
      const limitMs = limits.lookupSeconds * 1000;
      served = await withDeadline(source.find(zone, view), `looking for ${zone}`, limitMs, request.signal);
    } catch (error) {
      const fields = { zone: zone.toString(), view, address: request.address, reason: errorMessage(error) };
      this.#log.write('warn', fields, 'what is served cannot be told now; the request gets SERVFAIL');
      const isRecovering = error instanceof ZonesealError && error.code === 'DATABASE_SET_BACK';
      return answerer.rcode(
        RCODE.SERVFAIL,
        isRecovering
          ? { code: EDE.NOT_READY, text: 'serial is being recovered' }
          : { code: EDE.OTHER, text: 'zone data cannot be reached' },
      );
    }
    if (served === undefined) return this.#refuse(client, zone, type, view);
    const { soa } = served;
    const isCurrent =
      soa !== undefined && clientSerial !== undefined && !isNewer(serialOf(soa.rrset), clientSerial);
    if (isCurrent) this.#compare(asked, serialOf(soa.rrset));
    if (type !== RRType.SOA && request.transport !== 'udp' && !isCurrent) return { ...asked, served };
    if (soa === undefined) {
      return answerer.rcode(RCODE.SERVFAIL, { code: EDE.NOT_READY, text: 'first publication not ready' });
    }
    // an IXFR answer of one record says "this serial" (RFC 1995 §2); signatures would make it look like a transfer
    const isSigned = type === RRType.SOA && answerer.query.edns?.dnssecOk === true;
    return answerer.soa(soa.rrset, isSigned ? soa.signatures : []);
  }

  /** Who has a key and a serial that was not given out may have it from before the database was set back. Nothing is done about it. */
  #compare({ client, zone, view, clientSerial }: Omit<TransferAsked, 'served'>, serial: number): void {
    if (client.entry === undefined || clientSerial === undefined || clientSerial === serial) return;
    const key = client.entry.name.toString();
    this.#log.write(
      'warn',
      { zone: zone.toString(), view, key, address: client.request.address, clientSerial, serial },
      'a client has a serial ahead of the one that is served; was the database set back?',
    );
  }

  #refuse(
    { answerer, entry, request }: Client,
    zone: Name,
    type: number,
    view: string | undefined,
  ): Uint8Array {
    const fields = {
      zone: zone.toString(),
      type: typeToText(type),
      address: request.address,
      ...(entry === undefined ? {} : { key: entry.name.toString() }),
      ...(view === undefined ? {} : { view }),
    };
    this.#log.write('info', fields, 'a request was refused');
    return answerer.rcode(RCODE.REFUSED);
  }
}

/** Serials that RFC 1982 cannot compare count as newer: the client gets the zone rather than nothing for ever. */
function isNewer(serial: number, clientSerial: number): boolean {
  return serial !== clientSerial && !isAfter(clientSerial, serial);
}
