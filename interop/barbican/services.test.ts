import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import type { BarbicanSettings } from '../../src/barbican/settings.js';
import { encodeBindPrivate } from '../../src/keys/formats/encode.js';
import { generateKey, type NewKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { type TsigKeyRecord, TsigSecretRing } from '../../src/keys/tsig-secret-ring.js';
import { CONTRACT_ACCOUNTS, contractCredentials } from '../../test/barbican/contract-target.js';
import { Openstack } from '../lib/openstack.js';
import { waitUntil } from '../lib/processes.js';

const TOKEN_SECONDS = 5;

let openstack: Openstack;
const clients: BarbicanClient[] = [];
/** Everything secret that the tests below make or use. */
const secrets: Buffer[] = [Buffer.from('signerpw'), Buffer.from('barbicanpw')];
const seen: unknown[] = [];

beforeAll(async () => {
  openstack = await Openstack.start({ accounts: CONTRACT_ACCOUNTS, tokenSeconds: TOKEN_SECONDS });
});
afterAll(async () => {
  for (const client of clients) client.close();
  await openstack.close();
});

function connect(settings: Partial<BarbicanSettings> = {}): BarbicanClient {
  const client = new BarbicanClient({
    keystoneUrl: openstack.keystoneUrl,
    credentials: contractCredentials('signer'),
    attempts: 2,
    breakFor: 500,
    ...settings,
  });
  clients.push(client);
  return client;
}

async function store(
  client: BarbicanClient,
  payload: Uint8Array,
  contentType: 'application/pkcs8' | 'text/plain',
): Promise<string> {
  secrets.push(Buffer.from(payload));
  return client.storeSecret({ name: 'interop', type: 'private', contentType, payload });
}

async function storeKey(client: BarbicanClient, id: string): Promise<ZoneKey> {
  const made = await generateKey({ algorithm: 13, role: 'ZSK' });
  secrets.push(scalarOf(made));
  const secretRef = await store(client, made.pkcs8, 'application/pkcs8');
  return { ...made, id, zone: 'example.', secretRef, view: null, signs: true, published: true };
}

function scalarOf(key: NewKey): Buffer {
  return Buffer.from(key.privateKey.export({ format: 'jwk' }).d as string, 'base64url');
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'ok',
    (error: { code: string }) => {
      seen.push(error);
      return error.code;
    },
  );
}

describe('tokens of five seconds', () => {
  it('are renewed before they expire, and no request fails', async () => {
    const client = connect();
    const key = await storeKey(client, 'token');
    const until = performance.now() + 12_000;
    while (performance.now() < until) {
      await client.fetchPayload(key.secretRef);
      await sleep(200);
    }
    const { keystone, barbican } = client.state;
    expect(keystone.tokens).toBeGreaterThanOrEqual(3);
    expect(keystone.tokens).toBeLessThan(6);
    expect([...barbican.outcomes.values()].every((outcomes) => [...outcomes.keys()].join() === 'ok')).toBe(
      true,
    );
    expect(barbican.retries).toBe(0);
  });

  it('a token that expired while nobody asked is replaced', async () => {
    const client = connect();
    const key = await storeKey(client, 'idle');
    await sleep(TOKEN_SECONDS * 1000 + 500);
    expect((await client.fetchPayload(key.secretRef)).payload.length).toBeGreaterThan(0);
    expect(client.state.keystone.tokens).toBe(2);
  });
});

