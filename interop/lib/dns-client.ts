import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import dnsPacket, { type RecordType } from 'dns-packet';
import { systemClock } from '../../src/clock.js';
import { type Message, RCODE, readMessage } from '../../src/dns/message.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { type TsigAnswerCheck, type TsigKey, TsigSigner, TsigVerifier } from '../../src/dns/tsig.js';
import { appendTsigRecord } from '../../src/dns/tsig-record.js';
import { RRType } from '../../src/dns/types.js';

/** Where a server listens. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How a request is signed: rightly, or wrongly on purpose. */
export interface Signing {
  readonly key: TsigKey;
  /** Seconds that this client's clock is ahead of the host's. */
  readonly skewSeconds?: number;
  /** The MAC is cut to this many octets. */
  readonly macOctets?: number;
}

export interface QueryOptions {
  readonly name: string;
  readonly type: RecordType;
  readonly tcp?: boolean;
  readonly signing?: Signing;
  /** The UDP payload said in an OPT record; no OPT record without it. */
  readonly udpSize?: number;
  /** The serial in an IXFR's authority section. */
  readonly serial?: number;
  readonly recursionDesired?: boolean;
  readonly timeoutMilliseconds?: number;
}

/** One answer message, and what its TSIG was found to be where the request had one. */
export interface Answer {
  readonly octets: Uint8Array;
  readonly message: Message;
  readonly tsig: TsigAnswerCheck | undefined;
}

/** All messages of a transfer. */
export interface Transfer {
  readonly answers: readonly Answer[];
  /** The records of all answer sections, in the order in which they came. */
  readonly records: readonly ResourceRecord[];
  /** The RCODE of the first message that has one, else NOERROR. */
  readonly rcode: number;
  /** Whether the closing SOA came. */
  readonly isWhole: boolean;
  /** Whether every message is proved to come from the holder of the key; false without one. */
  readonly isAuthentic: boolean;
}

const DEFAULT_TIMEOUT = 10_000;

/** Asks over UDP, or TCP, and reads one answer; undefined when none comes in time or the connection is closed. */
export async function query(target: Target, options: QueryOptions): Promise<Answer | undefined> {
  const request = buildRequest(options);
  const timeout = options.timeoutMilliseconds ?? DEFAULT_TIMEOUT;
  const octets =
    options.tcp === true
      ? await exchangeTcp(target, request.octets, timeout)
      : await exchangeUdp(target, request.octets, timeout);
  return octets === undefined ? undefined : request.read(octets);
}

/** Asks for a zone by AXFR or IXFR over TCP and reads until its closing SOA, an error or the end. */
export async function transfer(
  target: Target,
  options: Omit<QueryOptions, 'type' | 'tcp'> & { readonly type?: 'AXFR' | 'IXFR' },
): Promise<Transfer> {
  const request = buildRequest({ type: 'AXFR', ...options });
  const connection = await TcpConnection.open(target);
  const answers: Answer[] = [];
  const records: ResourceRecord[] = [];
  const ending = new TransferEnding(options.type === 'IXFR' ? options.serial : undefined);
  let rcode: number = RCODE.NOERROR;
  try {
    connection.send(request.octets);
    while (!ending.isReached && rcode === RCODE.NOERROR) {
      const octets = await connection.receive(options.timeoutMilliseconds ?? DEFAULT_TIMEOUT);
      if (octets === undefined) break;
      const answer = request.read(octets);
      answers.push(answer);
      rcode = answer.message.rcode;
      for (const record of answer.message.answer) {
        records.push(record);
        ending.add(record);
      }
      ending.endMessage();
      if (answer.tsig?.status === 'invalid' || answer.tsig?.status === 'refused') break;
    }
  } finally {
    connection.close();
  }
  return { answers, records, rcode, isWhole: ending.isReached, isAuthentic: request.isAuthentic };
}

/** Sends any octets over UDP; the answer, or undefined when none comes in time. */
export async function exchangeUdp(
  target: Target,
  octets: Uint8Array,
  timeoutMilliseconds = DEFAULT_TIMEOUT,
): Promise<Uint8Array | undefined> {
  const socket = createSocket(target.host.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMilliseconds);
      socket.once('message', (answer) => {
        clearTimeout(timer);
        resolve(new Uint8Array(answer));
      });
      socket.once('error', reject);
      socket.send(octets, target.port, target.host);
    });
  } finally {
    socket.close();
  }
}

/** Sends one message, which may be malformed, over a TCP connection of its own; the first answer. */
export async function exchangeTcp(
  target: Target,
  octets: Uint8Array,
  timeoutMilliseconds = DEFAULT_TIMEOUT,
): Promise<Uint8Array | undefined> {
  const connection = await TcpConnection.open(target);
  try {
    connection.send(octets);
    return await connection.receive(timeoutMilliseconds);
  } finally {
    connection.close();
  }
}

