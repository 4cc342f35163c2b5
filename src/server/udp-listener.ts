import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { errorMessage } from '../errors.js';
import type { BoundedLog } from '../transfer/bounded-log.js';
import type { DnsHandler } from '../transfer/request.js';
import type { ServerLimits } from './limits.js';
import type { ServerCounters } from './server-counters.js';

/** What a listener needs. */
export interface UdpListenerOptions {
  readonly limits: ServerLimits;
  readonly handler: DnsHandler;
  readonly counters: ServerCounters['udp'];
  readonly log: BoundedLog;
  /** Aborted when the server ends. */
  readonly signal: AbortSignal;
}

/**
 * Answers datagrams on one address and port. On a host with several addresses each should be listened on by name: the
 * answer to a datagram for a wildcard address leaves from the address that the system chooses.
 */
export class UdpListener {
  readonly #socket: Socket;
  readonly #options: UdpListenerOptions;
  #isClosing = false;

  private constructor(socket: Socket, options: UdpListenerOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('message', (octets, peer) => void this.#onMessage(octets, peer));
    socket.on('error', (error) => {
      options.counters.errors++;
      options.log.write('warn', { reason: errorMessage(error) }, 'a UDP socket had an error');
    });
  }

  /** @throws Error of the system when it cannot be bound */
  static bind(address: string, port: number, options: UdpListenerOptions): Promise<UdpListener> {
    const type = isIPv6(address) ? 'udp6' : 'udp4';
    const socket = createSocket({ type, ipv6Only: type === 'udp6' });
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        socket.close();
        reject(error);
      };
      socket.once('error', fail);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', fail);
        resolve(new UdpListener(socket, options));
      });
    });
  }

  /** Takes no more queries. */
  stop(): void {
    this.#isClosing = true;
  }

  /** Closes the socket; answers that are still under way are lost. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#isClosing = true;
      this.#socket.close(() => resolve());
    });
  }

  async #onMessage(octets: Uint8Array, peer: RemoteInfo): Promise<void> {
    const { limits, handler, counters, log, signal } = this.#options;
    if (this.#isClosing) return;
    const isTaken = octets.length <= limits.messageOctets && peer.port !== 0;
    if (!isTaken || counters.inFlight >= limits.udpQueries) {
      counters.dropped++;
      return;
    }
    counters.queries++;
    counters.inFlight++;
    try {
      const { address, port } = peer;
      for await (const message of handler.answer({ octets, transport: 'udp', address, port, signal })) {
        await this.#send(message, peer);
      }
    } catch (error) {
      counters.errors++;
      log.write(
        'warn',
        { address: peer.address, reason: errorMessage(error) },
        'a UDP query could not be answered',
      );
    } finally {
      counters.inFlight--;
    }
  }

  #send(message: Uint8Array, { address, port }: RemoteInfo): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(message, port, address, (error, octets) => {
        if (error !== null) return reject(error);
        this.#options.counters.octetsSent += octets;
        resolve();
      });
    });
  }
}
