import { createSocket, type Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.js';
import { RRType } from '../../src/dns/types.js';
import type { Target } from '../lib/dns-client.js';
import { messageOf, questionOf } from './malformed.js';

/** As many as a socket's buffer surely takes. */
const WINDOW = 24;
const TIMEOUT = 20_000;

/** A message that was sent, and what came back under its id. */
export interface Exchanged {
  readonly sent: Uint8Array;
  readonly answers: readonly Uint8Array[];
}

/** A UDP client that sends many messages, each under an id of its own, and tells silence from an answer that was lost. */
export class Datagrams {
  readonly #socket: Socket;
  readonly #target: Target;
  readonly #answers = new Map<number, Uint8Array[]>();
  #nextId = 1;

  private constructor(socket: Socket, target: Target) {
    this.#socket = socket;
    this.#target = target;
    socket.on('message', (answer) => {
      const id = answer.length < 2 ? -1 : answer.readUInt16BE(0);
      this.#answers.set(id, [...(this.#answers.get(id) ?? []), new Uint8Array(answer)]);
    });
  }

  static open(target: Target): Promise<Datagrams> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => socket.bind(0, () => resolve(new Datagrams(socket, target))));
  }

  close(): void {
    this.#socket.close();
  }

  /** Sends without waiting for anything. */
  send(octets: Uint8Array): void {
    this.#socket.send(octets, this.#target.port, this.#target.host, () => undefined);
  }

  /** Sends messages, their ids replaced; what the server has said to each once it has answered a query sent after them. */
  async exchange(messages: readonly Uint8Array[]): Promise<Exchanged[]> {
    const exchanged: { readonly sent: Uint8Array; readonly id: number }[] = [];
    for (let at = 0; at < messages.length; at += WINDOW) {
      const window = messages.slice(at, at + WINDOW).map((message) => this.#numbered(message));
      for (const { sent } of window) this.send(sent);
      await this.#sentinel();
      exchanged.push(...window);
    }
    // what was answered late, or is said where there should be silence
    await sleep(200);
    return exchanged.map(({ sent, id }) => ({ sent, answers: this.#answers.get(id) ?? [] }));
  }

  #numbered(message: Uint8Array): { readonly sent: Uint8Array; readonly id: number } {
    const id = this.#nextId;
    this.#nextId = (this.#nextId % 0xffff) + 1;
    this.#answers.delete(id);
    const sent = message.slice();
    if (sent.length > 0) sent[0] = id >>> 8;
    if (sent.length > 1) sent[1] = id;
    return { sent, id };
  }

  /** A query that is refused; datagrams of one socket come in their order. */
  async #sentinel(): Promise<void> {
    const query = messageOf({ counts: [1, 0, 0, 0], body: [questionOf('sentinel.example.', RRType.SOA)] });
    const { sent, id } = this.#numbered(query);
    this.send(sent);
    const deadline = systemClock.milliseconds() + TIMEOUT;
    while (!this.#answers.has(id)) {
      if (systemClock.milliseconds() > deadline) throw new Error('the server answers nothing any more');
      await sleep(1);
    }
  }
}
