import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { parseTsigKeyFile, type TsigKey } from '../../src/dns/tsig-key.js';
import { decodePrivateKey } from '../../src/keys/formats/decode.js';
import { CONTRACT_ACCOUNTS, contractCredentials } from '../../test/barbican/contract-target.js';
import {
  asUser,
  deleteApplicationCredential,
  gatewayOptions,
  makeApplicationCredential,
  tokenOf,
} from '../barbican/deployment.js';
import { takeChange } from '../barbican/following.js';
import { Lab, VIEW } from '../barbican/lab.js';
import { filesOf, findLeaks, type Place, type Secret } from '../barbican/leaks.js';
import { GatewayProcess } from '../lib/gateway.js';
import { KeystoneAdministration } from '../lib/openstack/identity.js';
import { Openstack } from '../lib/openstack.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';
import { Secondary } from '../lib/secondary.js';
import { TOOLS } from '../lib/tools.js';
import { dig, kdig } from '../tsig/clients.js';
import { askBarbican, CredentialFiles, namedSecrets, type StoredKey, storedKeys } from './stored.js';

const DATABASE = 'keystore';
const STEADY = 'steady.example.';
const preload = fileURLToPath(new URL('kill-at-request.mjs', import.meta.url));

let postgres: TestPostgres;
let openstack: Openstack;
let lab: Lab;
let client: BarbicanClient;
let keystone: KeystoneAdministration;
let orders: string;
const secrets: Secret[] = [];

beforeAll(async () => {
  const accounts = [
    ...CONTRACT_ACCOUNTS,
    { username: 'quotas', project: 'dns', roles: ['key-manager:service-admin'] },
  ];
  [postgres, openstack] = await Promise.all([
    startPostgres(),
    Openstack.start({ accounts, tokenSeconds: 5 }),
  ]);
  keystone = await KeystoneAdministration.login(openstack.keystoneUrl);
  client = connect('signer');
  orders = join(postgres.socketFolder, 'kill-order');
  const user = asUser(openstack, 'signer');
  const reader = await connect('watcher').userId();
  lab = await Lab.start(postgres, DATABASE, {
    user: { ...user, barbican: { ...user.barbican, privateSecrets: true, secretReaders: [reader] } },
    config: { barbican: { ...user.barbican, privateSecrets: true, secretReaders: [reader] } },
    commandEnvironment: { NODE_OPTIONS: `--import=${preload}`, KILL_ORDER_FILE: orders },
  });
  await lab.prepareZone(STEADY);
  lab.serve(STEADY);
  await lab.serial(STEADY);
});

afterAll(async () => {
  client?.close();
  await lab?.stop();
  await openstack?.close();
  postgres?.remove();
});

function connect(username: string): BarbicanClient {
  return new BarbicanClient({
    keystoneUrl: openstack.keystoneUrl,
    credentials: contractCredentials(username),
  });
}

const keysOf = (zone: string): StoredKey[] => storedKeys(lab, zone);
const secretsNamed = (start: string): ReturnType<typeof namedSecrets> => namedSecrets(client, start);
const ask = (username: string, method: string, path: string, json?: object): Promise<unknown> =>
  askBarbican(openstack, { username, method, path, json });

/** What is served goes on, and what changes is signed: the gateway has its keys in memory. */
async function expectServing(host: string): Promise<void> {
  const before = await lab.take(STEADY);
  lab.addHost(STEADY, host);
  await lab.serial(STEADY, before.serial);
  expect((await lab.take(STEADY)).records).toBe(before.records + 4);
}

