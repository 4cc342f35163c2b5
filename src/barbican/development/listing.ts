import { ApiError, type ApiRequest, formatTime } from './api.js';
import type { StoredSecret } from './storage.js';

/** One page of a list and its links. */
export interface Page {
  readonly items: readonly StoredSecret[];
  readonly links: Readonly<Record<string, string | number>>;
}

const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;

const SORT_KEYS: Readonly<Record<string, (secret: StoredSecret) => string | number>> = {
  algorithm: (secret) => secret.algorithm ?? '',
  bit_length: (secret) => secret.bitLength ?? 0,
  created: (secret) => secret.created,
  expiration: (secret) => secret.expiration ?? 0,
  mode: (secret) => secret.mode ?? '',
  name: (secret) => secret.name ?? '',
  secret_type: (secret) => secret.secretType,
  status: () => 'ACTIVE',
  updated: (secret) => secret.updated,
};

/** The secrets that a request for a list asks for. @throws ApiError 400 */
export function listPage(request: ApiRequest, secrets: readonly StoredSecret[]): Page {
  const { query, origin } = request;
  const matching = sort(filter(secrets, query), query.get('sort'));
  const limit = wholeNumber(query.get('limit'), DEFAULT_LIMIT, 1, MAX_LIMIT);
  const offset = wholeNumber(query.get('offset'), 0, 0, Number.MAX_SAFE_INTEGER);
  const items = matching.slice(offset, offset + limit);
  // like Barbican's, the links drop every filter and the order
  const link = (start: number) => `${origin}/v1/secrets?limit=${limit}&offset=${start}`;
  const links = {
    ...(offset > 0 && matching.length > 0 ? { previous: link(Math.max(0, offset - limit)) } : {}),
    ...(offset + limit < matching.length ? { next: link(offset + limit) } : {}),
    total: matching.length,
  };
  return { items, links };
}

function wholeNumber(text: string | null, otherwise: number, least: number, most: number): number {
  if (text === null || !/^-?[0-9]+$/.test(text)) return otherwise;
  return Math.min(most, Math.max(least, Number(text)));
}

function filter(secrets: readonly StoredSecret[], query: URLSearchParams): StoredSecret[] {
  const tests: ((secret: StoredSecret) => boolean)[] = [];
  const name = query.get('name');
  if (name !== null && name !== '') {
    const pattern = like(name);
    tests.push((secret) => pattern.test(secret.name ?? ''));
  }
  const algorithm = query.get('alg');
  if (algorithm !== null) tests.push((secret) => secret.algorithm === algorithm);
  const mode = query.get('mode');
  if (mode !== null) tests.push((secret) => secret.mode === mode);
  const bits = query.get('bits');
  if (bits !== null && /^[1-9][0-9]*$/.test(bits)) tests.push((secret) => secret.bitLength === Number(bits));
  const type = query.get('secret_type');
  if (type !== null) tests.push((secret) => secret.secretType === type);
  if (query.get('acl_only')?.toLowerCase() === 'true')
    tests.push((secret) => (secret.acl?.users.length ?? 0) > 0);
  for (const field of ['created', 'updated', 'expiration'] as const) {
    const wanted = query.get(field);
    if (wanted !== null) tests.push(timeTest(wanted, (secret) => secret[field]));
  }
  return secrets.filter((secret) => tests.every((test) => test(secret)));
}

/** SQL LIKE as SQLite has it: `%` and `_`, no escape, letters of either case alike. */
function like(pattern: string): RegExp {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[^]*')
    .replaceAll('_', '[^]');
  return new RegExp(`^${source}$`, 'i');
}

type TimeOf = (secret: StoredSecret) => number | null;

/** `gt:TIME`, `gte:`, `lt:`, `lte:` or a time, several with commas. */
function timeTest(text: string, timeOf: TimeOf): (secret: StoredSecret) => boolean {
  const tests = text.split(',').map((part) => {
    const match = /^(?:(gte?|lte?):)?([0-9].*)$/.exec(part);
    const zoned = /(Z|[+-][0-9]{2}:[0-9]{2})$/.test(part);
    const limit = Date.parse(zoned ? (match?.[2] ?? '') : `${match?.[2] ?? ''}Z`);
    if (Number.isNaN(limit)) throw invalidQuery();
    return (time: number) => {
      switch (match?.[1]) {
        case 'gt':
          return time > limit;
        case 'gte':
          return time >= limit;
        case 'lt':
          return time < limit;
        case 'lte':
          return time <= limit;
        default:
          return time === limit;
      }
    };
  });
  return (secret) => {
    const time = timeOf(secret);
    return time !== null && tests.every((test) => test(time));
  };
}

function sort(secrets: readonly StoredSecret[], text: string | null): StoredSecret[] {
  const orders = (text === null || text === '' ? [] : text.split(',')).map((part) => {
    const [key = '', direction = 'asc', ...rest] = part.split(':');
    const value = Object.hasOwn(SORT_KEYS, key) ? SORT_KEYS[key] : undefined;
    if (value === undefined || rest.length > 0 || !['asc', 'desc'].includes(direction)) throw invalidQuery();
    return { value, sign: direction === 'asc' ? 1 : -1 };
  });
  return [...secrets].sort((a, b) => {
    for (const { value, sign } of orders) {
      const [x, y] = [value(a), value(b)];
      if (x !== y) return x < y ? -sign : sign;
    }
    return 0;
  });
}

function invalidQuery(): ApiError {
  return new ApiError(400, 'URI provided invalid query string parameters.');
}

/** A secret as the API describes it. */
export function describeSecret(
  secret: StoredSecret,
  request: ApiRequest,
  microversion: string,
): Record<string, unknown> {
  return {
    created: formatTime(secret.created),
    updated: formatTime(secret.updated),
    status: 'ACTIVE',
    name: secret.name,
    secret_type: secret.secretType,
    expiration: secret.expiration === null ? null : formatTime(secret.expiration),
    algorithm: secret.algorithm,
    bit_length: secret.bitLength,
    mode: secret.mode,
    creator_id: secret.creatorId,
    ...(microversion === '1.0'
      ? {}
      : {
          consumers: secret.consumers.map(({ service, resource_type, resource_id }) => ({
            service,
            resource_type,
            resource_id,
          })),
        }),
    ...(secret.payload === null ? {} : { content_types: { default: secret.payload.contentType } }),
    secret_ref: secretRef(secret.id, request),
  };
}

/** The reference of a secret. */
export function secretRef(id: string, request: ApiRequest): string {
  return `${request.origin}/v1/secrets/${id}`;
}
