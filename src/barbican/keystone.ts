import { z } from 'zod';
import type { Clock } from '../clock.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { answerInvalid, expectStatus, readJson } from './answers.js';
import { Guard, type GuardState } from './guard.js';
import type { HttpAnswer, HttpClient } from './http.js';
import { type CheckedSettings, type Credentials, serviceUrl } from './settings.js';

/** A token of a project and where Barbican is. The value goes to Keystone's services alone. */
export interface Token {
  readonly value: string;
  /** Where Barbican's API begins, with `/v1`. */
  readonly barbican: string;
  /** The id of the user that it stands for. */
  readonly userId: string;
}

/** What became of tokens, for metrics. */
export interface KeystoneState extends GuardState {
  /** Tokens that Keystone gave. */
  readonly tokens: number;
  /** Seconds until the token expires; undefined while there is none. */
  readonly expiresIn: number | undefined;
}

interface HeldToken extends Token {
  /** By the local clock, milliseconds: the lifetime by Keystone's clock, from when it was asked for. */
  readonly renewAt: number;
  readonly expiresAt: number;
}

/** After a refusal the same credentials are not tried again for so long; Keystone may lock accounts. Milliseconds. */
const REFUSAL_PAUSE = 10_000;
const ANSWER_LIMIT = 1_048_576;
const ASKED = { service: 'keystone', operation: 'token' } as const;

const tokenSchema = z.object({
  token: z.object({
    issued_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    user: z.object({ id: z.string() }),
    catalog: z
      .array(
        z.object({
          type: z.string(),
          endpoints: z.array(
            z.object({
              interface: z.string(),
              url: z.string(),
              region_id: z.string().nullish(),
              region: z.string().nullish(),
            }),
          ),
        }),
      )
      .default([]),
  }),
});

type Catalog = z.infer<typeof tokenSchema>['token']['catalog'];

/** One identity at Keystone v3: gets a token when there is none, and a new one before the old one expires. */
export class KeystoneSession {
  readonly #settings: CheckedSettings;
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #guard: Guard;
  #held: HeldToken | undefined;
  #asking: Promise<HeldToken> | undefined;
  #credentials: Credentials;
  /** Whether they, or a token of theirs, were refused: another may have taken their place. */
  #isSuspect = false;
  /** Why they could not be read anew. */
  #unread: string | undefined;
  #refused: { readonly until: number; readonly error: ZonesealError } | undefined;
  #tokens = 0;

  constructor(settings: CheckedSettings, http: HttpClient, clock: Clock) {
    this.#settings = settings;
    this.#credentials = settings.credentials;
    this.#http = http;
    this.#clock = clock;
    this.#guard = new Guard('keystone', settings);
  }

  /**
   * A token that is good for some time yet; all who ask at once share one request.
   * @throws ZonesealError KEYSTORE_UNAVAILABLE, KEYSTORE_FORBIDDEN, KEYSTORE_ANSWER_INVALID, KEYSTORE_CONFIG_INVALID
   */
  async token(): Promise<Token> {
    const now = this.#clock.milliseconds();
    const held = this.#held;
    if (held !== undefined && now < held.renewAt) return held;
    if (this.#refused !== undefined && now < this.#refused.until) throw this.#refused.error;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    try {
      return await this.#asking;
    } catch (error) {
      // while Keystone is away the token serves to its end
      const unavailable = error instanceof ZonesealError && error.code === 'KEYSTORE_UNAVAILABLE';
      if (
        unavailable &&
        held !== undefined &&
        held === this.#held &&
        this.#clock.milliseconds() < held.expiresAt
      ) {
        return held;
      }
      throw error;
    }
  }

  /** Forgets a token that a service did not accept, unless it was replaced meanwhile. */
  invalidate(token: Token): void {
    if (this.#held !== token) return;
    this.#held = undefined;
    this.#isSuspect = true;
  }

  get state(): KeystoneState {
    const held = this.#held;
    const expiresIn = held === undefined ? undefined : (held.expiresAt - this.#clock.milliseconds()) / 1000;
    return { ...this.#guard.state, tokens: this.#tokens, expiresIn };
  }

  /** An operator who replaces credentials that were deleted or have expired writes them where they were read. */
  #readAnew(): void {
    const { readCredentials } = this.#settings;
    if (readCredentials === undefined) return;
    try {
      this.#credentials = readCredentials();
      this.#unread = undefined;
    } catch (error) {
      // they are being written, perhaps; it is tried again before the next request
      this.#unread = errorMessage(error);
    }
  }

  async #ask(): Promise<HeldToken> {
    if (this.#isSuspect) this.#readAnew();
    try {
      const held = await this.#guard.run('token', 'always', (signal) => this.#authenticate(signal));
      this.#held = held;
      this.#refused = undefined;
      this.#isSuspect = false;
      this.#tokens++;
      return held;
    } catch (error) {
      if (error instanceof ZonesealError && error.code === 'KEYSTORE_FORBIDDEN') {
        this.#held = undefined;
        this.#isSuspect = true;
        this.#refused = { until: this.#clock.milliseconds() + REFUSAL_PAUSE, error };
      }
      throw error;
    }
  }

  async #authenticate(signal: AbortSignal): Promise<HeldToken> {
    const asked = this.#clock.milliseconds();
    const credentials = this.#credentials;
    const answer = await this.#http.send({
      ...ASKED,
      method: 'POST',
      url: `${this.#settings.keystoneUrl}/auth/tokens`,
      accept: 'application/json',
      json: authentication(credentials),
      limit: ANSWER_LIMIT,
      signal,
    });
    if (isRefusal(answer, credentials)) throw refusedCredentials(credentials, answer.status, this.#unread);
    expectStatus(ASKED, answer, 201);
    return this.#read(answer, asked);
  }

