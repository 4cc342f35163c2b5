import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { type Account, projectIdOf, stableId, userIdOf } from './accounts.js';
import type { ApiReply, ApiRequest } from './api.js';

/** Who a token stands for. */
export interface Identity {
  readonly userId: string;
  /** Undefined for an unscoped token. */
  readonly projectId: string | undefined;
  readonly roles: readonly string[];
}

interface IssuedToken {
  readonly identity: Identity;
  readonly account: Account;
  readonly method: string;
  readonly issued: number;
  readonly expires: number;
  readonly credentialId: string | undefined;
}

interface ApplicationCredential {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
  readonly account: Account;
  readonly roles: readonly string[];
}

/** Tokens beyond this many push the oldest out. */
const MAX_TOKENS = 10_000;

/** As much of Keystone v3 as Barbican's clients need: tokens by password or application credential, the catalog. */
export class DevelopmentKeystone {
  readonly #accounts: readonly Account[];
  readonly #clock: Clock;
  readonly #lifetime: number;
  readonly #tokens = new Map<string, IssuedToken>();
  readonly #credentials = new Map<string, ApplicationCredential>();

  /** @param lifetime of tokens, seconds */
  constructor(accounts: readonly Account[], clock: Clock, lifetime: number) {
    this.#accounts = accounts;
    this.#clock = clock;
    this.#lifetime = lifetime;
  }

  /** Who a token stands for; undefined when it is unknown, expired or revoked. */
  identify(token: string | undefined): Identity | undefined {
    return this.#find(token)?.identity;
  }

  /** Answers a request below `/v3`. */
  handle(request: ApiRequest, path: readonly string[]): ApiReply {
    const [first, second, third] = path;
    if (path.length === 0 || first === '') return { status: 200, json: { version: version(request.origin) } };
    if (first === 'auth' && second === 'tokens' && third === undefined) return this.#handleTokens(request);
    if (first === 'users' && second !== undefined && third === 'application_credentials') {
      return this.#handleCredentials(request, second, path[3]);
    }
    return {
      status: 404,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      octets: Buffer.from(NOT_FOUND),
    };
  }

  #handleTokens(request: ApiRequest): ApiReply {
    if (request.method === 'POST') return this.#issue(request);
    const asker = this.#find(header(request, 'x-auth-token'));
    if (asker === undefined) return unauthorized(request);
    const subject = header(request, 'x-subject-token') ?? '';
    const token = this.#find(subject);
    if (token === undefined) return keystoneError(404, 'Could not find token.', 'Not Found');
    if (request.method === 'DELETE') {
      this.#tokens.delete(subject);
      return { status: 204 };
    }
    return {
      status: 200,
      headers: { 'x-subject-token': subject },
      json: { token: this.#describe(token, request.origin) },
    };
  }

