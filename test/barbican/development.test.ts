import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { readManifest } from '../../src/barbican/development/manifest.js';
import {
  DEVELOPMENT_WARNING,
  type DevelopmentBarbican,
  type DevelopmentBarbicanOptions,
  startDevelopmentBarbican,
} from '../../src/barbican/development.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { TsigSecretRing } from '../../src/keys/tsig-secret-ring.js';
import { describeContract } from './contract.js';
import { CONTRACT_ACCOUNTS } from './contract-target.js';

const seedFolder = fileURLToPath(new URL('../../keys-dev', import.meta.url));

describeContract('the development Barbican', async () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'zoneseal-barbican-'));
  const accounts = CONTRACT_ACCOUNTS.map((account) => ({ ...account, password: `${account.username}pw` }));
  const server = await startDevelopmentBarbican({ dataFolder, accounts });
  return {
    keystoneUrl: server.keystoneUrl,
    barbicanUrl: server.barbicanUrl,
    close: async () => {
      await server.close();
      rmSync(dataFolder, { recursive: true });
    },
  };
});

describe('the development Barbican', () => {
  let dataFolder: string;
  const running: { close(): unknown }[] = [];
  beforeEach(() => {
    dataFolder = mkdtempSync(join(tmpdir(), 'zoneseal-barbican-'));
  });
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.close();
    rmSync(dataFolder, { recursive: true });
  });
  const start = async (
    options: Partial<DevelopmentBarbicanOptions> = {},
  ): Promise<[DevelopmentBarbican, BarbicanClient]> => {
    const server = await startDevelopmentBarbican({ dataFolder, seedFolder, ...options });
    const client = new BarbicanClient({ keystoneUrl: server.keystoneUrl, credentials: server.credentials });
    running.push(server, client);
    return [server, client];
  };
  const secret = { name: 'kept', type: 'private', contentType: 'application/octet-stream' } as const;

  it('starts with the keys of keys-dev/, which fit their DNSKEYs and TSIG names', async () => {
    const [, client] = await start();
    const manifest = await readManifest(seedFolder);
    const ring = new KeyRing(client);
    for (const { secret: id, ...key } of manifest.keys) {
      const publicKey = Buffer.from(key.publicKey, 'base64');
      const zoneKey = { ...key, id, publicKey, secretRef: id, view: null, signs: true, published: true };
      await expect(ring.privateKey(zoneKey)).resolves.toBeDefined();
    }
    const secrets = new TsigSecretRing(client);
    for (const { secret: id, ...key } of manifest.tsigKeys) {
      const { secret: octets } = await secrets.key({ ...key, secretRef: id });
      const line = `${key.algorithm}:${key.name}:${Buffer.from(octets).toString('base64')}\n`;
      expect(readFileSync(join(seedFolder, key.kdigFile), 'utf8')).toBe(line);
    }
  });

  it('does not let the keys of keys-dev/ be changed or deleted', async () => {
    const [, client] = await start();
    const [seed] = (await readManifest(seedFolder)).secrets;
    const reference = seed?.id as string;
    const forbidden = { code: 'KEYSTORE_FORBIDDEN' };
    await expect(client.deleteSecret(reference)).rejects.toMatchObject(forbidden);
    await expect(client.writeMetadata(reference, {})).rejects.toMatchObject(forbidden);
    await expect(client.writeAcl(reference, { projectAccess: false, users: [] })).rejects.toMatchObject(
      forbidden,
    );
    expect(await client.readMetadata(reference)).toMatchObject({ zone: 'quickstart.example.' });
  });

  it('keeps what is stored, for the next start and for another process on the same folder', async () => {
    const [server, client] = await start();
    const [, beside] = await start();
    const reference = await client.storeSecret({ ...secret, payload: Uint8Array.of(1, 2, 3) });
    await client.writeMetadata(reference, { zone: 'example.' });
    expect((await beside.fetchPayload(reference)).payload).toHaveLength(3);
    await server.close();
    const [, later] = await start();
    expect(Buffer.from((await later.fetchPayload(reference)).payload)).toEqual(Buffer.of(1, 2, 3));
    expect(await later.readMetadata(reference)).toEqual({ zone: 'example.' });
    await later.deleteSecret(reference);
    expect(readdirSync(dataFolder)).toEqual([]);
  });

  it('keeps it where others cannot read it, and leaves no other files behind', async () => {
    const [, client] = await start({ dataFolder: join(dataFolder, 'new', 'folder') });
    await client.storeSecret({ ...secret, payload: Uint8Array.of(1) });
    const folder = join(dataFolder, 'new', 'folder');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder);
    expect(files).toHaveLength(1);
    expect(statSync(join(folder, files[0] as string)).mode & 0o777).toBe(0o600);
  });

  it('a damaged file is an error of the server, not a secret that is gone', async () => {
    const [, client] = await start();
    const reference = await client.storeSecret({ ...secret, payload: Uint8Array.of(1) });
    writeFileSync(join(dataFolder, readdirSync(dataFolder)[0] as string), '{');
    await expect(client.fetchPayload(reference)).rejects.toMatchObject({
      code: 'KEYSTORE_UNAVAILABLE',
      fields: { status: 500 },
    });
  });

  it('a quota that is reached refuses further secrets', async () => {
    const [, client] = await start({ quota: 5 });
    await client.storeSecret({ ...secret, payload: Uint8Array.of(1) });
    const fields = { service: 'barbican', status: 403 };
    const beyond = client.storeSecret({ ...secret, payload: Uint8Array.of(1) });
    await expect(beyond).rejects.toMatchObject({ code: 'KEYSTORE_QUOTA', fields });
  });

  it('what a process that died was about to write is removed, what another may be writing is not', async () => {
    const names = [
      '.00000000-0000-4000-8000-000000000001.tmp',
      '.00000000-0000-4000-8000-000000000002.tmp',
    ] as const;
    for (const name of names) writeFileSync(join(dataFolder, name), '{');
    utimesSync(join(dataFolder, names[0]), 1_700_000_000, 1_700_000_000);
    await start();
    expect(readdirSync(dataFolder)).toEqual([names[1]]);
  });

  it('an expired secret is gone', async () => {
    let now = Date.UTC(2026, 0, 1);
    const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };
    const [, client] = await start({ clock });
    const expiration = now / 1000 + 60;
    const reference = await client.storeSecret({ ...secret, payload: Uint8Array.of(1), expiration });
    expect((await client.fetchPayload(reference)).payload).toHaveLength(1);
    now += 61_000;
    await expect(client.fetchPayload(reference)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    for await (const listed of client.listSecrets({ name: 'kept' })) expect(listed).toBeUndefined();
  });

  it('says that it is for development', async () => {
    const said: string[] = [];
    await start({ log: { warn: (_, message) => said.push(message) } });
    expect(said).toEqual([DEVELOPMENT_WARNING]);
  });

  it.each(['0.0.0.0', '::', '192.0.2.1', 'localhost.example'])('refuses to listen on %s', async (host) => {
    await expect(startDevelopmentBarbican({ dataFolder, host })).rejects.toMatchObject({
      code: 'KEYSTORE_CONFIG_INVALID',
    });
  });

  it('a taken port is an error that names it', async () => {
    const [server] = await start();
    const port = Number(new URL(server.barbicanUrl).port);
    const second = startDevelopmentBarbican({ dataFolder, port });
    await expect(second).rejects.toMatchObject({
      code: 'KEYSTORE_CONFIG_INVALID',
      message: expect.stringContaining(String(port)),
    });
  });

  it('a page that reaches loopback under another name is refused', async () => {
    const [server] = await start();
    const status = await new Promise((resolve, reject) => {
      request(`${server.barbicanUrl}/v1`, { headers: { host: 'attacker.example' } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
  });

  it('a folder of keys whose manifest is wrong is an error', async () => {
    const seeds = mkdtempSync(join(tmpdir(), 'zoneseal-seeds-'));
    writeFileSync(join(seeds, 'manifest.json'), '{"secrets":[{"file":"../x"}]}');
    const started = startDevelopmentBarbican({ dataFolder, seedFolder: seeds });
    await expect(started).rejects.toMatchObject({ code: 'KEYSTORE_CONFIG_INVALID' });
    rmSync(seeds, { recursive: true });
  });
});
