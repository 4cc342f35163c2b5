import { readFileSync } from 'node:fs';
import { BarbicanClient } from './barbican/client.js';
import type { BarbicanSettings, Credentials } from './barbican/settings.js';
import { type Config, readSecret, SECRET_VARIABLES } from './config.js';
import { errorMessage, ZonesealError } from './errors.js';

/** A key store that is connected, and how to let it go. */
export interface OpenKeyStore {
  readonly client: BarbicanClient;
  /** Whether it is the development Barbican with throw-away keys. */
  readonly development: boolean;
  close(): Promise<void>;
}

/**
 * How the configured Barbican is reached, its secrets read.
 * @throws ZonesealError CONFIG_INVALID where a secret or file is missing
 */
export function barbicanSettings(barbican: NonNullable<Config['barbican']>): BarbicanSettings {
  const { keystoneUrl, barbicanUrl, region, microversion, caFile } = barbican;
  return {
    keystoneUrl,
    credentials: credentialsOf(barbican),
    interface: barbican.interface,
    requestTimeout: barbican.timeout * 1000,
    ...(barbicanUrl === undefined ? {} : { barbicanUrl }),
    ...(region === undefined ? {} : { region }),
    ...(microversion === undefined ? {} : { microversion }),
    ...(caFile === undefined ? {} : { ca: readFile(caFile, 'barbican.caFile') }),
  };
}

function credentialsOf(barbican: NonNullable<Config['barbican']>): Credentials {
  const { applicationCredentialId: id, username, userDomain, project, projectDomain } = barbican;
  if (id !== undefined) {
    const variable = SECRET_VARIABLES.barbicanApplicationCredentialSecret;
    const secret = readSecret(variable, barbican.applicationCredentialSecretFile);
    if (secret === undefined) throw missing('applicationCredentialSecretFile', variable);
    return { kind: 'application_credential', id, secret };
  }
  const variable = SECRET_VARIABLES.barbicanPassword;
  const password = readSecret(variable, barbican.passwordFile);
  if (password === undefined) throw missing('passwordFile', variable);
  if (username === undefined || project === undefined)
    throw missing('username', 'ZONESEAL_BARBICAN_USERNAME');
  return { kind: 'password', username, userDomain, password, project, projectDomain };
}

function missing(setting: string, variable: string): ZonesealError {
  const reason = `barbican.${setting}: is missing; give it, or set ${variable}`;
  return new ZonesealError('CONFIG_INVALID', reason, { errors: [reason] });
}

function readFile(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = `${setting}: ${path} cannot be read: ${errorMessage(error)}`;
    throw new ZonesealError('CONFIG_INVALID', reason, { errors: [reason] });
  }
}

/**
 * Opens the configured key store.
 * @throws ZonesealError CONFIG_INVALID, KEYSTORE_CONFIG_INVALID
 */
export function openKeyStore(config: Config): Promise<OpenKeyStore> {
  if (config.barbican === undefined) throw new Error('not yet');
  const client = new BarbicanClient(barbicanSettings(config.barbican));
  return Promise.resolve({
    client,
    development: false,
    close: () => {
      client.close();
      return Promise.resolve();
    },
  });
}
