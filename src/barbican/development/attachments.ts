import { allowOnSecret, type Call } from './access.js';
import { ApiError, type ApiReply, formatTime, methodNotAllowed, readJsonBody, schemaError } from './api.js';
import { secretRef } from './listing.js';
import type { StoredSecret } from './storage.js';

/** An answer, and what it changes in the secret. */
export interface Outcome {
  readonly reply: ApiReply;
  readonly changed?: Partial<StoredSecret>;
}

/** User metadata: all of it, or one key. @throws ApiError */
export function handleMetadata(call: Call, secret: StoredSecret, path: readonly string[]): Outcome {
  const { request, identity } = call;
  const [key] = path;
  if (request.method === 'GET') {
    // like Barbican, which fails where it is asked for anything but JSON
    if (!['', '*/*', 'application/json'].includes(request.headers.accept ?? '')) throw new ApiError(500, '');
    allowOnSecret(identity, 'read-metadata', secret);
    return { reply: key === undefined || key === '' ? all(secret) : one(secret, key) };
  }
  allowOnSecret(identity, 'write-metadata', secret);
  const reference = `${secretRef(secret.id, request)}/metadata`;
  if (key === undefined || key === '') {
    if (request.method === 'PUT') {
      const metadata = checkAll(readJsonBody(request, 'SecretMetadata'));
      return { reply: { status: 201, json: { metadata_ref: reference } }, changed: { metadata } };
    }
    if (request.method !== 'POST') throw methodNotAllowed('GET, POST, PUT');
    const added = checkOne(readJsonBody(request, 'SecretMetadatum'));
    if (Object.hasOwn(secret.metadata, added.key)) {
      throw new ApiError(409, 'Conflict. Key in request is already in the secret metadata');
    }
    const reply = { status: 201, headers: { location: `${reference}/${added.key}` }, json: added };
    return { reply, changed: { metadata: { ...secret.metadata, [added.key]: added.value } } };
  }
  if (request.method === 'DELETE') {
    const { [key]: _, ...rest } = secret.metadata;
    return { reply: { status: 204 }, changed: { metadata: rest } };
  }
  if (request.method !== 'PUT') throw methodNotAllowed('DELETE, GET, PUT');
  const changed = checkOne(readJsonBody(request, 'SecretMetadatum'));
  if (!Object.hasOwn(secret.metadata, key)) throw new ApiError(404, 'Secret metadata not found.');
  if (changed.key !== key)
    throw new ApiError(409, 'Key in request data does not match key in the request url.');
  return {
    reply: { status: 200, json: changed },
    changed: { metadata: { ...secret.metadata, [key]: changed.value } },
  };
}

function all(secret: StoredSecret): ApiReply {
  return { status: 200, json: { metadata: secret.metadata } };
}

function one(secret: StoredSecret, key: string): ApiReply {
  const value = Object.hasOwn(secret.metadata, key) ? secret.metadata[key] : undefined;
  if (value === undefined) throw new ApiError(404, 'Secret metadata not found.');
  return { status: 200, json: { key, value } };
}

function checkAll(body: Record<string, unknown>): Record<string, string> {
  const metadata = body['metadata'];
  if (typeof metadata !== 'object' || metadata === null) {
    throw schemaError('SecretMetadata', "'metadata' is a required property", 'metadata');
  }
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => checkPair(key, value)));
}

function checkOne(body: Record<string, unknown>): { readonly key: string; readonly value: string } {
  const [key, value] = checkPair(body['key'], body['value']);
  return { key, value };
}

function checkPair(key: unknown, value: unknown): [string, string] {
  if (typeof key !== 'string' || typeof value !== 'string') {
    throw new ApiError(400, 'Invalid Metadata. Keys and Values must be Strings.');
  }
  if (!/^[A-Za-z0-9_-]+$/.test(key)) throw new ApiError(400, 'Invalid Key. Key must be URL safe.');
  return [key.toLowerCase(), value];
}

/** The ACL of a secret. @throws ApiError */
export function handleAcl(call: Call, secret: StoredSecret, now: number): Outcome {
  const { request, identity } = call;
  const { method } = request;
  if (method === 'GET') {
    allowOnSecret(identity, 'read-acl', secret);
    return { reply: { status: 200, json: { read: describeAcl(secret) } } };
  }
  if (!['PUT', 'PATCH', 'DELETE'].includes(method)) throw methodNotAllowed('DELETE, GET, PATCH, PUT');
  allowOnSecret(identity, 'write-acl', secret);
  if (method === 'DELETE') return { reply: { status: 200, json: null }, changed: { acl: null } };
  const body = readJsonBody(request, 'ACL');
  const reply = { status: 200, json: { acl_ref: `${secretRef(secret.id, request)}/acl` } };
  const read = checkAcl(body);
  if (read === undefined) return { reply, changed: method === 'PUT' ? { acl: null } : {} };
  const before = method === 'PATCH' ? secret.acl : null;
  const acl = {
    projectAccess: read['project-access'] ?? before?.projectAccess ?? true,
    users: read.users ?? before?.users ?? [],
    created: secret.acl?.created ?? now,
    updated: now,
  };
  return { reply, changed: { acl } };
}

function describeAcl({ acl }: StoredSecret): unknown {
  if (acl === null) return { 'project-access': true };
  const { projectAccess, users, created, updated } = acl;
  return {
    'project-access': projectAccess,
    users,
    created: formatTime(created),
    updated: formatTime(updated),
  };
}

function checkAcl(
  body: Record<string, unknown>,
): { 'project-access'?: boolean; users?: string[] } | undefined {
  const strange = Object.keys(body).find((name) => name !== 'read');
  if (strange !== undefined) throw schemaError('ACL', 'Additional properties are not allowed', 'None');
  const read = body['read'];
  if (read === undefined) return undefined;
  if (typeof read !== 'object' || read === null)
    throw schemaError('ACL', "the value is not of type 'object'", 'read');
  const { 'project-access': access, users } = read as Record<string, unknown>;
  if (access !== undefined && typeof access !== 'boolean') {
    throw schemaError('ACL', "the value is not of type 'boolean'", 'read');
  }
  const strings = Array.isArray(users) && users.every((user) => typeof user === 'string');
  if (users !== undefined && !strings) throw schemaError('ACL', "the value is not of type 'array'", 'read');
  return {
    ...(access === undefined ? {} : { 'project-access': access }),
    ...(users === undefined ? {} : { users }),
  };
}
