import { ApiError, schemaError } from './api.js';

/** The fields of a request to store a secret, checked. */
export interface CheckedSecret {
  readonly name: string | null;
  readonly secretType: string;
  readonly algorithm: string | null;
  readonly bitLength: number | null;
  readonly mode: string | null;
  /** Milliseconds since 1970. */
  readonly expiration: number | null;
  readonly payload: { readonly contentType: string; readonly base64: string } | null;
}

const SECRET_TYPES = ['symmetric', 'passphrase', 'private', 'public', 'certificate', 'opaque'];
const PLAIN_TYPES = ['text/plain', 'text/plain;charset=utf-8', 'text/plain; charset=utf-8'];
const BINARY_TYPES = ['application/octet-stream', 'application/pkcs8'];
/** In the characters of the payload, base64 as it comes. */
const MAX_PAYLOAD = 20_000;
const SCHEMA = 'Secret';

/** Checks what Barbican's schema for secrets checks, and as leniently. @throws ApiError 400, 413 */
export function checkNewSecret(body: Record<string, unknown>, now: number): CheckedSecret {
  const name = text(body, 'name', 255);
  const secretType = text(body, 'secret_type', 80) ?? 'opaque';
  if (!SECRET_TYPES.includes(secretType)) {
    throw schemaError(SCHEMA, `the value is not one of ['${SECRET_TYPES.join("', '")}']`, 'secret_type');
  }
  const bitLength = body['bit_length'];
  if (
    bitLength !== undefined &&
    !(Number.isInteger(bitLength) && Number(bitLength) >= 1 && Number(bitLength) <= 32_767)
  ) {
    throw schemaError(SCHEMA, 'the value is no integer from 1 to 32767', 'bit_length');
  }
  const algorithm = text(body, 'algorithm', 255);
  const mode = text(body, 'mode', 255);
  const expiration = checkExpiration(text(body, 'expiration', 255), now);
  return {
    name: name === undefined ? null : name.trim(),
    secretType,
    algorithm: algorithm ?? null,
    bitLength: bitLength === undefined ? null : Number(bitLength),
    mode: mode ?? null,
    expiration,
    payload: checkPayload(body),
  };
}

/** A media type as Barbican keeps it: without its charset. Undefined for one that it does not take. */
export function normalType(contentType: string): string | undefined {
  const lower = contentType.toLowerCase();
  if (PLAIN_TYPES.includes(lower)) return 'text/plain';
  return BINARY_TYPES.includes(lower) ? lower : undefined;
}

function text(body: Record<string, unknown>, property: string, longest: number): string | undefined {
  const value = body[property];
  if (value === undefined || (value === null && property === 'name')) return undefined;
  if (typeof value !== 'string') throw schemaError(SCHEMA, "the value is not of type 'string'", property);
  if (value.length > longest) throw schemaError(SCHEMA, 'the value is too long', property);
  return value;
}

function checkExpiration(value: string | undefined, now: number): number | null {
  if (value === undefined || value.trim() === '') return null;
  const zoned = /(Z|[+-][0-9]{2}:?[0-9]{2})$/.test(value.trim());
  const time = Date.parse(zoned ? value.trim() : `${value.trim()}Z`);
  if (Number.isNaN(time)) throw schemaError(SCHEMA, "Invalid date for 'expiration'", 'expiration');
  if (time <= now) throw schemaError(SCHEMA, "'expiration' is before current time", 'expiration');
  return time;
}

function checkPayload(body: Record<string, unknown>): CheckedSecret['payload'] {
  const payload = body['payload'];
  const type = body['payload_content_type'];
  const encoding = body['payload_content_encoding'];
  if (payload !== undefined && typeof payload !== 'string') {
    throw schemaError(SCHEMA, "the value is not of type 'string'", 'payload');
  }
  if (encoding !== undefined && encoding !== 'base64') {
    throw schemaError(SCHEMA, "the value is not one of ['base64']", 'payload_content_encoding');
  }
  if (payload === undefined) {
    if (type === undefined) return null;
    throw schemaError(SCHEMA, 'payload must be provided when payload_content_type is specified', 'payload');
  }
  if (type === undefined || type === null) {
    const reason = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
    throw schemaError(SCHEMA, reason, 'payload_content_type');
  }
  const contentType = typeof type === 'string' ? normalType(type) : undefined;
  if (contentType === undefined) {
    const known = [...PLAIN_TYPES, ...BINARY_TYPES].join("', '");
    throw schemaError(SCHEMA, `payload_content_type is not one of ['${known}']`, 'payload_content_type');
  }
  if ((contentType === 'text/plain') !== (encoding === undefined)) {
    const fitting = contentType === 'text/plain' ? 'None' : "['base64', 'binary']";
    throw schemaError(
      SCHEMA,
      `payload_content_encoding is not one of ${fitting}`,
      'payload_content_encoding',
    );
  }
  if (Buffer.byteLength(payload) > MAX_PAYLOAD)
    throw new ApiError(413, 'Provided information too large to process');
  const stripped = payload.trim();
  if (stripped === '') throw schemaError(SCHEMA, "If 'payload' specified, must be non empty", 'payload');
  const octets = encoding === undefined ? Buffer.from(stripped) : decodeBase64(stripped);
  return { contentType, base64: octets.toString('base64') };
}

/** Python's b64decode: what is not of the alphabet is passed over, and only the padding has to be right. */
function decodeBase64(payload: string): Buffer {
  const alphabet = payload.replace(/[^A-Za-z0-9+/=]/g, '');
  if (alphabet.length % 4 !== 0) {
    throw schemaError(SCHEMA, 'Invalid payload for payload_content_encoding', 'payload');
  }
  return Buffer.from(alphabet, 'base64');
}