  #read(answer: HttpAnswer, asked: number): HeldToken {
    const value = answer.headers['x-subject-token'];
    if (value === undefined || !/^[\x21-\x7e]{1,16384}$/.test(value)) {
      throw answerInvalid(ASKED, 'its answer has no token');
    }
    const { token } = readJson(ASKED, answer, tokenSchema);
    const lifetime = Date.parse(token.expires_at) - Date.parse(token.issued_at);
    if (!(lifetime > 0)) throw answerInvalid(ASKED, 'its token is expired from the start');
    const margin = Math.min(60_000, lifetime * 0.2);
    const expiresAt = asked + lifetime;
    const barbican = this.#settings.barbicanUrl ?? findBarbican(token.catalog, this.#settings);
    return { value, barbican, userId: token.user.id, expiresAt, renewAt: expiresAt - margin };
  }
}

function authentication(credentials: Credentials): unknown {
  if (credentials.kind === 'application_credential') {
    const { id, secret } = credentials;
    // it has its project in itself, and Keystone refuses a scope beside it
    return {
      auth: { identity: { methods: ['application_credential'], application_credential: { id, secret } } },
    };
  }
  const { username, userDomain, password, project, projectDomain } = credentials;
  const user = { name: username, domain: { name: userDomain }, password };
  return {
    auth: {
      identity: { methods: ['password'], password: { user } },
      scope: { project: { name: project, domain: { name: projectDomain } } },
    },
  };
}

/** 401, or 404 in JSON for an application credential that there is not (any more). */
function isRefusal({ status, headers }: HttpAnswer, { kind }: Credentials): boolean {
  const json = /^application\/json\b/i.test(headers['content-type'] ?? '');
  return status === 401 || (status === 404 && json && kind === 'application_credential');
}

/** Keystone says the same for a wrong user, password, domain or project and for a missing role. */
function refusedCredentials(
  credentials: Credentials,
  status: number,
  unread: string | undefined,
): ZonesealError {
  const what =
    credentials.kind === 'password'
      ? `user ${credentials.username}, its password, domain or project ${credentials.project} is wrong, or it has no role there`
      : 'the application credential is wrong, expired or deleted';
  const message = `Keystone refuses the credentials: ${what} (status ${status})${unread === undefined ? '' : `, and they cannot be read anew: ${unread}`}; it is asked again after ${REFUSAL_PAUSE} ms`;
  return new ZonesealError('KEYSTORE_FORBIDDEN', message, { ...ASKED, status, refusal: 'credentials' });
}

function findBarbican(catalog: Catalog, settings: CheckedSettings): string {
  const services = catalog.filter((service) => service.type === 'key-manager');
  const endpoints = services
    .flatMap((service) => service.endpoints)
    .filter((endpoint) => endpoint.interface === settings.interface)
    .filter(
      (endpoint) =>
        settings.region === undefined || (endpoint.region_id ?? endpoint.region) === settings.region,
    );
  const urls = new Set(endpoints.map((endpoint) => endpoint.url));
  const [url] = urls;
  const where = `${settings.interface} interface${settings.region === undefined ? '' : `, region ${settings.region}`}`;
  if (url === undefined) {
    const reason =
      services.length === 0 ? 'no service of type key-manager' : `no key-manager endpoint for the ${where}`;
    throw configInvalid(
      `the catalog of Keystone has ${reason}; correct region and interface or give barbicanUrl`,
    );
  }
  if (urls.size > 1)
    throw configInvalid(`the catalog of Keystone has several key-managers for the ${where}; give the region`);
  return serviceUrl(url, 'v1', 'the key-manager endpoint in the catalog of Keystone');
}

function configInvalid(message: string): ZonesealError {
  return new ZonesealError('KEYSTORE_CONFIG_INVALID', message, { ...ASKED });
}
