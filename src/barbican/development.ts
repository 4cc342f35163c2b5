import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../clock.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Account } from './development/accounts.js';
import {
  ApiError,
  type ApiReply,
  type ApiRequest,
  newRequestId,
  readRequest,
  sendReply,
} from './development/api.js';
import { DevelopmentKeystone } from './development/identity.js';
import { OrdersApi } from './development/orders.js';
import { SecretsApi } from './development/secrets-api.js';
import { SecretStorage } from './development/storage.js';
import type { Credentials } from './settings.js';

export type { Account } from './development/accounts.js';

export interface DevelopmentBarbicanOptions {
  /** Where secrets are kept: made where it is missing, 0700, its files 0600. */
  readonly dataFolder: string;
  /** A folder with a manifest.json and key files, such as keys-dev/; its secrets cannot be changed. */
  readonly seedFolder?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** 127.0.0.1 (the default) or ::1; anything else is refused. */
  readonly host?: string;
  /** Users; the first one's credentials are handed out. Default: one creator with a random password. */
  readonly accounts?: readonly Account[];
  /** Lifetime of tokens in seconds. Default 3,600. */
  readonly tokenSeconds?: number;
  /** Secrets that may be kept, seeds included; more are refused as over the quota. Default 100,000. */
  readonly quota?: number;
  readonly clock?: Clock;
  /** Told at the start that this is for development. */
  readonly log?: { warn(fields: object, message: string): void };
}

export interface DevelopmentBarbican {
  readonly keystoneUrl: string;
  readonly barbicanUrl: string;
  /** Of the first account. */
  readonly credentials: Credentials;
  close(): Promise<void>;
}

/** What the log says at the start. */
export const DEVELOPMENT_WARNING =
  'this is the development Barbican: private keys lie unencrypted in the data folder, and those of keys-dev/ are ' +
  'public; use it for development and tests only, never for a zone that matters';

/**
 * Starts an HTTP server on a loopback address that speaks the API of Keystone v3 (below /identity) and of Barbican, with
 * its peculiarities, so that development and tests go through the same client as production.
 * @throws ZonesealError KEYSTORE_CONFIG_INVALID
 */
export async function startDevelopmentBarbican(
  options: DevelopmentBarbicanOptions,
): Promise<DevelopmentBarbican> {
  const { host = '127.0.0.1', port = 0, dataFolder, seedFolder, clock = systemClock } = options;
  if (host !== '127.0.0.1' && host !== '::1') {
    const message =
      'the development Barbican listens on 127.0.0.1 or ::1 alone; use a real Barbican elsewhere';
    throw new ZonesealError('KEYSTORE_CONFIG_INVALID', message, { host });
  }
  const accounts = options.accounts ?? [defaultAccount()];
  const [owner] = accounts;
  if (owner === undefined)
    throw new ZonesealError('KEYSTORE_CONFIG_INVALID', 'the development Barbican has no account');
  const storage = await SecretStorage.open(dataFolder, seedFolder, owner, clock.milliseconds());
  const keystone = new DevelopmentKeystone(accounts, clock, options.tokenSeconds ?? 3600);
  const api = new Api(
    keystone,
    new SecretsApi(storage, clock, options.quota ?? 100_000),
    new OrdersApi(storage, clock),
  );
  const server = createServer((message, response) => void api.answer(message, response));
  server.requestTimeout = 30_000;
  server.maxConnections = 256;
  await listen(server, host, port);
  const origin = originOf(server.address() as AddressInfo);
  options.log?.warn({ barbican: origin, dataFolder, seedFolder }, DEVELOPMENT_WARNING);
  return {
    keystoneUrl: `${origin}/identity/v3`,
    barbicanUrl: origin,
    credentials: credentialsOf(owner),
    close: () => close(server),
  };
}

/** The password credentials of an account. */
export function credentialsOf({ username, password, project }: Account): Credentials {
  return { kind: 'password', username, password, project, userDomain: 'Default', projectDomain: 'Default' };
}

function defaultAccount(): Account {
  const password = randomBytes(24).toString('base64url');
  return { username: 'zoneseal-development', password, project: 'zoneseal-development', roles: ['creator'] };
}

class Api {
  readonly #keystone: DevelopmentKeystone;
  readonly #secrets: SecretsApi;
  readonly #orders: OrdersApi;

  constructor(keystone: DevelopmentKeystone, secrets: SecretsApi, orders: OrdersApi) {
    this.#keystone = keystone;
    this.#secrets = secrets;
    this.#orders = orders;
  }

