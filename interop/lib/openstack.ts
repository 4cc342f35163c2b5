import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { barbicanConf, keystoneConf } from './openstack/config.js';
import { KeystoneAdministration, type LaboratoryAccount } from './openstack/identity.js';
import { freePort } from './ports.js';
import { RunningProgram, removeFolder, runWell, temporaryFolder } from './processes.js';

export type { LaboratoryAccount } from './openstack/identity.js';

const PYTHON = '/usr/bin/python3';
const scripts = fileURLToPath(new URL('./openstack/', import.meta.url));
/** Requests between the services go over loopback, past any proxy. */
const quiet = { no_proxy: '127.0.0.1', NO_PROXY: '127.0.0.1', PYTHONWARNINGS: 'ignore' };

export interface OpenstackOptions {
  readonly accounts: readonly LaboratoryAccount[];
  /** Default 3,600. */
  readonly tokenSeconds?: number;
}

/** The real Keystone and the real Barbican of Debian on loopback, SQLite behind them. */
export class Openstack {
  readonly keystoneUrl: string;
  readonly barbicanUrl: string;
  readonly #folder: string;
  #keystone: RunningProgram | undefined;
  #barbican: RunningProgram | undefined;

  private constructor(folder: string, keystoneUrl: string, barbicanUrl: string) {
    this.#folder = folder;
    this.keystoneUrl = keystoneUrl;
    this.barbicanUrl = barbicanUrl;
  }

  /** Starts both, with users; takes some ten seconds. */
  static async start(options: OpenstackOptions): Promise<Openstack> {
    const folder = temporaryFolder('openstack');
    const keystoneUrl = `http://127.0.0.1:${await freePort()}/v3`;
    const barbicanUrl = `http://127.0.0.1:${await freePort()}`;
    const openstack = new Openstack(folder, keystoneUrl, barbicanUrl);
    try {
      await openstack.#prepare(options.tokenSeconds ?? 3600);
      await Promise.all([openstack.startKeystone(), openstack.startBarbican()]);
      const administration = await KeystoneAdministration.login(keystoneUrl);
      const service = { username: 'barbican', project: 'service', roles: ['admin', 'service'] };
      await administration.addAccounts([service, ...options.accounts]);
      await administration.addService('key-manager', barbicanUrl);
      return openstack;
    } catch (error) {
      await openstack.close();
      throw error;
    }
  }

  async #prepare(tokenSeconds: number): Promise<void> {
    const folder = this.#folder;
    const configFile = join(folder, 'keystone.conf');
    writeFileSync(configFile, keystoneConf(folder, this.keystoneUrl, tokenSeconds));
    mkdirSync(join(folder, '.barbican'));
    const kek = randomBytes(32).toString('base64url').padEnd(44, '=');
    writeFileSync(
      join(folder, '.barbican', 'barbican.conf'),
      barbicanConf(folder, this.barbicanUrl, this.keystoneUrl, kek),
    );
    copyFileSync(join(scripts, 'paste.ini'), join(folder, 'paste.ini'));
    const keys = [join(folder, 'fernet-keys'), join(folder, 'credential-keys')];
    await Promise.all([
      runWell(PYTHON, [join(scripts, 'prepare-keystone.py'), configFile, this.keystoneUrl, ...keys], {
        environment: quiet,
      }),
      runWell(PYTHON, [join(scripts, 'prepare-barbican.py')], {
        environment: { ...quiet, HOME: folder },
        cwd: folder,
      }),
    ]);
  }

  async startKeystone(): Promise<void> {
    const environment = { ...quiet, OS_KEYSTONE_CONFIG_FILES: join(this.#folder, 'keystone.conf') };
    const args = [join(scripts, 'serve.py'), 'keystone', new URL(this.keystoneUrl).port];
    this.#keystone = RunningProgram.start({ name: 'keystone', path: PYTHON, args, environment });
    await this.#keystone.waitUntil('an answer', () => answers(this.keystoneUrl));
  }

  async startBarbican(): Promise<void> {
    const environment = { ...quiet, HOME: this.#folder };
    const args = [
      join(scripts, 'serve.py'),
      'barbican',
      new URL(this.barbicanUrl).port,
      join(this.#folder, 'paste.ini'),
    ];
    this.#barbican = RunningProgram.start({
      name: 'barbican',
      path: PYTHON,
      args,
      environment,
      cwd: this.#folder,
    });
    await this.#barbican.waitUntil('an answer', () => answers(`${this.barbicanUrl}/healthcheck`));
  }

  async stopKeystone(): Promise<void> {
    await this.#keystone?.stop();
    this.#keystone = undefined;
  }

  async stopBarbican(): Promise<void> {
    await this.#barbican?.stop();
    this.#barbican = undefined;
  }

  /** The logs and databases of both, octet by octet, by the names of their files. */
  remains(): ReadonlyMap<string, Buffer> {
    const names = [
      'keystone.log',
      'barbican.log',
      'keystone.sqlite',
      'keystone.sqlite-wal',
      'barbican.sqlite',
    ];
    const found = names.filter((name) => existsSync(join(this.#folder, name)));
    return new Map(found.map((name) => [name, readFileSync(join(this.#folder, name))]));
  }

  async close(): Promise<void> {
    await Promise.all([this.stopKeystone(), this.stopBarbican()]);
    removeFolder(this.#folder);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
