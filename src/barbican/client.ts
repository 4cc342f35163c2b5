import { z } from 'zod';
import { type Clock, systemClock } from '../clock.js';
import { ZonesealError } from '../errors.js';
import type { SecretPayload } from '../keys/key-ring.js';
import type { SecretConsumer, SecretKeeper } from '../keys/secret-keeper.js';
import { answerInvalid, expectStatus, readJson } from './answers.js';
import { Guard, type GuardState, type Repeat } from './guard.js';
import { type HttpAnswer, HttpClient, type HttpRequest } from './http.js';
import { KeystoneSession, type KeystoneState, type Token } from './keystone.js';
import {
  type Acl,
  aclSchema,
  checkMetadata,
  likePattern,
  type NewSecret,
  type SecretInfo,
  secretBody,
  secretIdOf,
  secretSchema,
  toSecretInfo,
} from './secrets.js';
import { type BarbicanSettings, type CheckedSettings, checkSettings } from './settings.js';

/** What became of requests to Keystone and Barbican, for metrics. */
export interface BarbicanState {
  readonly keystone: KeystoneState;
  readonly barbican: GuardState;
}

/** Which secrets to list. Names are compared exactly, whatever wildcards they hold. */
export interface SecretFilter {
  readonly name?: string;
  readonly namePrefix?: string;
}

interface Call {
  readonly operation: string;
  readonly method: HttpRequest['method'];
  readonly path: string;
  readonly accept?: string;
  readonly json?: unknown;
  readonly limit?: number;
  readonly repeat?: Repeat;
  readonly expect: readonly number[];
}

/** The most that Barbican gives a page. */
const PAGE = 100;
/** Pages beyond this many mean that the server turns in circles. */
const MAX_PAGES = 10_000;
const ANSWER_LIMIT = 1_048_576;
const PAYLOAD_LIMIT = 262_144;

/** Barbican behind Keystone: the gateway's key store. Every error it throws is a ZonesealError without token or payload. */
export class BarbicanClient implements SecretKeeper {
  readonly #settings: CheckedSettings;
  readonly #http: HttpClient;
  readonly #keystone: KeystoneSession;
  readonly #guard: Guard;

  /** @throws ZonesealError KEYSTORE_CONFIG_INVALID */
  constructor(settings: BarbicanSettings, clock: Clock = systemClock) {
    this.#settings = checkSettings(settings);
    this.#http = new HttpClient(this.#settings);
    this.#keystone = new KeystoneSession(this.#settings, this.#http, clock);
    this.#guard = new Guard('barbican', this.#settings);
  }