describe('a key that is made', () => {
  test.each([
    [8, 'rsa', 2048],
    [10, 'rsa', 2048],
    [13, 'ec', 256],
    [14, 'ec', 384],
    [15, 'ed25519', 256],
    [16, 'ed448', 456],
  ])('of algorithm %i says in Barbican what it is, and can sign', async (algorithm, kind, bits) => {
    const zone = `made-${algorithm}.example.`;
    lab.psql(`insert into zoneseal.zones (name) values ('${zone}')`);
    await lab.commands.command(['keys', 'generate', zone, '--role', 'CSK', '--algorithm', String(algorithm)]);
    const [key] = keysOf(zone) as [StoredKey];
    expect(await client.readSecret(key.reference)).toMatchObject({
      type: 'private',
      algorithm: kind,
      bitLength: bits,
      name: expect.stringMatching(
        new RegExp(`^zoneseal key ${zone} CSK ${algorithm} ${key.tag} [0-9a-f]{32}$`),
      ),
    });
    expect(await client.readMetadata(key.reference)).toMatchObject({
      zone,
      role: 'CSK',
      algorithm: String(algorithm),
      'key-tag': key.tag,
      'created-by': expect.stringMatching(/^command on /),
    });
    expect(await ask('signer', 'GET', `${new URL(key.reference).pathname}/consumers`)).toMatchObject({
      consumers: [{ service: 'zoneseal', resource_type: 'zone', resource_id: zone }],
    });
    expect(await lab.commands.command(['keys', 'test', zone])).toMatch(/ OK$/m);
  });

  test('is closed to the project, but for its maker and its readers', async () => {
    const [key] = keysOf(STEADY) as [StoredKey];
    for (const [username, outcome] of [
      ['signer', 'ok'],
      ['watcher', 'ok'],
      ['signer2', 'acl'],
      ['auditor', 'role'],
      ['plainmember', 'role'],
    ] as const) {
      const other = connect(username);
      const came = await other.fetchPayload(key.reference).then(
        () => 'ok',
        (error: { fields: { refusal?: string } }) => error.fields.refusal,
      );
      other.close();
      expect([username, came]).toEqual([username, outcome]);
    }
  });

  const MOMENTS = Array.from({ length: 6 }, (_, i) => i + 1).flatMap((count) =>
    (['before', 'after'] as const).map((when) => ({ count, when })),
  );
  test.each(MOMENTS)(
    'by a command that is killed $when request $count leaves nothing',
    async ({ count, when }) => {
      const zone = `killed-${count}-${when}.example.`;
      lab.psql(`insert into zoneseal.zones (name) values ('${zone}')`);
      writeFileSync(orders, `${count} ${when}`);
      const killed = await lab.commands.run(['keys', 'generate', zone, '--role', 'CSK']);
      rmSync(orders);
      expect([killed.status, keysOf(zone)]).toEqual([null, []]);
      const isStored = count > 1 || when === 'after';
      expect(await secretsNamed(`zoneseal key ${zone} `)).toHaveLength(isStored ? 1 : 0);
      // long enough ago
      lab.psql("update zoneseal.secret_creations set created_at = created_at - interval '1 hour'");
      await lab.commands.command(['keys', 'generate', zone, '--role', 'CSK']);
      const stored = await secretsNamed(`zoneseal key ${zone} `);
      expect(stored.map(({ reference }) => reference)).toEqual(
        keysOf(zone).map(({ reference }) => reference),
      );
      expect(lab.psql('select count(*) from zoneseal.secret_creations where removed_at is null')).toBe('0');
    },
  );

  test('and is deleted is gone, and one that is gone already is deleted as well', async () => {
    const [key] = keysOf('made-13.example.') as [StoredKey];
    const command = ['keys', 'delete', 'made-13.example.', key.tag, '--yes'];
    expect((await lab.commands.run(command)).stderr).toContain('signs and is published, and is not deleted');
    lab.psql(
      `update zoneseal.zone_keys set signs = false, published = false where secret_ref = '${key.reference}'`,
    );
    await client.deleteSecret(key.reference);
    await lab.commands.command(command);
    expect(keysOf('made-13.example.')).toEqual([]);
  });
});

