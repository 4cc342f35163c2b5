import { type AddressInfo, createServer, isIPv6, type Server } from 'node:net';
import { errorMessage } from '../errors.js';
import type { BoundedLog } from '../transfer/bounded-log.js';
import type { ConnectionPool } from './connection-pool.js';

/** Accepts TCP connections on one address and port, and hands them to the pool. */
export class TcpListener {
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /**
   * @param port zero: any that is free
   * @throws Error of the system when it cannot be bound
   */
  static bind(address: string, port: number, pool: ConnectionPool, log: BoundedLog): Promise<TcpListener> {
    // a client may end its side after its query and still wait for the answer
    const server = createServer({ allowHalfOpen: true }, (socket) => pool.accept(socket, 'tcp'));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: isIPv6(address), exclusive: true }, () => {
        server.off('error', reject);
        // such as too many open files; the listener goes on
        server.on('error', (error) =>
          log.write('error', { reason: errorMessage(error) }, 'a TCP listener had an error'),
        );
        resolve(new TcpListener(server));
      });
    });
  }

  /** Accepts no more connections. Those it accepted are the pool's. */
  stop(): void {
    this.#server.close();
  }
}