  /**
   * Stores a secret and gives its reference. Never sent twice: what may have arrived is not repeated.
   * @throws ZonesealError KEYSTORE_REFUSED, KEYSTORE_FORBIDDEN, KEYSTORE_QUOTA, KEYSTORE_UNAVAILABLE
   */
  async storeSecret(secret: NewSecret): Promise<string> {
    const answer = await this.#call({
      operation: 'store-secret',
      method: 'POST',
      path: '/secrets',
      json: secretBody(secret),
      repeat: 'unsent',
      expect: [201],
    });
    const asked = { service: 'barbican', operation: 'store-secret' } as const;
    const reference = readJson(asked, answer, z.object({ secret_ref: z.string() })).secret_ref;
    secretIdOf(reference);
    return reference;
  }

  /**
   * What is known about a secret, without its payload.
   * @throws ZonesealError KEY_MISSING, KEYSTORE_FORBIDDEN, KEYSTORE_UNAVAILABLE
   */
  async readSecret(reference: string): Promise<SecretInfo> {
    const call = {
      operation: 'read-secret',
      method: 'GET',
      path: secretPath(reference),
      expect: [200],
    } as const;
    const answer = await this.#callAboutSecret(call);
    return toSecretInfo(readJson({ service: 'barbican', operation: call.operation }, answer, secretSchema));
  }

  /**
   * The payload of a secret, asked for with exactly the content type that it has.
   * @throws ZonesealError KEY_MISSING, KEY_UNREADABLE when it is empty, KEYSTORE_FORBIDDEN, KEYSTORE_UNAVAILABLE
   */
  async fetchPayload(reference: string): Promise<SecretPayload> {
    const { contentType, reference: known, expiration } = await this.readSecret(reference);
    if (contentType === undefined)
      throw new ZonesealError('KEY_MISSING', 'Barbican: the secret has no payload');
    const answer = await this.#callAboutSecret({
      operation: 'read-payload',
      method: 'GET',
      path: `${secretPath(reference)}/payload`,
      accept: contentType,
      limit: PAYLOAD_LIMIT,
      expect: [200, 204],
    });
    // Barbican takes base64 that is none, keeps nothing of it, and answers 204
    if (answer.body.length === 0)
      throw new ZonesealError('KEY_UNREADABLE', 'Barbican: the payload of the secret is empty');
    const sent = mediaType(answer.headers['content-type']);
    if (sent !== contentType) {
      throw answerInvalid(
        { service: 'barbican', operation: 'read-payload' },
        'the payload has another content type than asked for',
      );
    }
    const isSame = idIn(known) === secretIdOf(reference);
    return {
      contentType,
      payload: new Uint8Array(answer.body),
      ...(isSame ? { reference: known } : {}),
      ...(expiration === undefined ? {} : { expiration }),
    };
  }

  /** The secrets of the project, oldest first, page after page. @throws ZonesealError as readSecret */
  async *listSecrets(filter: SecretFilter = {}): AsyncGenerator<SecretInfo> {
    const seen = new Set<string>();
    for (let page = 0; page < MAX_PAGES; page++) {
      // the server's own link to the next page leaves out the name and the order
      const { secrets, total } = await this.#listPage(filter, page * PAGE);
      for (const secret of secrets) {
        if (seen.has(secret.reference) || !matches(secret, filter)) continue;
        seen.add(secret.reference);
        yield secret;
      }
      if (secrets.length === 0 || (page + 1) * PAGE >= total) return;
    }
  }

  async #listPage(filter: SecretFilter, offset: number): Promise<{ secrets: SecretInfo[]; total: number }> {
    const query = new URLSearchParams({ limit: String(PAGE), offset: String(offset), sort: 'created:asc' });
    const pattern = likePattern(filter);
    if (pattern !== undefined) query.set('name', pattern);
    const call = {
      operation: 'list-secrets',
      method: 'GET',
      path: `/secrets?${query.toString()}`,
      expect: [200],
    } as const;
    const answer = await this.#call(call);
    const schema = z.object({ secrets: z.array(secretSchema), total: z.int().min(0) });
    const list = readJson({ service: 'barbican', operation: call.operation }, answer, schema);
    return { secrets: list.secrets.map(toSecretInfo), total: list.total };
  }

  /** Deletes a secret; one that is gone already is no error. @throws ZonesealError KEYSTORE_FORBIDDEN, KEYSTORE_UNAVAILABLE */
  async deleteSecret(reference: string): Promise<void> {
    const path = secretPath(reference);
    await this.#callAboutSecret({ operation: 'delete-secret', method: 'DELETE', path, expect: [204, 404] });
  }

  /** The user metadata of a secret. @throws ZonesealError as readSecret */
  async readMetadata(reference: string): Promise<Readonly<Record<string, string>>> {
    const operation = 'read-metadata';
    const answer = await this.#callAboutSecret({
      operation,
      method: 'GET',
      path: `${secretPath(reference)}/metadata`,
      expect: [200],
    });
    const schema = z.object({ metadata: z.record(z.string(), z.string()) });
    return readJson({ service: 'barbican', operation }, answer, schema).metadata;
  }

  /**
   * Replaces the user metadata of a secret. Keys are of lower-case letters, digits, `_` and `-`: Barbican lower-cases
   * them and takes no others.
   * @throws ZonesealError KEYSTORE_REFUSED and as readSecret
   */
  async writeMetadata(reference: string, metadata: Readonly<Record<string, string>>): Promise<void> {
    const json = { metadata: checkMetadata(metadata) };
    const path = `${secretPath(reference)}/metadata`;
    await this.#call({ operation: 'write-metadata', method: 'PUT', path, json, expect: [200, 201] });
  }

  /** Who may read a secret. @throws ZonesealError as readSecret */
  async readAcl(reference: string): Promise<Acl> {
    const operation = 'read-acl';
    const answer = await this.#call({
      operation,
      method: 'GET',
      path: `${secretPath(reference)}/acl`,
      expect: [200],
    });
    const { read } = readJson({ service: 'barbican', operation }, answer, aclSchema);
    return { projectAccess: read['project-access'], users: read.users };
  }

  /** Replaces who may read a secret. @throws ZonesealError as readSecret */
  async writeAcl(reference: string, acl: Acl): Promise<void> {
    const json = { read: { 'project-access': acl.projectAccess, users: acl.users } };
    await this.#call({
      operation: 'write-acl',
      method: 'PUT',
      path: `${secretPath(reference)}/acl`,
      json,
      expect: [200],
    });
  }

  /** Notes who uses a secret; nothing where the API has no consumers of secrets (before 1.1). @throws ZonesealError as readSecret */
  async addConsumer(reference: string, consumer: SecretConsumer): Promise<void> {
    await this.#changeConsumer('POST', reference, consumer);
  }

  /** Takes the note away; nothing where it is not there. @throws ZonesealError as readSecret */
  async removeConsumer(reference: string, consumer: SecretConsumer): Promise<void> {
    await this.#changeConsumer('DELETE', reference, consumer);
  }

  async #changeConsumer(
    method: 'POST' | 'DELETE',
    reference: string,
    consumer: SecretConsumer,
  ): Promise<void> {
    const { service, resourceType, resourceId } = consumer;
    await this.#callAboutSecret({
      operation: method === 'POST' ? 'add-consumer' : 'remove-consumer',
      method,
      path: `${secretPath(reference)}/consumers`,
      json: { service, resource_type: resourceType, resource_id: resourceId },
      // 404 and 405: no such API, or nothing to take away
      expect: [200, 201, 204, 404, 405, 406],
    });
  }

  /** The id of the user that the gateway is, for ACLs. @throws ZonesealError as KeystoneSession.token */
  async userId(): Promise<string> {
    return (await this.#keystone.token()).userId;
  }

  get state(): BarbicanState {
    return { keystone: this.#keystone.state, barbican: this.#guard.state };
  }

  /** Closes the connections that are kept. */
  close(): void {
    this.#http.close();
  }

  /** A call about one secret. Barbican says the same for a lost role and a closed ACL; whether secrets can be listed tells them apart. */
  async #callAboutSecret(call: Call): Promise<HttpAnswer> {
    try {
      return await this.#call(call);
    } catch (error) {
      throw await this.#whyForbidden(error, call);
    }
  }

  async #whyForbidden(error: unknown, { method, operation }: Call): Promise<unknown> {
    const isForbidden = error instanceof ZonesealError && error.code === 'KEYSTORE_FORBIDDEN';
    if (!isForbidden || error.fields['service'] !== 'barbican' || error.fields['status'] !== 403)
      return error;
    const mayList = await this.#mayList();
    if (mayList === undefined) return error;
    const does = method === 'GET' ? 'read' : 'change';
    const reason = mayList
      ? `the user may not ${does} this secret: its ACL leaves the user out, the role may not do this, or it is of another project`
      : `the user has no role in the project that may ${does} secrets`;
    return new ZonesealError('KEYSTORE_FORBIDDEN', `Barbican (${operation}): ${reason} (status 403)`, {
      ...error.fields,
      refusal: mayList ? (method === 'GET' ? 'acl' : 'change') : 'role',
    });
  }

  /** Undefined where that cannot be told now. */
  async #mayList(): Promise<boolean | undefined> {
    try {
      await this.#call({ operation: 'list-secrets', method: 'GET', path: '/secrets?limit=1', expect: [200] });
      return true;
    } catch (error) {
      return error instanceof ZonesealError && error.fields['status'] === 403 ? false : undefined;
    }
  }

  #call(call: Call): Promise<HttpAnswer> {
    return this.#guard.run(call.operation, call.repeat ?? 'always', async (signal) => {
      const token = await this.#keystone.token();
      let answer = await this.#send(call, token, signal);
      if (answer.status === 401) {
        // revoked, or expired on the way: once more with a new one
        this.#keystone.invalidate(token);
        answer = await this.#send(call, await this.#keystone.token(), signal);
      }
      expectStatus({ service: 'barbican', operation: call.operation }, answer, ...call.expect);
      return answer;
    });
  }

  #send(call: Call, token: Token, signal: AbortSignal): Promise<HttpAnswer> {
    const { microversion } = this.#settings;
    return this.#http.send({
      service: 'barbican',
      operation: call.operation,
      method: call.method,
      url: `${token.barbican}${call.path}`,
      accept: call.accept ?? 'application/json',
      headers: {
        'X-Auth-Token': token.value,
        ...(microversion === undefined ? {} : { 'OpenStack-API-Version': `key-manager ${microversion}` }),
      },
      ...(call.json === undefined ? {} : { json: call.json }),
      limit: call.limit ?? ANSWER_LIMIT,
      signal,
    });
  }
}

/** A reference is used for its id alone: the token goes to no host that a database row names. */
function secretPath(reference: string): string {
  return `/secrets/${secretIdOf(reference)}`;
}

/** Undefined for what is no reference. */
function idIn(text: string): string | undefined {
  try {
    return secretIdOf(text);
  } catch {
    return undefined;
  }
}

function matches(secret: SecretInfo, filter: SecretFilter): boolean {
  if (filter.name !== undefined && secret.name !== filter.name) return false;
  return filter.namePrefix === undefined || (secret.name ?? '').startsWith(filter.namePrefix);
}

function mediaType(header: string | undefined): string | undefined {
  return header?.split(';')[0]?.trim().toLowerCase();
}
