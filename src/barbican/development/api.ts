import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request to the development Barbican, read whole. */
export interface ApiRequest {
  readonly method: string;
  /** The path's segments, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Scheme, host and port, for links. */
  readonly origin: string;
}

/** An answer; `json` and `octets` exclude each other, neither means no body. */
export interface ApiReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly octets?: Uint8Array;
}

/** An answer in Barbican's form of errors. */
export class ApiError extends Error {
  readonly reply: ApiReply;

  constructor(status: number, description: string, headers: Record<string, string> = {}) {
    super(description);
    this.name = 'ApiError';
    this.reply = { status, headers, json: { code: status, title: TITLES[status] ?? 'Error', description } };
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
};

/** Larger requests are cut off. Octets. */
const MAX_BODY = 1_048_576;
/** Barbican reads so many octets of a JSON body; what is cut there is malformed. */
const MAX_JSON = 25_000;

/** Reads a request. @throws ApiError 413, 400 */
export async function readRequest(message: IncomingMessage, origin: string): Promise<ApiRequest> {
  const url = new URL(message.url ?? '/', origin);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY)
      throw new ApiError(413, 'Provided information too large to process', { connection: 'close' });
    chunks.push(chunk);
  }
  const path = url.pathname.split('/').slice(1).map(decodeSegment);
  const { method = 'GET', headers } = message;
  return { method, path, query: url.searchParams, headers, body: Buffer.concat(chunks), origin };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ApiError(400, 'URI is malformed');
  }
}

/** Sends an answer. */
export function sendReply(response: ServerResponse, reply: ApiReply): void {
  const { status, json, octets } = reply;
  const body = json === undefined ? Buffer.from(octets ?? []) : Buffer.from(JSON.stringify(json));
  const headers: Record<string, string> = { ...reply.headers };
  if (json !== undefined) headers['content-type'] ??= 'application/json';
  if (status !== 204) headers['content-length'] = String(body.length);
  response.writeHead(status, headers);
  response.end(status === 204 ? undefined : body);
}

/** The JSON of a request's body, which has to be an object. @throws ApiError 415, 400 */
export function readJsonBody(request: ApiRequest, schema: string): Record<string, unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new ApiError(415, "Unexpected content type. Expected content types are: ['application/json']");
  }
  let value: unknown;
  try {
    value = JSON.parse(request.body.subarray(0, MAX_JSON).toString('utf8'));
  } catch {
    throw new ApiError(400, 'Malformed JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw schemaError(schema, "the body is not of type 'object'", 'None');
  }
  return value as Record<string, unknown>;
}

/** What Barbican says of a body that its schema does not allow. */
export function schemaError(schema: string, reason: string, property: string): ApiError {
  const text = `Provided object does not match schema '${schema}': ${reason}. Invalid property: '${property}'`;
  return new ApiError(400, text);
}

/** A method that a resource does not have. */
export function methodNotAllowed(allow: string): ApiError {
  return new ApiError(405, '', { allow });
}

/** A new id of a request, as OpenStack services give it. */
export function newRequestId(): string {
  return `req-${randomUUID()}`;
}

/** A time as Barbican writes it: UTC without a zone, without a fraction that is zero. */
export function formatTime(milliseconds: number): string {
  const text = new Date(milliseconds).toISOString().slice(0, -1);
  return text.endsWith('.000') ? text.slice(0, -4) : `${text}000`;
}