describe('what Barbican refuses', () => {
  /** What `keys test` says of a key in JSON. */
  async function proof(zone: string): Promise<{ ok: boolean; error?: { code: string; message: string } }[]> {
    const { stdout } = await lab.commands.run(['keys', 'test', zone, '--json']);
    return JSON.parse(stdout) as { ok: boolean; error?: { code: string; message: string } }[];
  }

  async function expectProof(code: string, text: RegExp): Promise<void> {
    for (const [i, key] of keysOf(STEADY).entries()) {
      const { error } = (await proof(STEADY))[i] ?? {};
      expect(error?.code).toBe(code);
      expect(error?.message).toMatch(text);
      expect(error?.message).toContain(`zone ${STEADY}, key ${key.tag} `);
    }
  }

  test('a quota that is used up: an error that says so, nothing half made, and all is well with a larger one', async () => {
    const { token } = await tokenOf(openstack, 'signer');
    const answer = await fetch(`${openstack.keystoneUrl}/auth/tokens`, {
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });
    const { token: described } = (await answer.json()) as { token: { project: { id: string } } };
    const path = `/v1/project-quotas/${described.project.id}`;
    await ask('quotas', 'PUT', path, { project_quotas: { secrets: 1 } });
    const before = await secretsNamed('');
    const refused = await lab.commands.run([
      'keys',
      'generate',
      STEADY,
      '--role',
      'ZSK',
      '--json',
      '--quiet',
    ]);
    expect(refused.status).toBe(4);
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: {
        code: 'KEYSTORE_QUOTA',
        message: expect.stringMatching(
          /^zone steady\.example\., key \d+ .*quota of secrets.*raise the quota/,
        ),
      },
    });
    expect(await secretsNamed('')).toEqual(before);
    await expectServing('quota');
    await ask('quotas', 'DELETE', path);
    await lab.commands.command([
      'keys',
      'generate',
      'made-14.example.',
      '--role',
      'ZSK',
      '--algorithm',
      '14',
    ]);
  });

  test('a secret that was replaced, and one that is gone: each says which key it is and what to do', async () => {
    const [ksk, zsk] = keysOf(STEADY) as [StoredKey, StoredKey];
    const point = (from: string, to: string): string =>
      lab.psql(`update zoneseal.zone_keys set secret_ref = '${to}' where secret_ref = '${from}'`);
    // the secret of another key
    const [other] = keysOf('made-14.example.') as [StoredKey];
    point(zsk.reference, other.reference);
    expect((await proof(STEADY))[1]?.error).toMatchObject({
      code: 'KEY_MISMATCH',
      message: expect.stringMatching(
        new RegExp(`^zone ${STEADY}, key ${zsk.tag} .*restore the one that was there`),
      ),
    });
    lab.psql(
      `update zoneseal.zone_keys set secret_ref = '${zsk.reference}' where zone_id = zoneseal.zone_id('${STEADY}') and key_tag = ${zsk.tag}`,
    );
    const missing = ksk.reference.replace(/[0-9a-f]{12}$/, '0'.repeat(12));
    point(ksk.reference, missing);
    expect((await proof(STEADY))[0]?.error).toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringMatching(
        /it was deleted, has expired.*restore the secret in Barbican or replace the key/,
      ),
    });
    point(missing, ksk.reference);
    expect((await proof(STEADY)).map(({ ok }) => ok)).toEqual([true, true]);
  });

  test('a role that is lost: the error says so, what is in memory serves, and the role that is given back is enough', async () => {
    const { pid } = lab.gateway;
    await keystone.changeRole('PUT', 'signer', 'dns', 'audit');
    await keystone.changeRole('DELETE', 'signer', 'dns', 'creator');
    try {
      await waitUntil('the token is refused', async () => (await proof(STEADY))[0]?.ok === false);
      await expectProof(
        'KEYSTORE_FORBIDDEN',
        /no role in the project that may read secrets.*observer to read/,
      );
      await expectServing('role');
    } finally {
      await keystone.changeRole('PUT', 'signer', 'dns', 'creator');
      await keystone.changeRole('DELETE', 'signer', 'dns', 'audit');
    }
    await lab.commands.command(['keys', 'lock']);
    await waitUntil('it is locked', () => lab.hasLogged('warn', 'were dropped from memory'));
    await waitUntil('the keys can be had', async () => (await proof(STEADY)).every(({ ok }) => ok));
    await expectServing('role-again');
    expect(lab.gateway.pid).toBe(pid);
  });

  test.each(['Barbican', 'Keystone'] as const)(
    '%s that is away: named, served meanwhile, and used again',
    async (service) => {
      const { pid } = lab.gateway;
      await (service === 'Barbican' ? openstack.stopBarbican() : openstack.stopKeystone());
      await expectProof('KEYSTORE_UNAVAILABLE', new RegExp(`${service} \\(`));
      await expectServing(`${service.toLowerCase()}-away`);
      await (service === 'Barbican' ? openstack.startBarbican() : openstack.startKeystone());
      await waitUntil('the keys can be had', async () => (await proof(STEADY)).every(({ ok }) => ok));
      await expectServing(`${service.toLowerCase()}-back`);
      expect(lab.gateway.pid).toBe(pid);
    },
  );
});