/** A TCP connection with the two-octet lengths of RFC 1035 §4.2.2. */
export class TcpConnection {
  readonly #socket: Socket;
  readonly #received: Uint8Array[] = [];
  #pending: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#accept(chunk));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
  }

  static open(target: Target): Promise<TcpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(target.port, target.host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new TcpConnection(socket));
      });
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends one message with its length before it. */
  send(octets: Uint8Array): void {
    this.sendRaw(Uint8Array.of(octets.length >>> 8, octets.length));
    this.sendRaw(octets);
  }

  /** Sends octets as they are. */
  sendRaw(octets: Uint8Array): void {
    this.#socket.write(octets);
  }

  /** Stops or resumes taking octets from the socket, as a client does that stalls. */
  pause(isPaused: boolean): void {
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** The next message; undefined when the server closed the connection, or sends none in time. */
  async receive(timeoutMilliseconds = DEFAULT_TIMEOUT): Promise<Uint8Array | undefined> {
    const deadline = systemClock.milliseconds() + timeoutMilliseconds;
    while (this.#received.length === 0 && !this.#isClosed) {
      const left = deadline - systemClock.milliseconds();
      if (left <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#received.shift();
  }

  close(): void {
    this.#socket.destroy();
  }

  #accept(chunk: Buffer): void {
    let octets = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (octets.length >= 2 && octets.length >= 2 + octets.readUInt16BE(0)) {
      const end = 2 + octets.readUInt16BE(0);
      this.#received.push(new Uint8Array(octets.subarray(2, end)));
      octets = octets.subarray(end);
    }
    this.#pending = octets;
    this.#wake?.();
  }

  #end(): void {
    this.#isClosed = true;
    this.#wake?.();
  }
}

/** A request as it is sent, and what reads and proves its answers. */
export interface Request {
  readonly octets: Uint8Array;
  /** Reads one answer message strictly. @throws ZonesealError MESSAGE_INVALID */
  read(octets: Uint8Array): Answer;
  /** Whether all answers read so far are proved. */
  readonly isAuthentic: boolean;
}

/** Builds a query with dns-packet and signs it, rightly or wrongly, as asked. */
export function buildRequest(options: QueryOptions): Request {
  const id = randomInt(0x10000);
  const plain = new Uint8Array(
    dnsPacket.encode({
      type: 'query',
      id,
      flags: options.recursionDesired === true ? dnsPacket.RECURSION_DESIRED : 0,
      questions: [{ type: options.type, name: options.name.replace(/\.$/, ''), class: 'IN' }],
      authorities: options.type === 'IXFR' ? [soaOf(options.name, options.serial ?? 0)] : [],
      additionals:
        options.udpSize === undefined
          ? []
          : [
              {
                type: 'OPT',
                name: '.',
                udpPayloadSize: options.udpSize,
                flags: 0,
                options: [],
                ednsVersion: 0,
                extendedRcode: 0,
                flag_do: false,
              },
            ],
    }),
  );
  const { signing } = options;
  if (signing === undefined) {
    return {
      octets: plain,
      read: (octets) => ({ octets, message: readMessage(octets), tsig: undefined }),
      isAuthentic: false,
    };
  }
  const skew = signing.skewSeconds ?? 0;
  const signer = new TsigSigner(signing.key);
  const signed = signer.sign(plain, systemClock.seconds() + skew);
  const mac = signer.mac.slice(0, signing.macOctets ?? signer.mac.length);
  const verifier = new TsigVerifier(signing.key, mac);
  return {
    octets: signing.macOctets === undefined ? signed : withMac(plain, signed, mac),
    read: (octets) => {
      const message = readMessage(octets);
      const now = systemClock.seconds() + skew;
      return { octets, message, tsig: verifier.verify(octets, message, now) };
    },
    get isAuthentic() {
      return verifier.isComplete;
    },
  };
}

function withMac(plain: Uint8Array, signed: Uint8Array, mac: Uint8Array): Uint8Array {
  const { tsig } = readMessage(signed);
  if (tsig === undefined) throw new Error('the request was not signed');
  return appendTsigRecord(plain, { ...tsig, mac });
}

function soaOf(name: string, serial: number): dnsPacket.SoaAnswer {
  const data = { mname: '', rname: '', serial, refresh: 0, retry: 0, expire: 0, minimum: 0 };
  return { type: 'SOA', class: 'IN', name: name.replace(/\.$/, ''), ttl: 0, data };
}

/**
 * Finds the end of a transfer: the second SOA that equals the first (RFC 5936 §2.2, and the last of an IXFR with the
 * whole zone or with differences, RFC 1995 §4), or the single SOA of an IXFR that has nothing to say.
 */
class TransferEnding {
  #first: string | undefined;
  #count = 0;
  #equal = 0;
  #isIncremental = false;
  readonly #requestedSerial: number | undefined;
  isReached = false;

  /** @param requestedSerial the serial of an IXFR */
  constructor(requestedSerial: number | undefined) {
    this.#requestedSerial = requestedSerial;
  }

  add(record: ResourceRecord): void {
    this.#count++;
    if (record.type !== RRType.SOA) return;
    const rdata = Buffer.from(record.rdata).toString('hex');
    this.#first ??= rdata;
    if (this.#count === 2 && rdata !== this.#first) this.#isIncremental = true;
    if (rdata === this.#first) this.#equal++;
    // with differences, the newest SOA also begins the last additions
    this.isReached = this.#equal === (this.#isIncremental ? 3 : 2);
  }

  /** To be called after the records of each message. */
  endMessage(): void {
    if (this.#count === 1 && this.#first !== undefined && this.#requestedSerial !== undefined) {
      const serial = Number.parseInt(this.#first.slice(-40, -32), 16);
      // the server has nothing newer (RFC 1982 §3.2)
      if (((serial - this.#requestedSerial) | 0) <= 0) this.isReached = true;
    }
  }
}
