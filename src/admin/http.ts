import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ZonesealError } from '../errors.js';
import type { MetricsPage } from './metrics.js';

/** What monitors may ask of a gateway. */
export interface AdminSource {
  readonly metrics: MetricsPage;
  /** What keeps the gateway from doing its work now; empty when nothing does. Never holds secrets. */
  faults(): Promise<readonly string[]>;
}

export interface AdminOptions {
  readonly address: string;
  readonly port: number;
  readonly source: AdminSource;
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/**
 * HTTP for monitors: `/health` (200 while the process answers), `/ready` (200, or 503 with what is at fault) and
 * `/metrics` (Prometheus). Everything else is 404, every method but GET and HEAD 405.
 */
export class AdminServer {
  readonly #options: AdminOptions;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#server = createServer(
      { requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 5000 },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy());
      },
    );
    this.#server.maxConnections = 64;
  }

  /** Listens; resolves to the port. */
  start(): Promise<number> {
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void => {
        const { address, port } = this.#options;
        const text = `admin: ${address} port ${port} cannot be listened on (${error.code ?? 'error'}); choose another admin.port`;
        reject(new ZonesealError('LISTEN_FAILED', text, { address, port }));
      };
      this.#server.once('error', refuse);
      this.#server.listen(this.#options.port, this.#options.address, () => {
        this.#server.off('error', refuse);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { source } = this.#options;
    request.resume();
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return send(response, 405, 'only GET and HEAD\n');
    switch (request.url?.split('?')[0]) {
      case '/health':
        return send(response, 200, 'ok\n');
      case '/ready': {
        const faults = await source.faults();
        return send(
          response,
          faults.length === 0 ? 200 : 503,
          faults.length === 0 ? 'ready\n' : `${faults.join('\n')}\n`,
        );
      }
      case '/metrics':
        return send(response, 200, await source.metrics.text(), source.metrics.contentType);
      default:
        return send(response, 404, 'not here: /health, /ready, /metrics\n');
    }
  }
}

function send(
  response: ServerResponse,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type });
  response.end(text);
}
