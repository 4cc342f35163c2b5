import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BarbicanClient } from './barbican/client.js';
import {
  type DevelopmentBarbican,
  type DevelopmentBarbicanOptions,
  startDevelopmentBarbican,
} from './barbican/development.js';
import type { BarbicanSettings, Credentials } from './barbican/settings.js';
import { type Config, readSecret, SECRET_VARIABLES } from './config.js';
import { errorMessage, ZonesealError } from './errors.js';
import type { SecretAccess } from './keys/key-maker.js';
import { findRunningGateway, type RunningGateway } from './running-gateway.js';

/** A key store that is connected, and how to let it go. */
export interface OpenKeyStore {
  readonly client: BarbicanClient;
  /** Who may read what is stored in it. */
  readonly access: SecretAccess;
  /** Whether it is the development Barbican with throw-away keys. */
  readonly development: boolean;
  /** How other processes reach the development Barbican, where it was started here. */
  readonly started?: NonNullable<RunningGateway['barbican']>;
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
    readCredentials: () => credentialsOf(barbican),
    interface: barbican.interface,
    requestTimeout: barbican.timeout * 1000,
    ...(barbicanUrl === undefined ? {} : { barbicanUrl }),
    ...(region === undefined ? {} : { region }),
    ...(microversion === undefined ? {} : { microversion }),
    ...(caFile === undefined ? {} : { ca: readTextFile(caFile, 'barbican.caFile') }),
  };
}

function credentialsOf(barbican: NonNullable<Config['barbican']>): Credentials {
  const { username, userDomain, project, projectDomain } = barbican;
  const id = barbican.applicationCredentialId ?? idInFile(barbican.applicationCredentialIdFile);
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

function idInFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const setting = 'barbican.applicationCredentialIdFile';
  const id = readTextFile(path, setting).trim();
  if (/^[\x21-\x7e]+$/.test(id)) return id;
  const reason = `${setting}: ${path} does not hold the id of an application credential alone; write that into it`;
  throw new ZonesealError('CONFIG_INVALID', reason, { errors: [reason] });
}

function missing(setting: string, variable: string): ZonesealError {
  const reason = `barbican.${setting}: is missing; give it, or set ${variable}`;
  return new ZonesealError('CONFIG_INVALID', reason, { errors: [reason] });
}

/**
 * The text of a file that a setting names.
 * @throws ZonesealError CONFIG_INVALID when it cannot be read
 */
export function readTextFile(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = `${setting}: ${path} cannot be read: ${errorMessage(error)}`;
    throw new ZonesealError('CONFIG_INVALID', reason, { errors: [reason] });
  }
}

/** The folder of the development Barbican's secrets inside the data folder. */
export function developmentSecretsFolder(config: Config): string {
  return join(config.data, 'barbican');
}

/** The throw-away keys that the package brings, which the development Barbican starts with. */
export const DEVELOPMENT_KEYS_FOLDER = fileURLToPath(new URL('../keys-dev', import.meta.url));

/** What of a development Barbican a gateway writes down, so that commands beside it use the same. */
export function describeDevelopmentBarbican(
  barbican: Pick<DevelopmentBarbican, 'keystoneUrl' | 'barbicanUrl' | 'credentials'>,
): NonNullable<RunningGateway['barbican']> {
  const { keystoneUrl, barbicanUrl, credentials } = barbican;
  if (credentials.kind !== 'password') throw new Error('the development Barbican has users with passwords');
  const { username, userDomain, password, project, projectDomain } = credentials;
  return { keystoneUrl, barbicanUrl, username, userDomain, password, project, projectDomain };
}

/** Starts the development Barbican on the data folder. */
export function startConfiguredDevelopmentBarbican(
  config: Config,
  log?: DevelopmentBarbicanOptions['log'],
): Promise<DevelopmentBarbican> {
  return startDevelopmentBarbican({
    dataFolder: developmentSecretsFolder(config),
    seedFolder: DEVELOPMENT_KEYS_FOLDER,
    ...(log === undefined ? {} : { log }),
  });
}

/**
 * Opens the key store: the configured Barbican; without one, the development Barbican of the gateway that runs on the data
 * folder, or one of its own on the same folder.
 * @throws ZonesealError CONFIG_INVALID, KEYSTORE_CONFIG_INVALID
 */
export async function openKeyStore(
  config: Config,
  log?: DevelopmentBarbicanOptions['log'],
): Promise<OpenKeyStore> {
  if (config.barbican !== undefined) {
    const { privateSecrets: isPrivate, secretReaders: readers } = config.barbican;
    const settings = barbicanSettings(config.barbican);
    return connected(settings, false, () => Promise.resolve(), { isPrivate, readers });
  }
  const running = findRunningGateway(config.data)?.barbican;
  if (running !== undefined) {
    const { keystoneUrl, barbicanUrl, ...user } = running;
    const credentials: Credentials = { kind: 'password', ...user };
    return connected({ keystoneUrl, barbicanUrl, credentials }, true, () => Promise.resolve());
  }
  const development = await startConfiguredDevelopmentBarbican(config, log);
  const started = describeDevelopmentBarbican(development);
  return { ...connected(development, true, () => development.close()), started };
}

function connected(
  settings: BarbicanSettings,
  development: boolean,
  close: () => Promise<void>,
  access: SecretAccess = { isPrivate: false, readers: [] },
): OpenKeyStore {
  const client = new BarbicanClient(settings);
  return {
    client,
    access,
    development,
    close: async () => {
      client.close();
      await close();
    },
  };
}
