import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { type DevelopmentBarbican, startDevelopmentBarbican } from '../../src/barbican/development.js';
import { ZonesealError } from '../../src/errors.js';
import { barbicanSettings } from '../../src/gateway-parts.js';

interface ApplicationCredential {
  readonly id: string;
  readonly secret: string;
}

const folder = mkdtempSync(join(tmpdir(), 'zoneseal-credentials-'));
const idFile = join(folder, 'id');
const secretFile = join(folder, 'secret');
const passwordFile = join(folder, 'password');
const clients: BarbicanClient[] = [];
let barbican: DevelopmentBarbican;
let now = Date.now();
const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };

beforeAll(async () => {
  barbican = await startDevelopmentBarbican({ dataFolder: join(folder, 'data') });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});
afterAll(async () => {
  await barbican?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Keystone as its user, who makes and deletes application credentials. */
async function asOwner(method: 'POST' | 'DELETE', path: string, json?: object): Promise<unknown> {
  const { credentials, keystoneUrl } = barbican;
  if (credentials.kind !== 'password') throw new Error('users have passwords');
  const domain = { name: 'Default' };
  const { username: name, password, project } = credentials;
  const auth = {
    identity: { methods: ['password'], password: { user: { name, domain, password } } },
    scope: { project: { name: project, domain } },
  };
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ auth });
  const login = await fetch(`${keystoneUrl}/auth/tokens`, { method: 'POST', headers, body });
  const { token } = (await login.json()) as { token: { user: { id: string } } };
  const answer = await fetch(`${keystoneUrl}/users/${token.user.id}/application_credentials${path}`, {
    method,
    headers: { ...headers, 'x-auth-token': login.headers.get('x-subject-token') ?? '' },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  expect(answer.ok).toBe(true);
  return answer.status === 204 ? undefined : answer.json();
}

async function makeCredential(): Promise<ApplicationCredential> {
  const made = await asOwner('POST', '', { application_credential: { name: 'gateway' } });
  return (made as { application_credential: ApplicationCredential }).application_credential;
}

function write({ id, secret }: ApplicationCredential): void {
  writeFileSync(idFile, `${id}\n`);
  writeFileSync(secretFile, `${secret}\n`);
}

type Section = Parameters<typeof barbicanSettings>[0];
function connect(who: Partial<Section>): BarbicanClient {
  const { keystoneUrl } = barbican;
  const rest = { interface: 'public', userDomain: 'Default', projectDomain: 'Default', timeout: 10 } as const;
  const section = { keystoneUrl, ...rest, privateSecrets: false, secretReaders: [], ...who };
  const client = new BarbicanClient(barbicanSettings(section), clock);
  clients.push(client);
  return client;
}
const BY_FILES = { applicationCredentialIdFile: idFile, applicationCredentialSecretFile: secretFile };

const use = async (client: BarbicanClient): Promise<number> => {
  let count = 0;
  for await (const _ of client.listSecrets({ name: 'none' })) count++;
  return count;
};

async function refusal(client: BarbicanClient): Promise<ZonesealError> {
  const error = await use(client).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ZonesealError);
  return error as ZonesealError;
}

/** How often Keystone was asked. */
function asked(client: BarbicanClient): number {
  return [...(client.state.keystone.outcomes.get('token') ?? [])].reduce((sum, [, n]) => sum + n, 0);
}

describe('an application credential that is deleted', () => {
  it('and replaced in its files afterwards is taken by the same client, which asks no more often', async () => {
    const [old, fresh] = [await makeCredential(), await makeCredential()];
    write(old);
    const client = connect(BY_FILES);
    await use(client);
    await asOwner('DELETE', `/${old.id}`);
    expect(await refusal(client)).toMatchObject({
      code: 'KEYSTORE_FORBIDDEN',
      fields: { refusal: 'credentials' },
    });
    write(fresh);
    for (let i = 0; i < 3; i++) expect((await refusal(client)).code).toBe('KEYSTORE_FORBIDDEN');
    expect(asked(client)).toBe(2);
    now += 10_001;
    await use(client);
    expect(asked(client)).toBe(3);
    // what is refused no more is not read again
    rmSync(secretFile);
    await use(client);
    expect(asked(client)).toBe(3);
  });

  it('and was replaced in its files before is not noticed', async () => {
    const [old, fresh] = [await makeCredential(), await makeCredential()];
    write(old);
    const client = connect(BY_FILES);
    await use(client);
    write(fresh);
    await asOwner('DELETE', `/${old.id}`);
    await use(client);
    expect([...(client.state.keystone.outcomes.get('token') ?? [])]).toEqual([['ok', 2]]);
  });

  it.each([
    ['is away', (): void => rmSync(secretFile), /secret: .*ENOENT/],
    ['is empty', (): void => writeFileSync(secretFile, '\n'), /is empty/],
    [
      'holds more than an id',
      (): void => writeFileSync(idFile, 'an id'),
      /id of an application credential alone/,
    ],
  ])('and whose file %s is refused with that, and taken once it is there', async (_, spoil, reason) => {
    const [old, fresh] = [await makeCredential(), await makeCredential()];
    write(old);
    const client = connect(BY_FILES);
    await use(client);
    await asOwner('DELETE', `/${old.id}`);
    spoil();
    const error = await refusal(client);
    expect(error.message).toMatch(/deleted \(status 404\), and they cannot be read anew: /);
    expect(error.message).toMatch(reason);
    expect(inspect(error, { depth: 9 })).not.toContain(old.secret);
    write(fresh);
    now += 10_001;
    await use(client);
  });
});

describe('a password that is changed', () => {
  it('is taken from its file after it was refused', async () => {
    const { credentials } = barbican;
    if (credentials.kind !== 'password') throw new Error('users have passwords');
    const { username, password, project } = credentials;
    writeFileSync(passwordFile, 'that of before\n');
    const client = connect({ username, project, passwordFile });
    expect((await refusal(client)).message).toContain('status 401');
    writeFileSync(passwordFile, `${password}\n`);
    expect((await refusal(client)).code).toBe('KEYSTORE_FORBIDDEN');
    now += 10_001;
    await use(client);
    expect(asked(client)).toBe(2);
  });
});
