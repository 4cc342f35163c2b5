import { allowOnSecret, type Call } from './access.js';
import { ApiError, formatTime, methodNotAllowed, readJsonBody, schemaError } from './api.js';
import type { Outcome } from './attachments.js';
import { describeSecret } from './listing.js';
import type { StoredSecret } from './storage.js';

type Consumer = StoredSecret['consumers'][number];

const FIELDS = ['service', 'resource_type', 'resource_id'] as const;

/** Who says that they use a secret: a note only, which does not keep anyone from deleting it. @throws ApiError */
export function handleConsumers(call: Call, secret: StoredSecret, now: number): Outcome {
  const { request, identity } = call;
  if (request.method === 'GET') {
    allowOnSecret(identity, 'read-acl', secret);
    const consumers = secret.consumers.map(({ created, ...consumer }) => {
      const time = formatTime(created);
      return { created: time, updated: time, status: 'ACTIVE', ...consumer };
    });
    return { reply: { status: 200, json: { consumers, total: consumers.length } } };
  }
  if (request.method !== 'POST' && request.method !== 'DELETE') throw methodNotAllowed('DELETE, GET, POST');
  allowOnSecret(identity, 'write-metadata', secret);
  const wanted = checkConsumer(readJsonBody(request, 'Secret Consumer'), now);
  const others = secret.consumers.filter(
    (consumer) => !FIELDS.every((field) => consumer[field] === wanted[field]),
  );
  if (request.method === 'DELETE' && others.length === secret.consumers.length) {
    throw new ApiError(404, 'Consumer not found.');
  }
  const consumers = request.method === 'DELETE' ? others : [...others, wanted];
  // the answer describes the secret as 1.1 does, whatever was asked for
  return {
    reply: { status: 200, json: describeSecret({ ...secret, consumers }, request, '1.1') },
    changed: { consumers },
  };
}

function checkConsumer(body: Record<string, unknown>, created: number): Consumer {
  const [service, resource_type, resource_id] = FIELDS.map((field) => {
    const value = body[field];
    if (typeof value !== 'string')
      throw schemaError('Secret Consumer', `'${field}' is a required property`, 'None');
    return value;
  }) as [string, string, string];
  return { service, resource_type, resource_id, created };
}
