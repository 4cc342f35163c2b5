import { createHash } from 'node:crypto';

/** A user of the development Keystone, in domain Default, with roles in one project. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly project: string;
  /** As in Keystone: creator, admin, observer, audit, member … */
  readonly roles: readonly string[];
}

/** The id of a user, the same at every start. */
export function userIdOf(username: string): string {
  return stableId(`user ${username}`);
}

/** The id of a project, the same at every start. */
export function projectIdOf(project: string): string {
  return stableId(`project ${project}`);
}

/** An id of the form that Keystone gives. */
export function stableId(text: string): string {
  return createHash('sha256').update(`zoneseal development ${text}`).digest('hex').slice(0, 32);
}
