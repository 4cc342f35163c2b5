import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import { BoundedLog } from '../transfer/bounded-log.js';
import type { DnsHandler } from '../transfer/request.js';
import { ConnectionPool } from './connection-pool.js';
import type { ServerLimits } from './limits.js';
import { newServerCounters, type ServerCounts } from './server-counters.js';
import { TcpListener } from './tcp-listener.js';
import { UdpListener, type UdpListenerOptions } from './udp-listener.js';

/** An IPv4 or IPv6 address and a port, each for UDP and TCP. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

/** What a server needs. */
export interface DnsServerOptions {
  /** IPv6 addresses are listened on for IPv6 alone: list `0.0.0.0` beside `::`. Port 0 is one port free for both UDP and TCP. */
  readonly listen: readonly ListenAddress[];
  readonly limits: ServerLimits;
  readonly handler: DnsHandler;
  readonly log: Log;
  readonly clock: Clock;
}

/** How often another port is tried when the one that was free for TCP is not free for UDP. */
const PORT_TRIES = 20;

const POLL_MS = 20;

/** The DNS sockets of one gateway: UDP and TCP on the same addresses and ports. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #counters = newServerCounters();
  readonly #log: BoundedLog;
  readonly #pool: ConnectionPool;
  readonly #ending = new AbortController();
  readonly #tcp: TcpListener[] = [];
  readonly #udp: UdpListener[] = [];

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#log = new BoundedLog(options.log, options.clock);
    const { handler, limits } = options;
    this.#pool = new ConnectionPool({ handler, limits, counters: this.#counters.tcp, log: this.#log });
    // one for each UDP query in flight
    setMaxListeners(0, this.#ending.signal);
  }

  get counts(): ServerCounts {
    return this.#counters;
  }

  /**
   * Listens on all addresses; on none when one of them fails.
   * @returns the addresses with the ports that were found for zero
   * @throws ZonesealError LISTEN_FAILED
   */
  async start(): Promise<ListenAddress[]> {
    const bound: ListenAddress[] = [];
    try {
      for (const listen of this.#options.listen) bound.push(await this.#listen(listen));
    } catch (error) {
      await this.close(0);
      throw error;
    }
    return bound;
  }

  /**
   * Accepts nothing new, lets answers under way end for so long, then closes everything. A second call may set an earlier
   * deadline.
   */
  async close(deadlineMs: number): Promise<void> {
    for (const listener of this.#tcp) listener.stop();
    for (const listener of this.#udp) listener.stop();
    await Promise.all([this.#pool.close(deadlineMs), this.#udpDone(deadlineMs)]);
    this.#ending.abort();
    this.#tcp.length = 0;
    await Promise.all(this.#udp.splice(0).map((listener) => listener.close()));
  }

  async #listen({ address, port }: ListenAddress): Promise<ListenAddress> {
    for (let tries = 1; ; tries++) {
      let tcp: TcpListener | undefined;
      try {
        tcp = await TcpListener.bind(address, port, this.#pool, this.#log);
        const udp = await UdpListener.bind(address, tcp.port, this.#udpOptions());
        this.#tcp.push(tcp);
        this.#udp.push(udp);
        return { address, port: tcp.port };
      } catch (error) {
        tcp?.stop();
        if (tcp === undefined || port !== 0 || tries === PORT_TRIES) throw listenError(address, port, error);
      }
    }
  }

  #udpOptions(): UdpListenerOptions {
    const { handler, limits } = this.#options;
    return { handler, limits, counters: this.#counters.udp, log: this.#log, signal: this.#ending.signal };
  }

  async #udpDone(deadlineMs: number): Promise<void> {
    for (let waited = 0; this.#counters.udp.inFlight > 0 && waited < deadlineMs; waited += POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function listenError(address: string, port: number, error: unknown): ZonesealError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const advice: Record<string, string> = {
    EADDRINUSE: 'another program listens there; stop it or choose another port',
    EACCES: 'ports below 1024 need the capability CAP_NET_BIND_SERVICE',
    EADDRNOTAVAIL: 'this host does not have that address',
  };
  const reason = advice[code] ?? errorMessage(error);
  const text = `cannot listen on ${address} port ${port}: ${reason}`;
  return new ZonesealError('LISTEN_FAILED', text, { address, port, errno: code }, { cause: error });
}
