import { type ErrorCode, ZonesealError } from '../errors.js';

/** Codes of Node's sockets and resolver after which another attempt may succeed. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EACCES',
]);

/** What pg says of a connection that broke or could not be had; these errors carry no code. */
const CONNECTION_MESSAGES =
  /connection terminated|timeout exceeded when trying to connect|connection error|not queryable|query read timeout|connection ended|server does not support ssl|pool is (ending|draining)|calling end on the pool|self.signed|certificate/i;

/** By SQLSTATE (PostgreSQL appendix A), longest prefix first. */
const SQLSTATES: readonly (readonly [prefix: string, code: ErrorCode])[] = [
  ['40001', 'DATABASE_CONFLICT'],
  ['40P01', 'DATABASE_CONFLICT'],
  ['55P03', 'DATABASE_CONFLICT'],
  ['57014', 'DATABASE_TIMEOUT'],
  ['25P03', 'DATABASE_TIMEOUT'],
  ['57P', 'DATABASE_UNAVAILABLE'],
  ['53', 'DATABASE_UNAVAILABLE'],
  ['08', 'DATABASE_UNAVAILABLE'],
  ['25006', 'DATABASE_UNAVAILABLE'],
  ['28', 'DATABASE_REFUSED_LOGIN'],
  ['3D000', 'DATABASE_REFUSED_LOGIN'],
  ['42501', 'DATABASE_FORBIDDEN'],
  ['23', 'DATA_REFUSED'],
  ['22', 'DATA_REFUSED'],
  ['0A', 'DATA_REFUSED'],
];

const NEXT_STEPS: Partial<Record<ErrorCode, string>> = {
  DATABASE_UNAVAILABLE: 'see whether PostgreSQL runs and can be reached',
  DATABASE_REFUSED_LOGIN: 'check database.url, the password and pg_hba.conf',
  DATABASE_TIMEOUT: 'raise database.statementTimeout, or see what the database waits for',
  DATABASE_FORBIDDEN: 'see docs/database.md for the rights of each role',
};

/**
 * The ZonesealError for whatever pg, a socket or TLS threw. Holds the SQLSTATE and the server's message, but neither its
 * detail (which quotes rows), nor addresses, statements or parameters.
 */
export function databaseError(thrown: unknown): ZonesealError {
  if (thrown instanceof ZonesealError) return thrown;
  const error = (thrown instanceof AggregateError ? thrown.errors[0] : thrown) as {
    code?: unknown;
    message?: unknown;
    constraint?: unknown;
    table?: unknown;
    severity?: unknown;
  } | null;
  const state = typeof error?.code === 'string' ? error.code : undefined;
  const fromServer = error?.severity !== undefined;
  const reason = fromServer
    ? String(error?.message)
    : connectionReason(state, String(error?.message ?? thrown));
  const code = fromServer
    ? codeOfState(state)
    : isConnectionError(state, reason)
      ? 'DATABASE_UNAVAILABLE'
      : 'DATABASE_FAILED';
  const next = NEXT_STEPS[code];
  const message =
    code === 'DATA_REFUSED' ? reason : `database: ${reason}${next === undefined ? '' : `; ${next}`}`;
  return new ZonesealError(code, message, {
    ...(state === undefined ? {} : { state }),
    ...(typeof error?.constraint === 'string' ? { constraint: error.constraint } : {}),
    ...(typeof error?.table === 'string' ? { table: error.table } : {}),
    retriable: isRetriable(code),
  });
}

function codeOfState(state: string | undefined): ErrorCode {
  return SQLSTATES.find(([prefix]) => state?.startsWith(prefix))?.[1] ?? 'DATABASE_FAILED';
}

function isConnectionError(code: string | undefined, message: string): boolean {
  return (code !== undefined && CONNECTION_CODES.has(code)) || CONNECTION_MESSAGES.test(message);
}

/** Node's messages hold addresses and paths; the code says as much. */
function connectionReason(code: string | undefined, message: string): string {
  return code !== undefined && CONNECTION_CODES.has(code) ? `no connection (${code})` : message;
}

function isRetriable(code: ErrorCode): boolean {
  return code === 'DATABASE_UNAVAILABLE' || code === 'DATABASE_CONFLICT' || code === 'DATABASE_TIMEOUT';
}

/** Whether a connection must not be used again after this error. */
export function breaksConnection(error: unknown): boolean {
  if (!(error instanceof ZonesealError)) return false;
  return (
    error.code === 'DATABASE_UNAVAILABLE' ||
    (error.code === 'DATABASE_FAILED' && error.fields['state'] === undefined)
  );
}
