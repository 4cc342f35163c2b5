import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.js';
import { DnsServer, type ListenAddress } from '../../src/server/dns-server.js';
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from '../../src/server/limits.js';
import type { Image } from '../../src/transfer/image.js';
import type { DnsHandler } from '../../src/transfer/request.js';
import { Fixture, hostRrsets, ListLog, makeQuery, packZone } from '../transfer/fixture.js';
import { TcpClient } from './client.js';

/** A server that was started, and where. */
export interface Started {
  readonly server: DnsServer;
  readonly at: ListenAddress;
}

/** Servers over one handler, and their clients; `close` ends them all. */
export class Harness {
  readonly fixture: Fixture;
  readonly #servers: DnsServer[] = [];
  readonly #clients: TcpClient[] = [];

  private constructor(fixture: Fixture) {
    this.fixture = fixture;
  }

  static async open(): Promise<Harness> {
    return new Harness(await Fixture.open({}, { memoryImageOctets: 256 * 1024 }));
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#servers.map((server) => server.close(0)));
    await this.fixture.close();
  }

  /** A server that was not started. */
  make(
    listen: readonly ListenAddress[],
    limits: Partial<ServerLimits> = {},
    handler: DnsHandler = this.fixture.handler,
  ): DnsServer {
    const server = new DnsServer({
      listen,
      limits: { ...DEFAULT_SERVER_LIMITS, ...limits },
      handler,
      log: new ListLog(),
      clock: systemClock,
    });
    this.#servers.push(server);
    return server;
  }

  async start(
    limits: Partial<ServerLimits> = {},
    handler: DnsHandler = this.fixture.handler,
    address = '127.0.0.1',
  ): Promise<Started> {
    const server = this.make([{ address, port: 0 }], limits, handler);
    const [at] = await server.start();
    return { server, at: at as ListenAddress };
  }

  async connect(at: ListenAddress): Promise<TcpClient> {
    const client = await TcpClient.connect(at);
    this.#clients.push(client);
    return client;
  }

  /** A zone of several MiB, which no socket buffer takes whole. */
  async serveLarge(): Promise<Image> {
    const image = this.fixture.serveGrowing('external');
    const [first, ...rest] = packZone(hostRrsets(3000));
    await image.append(first as Uint8Array);
    for (let i = 0; i < 100; i++) for (const message of rest.slice(0, -1)) await image.append(message);
    await image.append(rest.at(-1) as Uint8Array);
    await image.complete();
    return image;
  }
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const stop = AbortSignal.timeout(5000);
  while (!condition()) {
    if (stop.aborted) throw new Error(`not within 5 s: ${what}`);
    await sleep(2);
  }
}

export function soaQuery(id: number): Uint8Array {
  return makeQuery('example.com.', 'SOA', { id });
}

export const axfrQuery = makeQuery('example.com.', 'AXFR');
