/** A way from nameservers to a primary on which connections can be cut in the middle of a message. */
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Target } from './dns-client.js';
import { freePort } from './ports.js';

const HOST = '127.0.0.1';

/** UDP goes through as it is; TCP until so many octets came from the primary. */
export class CuttingProxy {
  readonly target: Target;
  readonly #primary: Target;
  readonly #tcp: Server;
  readonly #udp: Datagrams;
  readonly #open = new Set<Socket | Datagrams>();
  /** How many octets of the next connection's answers go through; undefined: all. */
  octets: (() => number) | undefined;
  /** Connections that were cut. */
  cuts = 0;

  private constructor(target: Target, primary: Target) {
    this.target = target;
    this.#primary = primary;
    this.#tcp = createServer((client) => this.#carry(client));
    this.#udp = createSocket('udp4');
    this.#udp.on('message', (question, from) => this.#ask(question, from));
  }

  static async start(primary: Target): Promise<CuttingProxy> {
    const port = await freePort();
    const proxy = new CuttingProxy({ host: HOST, port }, primary);
    await new Promise<void>((resolve, reject) => {
      proxy.#tcp.once('error', reject);
      proxy.#tcp.listen(port, HOST, resolve);
    });
    await new Promise<void>((resolve, reject) => {
      proxy.#udp.once('error', reject);
      proxy.#udp.bind(port, HOST, resolve);
    });
    return proxy;
  }

  async stop(): Promise<void> {
    for (const socket of this.#open) {
      if ('destroy' in socket) socket.destroy();
      else socket.close();
    }
    this.#open.clear();
    this.#udp.close();
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }

  #carry(client: Socket): void {
    const primary = connect(this.#primary.port, this.#primary.host);
    let left = this.octets?.() ?? Number.POSITIVE_INFINITY;
    for (const socket of [client, primary]) {
      this.#open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#open.delete(socket);
        client.destroy();
        primary.destroy();
      });
    }
    client.on('data', (chunk) => primary.write(chunk));
    primary.on('data', (chunk) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      this.cuts++;
      primary.destroy();
      client.end();
    });
  }

  #ask(question: Buffer, from: { readonly port: number; readonly address: string }): void {
    const socket = createSocket('udp4');
    this.#open.add(socket);
    const end = (): void => {
      clearTimeout(timer);
      if (this.#open.delete(socket)) socket.close();
    };
    const timer = setTimeout(end, 5000);
    socket.on('error', end);
    socket.once('message', (answer) => {
      this.#udp.send(answer, from.port, from.address);
      end();
    });
    socket.send(question, this.#primary.port, this.#primary.host);
  }
}
