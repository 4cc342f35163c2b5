import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What a fake server does with one request; undefined for what a working one would do. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => void;

export const SECRET_ID = '00000000-0000-4000-8000-000000000001';
/** Strings that no error and no log may hold. */
export const PASSWORD = 'pa55word-that-must-not-leak';
export const TOKEN_MARK = 'token-that-must-not-leak';
export const PAYLOAD = Buffer.from('payload-that-must-not-leak-0123456789');

/**
 * A Keystone and a Barbican with one secret on one port, which fail as they are told: faults are taken in turn, one
 * for each request, and then all is well.
 */
export class FakeOpenstack {
  readonly keystoneFaults: Fault[] = [];
  readonly barbicanFaults: Fault[] = [];
  /** Faults for every request from now on. */
  alwaysKeystone: Fault | undefined;
  alwaysBarbican: Fault | undefined;
  /** Seconds. */
  tokenLifetime = 3600;
  issued = 0;
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #scheme: string;

  private constructor(tls?: { readonly key: string; readonly cert: string }) {
    const listener: RequestListener = (request, response) => this.#answer(request, response);
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
    this.#scheme = tls === undefined ? 'http' : 'https';
  }

  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<FakeOpenstack> {
    const fake = new FakeOpenstack(tls);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get keystoneUrl(): string {
    return `${this.url}/identity/v3`;
  }

  /** How many requests began with a method and path. */
  count(start: string): number {
    return this.requests.filter((request) => request.startsWith(start)).length;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`);
    const keystone = request.url?.startsWith('/identity/') === true;
    const fault = keystone
      ? (this.keystoneFaults.shift() ?? this.alwaysKeystone)
      : (this.barbicanFaults.shift() ?? this.alwaysBarbican);
    request.resume();
    request.on('end', () => {
      if (fault !== undefined) fault(request, response);
      else if (keystone) this.#token(response);
      else this.#secret(request, response);
    });
  }

  #token(response: ServerResponse): void {
    this.issued++;
    const now = Date.now();
    const endpoint = { interface: 'public', region_id: 'one', url: this.url };
    const token = {
      issued_at: new Date(now).toISOString(),
      expires_at: new Date(now + this.tokenLifetime * 1000).toISOString(),
      user: { id: 'user' },
      catalog: [{ type: 'key-manager', endpoints: [endpoint] }],
    };
    response.writeHead(201, {
      'x-subject-token': `${TOKEN_MARK}-${this.issued}`,
      'content-type': 'application/json',
    });
    response.end(JSON.stringify({ token }));
  }

  #secret(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'POST') {
      respond(201, { secret_ref: `${this.url}/v1/secrets/${SECRET_ID}` })(request, response);
    } else if (request.url?.endsWith('/payload') === true) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      response.end(PAYLOAD);
    } else {
      respond(200, SECRET)(request, response);
    }
  }
}

export const SECRET = {
  created: '2026-01-01T00:00:00',
  updated: '2026-01-01T00:00:00.000001',
  status: 'ACTIVE',
  name: 'one',
  secret_type: 'private',
  content_types: { default: 'application/octet-stream' },
  secret_ref: `http://127.0.0.1/v1/secrets/${SECRET_ID}`,
};

/** An answer with a status, and JSON, text or nothing. */
export function respond(status: number, body: unknown = '', headers: Record<string, string> = {}): Fault {
  return (_, response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const type = typeof body === 'string' ? 'text/html' : 'application/json';
    response.writeHead(status, { 'content-type': type, ...headers });
    response.end(text);
  };
}

/** Nothing, ever. */
export const hang: Fault = () => undefined;

/** The connection ends without an answer. */
export const reset: Fault = (request) => {
  request.socket.resetAndDestroy();
};

/** Fewer octets than announced. */
export const truncate: Fault = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"created": ');
  setTimeout(() => request.socket.destroy(), 20);
};

/** An octet now and then: never idle, never done. */
export const trickle: Fault = (request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 20);
  request.socket.once('close', () => clearInterval(timer));
};
