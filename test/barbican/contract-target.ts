import type { Credentials } from '../../src/barbican/settings.js';

/** A Keystone with a Barbican, and users with the roles that CONTRACT_ACCOUNTS gives them. */
export interface ContractTarget {
  readonly keystoneUrl: string;
  readonly barbicanUrl: string;
  close(): Promise<void>;
}

/** Users in domain Default; each password is the name followed by `pw`. */
export const CONTRACT_ACCOUNTS: readonly {
  readonly username: string;
  readonly project: string;
  readonly roles: readonly string[];
}[] = [
  { username: 'signer', project: 'dns', roles: ['creator'] },
  { username: 'signer2', project: 'dns', roles: ['creator'] },
  { username: 'watcher', project: 'dns', roles: ['observer'] },
  { username: 'auditor', project: 'dns', roles: ['audit'] },
  { username: 'plainmember', project: 'dns', roles: ['member'] },
  { username: 'projadmin', project: 'dns', roles: ['admin'] },
  { username: 'norole', project: 'dns', roles: [] },
  { username: 'stranger', project: 'other', roles: ['creator'] },
];

/** The password credentials of an account of CONTRACT_ACCOUNTS. */
export function contractCredentials(username: string): Credentials {
  const project = CONTRACT_ACCOUNTS.find((account) => account.username === username)?.project ?? 'dns';
  return {
    kind: 'password',
    username,
    password: `${username}pw`,
    project,
    userDomain: 'Default',
    projectDomain: 'Default',
  };
}
