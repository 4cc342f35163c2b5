import type { z } from 'zod';
import { type ErrorCode, ZonesealError } from '../errors.js';
import { type HttpAnswer, type HttpRequest, nameOf } from './http.js';

type Asked = Pick<HttpRequest, 'service' | 'operation'>;

interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
  readonly transient?: true;
  /** What it does not allow, where its answer says so. */
  readonly refusal?: 'quota' | 'role';
}

/**
 * What a status other than success means. The texts are ours: the server's own may repeat what it was sent, a payload
 * included.
 */
const REFUSALS: Readonly<Record<number, Refusal>> = {
  400: { code: 'KEYSTORE_REFUSED', text: 'it finds the request malformed' },
  401: { code: 'KEYSTORE_FORBIDDEN', text: 'it does not accept the token, nor a new one' },
  403: { code: 'KEYSTORE_FORBIDDEN', text: 'the role, the ACL of the secret or a quota does not allow it' },
  404: {
    code: 'KEY_MISSING',
    text: 'there is no such secret: it was deleted, has expired, or never had a payload',
  },
  406: {
    code: 'KEYSTORE_REFUSED',
    text: 'it does not know the API microversion, or cannot give this content type',
  },
  409: { code: 'KEYSTORE_REFUSED', text: 'what is there already is in the way' },
  413: {
    code: 'KEYSTORE_REFUSED',
    text: 'the payload is larger than it takes (20,000 octets where nothing else is set)',
  },
  429: { code: 'KEYSTORE_UNAVAILABLE', text: 'it asks for fewer requests', transient: true },
};

/**
 * Holds that an answer has one of the statuses that stand for success.
 * @throws ZonesealError KEYSTORE_UNAVAILABLE (fields.transient) for 5xx and 429, KEYSTORE_FORBIDDEN, KEYSTORE_QUOTA, KEY_MISSING,
 * KEYSTORE_REFUSED, KEYSTORE_ANSWER_INVALID for anything else
 */
export function expectStatus(asked: Asked, answer: HttpAnswer, ...statuses: readonly number[]): void {
  const { status, requestId } = answer;
  if (statuses.includes(status)) return;
  const { code, text, transient, refusal } = refusalOf(asked, answer);
  const suffix = requestId === undefined ? '' : `, request ${requestId}`;
  throw new ZonesealError(
    code,
    `${nameOf(asked.service)} (${asked.operation}): ${text} (status ${status}${suffix})`,
    {
      service: asked.service,
      operation: asked.operation,
      status,
      ...(requestId === undefined ? {} : { requestId }),
      ...(transient === true ? { transient } : {}),
      ...(refusal === undefined ? {} : { refusal }),
    },
  );
}

const QUOTA: Refusal = {
  code: 'KEYSTORE_QUOTA',
  text: 'the quota of secrets of the project is used up',
  refusal: 'quota',
};
const MAY_NOT_STORE: Refusal = {
  code: 'KEYSTORE_FORBIDDEN',
  text: 'the user has no role in the project that may store secrets',
  refusal: 'role',
};

function refusalOf({ service, operation }: Asked, { status, headers, body }: HttpAnswer): Refusal {
  const json = /^application\/json\b/i.test(headers['content-type'] ?? '');
  // a web server or proxy that knows no such path: the secret may well be there
  if (status === 404 && (!json || service === 'keystone')) {
    return { code: 'KEYSTORE_ANSWER_INVALID', text: 'there is no such API at its address; correct it' };
  }
  // the same status for both, and only the text tells them apart
  if (status === 403 && operation === 'store-secret') {
    return /quota/i.test(body.toString('latin1')) ? QUOTA : MAY_NOT_STORE;
  }
  const known = REFUSALS[status];
  if (known !== undefined) return known;
  if (status >= 500) return { code: 'KEYSTORE_UNAVAILABLE', text: 'it fails', transient: true };
  if (status >= 300 && status < 400) {
    return {
      code: 'KEYSTORE_ANSWER_INVALID',
      text: 'it redirects, which is not followed; correct its address',
    };
  }
  return { code: 'KEYSTORE_ANSWER_INVALID', text: 'it answers with an unexpected status' };
}

/**
 * Reads a JSON answer by its schema. HTML from a proxy in front, or anything else that is not JSON, is refused.
 * @throws ZonesealError KEYSTORE_ANSWER_INVALID, naming fields but none of their values
 */
export function readJson<T>(asked: Asked, answer: HttpAnswer, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = JSON.parse(answer.body.toString('utf8'));
  } catch {
    const html = /html/i.test(answer.headers['content-type'] ?? '');
    throw answerInvalid(
      asked,
      html ? 'its answer is a web page; is there a proxy in front?' : 'its answer is no JSON',
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => issue.path.map(String).join('.')).slice(0, 3);
  throw answerInvalid(
    asked,
    `its answer lacks what is wanted, or has it in another form: ${where.join(', ')}`,
  );
}

/** An error for an answer that the API does not allow. */
export function answerInvalid(asked: Asked, reason: string): ZonesealError {
  const { service, operation } = asked;
  return new ZonesealError('KEYSTORE_ANSWER_INVALID', `${nameOf(service)} (${operation}): ${reason}`, {
    service,
    operation,
  });
}