  async answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = newRequestId();
    let reply: ApiReply;
    try {
      const address = message.socket.address() as AddressInfo;
      const origin = originOf(address);
      // a page in a browser can reach loopback, under another name
      if (!isLoopbackHost(message.headers.host))
        throw new ApiError(403, 'The Host header names no loopback address');
      reply = await this.#route(await readRequest(message, origin));
    } catch (error) {
      reply = error instanceof ApiError ? error.reply : failure(error);
    }
    if (response.writableEnded || response.destroyed) return;
    sendReply(response, { ...reply, headers: { 'x-openstack-request-id': requestId, ...reply.headers } });
  }

  async #route(request: ApiRequest): Promise<ApiReply> {
    const [first, second, ...rest] = request.path;
    if (first === 'identity') return this.#identity(request, second, rest);
    if (first === '' || first === undefined) return { status: 300, json: barbicanVersions(request) };
    if (first === 'healthcheck') {
      return {
        status: 200,
        headers: { 'content-type': 'text/plain; charset=UTF-8' },
        octets: Buffer.from('OK'),
      };
    }
    if (first !== 'v1') throw new ApiError(404, '');
    const identity = this.#keystone.identify(headerOf(request, 'x-auth-token'));
    if (identity === undefined) return unauthorized(request);
    const microversion = microversionOf(request);
    if (microversion === undefined) return unacceptableVersion();
    const headers = { 'openstack-api-version': `key-manager ${microversion}`, vary: 'openstack-api-version' };
    try {
      const reply = await this.#barbican({ request, identity, microversion }, second, rest);
      return { ...reply, headers: { ...headers, ...reply.headers } };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { ...error.reply, headers: { ...headers, ...error.reply.headers } };
    }
  }

  #identity(request: ApiRequest, version: string | undefined, path: readonly string[]): ApiReply {
    if (version === 'v3') return this.#keystone.handle(request, path);
    const links = [{ rel: 'self', href: `${request.origin}/identity/v3/` }];
    return { status: 300, json: { versions: { values: [{ id: 'v3.14', status: 'stable', links }] } } };
  }

  async #barbican(
    call: Parameters<SecretsApi['handle']>[0],
    part: string | undefined,
    path: readonly string[],
  ): Promise<ApiReply> {
    switch (part) {
      case undefined:
      case '':
        return { status: 200, json: { version: barbicanVersion(call.request) } };
      case 'secrets':
        return this.#secrets.handle(call, path);
      case 'orders':
        return this.#orders.handle(call, path);
      case 'quotas':
        return {
          status: 200,
          json: {
            quotas: { secrets: this.#secrets.quota, orders: -1, containers: 0, consumers: -1, cas: 0 },
          },
        };
      default:
        throw new ApiError(404, '');
    }
  }
}

function barbicanVersion({ origin }: ApiRequest): unknown {
  return { id: 'v1', status: 'stable', links: [{ rel: 'self', href: `${origin}/v1/` }] };
}

function barbicanVersions(request: ApiRequest): unknown {
  return { versions: { values: [barbicanVersion(request)] } };
}

function unauthorized({ origin }: ApiRequest): ApiReply {
  const message = 'The request you have made requires authentication.';
  const headers = { 'www-authenticate': `Keystone uri="${origin}/identity/v3"` };
  return { status: 401, headers, json: { error: { code: 401, title: 'Unauthorized', message } } };
}

/** The microversion asked for, 1.0 without one; undefined for one that there is not. */
function microversionOf(request: ApiRequest): string | undefined {
  const match = /^key-manager (\S+)$/.exec(headerOf(request, 'openstack-api-version') ?? '');
  if (match === null) return '1.0';
  if (match[1] === 'latest') return '1.1';
  return match[1] === '1.0' || match[1] === '1.1' ? match[1] : undefined;
}

function unacceptableVersion(): ApiReply {
  const message = 'Invalid microversion: Unacceptable version header';
  return { status: 406, json: { message, code: '406 Not Acceptable', title: 'Not Acceptable' } };
}

function headerOf(request: ApiRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** As the web server in front of Barbican answers when something breaks: no JSON. */
function failure(error: unknown): ApiReply {
  const text = `Internal Server Error\n${error instanceof Error ? error.name : 'unknown'}\n`;
  return { status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, octets: Buffer.from(text) };
}

function isLoopbackHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?$/i.test(host ?? '');
}

function originOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `the development Barbican cannot listen on ${host} port ${port}: ${errorMessage(error)}`;
      reject(new ZonesealError('KEYSTORE_CONFIG_INVALID', message, { host, port }));
    });
    server.listen({ host, port }, resolve);
  });
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
