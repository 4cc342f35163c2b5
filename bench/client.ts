import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { systemClock } from '../src/clock.js';
import { type TsigKey, TsigSigner } from '../src/dns/tsig.js';

/** What a transfer took; milliseconds from the first byte asked. */
export interface Fetched {
  readonly milliseconds: number;
  readonly firstMessage: number;
  readonly messages: number;
  readonly octets: number;
  /** Of all answer sections. */
  readonly records: number;
}

/** How a zone is asked for. */
export interface FetchOptions {
  readonly timeoutMs?: number;
  /** The address that is asked from, where it says which view one gets. */
  readonly from?: string;
  /** Signs the question; that the answer ends with a TSIG is checked, not what it says. */
  readonly key?: TsigKey;
}

const QTYPE = { SOA: 6, IXFR: 251, AXFR: 252 } as const;
/** Octets of serial, refresh, retry, expire and minimum, with which an SOA ends. */
const SOA_TAIL = 20;
/** A pointer to the name that is asked for, behind the header (RFC 1035 §4.1.4). */
const POINTER_TO_QUESTION = 0xc00c;

/** A question; with a serial, the SOA that an IXFR holds in its authority section (RFC 1995 §3). */
function question(zone: string, type: keyof typeof QTYPE, serial?: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x1234, 0);
  header.writeUInt16BE(1, 4);
  const labels = zone.split('.').filter((label) => label !== '');
  const name = labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const parts = [header, ...name, Buffer.from([0, 0, QTYPE[type], 0, 1])];
  if (serial !== undefined) {
    header.writeUInt16BE(1, 8);
    const soa = Buffer.alloc(12 + 2 + SOA_TAIL);
    soa.writeUInt16BE(POINTER_TO_QUESTION, 0);
    soa.writeUInt16BE(QTYPE.SOA, 2);
    soa.writeUInt16BE(1, 4);
    soa.writeUInt16BE(2 + SOA_TAIL, 10);
    soa.writeUInt32BE(serial, 14);
    parts.push(soa);
  }
  return Buffer.concat(parts);
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

function nameEnd(message: Buffer, start: number): number {
  for (let at = start; ; ) {
    const length = message.readUInt8(at);
    if (length >= 0xc0) return at + 2;
    at += length + 1;
    if (length === 0) return at;
  }
}

/** Type TSIG, class ANY, TTL 0 (RFC 8945 §4.2), which the name of the key stands before. */
const TSIG_HEAD = Buffer.from([0, 250, 0, 255, 0, 0, 0, 0]);
/** A TSIG record with its key's name lies within so many octets. */
const TSIG_OCTETS = 400;

/** Octets of a message before the TSIG that it ends with; undefined without one. */
function beforeTsig(message: Buffer, key: TsigKey): number | undefined {
  if (message.readUInt16BE(10) === 0) return undefined;
  const from = Math.max(0, message.length - TSIG_OCTETS);
  const at = message.subarray(from).lastIndexOf(TSIG_HEAD);
  return at < 0 ? undefined : from + at - key.name.wire.length;
}

/** The last octets of each SOA in the answer section, undefined for each record of another type. */
function* answers(message: Buffer): Generator<Buffer | undefined> {
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left--) at = nameEnd(message, at) + 4;
  for (let left = message.readUInt16BE(6); left > 0; left--) {
    at = nameEnd(message, at);
    const isSoa = message.readUInt16BE(at) === QTYPE.SOA;
    at += 10 + message.readUInt16BE(at + 8);
    yield isSoa ? message.subarray(at - SOA_TAIL, at) : undefined;
  }
}

/** Tells the end of a transfer from its messages. */
interface Ending {
  /** Whether a message is the last one. */
  isLast(message: Buffer): boolean;
}

/** The end of an AXFR, told by the octets with which the opening SOA ends: cheap, however large the zone. */
class WholeZone implements Ending {
  #tail: Buffer | undefined;
  readonly #key: TsigKey | undefined;

  constructor(key: TsigKey | undefined) {
    this.#key = key;
  }

