import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ContractTarget, contractCredentials } from './contract-target.js';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
}

interface RawOptions {
  readonly json?: unknown;
  readonly body?: string;
  readonly type?: string;
  readonly accept?: string;
  /** In place of the session's own; empty for none. */
  readonly token?: string;
  readonly microversion?: string;
}

/** Requests without the client in between, with node:http alone. */
export class RawApi {
  readonly #target: ContractTarget;
  readonly #token: string;
  readonly #userId: string;

  private constructor(target: ContractTarget, token: string, userId: string) {
    this.#target = target;
    this.#token = token;
    this.#userId = userId;
  }

  /** A token by password, scoped or not. */
  static async login(target: ContractTarget, username: string, scoped = true): Promise<RawApi> {
    const credentials = contractCredentials(username);
    if (credentials.kind !== 'password') throw new Error('no password');
    const domain = { name: 'Default' };
    const user = { name: username, domain, password: credentials.password };
    const scope = scoped ? { scope: { project: { name: credentials.project, domain } } } : {};
    const json = { auth: { identity: { methods: ['password'], password: { user } }, ...scope } };
    const answer = await send('POST', `${target.keystoneUrl}/auth/tokens`, { json });
    const token = answer.headers['x-subject-token'];
    if (token === undefined) throw new Error(`no token: ${answer.status}`);
    return new RawApi(target, token, (answer.json as { token: { user: { id: string } } }).token.user.id);
  }

  /** A request to Barbican. */
  request(method: string, path: string, options: RawOptions = {}): Promise<RawAnswer> {
    return send(method, `${this.#target.barbicanUrl}${path}`, { token: this.#token, ...options });
  }

  async createApplicationCredential(): Promise<{ id: string; secret: string }> {
    const url = `${this.#target.keystoneUrl}/users/${this.#userId}/application_credentials`;
    const json = {
      application_credential: { name: `contract ${Math.random()}`, roles: [{ name: 'creator' }] },
    };
    const answer = await send('POST', url, { json, token: this.#token });
    return (answer.json as { application_credential: { id: string; secret: string } }).application_credential;
  }

  async deleteApplicationCredential(id: string): Promise<void> {
    const url = `${this.#target.keystoneUrl}/users/${this.#userId}/application_credentials/${id}`;
    const answer = await send('DELETE', url, { token: this.#token });
    if (answer.status !== 204) throw new Error(`the credential was not deleted: ${answer.status}`);
  }

  /** Revokes a token, as an administrator might. */
  static async revoke(target: ContractTarget, token: string): Promise<void> {
    const answer = await send('DELETE', `${target.keystoneUrl}/auth/tokens`, { token, subject: token });
    if (answer.status !== 204) throw new Error(`the token was not revoked: ${answer.status}`);
  }
}

/** A server between a client and Barbican that sees the tokens that pass. */
export class TokenTap {
  readonly tokens: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(barbicanUrl: string): Promise<TokenTap> {
    const server = createServer();
    const tap = new TokenTap(server);
    server.on('request', (incoming, outgoing) => {
      tap.tokens.push(String(incoming.headers['x-auth-token']));
      const headers = { ...incoming.headers, host: new URL(barbicanUrl).host };
      const forwarded = request(`${barbicanUrl}${incoming.url}`, {
        method: incoming.method,
        headers,
        agent: false,
      });
      forwarded.on('response', (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(outgoing);
      });
      incoming.pipe(forwarded);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function send(method: string, url: string, options: RawOptions & { subject?: string }): Promise<RawAnswer> {
  const { json, body, type, accept, token, microversion, subject } = options;
  const content = json === undefined ? body : JSON.stringify(json);
  const headers: Record<string, string> = {};
  if (content !== undefined) headers['content-type'] = json === undefined ? (type ?? '') : 'application/json';
  if (content !== undefined) headers['content-length'] = String(Buffer.byteLength(content));
  if (accept !== undefined) headers['accept'] = accept;
  if (token !== undefined && token !== '') headers['x-auth-token'] = token;
  if (subject !== undefined) headers['x-subject-token'] = subject;
  if (microversion !== undefined) headers['openstack-api-version'] = microversion;
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string | undefined>,
          body: whole,
          json: parse(whole),
        });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(content);
  });
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
