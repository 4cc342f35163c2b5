import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { systemClock } from '../../src/clock.js';
import { FLAG, type Message, OPCODE, readMessage } from '../../src/dns/message.js';
import { MessageWriter } from '../../src/dns/message-writer.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { type TsigKey, TsigSigner, verifyRequest } from '../../src/dns/tsig.js';
import { RRClass, RRType } from '../../src/dns/types.js';

/** What a fake peer answers to a message: datagrams, in order; none is silence. */
export type Answering = (
  request: Message,
  octets: Uint8Array,
  transport: 'udp' | 'tcp',
) => readonly Uint8Array[];

/** A nameserver on 127.0.0.1 that answers as a test tells it to. */
export class FakePeer {
  readonly port: number;
  readonly requests: {
    readonly message: Message;
    readonly octets: Uint8Array;
    readonly transport: string;
  }[] = [];
  answering: Answering;
  readonly #udp: Socket;
  readonly #tcp: Server;

  private constructor(udp: Socket, tcp: Server, port: number, answering: Answering) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = port;
    this.answering = answering;
  }

  static async start(answering: Answering = () => []): Promise<FakePeer> {
    for (let attempt = 0; ; attempt++) {
      const udp = createSocket('udp4');
      const tcp = createServer();
      await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
      const { port } = udp.address();
      const isFree = await new Promise<boolean>((resolve) => {
        tcp.once('error', () => resolve(false));
        tcp.listen(port, '127.0.0.1', () => resolve(true));
      });
      if (!isFree) {
        udp.close();
        if (attempt > 20) throw new Error('no port is free for UDP and TCP');
        continue;
      }
      const peer = new FakePeer(udp, tcp, port, answering);
      udp.on('message', (octets, from) => {
        for (const answer of peer.#answer(octets, 'udp')) udp.send(answer, from.port, from.address);
      });
      tcp.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('data', (chunk) => {
          for (const answer of peer.#answer(chunk.subarray(2), 'tcp')) {
            socket.write(Buffer.concat([Uint8Array.of(answer.length >>> 8, answer.length), answer]));
          }
          socket.end();
        });
      });
      return peer;
    }
  }

  /** The kinds of messages that came, in order. */
  get kinds(): string[] {
    return this.requests.map(({ message }) => (message.opcode === OPCODE.NOTIFY ? 'notify' : 'soa'));
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise<void>((resolve) => {
      this.#tcp.close(() => resolve());
    });
  }

  #answer(data: Uint8Array, transport: 'udp' | 'tcp'): readonly Uint8Array[] {
    const octets = new Uint8Array(data);
    const message = readMessage(octets);
    this.requests.push({ message, octets, transport });
    return this.answering(message, octets, transport);
  }
}

export interface AnswerParts {
  readonly rcode?: number;
  readonly flags?: number;
  readonly id?: number;
  readonly serial?: number;
  readonly question?: boolean;
  /** Signs the answer; the request has to be signed with it. */
  readonly key?: TsigKey;
}

/** An answer to a request, sound unless told otherwise. */
export function answerTo(request: Message, octets: Uint8Array, parts: AnswerParts = {}): Uint8Array {
  const writer = new MessageWriter(2048);
  const flags = parts.flags ?? FLAG.AA;
  writer.writeHeader(parts.id ?? request.id, FLAG.QR | (request.opcode << 11) | flags | (parts.rcode ?? 0));
  const [question] = request.question;
  if (question !== undefined && parts.question !== false) {
    writer.writeQuestion(question.name, question.type, question.class);
  }
  if (parts.serial !== undefined && question !== undefined) {
    const rdata = parseRdataText(RRType.SOA, `ns. host. ${parts.serial} 3600 600 86400 300`);
    writer.writeRecord('answer', question.name, RRType.SOA, RRClass.IN, 300, rdata);
  }
  const plain = writer.finish();
  const { key } = parts;
  if (key === undefined) return plain;
  const now = systemClock.seconds();
  const check = verifyRequest(octets, request, () => key, now);
  if (check.status !== 'ok') throw new Error(`the request is not signed as it should be: ${check.status}`);
  return new TsigSigner(key, check.mac).sign(plain, now);
}
