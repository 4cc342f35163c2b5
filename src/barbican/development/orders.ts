import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../../clock.js';
import { allowInProject, type Call } from './access.js';
import { ApiError, type ApiReply, formatTime, methodNotAllowed, readJsonBody, schemaError } from './api.js';
import { secretRef } from './listing.js';
import type { SecretStorage } from './storage.js';

interface Order {
  readonly id: string;
  readonly projectId: string;
  readonly creatorId: string;
  readonly type: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly created: number;
  updated: number;
  status: 'PENDING' | 'ACTIVE' | 'ERROR';
  error?: { readonly code: string; readonly reason: string };
  /** Ids of the secrets it made, by their names in a container. */
  secrets?: Readonly<Record<string, string>>;
}

const generate = promisify(generateKeyPair);
/** Orders live in memory; the oldest leave. */
const MAX_ORDERS = 1000;

/**
 * `/v1/orders`: symmetric keys and RSA pairs are made; EC and Edwards keys are accepted and then fail, as in Barbican.
 * The orders live as long as the process, the secrets they make are kept.
 */
export class OrdersApi {
  readonly #storage: SecretStorage;
  readonly #clock: Clock;
  readonly #orders = new Map<string, Order>();

  constructor(storage: SecretStorage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Answers a request; `path` begins after `/v1/orders`. @throws ApiError */
  handle(call: Call, path: readonly string[]): ApiReply {
    const { request, identity } = call;
    allowInProject(identity, 'order');
    const [id] = path;
    if (id === undefined || id === '') {
      if (request.method === 'POST') return this.#create(call);
      if (request.method !== 'GET') throw methodNotAllowed('GET, POST');
      const own = [...this.#orders.values()].filter((order) => order.projectId === identity.projectId);
      return { status: 200, json: { orders: own.map((order) => describe(order, call)), total: own.length } };
    }
    const order = this.#orders.get(id);
    if (order === undefined || order.projectId !== identity.projectId)
      throw new ApiError(404, 'Order not found.');
    if (request.method === 'DELETE') {
      this.#orders.delete(id);
      return { status: 204 };
    }
    if (request.method !== 'GET') throw methodNotAllowed('DELETE, GET');
    return { status: 200, json: describe(order, call) };
  }

  #create(call: Call): ApiReply {
    const { identity, request } = call;
    const body = readJsonBody(request, 'Order');
    const { type, meta } = body;
    if (type !== 'key' && type !== 'asymmetric')
      throw schemaError('Order', "the value is not one of ['key', 'asymmetric']", 'type');
    if (typeof meta !== 'object' || meta === null)
      throw schemaError('Order', "'meta' is a required property", 'meta');
    const now = this.#clock.milliseconds();
    const order: Order = {
      id: randomUUID(),
      projectId: identity.projectId ?? '',
      creatorId: identity.userId,
      type,
      meta: meta as Record<string, unknown>,
      created: now,
      updated: now,
      status: 'PENDING',
    };
    this.#orders.set(order.id, order);
    for (const oldest of this.#orders.keys()) {
      if (this.#orders.size <= MAX_ORDERS) break;
      this.#orders.delete(oldest);
    }
    void this.#fulfil(order);
    const reference = `${request.origin}/v1/orders/${order.id}`;
    return { status: 202, headers: { location: reference }, json: { order_ref: reference } };
  }

  async #fulfil(order: Order): Promise<void> {
    try {
      order.secrets = await this.#make(order);
      order.status = 'ACTIVE';
    } catch {
      order.status = 'ERROR';
      order.error = {
        code: '400',
        reason: 'Process TypeOrder issue seen - Requested algorithm is not supported.',
      };
    }
    order.updated = this.#clock.milliseconds();
  }

  async #make(order: Order): Promise<Record<string, string>> {
    const { algorithm, bit_length: bits } = order.meta;
    if (order.type === 'key' && typeof bits === 'number' && bits >= 8 && bits <= 4096) {
      return { secret: await this.#keep(order, 'symmetric', randomBytes(Math.floor(bits / 8))) };
    }
    if (
      order.type !== 'asymmetric' ||
      algorithm !== 'rsa' ||
      ![1024, 2048, 3072, 4096].includes(Number(bits))
    ) {
      throw new Error('unsupported');
    }
    const pair = await generate('rsa', {
      modulusLength: Number(bits),
      privateKeyEncoding: { format: 'der', type: 'pkcs8' },
      publicKeyEncoding: { format: 'der', type: 'spki' },
    });
    return {
      private_key: await this.#keep(order, 'private', pair.privateKey),
      public_key: await this.#keep(order, 'public', pair.publicKey),
    };
  }

  async #keep(order: Order, secretType: string, octets: Buffer): Promise<string> {
    const now = this.#clock.milliseconds();
    const { name, algorithm, bit_length: bits } = order.meta;
    const id = randomUUID();
    await this.#storage.put({
      id,
      name: typeof name === 'string' ? name : null,
      secretType,
      algorithm: typeof algorithm === 'string' ? algorithm : null,
      bitLength: typeof bits === 'number' ? bits : null,
      mode: null,
      expiration: null,
      created: now,
      updated: now,
      creatorId: order.creatorId,
      projectId: order.projectId,
      payload: { contentType: 'application/octet-stream', base64: octets.toString('base64') },
      metadata: {},
      consumers: [],
      acl: null,
      seed: false,
    });
    return id;
  }
}

function describe(order: Order, { request }: Call): unknown {
  const { secret, ...pair } = order.secrets ?? {};
  return {
    created: formatTime(order.created),
    updated: formatTime(order.updated),
    status: order.status,
    type: order.type,
    meta: order.meta,
    creator_id: order.creatorId,
    order_ref: `${request.origin}/v1/orders/${order.id}`,
    ...(order.error === undefined
      ? {}
      : { error_status_code: order.error.code, error_reason: order.error.reason }),
    ...(secret === undefined ? {} : { secret_ref: secretRef(secret, request) }),
    ...(Object.keys(pair).length === 0
      ? {}
      : {
          secret_refs: Object.entries(pair).map(([name, id]) => ({
            name,
            secret_ref: secretRef(id, request),
          })),
        }),
  };
}
