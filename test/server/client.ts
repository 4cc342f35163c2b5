import { createSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListenAddress } from '../../src/server/dns-server.js';

/** A message with its length before it, as TCP carries it. */
export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(message.length >>> 8, message.length), message]);
}

/** A TCP client that reads only when it is asked to. */
export class TcpClient {
  readonly socket: Socket;
  #buffer = Buffer.alloc(0);
  #isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.pause();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
    });
  }

  static connect({ address, port }: ListenAddress): Promise<TcpClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address, port, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new TcpClient(socket));
      });
    });
  }

  send(...messages: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(messages.map(framed)));
  }

  /** The next message; undefined when the server closed the connection, whole or in the middle of one. */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const length = this.#buffer.length < 2 ? Number.POSITIVE_INFINITY : this.#buffer.readUInt16BE(0);
      if (this.#buffer.length >= length + 2) {
        const message = this.#buffer.subarray(2, length + 2);
        this.#buffer = this.#buffer.subarray(length + 2);
        return message;
      }
      const more = await this.#more();
      if (more === undefined) return undefined;
      this.#buffer = Buffer.concat([this.#buffer, more]);
    }
  }

  /** Messages until the connection is closed, or `count` of them. */
  async readAll(count = Number.POSITIVE_INFINITY): Promise<Buffer[]> {
    const messages: Buffer[] = [];
    while (messages.length < count) {
      const message = await this.read();
      if (message === undefined) break;
      messages.push(message);
    }
    return messages;
  }

  /** Whether the server closes the connection within so long; reads and drops what comes. */
  async isClosedWithin(ms: number): Promise<boolean> {
    const stop = AbortSignal.timeout(ms);
    this.socket.resume();
    while (!this.#isClosed && !this.socket.readableEnded && !stop.aborted) await sleep(2);
    return this.#isClosed || this.socket.readableEnded;
  }

  close(): void {
    this.socket.destroy();
  }

  #more(): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const { socket } = this;
      if (this.#isClosed || socket.readableEnded) return resolve(undefined);
      const done = (data: Buffer | undefined): void => {
        socket.off('data', onData).off('end', onEnd).off('close', onEnd);
        socket.pause();
        resolve(data);
      };
      const onData = (data: Buffer): void => done(data);
      const onEnd = (): void => done(undefined);
      socket.on('data', onData).on('end', onEnd).on('close', onEnd);
      socket.resume();
    });
  }
}

/** Sends datagrams and collects the answers until there are `count`, or nothing has come for so long. */
export function askUdp(
  { address, port }: ListenAddress,
  messages: readonly Uint8Array[],
  count = messages.length,
  ms = 1000,
): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const answers: Buffer[] = [];
    const end = (): void => {
      clearTimeout(timer);
      socket.close(() => resolve(answers));
    };
    const timer = setTimeout(end, ms);
    socket.on('error', reject);
    socket.on('message', (answer) => {
      answers.push(answer);
      if (answers.length === count) end();
      else timer.refresh();
    });
    for (const message of messages) socket.send(message, port, address);
  });
}