  isLast(message: Buffer): boolean {
    if (this.#tail === undefined) {
      const [opening] = answers(message);
      if (opening === undefined) throw new Error('a transfer does not begin with an SOA');
      this.#tail = Buffer.from(opening);
      if (message.readUInt16BE(6) === 1) return false;
    }
    if (this.#key === undefined) return message.subarray(-SOA_TAIL).equals(this.#tail);
    // the last message has a TSIG (RFC 8945 §5.3.1)
    const end = beforeTsig(message, this.#key);
    return end !== undefined && message.subarray(end - SOA_TAIL, end).equals(this.#tail);
  }
}

/** The end of an IXFR: the third SOA that equals the first where differences came, else the second (RFC 1995 §4). */
class Difference implements Ending {
  readonly serials: number[] = [];
  records = 0;
  isIncremental = false;
  #opening: Buffer | undefined;
  #equal = 0;

  isLast(message: Buffer): boolean {
    let isReached = false;
    for (const soa of answers(message)) {
      this.records++;
      if (soa === undefined) continue;
      this.serials.push(soa.readUInt32BE(0));
      this.#opening ??= Buffer.from(soa);
      if (soa.equals(this.#opening)) this.#equal++;
      else if (this.records === 2) this.isIncremental = true;
      isReached = this.#equal === (this.isIncremental ? 3 : 2);
    }
    return isReached;
  }
}

/**
 * A plain TCP connection over which zones are asked for one after the other, without TSIG. An answer is undefined when the
 * zone is refused or not ready, or the server closes the connection before the closing SOA; the connection is gone then.
 */
export class TransferConnection {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #isOpen = true;
  #take: ((message: Buffer | undefined) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(port: number, timeoutMs = 300_000, from?: string) {
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      ...(from === undefined ? {} : { localAddress: from }),
    });
    this.#socket.setNoDelay(true);
    this.#socket.setTimeout(timeoutMs, () => this.#socket.destroy(new Error('the transfer took too long')));
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#fail?.(error));
    this.#socket.on('close', () => {
      this.#isOpen = false;
      this.#take?.(undefined);
    });
  }

  /** Whether another zone can be asked for. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  fetch(zone: string, key?: TsigKey): Promise<Fetched | undefined> {
    const plain = question(zone, 'AXFR');
    const asked =
      key === undefined ? plain : Buffer.from(new TsigSigner(key).sign(plain, systemClock.seconds()));
    return this.#exchange(asked, new WholeZone(key));
  }

  /** Asks for the difference from a serial, which has to come as one: @throws Error when it does not */
  async fetchDifference(zone: string, serial: number): Promise<(Fetched & { serial: number }) | undefined> {
    const ending = new Difference();
    const fetched = await this.#exchange(question(zone, 'IXFR', serial), ending);
    if (fetched === undefined) return undefined;
    const [newest, oldest] = ending.serials;
    if (!ending.isIncremental || newest === undefined || oldest !== serial) {
      throw new Error(`an IXFR from ${serial} was answered with the serials ${ending.serials.join(', ')}`);
    }
    return { ...fetched, serial: newest };
  }

  #exchange(message: Buffer, ending: Ending): Promise<Fetched | undefined> {
    const begun = performance.now();
    let [firstMessage, messages, octets, records] = [0, 0, 0, 0];
    return new Promise((resolve, reject) => {
      const end = (result: Fetched | undefined): void => {
        this.#take = undefined;
        this.#fail = undefined;
        if (result === undefined) this.close();
        resolve(result);
      };
      this.#fail = reject;
      this.#take = (answer) => {
        if (answer === undefined || (answer.readUInt16BE(2) & 0xf) !== 0) return end(undefined);
        if (messages === 0) firstMessage = performance.now() - begun;
        messages++;
        octets += answer.length;
        records += answer.readUInt16BE(6);
        try {
          if (!ending.isLast(answer)) return;
        } catch (error) {
          return reject(error);
        }
        end({ milliseconds: performance.now() - begun, firstMessage, messages, octets, records });
      };
      if (!this.#isOpen) return end(undefined);
      this.#socket.write(framed(message));
    });
  }

  #receive(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 2) {
      const length = this.#rest.readUInt16BE(0);
      if (this.#rest.length < length + 2) return;
      const message = this.#rest.subarray(2, length + 2);
      this.#rest = this.#rest.subarray(length + 2);
      this.#take?.(message);
    }
  }
}

/** Asks for a zone over a connection of its own; undefined when it is refused or cut off. */
export async function fetchZone(
  port: number,
  zone: string,
  options: FetchOptions = {},
): Promise<Fetched | undefined> {
  const connection = new TransferConnection(port, options.timeoutMs ?? 300_000, options.from);
  try {
    return await connection.fetch(zone, options.key);
  } finally {
    connection.close();
  }
}

/** How long an answer over UDP is waited for. */
const UDP_PATIENCE_MS = 2000;

/** Asks for the serial of a zone over UDP, again and again, on one socket. */
export class SoaPoller {
  readonly #socket: UdpSocket;
  readonly #port: number;
  readonly #question: Buffer;

  constructor(port: number, zone: string) {
    this.#port = port;
    this.#question = question(zone, 'SOA');
    this.#socket = createSocket('udp4');
  }

  /** The serial that is answered; undefined when no SOA is. */
  serial(): Promise<number | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(undefined), UDP_PATIENCE_MS);
      const read = (message: Buffer): void => {
        const [soa] = answers(message);
        end(soa?.readUInt32BE(0));
      };
      const end = (serial: number | undefined): void => {
        clearTimeout(timer);
        this.#socket.off('message', read);
        resolve(serial);
      };
      this.#socket.on('message', read);
      this.#socket.send(this.#question, this.#port, '127.0.0.1');
    });
  }

  close(): void {
    this.#socket.close();
  }
}