  #issue(request: ApiRequest): ApiReply {
    let body: unknown;
    try {
      body = JSON.parse(request.body.toString('utf8'));
    } catch {
      return keystoneError(400, 'Expecting to find valid JSON in request body.', 'Bad Request');
    }
    const identity = at(body, 'auth', 'identity');
    const methods = at(identity, 'methods');
    if (!Array.isArray(methods))
      return keystoneError(400, "'identity' is a required property", 'Bad Request');
    const credentialId = at(identity, 'application_credential', 'id');
    if (methods.includes('application_credential') && !this.#credentials.has(String(credentialId))) {
      return keystoneError(404, 'Could not find Application Credential.', 'Not Found');
    }
    const token = methods.includes('application_credential')
      ? this.#byCredential(body)
      : methods.includes('password')
        ? this.#byPassword(body)
        : undefined;
    if (token === undefined) return unauthorized(request);
    const value = `development-${randomBytes(32).toString('base64url')}`;
    this.#tokens.set(value, token);
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS) break;
      this.#tokens.delete(oldest);
    }
    const headers = { 'x-subject-token': value, vary: 'X-Auth-Token' };
    return { status: 201, headers, json: { token: this.#describe(token, request.origin) } };
  }

  #byPassword(body: unknown): IssuedToken | undefined {
    const user = at(body, 'auth', 'identity', 'password', 'user');
    const account = this.#accounts.find(
      (it) =>
        (at(user, 'id') === userIdOf(it.username) ||
          (at(user, 'name') === it.username && isDefault(at(user, 'domain')))) &&
        at(user, 'password') === it.password,
    );
    if (account === undefined) return undefined;
    const scope = at(body, 'auth', 'scope');
    if (scope === undefined) return this.#token(account, 'password', undefined, []);
    const project = at(scope, 'project');
    const named = at(project, 'name') === account.project && isDefault(at(project, 'domain'));
    if (!named && at(project, 'id') !== projectIdOf(account.project)) return undefined;
    if (account.roles.length === 0) return undefined;
    return this.#token(account, 'password', projectIdOf(account.project), account.roles);
  }

  #byCredential(body: unknown): IssuedToken | undefined {
    if (at(body, 'auth', 'scope') !== undefined) return undefined;
    const asked = at(body, 'auth', 'identity', 'application_credential');
    const credential = this.#credentials.get(String(at(asked, 'id')));
    if (credential === undefined || at(asked, 'secret') !== credential.secret) return undefined;
    const { account, roles, id } = credential;
    return this.#token(account, 'application_credential', projectIdOf(account.project), roles, id);
  }

  #token(
    account: Account,
    method: string,
    projectId: string | undefined,
    roles: readonly string[],
    credentialId?: string,
  ): IssuedToken {
    const issued = this.#clock.milliseconds();
    const identity = { userId: userIdOf(account.username), projectId, roles };
    return { identity, account, method, issued, expires: issued + this.#lifetime * 1000, credentialId };
  }

  #find(token: string | undefined): IssuedToken | undefined {
    const issued = this.#tokens.get(token ?? '');
    if (issued === undefined || issued.expires <= this.#clock.milliseconds()) return undefined;
    const revoked = issued.credentialId !== undefined && !this.#credentials.has(issued.credentialId);
    return revoked ? undefined : issued;
  }

  #handleCredentials(request: ApiRequest, userId: string, id: string | undefined): ApiReply {
    const asker = this.#find(header(request, 'x-auth-token'));
    if (asker === undefined) return unauthorized(request);
    if (asker.identity.userId !== userId) return keystoneError(403, 'You are not authorized.', 'Forbidden');
    if (request.method === 'DELETE' && id !== undefined) {
      const found = this.#credentials.delete(id);
      return found
        ? { status: 204 }
        : keystoneError(404, 'Could not find Application Credential.', 'Not Found');
    }
    if (request.method !== 'POST' || id !== undefined)
      return keystoneError(405, 'Method not allowed.', 'Method Not Allowed');
    const body = JSON.parse(request.body.toString('utf8')) as unknown;
    const wanted = at(body, 'application_credential');
    const asked = at(wanted, 'roles');
    const names = Array.isArray(asked) ? asked.map((role) => at(role, 'name')) : asker.identity.roles;
    const roles = asker.identity.roles.filter((role) => names.includes(role));
    const secret = randomBytes(48).toString('base64url');
    const credential = {
      id: stableId(randomBytes(16).toString('hex')),
      name: String(at(wanted, 'name')),
      secret,
      account: asker.account,
      roles,
    };
    this.#credentials.set(credential.id, credential);
    const { account, ...shown } = credential;
    const json = {
      application_credential: { ...shown, project_id: projectIdOf(account.project), expires_at: null },
    };
    return { status: 201, json };
  }

  #describe(token: IssuedToken, origin: string): unknown {
    const domain = { id: 'default', name: 'Default' };
    const { account, identity } = token;
    const endpoints = (url: string) =>
      ['public', 'internal', 'admin'].map((name) => ({
        id: stableId(`endpoint ${name} ${url}`),
        interface: name,
        region: 'development',
        region_id: 'development',
        url,
      }));
    const scoped = {
      project: { id: identity.projectId, name: account.project, domain },
      is_domain: false,
      roles: identity.roles.map((name) => ({ id: stableId(`role ${name}`), name })),
      catalog: [
        {
          id: stableId('keystone'),
          type: 'identity',
          name: 'keystone',
          endpoints: endpoints(`${origin}/identity/v3`),
        },
        { id: stableId('barbican'), type: 'key-manager', name: 'barbican', endpoints: endpoints(origin) },
      ],
    };
    return {
      methods: [token.method],
      user: { id: identity.userId, name: account.username, domain, password_expires_at: null },
      issued_at: keystoneTime(token.issued),
      expires_at: keystoneTime(token.expires),
      ...(identity.projectId === undefined ? {} : scoped),
    };
  }
}

const NOT_FOUND = '<!doctype html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n';

function version(origin: string): unknown {
  const links = [{ rel: 'self', href: `${origin}/identity/v3/` }];
  return { id: 'v3.14', status: 'stable', updated: '2020-04-07T00:00:00Z', links };
}

/** UTC with microseconds and Z. */
function keystoneTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

/** The same answer for every wrong name, password, project or role. */
function unauthorized(request: ApiRequest): ApiReply {
  const reply = keystoneError(401, 'The request you have made requires authentication.', 'Unauthorized');
  return { ...reply, headers: { 'www-authenticate': `Keystone uri="${request.origin}/identity/v3"` } };
}

function keystoneError(code: number, message: string, title: string): ApiReply {
  return { status: code, json: { error: { code, message, title } } };
}

function header(request: ApiRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function isDefault(domain: unknown): boolean {
  return at(domain, 'id') === 'default' || at(domain, 'name') === 'Default';
}

/** What lies at a path of an unknown value. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let inner: unknown = value;
  for (const name of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, name)) return undefined;
    inner = (inner as Record<string, unknown>)[name];
  }
  return inner;
}
