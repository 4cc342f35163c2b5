import { ApiError, type ApiRequest } from './api.js';
import type { Identity } from './identity.js';
import type { StoredSecret } from './storage.js';

/** A request of someone who is known. */
export interface Call {
  readonly request: ApiRequest;
  readonly identity: Identity;
  /** 1.0 or 1.1. */
  readonly microversion: string;
}

/** Actions of the API, each with the words that its refusal begins with. */
export const ACTION_WORDS = {
  store: 'Secret creation',
  list: 'Secret(s) retrieval',
  describe: 'Secret retrieval',
  payload: 'Secret payload retrieval',
  update: 'Secret update',
  remove: 'Secret deletion',
  'read-metadata': 'Secret metadata retrieval',
  'write-metadata': 'Secret metadata creation',
  'read-acl': 'SecretACL(s) retrieval',
  'write-acl': 'SecretACL(s) Update',
  order: 'Order creation',
} as const;

export type Action = keyof typeof ACTION_WORDS;

const WRITERS = ['admin', 'creator'];
const READERS = ['admin', 'creator', 'observer'];

/** Actions of the project as a whole. */
const PROJECT_ROLES: Partial<Record<Action, readonly string[]>> = {
  store: WRITERS,
  list: READERS,
  order: WRITERS,
};

/** The roles by which an action on a secret that the project shares is allowed (Barbican's policy before the new defaults). */
const SECRET_ROLES: Partial<Record<Action, readonly string[]>> = {
  describe: [...READERS, 'audit'],
  payload: READERS,
  update: WRITERS,
  remove: WRITERS,
  'read-metadata': [...READERS, 'audit'],
  'write-metadata': WRITERS,
  'read-acl': READERS,
  'write-acl': WRITERS,
};

/** What the users that an ACL names may do beside. */
const ACL_ACTIONS: readonly Action[] = ['describe', 'payload', 'read-metadata'];

/** Holds that an identity may do something in its project. @throws ApiError 403; 500 for an unscoped token, as Barbican does */
export function allowInProject(identity: Identity, action: Action): void {
  if (identity.projectId === undefined) {
    throw new ApiError(500, `${ACTION_WORDS[action]} failure seen - please contact site administrator.`);
  }
  const roles = PROJECT_ROLES[action] ?? [];
  if (!identity.roles.some((role) => roles.includes(role))) throw forbidden(action);
}

/** Holds that an identity may do something with a secret. @throws ApiError 403 */
export function allowOnSecret(identity: Identity, action: Action, secret: StoredSecret): void {
  if (!isAllowed(identity, action, secret)) throw forbidden(action);
}

function isAllowed(identity: Identity, action: Action, secret: StoredSecret): boolean {
  const { acl } = secret;
  if (acl?.users.includes(identity.userId) === true && ACL_ACTIONS.includes(action)) return true;
  if (identity.projectId !== secret.projectId) return false;
  const roles = SECRET_ROLES[action] ?? [];
  if (!identity.roles.some((role) => roles.includes(role))) return false;
  return (
    (acl?.projectAccess ?? true) || identity.userId === secret.creatorId || identity.roles.includes('admin')
  );
}

function forbidden(action: Action): ApiError {
  return new ApiError(
    403,
    `${ACTION_WORDS[action]} attempt not allowed - please review your user/project privileges`,
  );
}