describe('key material of every kind', () => {
  it.each([8, 10, 13, 14, 15, 16])('algorithm %i as PKCS#8 and in the form of BIND', async (algorithm) => {
    const client = connect();
    const made = await generateKey({ algorithm, role: 'CSK' });
    const bind = Buffer.from(encodeBindPrivate(made.privateKey, algorithm).trim());
    const references = [
      await store(client, made.pkcs8, 'application/pkcs8'),
      await store(client, bind, 'text/plain'),
    ];
    for (const secretRef of references) {
      const key = {
        ...made,
        id: secretRef,
        zone: 'example.',
        secretRef,
        view: null,
        signs: true,
        published: true,
      };
      expect((await new KeyRing(client).privateKey(key)).equals(made.privateKey)).toBe(true);
      await client.deleteSecret(secretRef);
    }
  });

  it('the key of another DNSKEY is refused by name', async () => {
    const client = connect();
    const [one, two] = [await storeKey(client, 'one'), await storeKey(client, 'two')];
    const swapped = { ...one, secretRef: two.secretRef };
    expect(await codeOf(new KeyRing(client).privateKey(swapped))).toBe('KEY_MISMATCH');
  });

  it('a TSIG secret as octets and as text', async () => {
    const client = connect();
    const secret = randomBytes(32);
    secrets.push(secret);
    const asOctets = await client.storeSecret({
      name: 'tsig',
      type: 'symmetric',
      contentType: 'application/octet-stream',
      payload: secret,
    });
    const text = Buffer.from(`key "k." { algorithm hmac-sha256; secret "${secret.toString('base64')}"; };`);
    const asText = await store(client, text, 'text/plain');
    for (const secretRef of [asOctets, asText]) {
      const record: TsigKeyRecord = { name: 'k.', algorithm: 'hmac-sha256', secretRef };
      expect(Buffer.from((await new TsigSecretRing(client).key(record)).secret)).toEqual(secret);
    }
  });
});

describe('a service that is stopped and started', () => {
  it.each(['Barbican', 'Keystone'] as const)(
    '%s: keys in memory go on, others fail by name, and come back by themselves',
    async (service) => {
      const client = connect();
      const ring = new KeyRing(client);
      const [held, other] = [
        await storeKey(client, `${service} held`),
        await storeKey(client, `${service} other`),
      ];
      await ring.privateKey(held);
      await (service === 'Barbican' ? openstack.stopBarbican() : openstack.stopKeystone());
      expect(await codeOf(ring.privateKey(held))).toBe('ok');
      expect(await codeOf(ring.privateKey(other))).toBe('KEYSTORE_UNAVAILABLE');
      // often enough to open the breaker
      for (let i = 0; i < 6; i++) expect(await codeOf(ring.privateKey(other))).toBe('KEYSTORE_UNAVAILABLE');
      await (service === 'Barbican' ? openstack.startBarbican() : openstack.startKeystone());
      await waitUntil(
        `${service} is used again`,
        async () => (await codeOf(ring.privateKey(other))) === 'ok',
        20_000,
      );
      expect(ring.has(other)).toBe(true);
      expect(client.state.barbican.breaker).toBe('closed');
    },
  );

  it('a secret that was deleted meanwhile goes on from memory, and is missing afterwards', async () => {
    const client = connect();
    const ring = new KeyRing(client);
    const key = await storeKey(client, 'deleted');
    await ring.privateKey(key);
    await client.deleteSecret(key.secretRef);
    expect(await codeOf(ring.privateKey(key))).toBe('ok');
    ring.drop(key);
    expect(await codeOf(ring.privateKey(key))).toBe('KEY_MISSING');
  });

  it.each(['auditor', 'plainmember', 'stranger'])('%s may not read keys', async (username) => {
    const key = await storeKey(connect(), `of ${username}`);
    const client = connect({ credentials: contractCredentials(username) });
    expect(await codeOf(new KeyRing(client).privateKey(key))).toBe('KEYSTORE_FORBIDDEN');
  });
});

describe('secrets', () => {
  it('none is in the logs or the databases of Keystone and Barbican, in no form', () => {
    const remains = openstack.remains();
    expect([...remains.keys()]).toEqual(
      expect.arrayContaining(['barbican.log', 'barbican.sqlite', 'keystone.sqlite']),
    );
    for (const [name, content] of remains) {
      for (const form of secrets.flatMap(formsOf)) expect(content.includes(form), name).toBe(false);
    }
  });

  it('none is in an error', () => {
    expect(seen.length).toBeGreaterThan(10);
    for (const error of seen) {
      const shown = Buffer.from(inspect(error, { depth: 20, showHidden: true, maxStringLength: null }));
      for (const form of secrets.flatMap(formsOf)) expect(shown.includes(form)).toBe(false);
    }
  });
});

/** A secret as octets, base64, base64url and hexadecimal. */
function formsOf(secret: Buffer): Buffer[] {
  const texts = [secret.toString('base64'), secret.toString('base64url'), secret.toString('hex')];
  return [secret, ...texts.map((text) => Buffer.from(text))];
}