describe('an application credential that is deleted', () => {
  test('is named, what is in memory serves and signs, and another one in its files is taken without a restart', async () => {
    const credential = await makeApplicationCredential(openstack, 'signer');
    const url = postgres.url.replace(/[^/]*$/, DATABASE);
    const files = new CredentialFiles(postgres.socketFolder);
    const write = (it: typeof credential): void => void secrets.push(files.write(it));
    write(credential);
    const config = { barbican: { keystoneUrl: openstack.keystoneUrl, ...files.settings } };
    const other = await GatewayProcess.start(gatewayOptions(url, undefined, { config }));
    const { pid } = other;
    await lab.gateway.stop();
    try {
      const arrives = (host: string): Promise<void> =>
        takeChange(other.target, STEADY, lab.key, () => lab.addHost(STEADY, host));
      await arrives('credential');
      expect(await deleteApplicationCredential(openstack, 'signer', credential.id)).toBe(204);
      const { status, stdout } = await other.run(['keys', 'test', STEADY, '--json']);
      const [{ error }] = JSON.parse(stdout) as [{ error: { code: string; message: string } }];
      expect([status, error.code]).toEqual([1, 'KEYSTORE_FORBIDDEN']);
      expect(error.message).toMatch(/credential is wrong, expired or deleted.*correct the credentials/);
      await arrives('credential-deleted');
      // with nothing in memory it needs Keystone again
      await other.command(['keys', 'lock']);
      lab.addHost(STEADY, 'credential-refused');
      await waitUntil('it is refused', () => other.log.includes('KEYSTORE_FORBIDDEN'));
      write(await makeApplicationCredential(openstack, 'signer', 'replacement'));
      await waitUntil('it is taken', async () => (await other.run(['keys', 'test', STEADY])).status === 0);
      await arrives('credential-replaced');
      expect(other.pid).toBe(pid);
      lab.commands.outputs.push(other.log, stdout);
    } finally {
      await other.remove();
      await lab.gateway.serve();
    }
    await expectServing('credential-over');
  });
});

describe('keys lock', () => {
  test('drops what is in memory at once: without Barbican nothing more is signed, and with it all goes on', async () => {
    const { serial } = await lab.take(STEADY);
    await openstack.stopBarbican();
    const locked = (): number =>
      lab.gateway.logLines.filter((line) => line.msg.includes('were dropped from memory')).length;
    const before = locked();
    expect((await lab.commands.run(['keys', 'lock'])).stderr).toContain('1 running gateway is told');
    await waitUntil('it is locked', () => locked() > before);
    lab.addHost(STEADY, 'locked');
    await waitUntil('it fails', () =>
      lab.errorsAbout(STEADY).some(({ code }) => code === 'KEYSTORE_UNAVAILABLE'),
    );
    await openstack.startBarbican();
    await lab.serial(STEADY, serial);
    await lab.take(STEADY);
  });
});

