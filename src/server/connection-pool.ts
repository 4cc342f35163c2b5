import type { Socket } from 'node:net';
import type { BoundedLog } from '../transfer/bounded-log.js';
import type { DnsHandler, Transport } from '../transfer/request.js';
import { addressGroup } from './address-group.js';
import { Connection } from './connection.js';
import type { ServerLimits } from './limits.js';
import type { ServerCounters } from './server-counters.js';

/** What a pool needs. */
export interface ConnectionPoolOptions {
  readonly limits: ServerLimits;
  readonly handler: DnsHandler;
  readonly counters: ServerCounters['tcp'];
  readonly log: BoundedLog;
}

/** All stream connections, whatever listener they came from, and the limits on them. */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #connections = new Set<Connection>();
  /** Those with nothing to answer, the one that was idle longest first. */
  readonly #idle = new Set<Connection>();
  readonly #perGroup = new Map<string, number>();
  #isClosing = false;
  readonly #onEmpty: (() => void)[] = [];

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
  }

  /** Takes over a connected socket, or closes it when there are too many. */
  accept(socket: Socket, transport: Transport): void {
    const { counters, limits, handler, log } = this.#options;
    const { remoteAddress: address, remotePort: port } = socket;
    // undefined: the client is gone already
    if (address === undefined || port === undefined || this.#isClosing) return discard(socket);
    const group = addressGroup(address);
    const count = this.#perGroup.get(group) ?? 0;
    if (count >= limits.connectionsPerAddress) {
      counters.refusedPerAddress++;
      log.write('info', { address }, 'a connection was closed at once: its address has too many');
      return discard(socket);
    }
    if (this.#connections.size >= limits.connections && !this.#evict()) {
      counters.refused++;
      log.write('warn', { address }, 'a connection was closed at once: there are too many in all');
      return discard(socket);
    }
    counters.accepted++;
    this.#perGroup.set(group, count + 1);
    const connection: Connection = new Connection({
      socket,
      transport,
      address,
      port,
      limits,
      handler,
      counters,
      log,
      onBusy: (isBusy) => {
        if (isBusy) this.#idle.delete(connection);
        else this.#idle.add(connection);
      },
      onClosed: () => this.#forget(connection, group),
    });
    this.#connections.add(connection);
    this.#idle.add(connection);
    counters.open = this.#connections.size;
  }

  /**
   * Lets answers under way end, for so long; then closes all. Resolves when no connection is left. A second call may set an
   * earlier deadline.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    for (const connection of this.#connections) connection.end();
    for (const connection of this.#idle) connection.destroy();
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, deadlineMs);
    await empty;
    clearTimeout(timer);
  }

  /** Closes the connection that was idle longest; whether there was one. */
  #evict(): boolean {
    for (const connection of this.#idle) {
      this.#options.counters.evicted++;
      // its place is free at once; 'close' comes later
      this.#idle.delete(connection);
      this.#connections.delete(connection);
      connection.destroy();
      return true;
    }
    return false;
  }

  #forget(connection: Connection, group: string): void {
    const count = (this.#perGroup.get(group) ?? 1) - 1;
    if (count > 0) this.#perGroup.set(group, count);
    else this.#perGroup.delete(group);
    this.#connections.delete(connection);
    this.#idle.delete(connection);
    this.#options.counters.open = this.#connections.size;
    if (this.#connections.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

function discard(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.destroy();
}
