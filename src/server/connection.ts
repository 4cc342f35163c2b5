import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { errorMessage } from '../errors.js';
import type { BoundedLog } from '../transfer/bounded-log.js';
import type { DnsHandler, DnsRequest, Transport } from '../transfer/request.js';
import { FrameReader } from './frame-reader.js';
import type { ServerLimits } from './limits.js';
import type { ServerCounters } from './server-counters.js';

/** What one connection needs. */
export interface ConnectionOptions {
  readonly socket: Socket;
  readonly transport: Transport;
  readonly address: string;
  readonly port: number;
  readonly limits: ServerLimits;
  readonly handler: DnsHandler;
  readonly counters: ServerCounters['tcp'];
  readonly log: BoundedLog;
  /** Told when it begins and ends to have something to answer. */
  readonly onBusy: (isBusy: boolean) => void;
  readonly onClosed: () => void;
}

const LINGER_MS = 500;

/**
 * One stream connection (RFC 7766): queries are answered as they come, several at the same time; answers interleave by
 * whole messages. A client that does not read holds at most one message in this process, and each of its answers a
 * place in its image. Whatever goes wrong closes the connection.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #frames: FrameReader;
  readonly #gone = new AbortController();
  #idleTimer: NodeJS.Timeout;
  #inFlight = 0;
  /** The client has closed its side; what it sent before is still answered. */
  #hasClientEnded = false;
  /** No further query is answered: the client has said its last, or this process is to end. */
  #isEnding = false;
  #drained: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, limits } = options;
    this.#frames = new FrameReader(limits.messageOctets);
    this.#idleTimer = this.#startIdleTimer();
    // several for each query in flight
    setMaxListeners(0, this.#gone.signal);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (this.#isEnding) return;
      this.#frames.push(chunk);
      this.#pump();
    });
    socket.on('end', () => {
      this.#hasClientEnded = true;
      this.#pump();
    });
    // 'close' follows
    socket.on('error', () => options.counters.errors++);
    socket.on('close', () => this.#onClose());
  }

  /** Answers no further query; closes the connection once the answers under way are sent. */
  end(): void {
    this.#isEnding = true;
    // octets that nobody has read would make the system reset the connection, and lose what is on its way to the client
    this.#options.socket.resume();
    this.#pump();
  }

  /** Closes the connection now, in the middle of answers too. */
  destroy(): void {
    this.#options.socket.destroy();
  }

  /** Begins to answer what was read, as far as the limit allows; reads on when there is nothing left. */
  #pump(): void {
    const { socket, limits, counters } = this.#options;
    try {
      while (!this.#isEnding && this.#inFlight < limits.queriesPerConnection) {
        const frame = this.#frames.next();
        if (frame !== undefined) void this.#answer(frame);
        else if (this.#hasClientEnded) this.#isEnding = true;
        else if (socket.isPaused()) return void socket.resume();
        else return;
      }
    } catch {
      counters.badFrames++;
      return this.destroy();
    }
    if (!this.#isEnding) socket.pause();
    else if (this.#inFlight === 0) this.#finish();
  }

  /** Ends this side, then gives the client a moment to take what is on its way and end its own. */
  #finish(): void {
    const { socket } = this.#options;
    if (socket.writableEnded) return;
    socket.end(() => {
      const timer = setTimeout(() => this.destroy(), LINGER_MS);
      socket.once('close', () => clearTimeout(timer));
    });
  }

  async #answer(octets: Uint8Array): Promise<void> {
    const { transport, address, port, handler, counters, limits, onBusy } = this.#options;
    counters.queries++;
    if (this.#inFlight++ === 0) {
      clearTimeout(this.#idleTimer);
      onBusy(true);
    }
    const overtime = setTimeout(() => this.#onOvertime(), limits.answerSeconds * 1000);
    const request: DnsRequest = { octets, transport, address, port, signal: this.#gone.signal };
    try {
      for await (const message of handler.answer(request)) await this.#send(message);
    } catch (error) {
      this.#onFailure(error);
    } finally {
      clearTimeout(overtime);
      this.#onAnswered();
    }
  }

  #onAnswered(): void {
    const { socket, onBusy } = this.#options;
    this.#inFlight--;
    if (socket.destroyed) return;
    if (this.#inFlight === 0) {
      this.#idleTimer = this.#startIdleTimer();
      onBusy(false);
    }
    this.#pump();
  }

  /** Sends one message once there is room for it; done when the system has taken it. */
  async #send(message: Uint8Array): Promise<void> {
    const { socket, counters } = this.#options;
    // others may have been waiting for the same room
    while (socket.writableNeedDrain) await this.#nextDrain();
    if (socket.destroyed) throw new Error('the connection is closed');
    socket.cork();
    socket.write(Uint8Array.of(message.length >>> 8, message.length));
    socket.write(message);
    socket.uncork();
    counters.octetsSent += message.length + 2;
    while (socket.writableNeedDrain) await this.#nextDrain();
    if (socket.destroyed) throw new Error('the connection is closed');
  }

  /** Resolves when the system has taken what was written, or the connection is closed; a client that stalls is cut off. */
  #nextDrain(): Promise<void> {
    this.#drained ??= new Promise((resolve) => {
      const { socket, limits } = this.#options;
      if (socket.destroyed) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        socket.off('drain', done);
        socket.off('close', done);
        this.#drained = undefined;
        resolve();
      };
      const timer = setTimeout(() => this.#onStall(), limits.stallSeconds * 1000);
      socket.on('drain', done);
      socket.on('close', done);
    });
    return this.#drained;
  }

  #startIdleTimer(): NodeJS.Timeout {
    return setTimeout(() => this.#onIdle(), this.#options.limits.idleSeconds * 1000);
  }

  #onIdle(): void {
    this.#options.counters.idleTimeouts++;
    this.destroy();
  }

  #onStall(): void {
    const { counters, log, address } = this.#options;
    counters.stalls++;
    log.write('info', { address }, 'a client does not read its answer; its connection is closed');
    this.destroy();
  }

  #onOvertime(): void {
    const { counters, log, address } = this.#options;
    counters.overtime++;
    log.write('warn', { address }, 'an answer took longer than allowed; its connection is closed');
    this.destroy();
  }

  /** What was sent of the answer must not look whole. */
  #onFailure(error: unknown): void {
    const { socket, counters, log, address } = this.#options;
    if (socket.destroyed) return;
    counters.failedAnswers++;
    log.write(
      'warn',
      { address, reason: errorMessage(error) },
      'an answer failed; its connection is dropped',
    );
    this.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#idleTimer);
    this.#gone.abort();
    this.#options.onClosed();
  }
}