describe('the secret of a TSIG key that changes', () => {
  test('is taken beside the one before by dig, kdig and a nameserver, until the change is ended', async () => {
    const file = (name: string): string => join(lab.gateway.folder, name);
    const read = (name: string): TsigKey => parseTsigKeyFile(readFileSync(file(name), 'latin1'));
    const old = await lab.commands.addTsigKey('turning.', ['--view', VIEW]);
    const { target } = lab.gateway;
    const outcomes = (key: TsigKey): Promise<string[]> =>
      Promise.all(
        [dig(), kdig].map(async (it) => (await it.ask(target, { zone: STEADY, type: 'AXFR', key })).result),
      );
    await waitUntil('the key is known', async () => (await outcomes(old)).every((it) => it === 'ok'));
    const named = await Secondary.start('named', {
      zones: [STEADY],
      primary: target,
      key: { name: 'turning.', algorithm: old.algorithm, secret: base64(old) },
      refreshSeconds: 600,
      label: 'named',
    });
    try {
      const address = ['--address', '127.0.0.1', '--port', String(named.target.port)];
      await lab.commands.command(['peer', 'add', 'named', '--view', VIEW, '--tsig', 'turning.', ...address]);
      const arrives = async (host: string): Promise<void> => {
        const before = (await lab.take(STEADY)).serial;
        lab.addHost(STEADY, host);
        await named.waitForSerial(STEADY, await lab.serial(STEADY, before));
      };
      await arrives('turning-0');
      await lab.commands.command(['tsig', 'rotate', 'turning.', '--key-file', file('next.key')]);
      const next = read('next.key');
      await waitUntil('both are taken', async () =>
        [...(await outcomes(old)), ...(await outcomes(next))].every((it) => it === 'ok'),
      );
      // it has the old one: NOTIFY is made with that after the new one was refused
      await arrives('turning-1');
      const conf = join(named.folder, 'named.conf');
      writeFileSync(conf, readFileSync(conf, 'utf8').replaceAll(base64(old), base64(next)));
      const reloads = (): number => named.log.split('all zones loaded').length;
      const loaded = reloads();
      named.signal('SIGHUP');
      await waitUntil('named has the new key', () => reloads() > loaded);
      await arrives('turning-2');
      await lab.commands.command(['tsig', 'rotate', 'turning.', '--finish']);
      await waitUntil('the old one is not taken', async () =>
        (await outcomes(old)).every((it) => it === 'BADSIG'),
      );
      expect(await outcomes(next)).toEqual(['ok', 'ok']);
      await arrives('turning-3');
      expect(await secretsNamed('zoneseal tsig turning. ')).toHaveLength(1);
      secrets.push(
        { name: 'the TSIG secret before', octets: old.secret },
        { name: 'the TSIG secret after', octets: next.secret },
      );
    } finally {
      await named.stop();
      for (const name of ['next.key', 'turning.key']) rmSync(file(name), { force: true });
    }
  });
});

describe('no secret', () => {
  test('is in a log, a table, a dump, an error or a file', async () => {
    secrets.push({ name: 'the password', octets: Buffer.from('signerpw') });
    for (const { reference, name } of await secretsNamed('zoneseal key ')) {
      const { privateKey } = await decodePrivateKey((await client.fetchPayload(reference)).payload);
      const { d } = privateKey.export({ format: 'jwk' });
      secrets.push({ name, octets: Buffer.from(d as string, 'base64url') });
    }
    expect(secrets.length).toBeGreaterThan(15);
    for (const name of ['bad-days.key']) rmSync(join(lab.gateway.folder, name), { force: true });
    const dump = execFileSync(
      join(dirname((TOOLS['postgres'] as { path: string }).path), 'pg_dump'),
      ['-h', postgres.socketFolder, '-p', String(postgres.port), '-U', 'postgres', DATABASE],
      { cwd: '/', maxBuffer: 256 * 1024 ** 2 },
    );
    const places: Place[] = [
      { name: 'the log', octets: Buffer.from(lab.gateway.log) },
      { name: 'what commands said', octets: Buffer.from(lab.commands.outputs.join('\n')) },
      { name: 'the dump', octets: dump },
      ...filesOf(lab.gateway.folder, 'the folder of the gateway'),
      ...[...openstack.remains()].map(([name, octets]) => ({ name, octets })),
    ];
    expect(findLeaks(secrets, places)).toEqual([]);
  });
});

function base64({ secret }: TsigKey): string {
  return Buffer.from(secret).toString('base64');
}
