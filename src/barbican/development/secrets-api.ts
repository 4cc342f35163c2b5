import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { allowInProject, allowOnSecret, type Call } from './access.js';
import { ApiError, type ApiReply, type ApiRequest, methodNotAllowed, readJsonBody } from './api.js';
import { handleAcl, handleMetadata } from './attachments.js';
import { handleConsumers } from './consumers.js';
import { describeSecret, listPage, secretRef } from './listing.js';
import { checkNewSecret, normalType } from './new-secret.js';
import type { SecretStorage, StoredSecret } from './storage.js';

const MAX_PAYLOAD = 20_000;

/** `/v1/secrets` and what is below. */
export class SecretsApi {
  readonly #storage: SecretStorage;
  readonly #clock: Clock;
  readonly quota: number;

  /** @param quota secrets that may be kept, seeds included */
  constructor(storage: SecretStorage, clock: Clock, quota: number) {
    this.#storage = storage;
    this.#clock = clock;
    this.quota = quota;
  }

  /** Answers a request; `path` begins after `/v1/secrets`. @throws ApiError */
  async handle(call: Call, path: readonly string[]): Promise<ApiReply> {
    const [id, part, ...rest] = path;
    if (id === undefined || id === '') return this.#handleAll(call);
    const secret = await this.#find(id, call);
    switch (part) {
      case undefined:
      case '':
        return this.#handleOne(call, secret);
      case 'payload':
        if (call.request.method !== 'GET') throw methodNotAllowed('GET');
        return this.#payload(call, secret);
      case 'metadata':
        return this.#attach(secret, handleMetadata(call, secret, rest));
      case 'consumers':
        return this.#attach(secret, handleConsumers(call, secret, this.#clock.milliseconds()));
      case 'acl':
        return this.#attach(secret, handleAcl(call, secret, this.#clock.milliseconds()));
      default:
        throw new ApiError(404, '');
    }
  }

  async #find(id: string, { request }: Call): Promise<StoredSecret> {
    const known = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
    const secret = known ? await this.#storage.get(id, this.#clock.milliseconds()) : undefined;
    if (secret !== undefined) return secret;
    throw new ApiError(
      404,
      request.method === 'DELETE' ? 'Secret not found.' : 'Not Found. Provided secret id is invalid.',
    );
  }

  async #handleAll(call: Call): Promise<ApiReply> {
    const { request, identity, microversion } = call;
    if (request.method === 'POST') return this.#store(call);
    if (request.method !== 'GET') throw methodNotAllowed('GET, POST');
    allowInProject(identity, 'list');
    const all = await this.#storage.list(this.#clock.milliseconds());
    const page = listPage(
      request,
      all.filter((secret) => secret.projectId === identity.projectId),
    );
    const secrets = page.items.map((secret) => describeSecret(secret, request, microversion));
    return { status: 200, json: { secrets, ...page.links } };
  }

  async #store({ request, identity }: Call): Promise<ApiReply> {
    allowInProject(identity, 'store');
    const now = this.#clock.milliseconds();
    const checked = checkNewSecret(readJsonBody(request, 'Secret'), now);
    if ((await this.#storage.count()) >= this.quota) {
      throw new ApiError(403, 'Quota has been reached for project');
    }
    const secret: StoredSecret = {
      ...checked,
      id: randomUUID(),
      created: now,
      updated: now,
      creatorId: identity.userId,
      projectId: identity.projectId ?? '',
      metadata: {},
      consumers: [],
      acl: null,
      seed: false,
    };
    await this.#storage.put(secret);
    const reference = secretRef(secret.id, request);
    return { status: 201, headers: { location: reference }, json: { secret_ref: reference } };
  }

  async #handleOne(call: Call, secret: StoredSecret): Promise<ApiReply> {
    const { request, identity, microversion } = call;
    switch (request.method) {
      case 'GET': {
        const accept = request.headers.accept ?? '';
        if (!['', '*/*', 'application/json'].includes(accept))
          return this.#payload(call, secret, 'Secret retrieval');
        allowOnSecret(identity, 'describe', secret);
        return { status: 200, json: describeSecret(secret, request, microversion) };
      }
      case 'PUT':
        allowOnSecret(identity, 'update', secret);
        return this.#putPayload(request, secret);
      case 'DELETE':
        allowOnSecret(identity, 'remove', secret);
        refuseSeed(secret);
        await this.#storage.remove(secret.id);
        return { status: 204 };
      default:
        throw methodNotAllowed('DELETE, GET, PUT');
    }
  }

  #payload({ request, identity }: Call, secret: StoredSecret, words = 'Secret payload retrieval'): ApiReply {
    allowOnSecret(identity, 'payload', secret);
    const { payload } = secret;
    if (payload === null) throw new ApiError(404, 'Not Found. Sorry but your secret has no payload.');
    const accept = request.headers.accept ?? 'application/octet-stream';
    const asked = accept === '*/*' ? payload.contentType : normalType(accept);
    // text is octets too, but octets are not text
    if (asked === undefined || (asked === 'text/plain' && payload.contentType !== 'text/plain')) {
      throw new ApiError(406, `${words} issue seen - Wrong payload content-type.`);
    }
    const octets = Buffer.from(payload.base64, 'base64');
    if (octets.length === 0) return { status: 204 };
    const contentType = accept.startsWith('text/plain') ? 'text/plain; charset=UTF-8' : accept;
    return { status: 200, headers: { 'content-type': contentType }, octets };
  }

  async #putPayload(request: ApiRequest, secret: StoredSecret): Promise<ApiReply> {
    const contentType = normalType(request.headers['content-type'] ?? '');
    if (contentType !== 'application/octet-stream' && contentType !== 'text/plain') {
      const expected = "['application/octet-stream', 'text/plain']";
      throw new ApiError(415, `Unexpected content type. Expected content types are: ${expected}`);
    }
    if (request.body.length === 0) throw new ApiError(400, 'No information provided to process');
    if (request.body.length > MAX_PAYLOAD)
      throw new ApiError(413, 'Provided information too large to process');
    if (secret.payload !== null) throw new ApiError(409, 'Secret already has data, cannot modify it.');
    const encoded = request.headers['content-encoding'] === 'base64';
    const octets = encoded ? Buffer.from(request.body.toString('latin1'), 'base64') : request.body;
    const payload = { contentType, base64: octets.toString('base64') };
    await this.#storage.put({ ...secret, payload, updated: this.#clock.milliseconds() });
    return { status: 204 };
  }

  /** Keeps a secret whose metadata or ACL a request has changed. */
  async #attach(
    secret: StoredSecret,
    outcome: { readonly reply: ApiReply; readonly changed?: Partial<StoredSecret> },
  ): Promise<ApiReply> {
    if (outcome.changed === undefined) return outcome.reply;
    refuseSeed(secret);
    await this.#storage.put({ ...secret, ...outcome.changed, updated: this.#clock.milliseconds() });
    return outcome.reply;
  }
}

function refuseSeed(secret: StoredSecret): void {
  if (secret.seed) throw new ApiError(403, 'The secret came with the development keys and cannot be changed');
}
