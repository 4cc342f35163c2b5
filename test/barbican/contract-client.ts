import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { BarbicanClient } from '../../src/barbican/client.js';
import type { NewSecret } from '../../src/barbican/secrets.js';
import type { Credentials } from '../../src/barbican/settings.js';
import { generateKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { type ContractTarget, contractCredentials } from './contract-target.js';
import { RawApi, TokenTap } from './raw-api.js';

const octets = (payload: Uint8Array, fields: Partial<NewSecret> = {}): NewSecret => ({
  name: `contract ${randomUUID()}`,
  type: 'private',
  contentType: 'application/octet-stream',
  payload,
  ...fields,
});

/** What the client promises. */
export function describeClient(
  target: () => ContractTarget,
  as: (username: string) => BarbicanClient,
  connect: (credentials: Credentials, more?: object) => BarbicanClient,
): void {
  it.each(['application/octet-stream', 'application/pkcs8'] as const)(
    '%s comes back octet by octet',
    async (contentType) => {
      const client = as('signer');
      for (const payload of [
        Uint8Array.of(0, 1, 0xff, 0x0a),
        new Uint8Array(randomBytes(3000)),
        Uint8Array.of(0x20),
      ]) {
        const reference = await client.storeSecret(
          octets(payload, { contentType, algorithm: 'ec', bitLength: 256 }),
        );
        const read = await client.fetchPayload(reference);
        expect(read.contentType).toBe(contentType);
        expect(Buffer.from(read.payload)).toEqual(Buffer.from(payload));
        await client.deleteSecret(reference);
      }
    },
  );

  it('text comes back as it was; text that would come back otherwise is not stored', async () => {
    const client = as('signer');
    const text = Buffer.from('-----BEGIN X-----\nä b\n-----END X-----');
    const reference = await client.storeSecret(
      octets(text, { contentType: 'text/plain', type: 'passphrase' }),
    );
    expect(Buffer.from((await client.fetchPayload(reference)).payload)).toEqual(text);
    for (const lost of ['a\n', ' a', '\t']) {
      const store = client.storeSecret(octets(Buffer.from(lost), { contentType: 'text/plain' }));
      await expect(store).rejects.toMatchObject({ code: 'KEYSTORE_REFUSED' });
    }
    await client.deleteSecret(reference);
  });

  it('a payload that is too large is refused', async () => {
    const large = Buffer.from('x'.repeat(20_001));
    const store = as('signer').storeSecret(octets(large, { contentType: 'text/plain' }));
    await expect(store).rejects.toMatchObject({ code: 'KEYSTORE_REFUSED', fields: { status: 413 } });
  });

  it('what is known about a secret', async () => {
    const client = as('signer');
    const expiration = Math.floor(Date.now() / 1000) + 3600;
    const name = `contract ${randomUUID()}`;
    const reference = await client.storeSecret(
      octets(Uint8Array.of(1), { name, algorithm: 'rsa', bitLength: 2048, expiration }),
    );
    const info = await client.readSecret(reference);
    expect(info).toMatchObject({
      reference,
      name,
      type: 'private',
      status: 'ACTIVE',
      algorithm: 'rsa',
      bitLength: 2048,
    });
    expect(info).toMatchObject({
      contentType: 'application/octet-stream',
      expiration,
      creatorId: await client.userId(),
    });
    expect(Math.abs(info.created - Date.now() / 1000)).toBeLessThan(60);
    await client.deleteSecret(reference);
  });

  it('a key goes from generation through the store into the key ring', async () => {
    const client = as('signer');
    const made = await generateKey({ algorithm: 13, role: 'KSK' });
    const secretRef = await client.storeSecret(octets(made.pkcs8, { contentType: 'application/pkcs8' }));
    const key = { ...made, id: '1', zone: 'example.', secretRef, view: null, signs: true, published: true };
    expect((await new KeyRing(client).privateKey(key)).equals(made.privateKey)).toBe(true);
    await client.deleteSecret(secretRef);
    await expect(new KeyRing(client).privateKey(key)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('a deleted secret is missing, deleting it again is no error, and so is a reference of another host', async () => {
    const client = as('signer');
    const reference = await client.storeSecret(octets(Uint8Array.of(1)));
    const elsewhere = reference.replace(/^https?:\/\/[^/]+/, 'https://barbican.invalid:9311');
    expect(await client.fetchPayload(elsewhere)).toMatchObject({ payload: { length: 1 }, reference });
    await client.deleteSecret(reference);
    await client.deleteSecret(reference);
    await expect(client.fetchPayload(reference)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    await expect(client.readSecret('not a reference')).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('lists are whole and exact, whatever their length and whatever wildcards the names hold', async () => {
    const client = as('signer');
    const prefix = `list_${randomUUID()}%`;
    const names = [
      ...Array.from({ length: 103 }, (_, i) => `${prefix}${i}`),
      `${prefix}a_b`,
      `${prefix}axb`,
      `${prefix}a\\b`,
      `${prefix}A_B`,
    ];
    const references: string[] = [];
    for (const name of names) references.push(await client.storeSecret(octets(Uint8Array.of(1), { name })));
    const list = async (filter: object) => {
      const found: string[] = [];
      for await (const secret of client.listSecrets(filter)) found.push(secret.name ?? '');
      return found;
    };
    expect((await list({ namePrefix: prefix })).sort()).toEqual([...names].sort());
    for (const name of names.slice(-4)) expect(await list({ name })).toEqual([name]);
    expect(await list({ name: prefix })).toEqual([]);
    for (const reference of references) await client.deleteSecret(reference);
    expect(await list({ namePrefix: prefix })).toEqual([]);
  });

  it('user metadata', async () => {
    const client = as('signer');
    const reference = await client.storeSecret(octets(Uint8Array.of(1)));
    expect(await client.readMetadata(reference)).toEqual({});
    await client.writeMetadata(reference, { zone: 'example.', key_tag: '5', 'a-b': '' });
    expect(await client.readMetadata(reference)).toEqual({ zone: 'example.', key_tag: '5', 'a-b': '' });
    await client.writeMetadata(reference, { zone: 'other.' });
    expect(await client.readMetadata(reference)).toEqual({ zone: 'other.' });
    await expect(client.writeMetadata(reference, { Zone: 'x' })).rejects.toMatchObject({
      code: 'KEYSTORE_REFUSED',
    });
    await client.deleteSecret(reference);
  });

  it('an ACL keeps a secret from the other creators of the project', async () => {
    const [owner, other] = [as('signer'), as('signer2')];
    const reference = await owner.storeSecret(octets(Uint8Array.of(7)));
    expect(await owner.readAcl(reference)).toEqual({ projectAccess: true, users: [] });
    expect((await other.fetchPayload(reference)).payload).toHaveLength(1);
    await owner.writeAcl(reference, { projectAccess: false, users: [] });
    expect(await owner.readAcl(reference)).toEqual({ projectAccess: false, users: [] });
    await expect(other.fetchPayload(reference)).rejects.toMatchObject({
      code: 'KEYSTORE_FORBIDDEN',
      message: expect.stringContaining('its ACL leaves the user out') as string,
      fields: { refusal: 'acl' },
    });
    await expect(other.deleteSecret(reference)).rejects.toMatchObject({ code: 'KEYSTORE_FORBIDDEN' });
    expect((await owner.fetchPayload(reference)).payload).toHaveLength(1);
    expect((await as('projadmin').fetchPayload(reference)).payload).toHaveLength(1);
    const observer = as('watcher');
    await owner.writeAcl(reference, {
      projectAccess: false,
      users: [await other.userId(), await observer.userId()],
    });
    expect((await other.fetchPayload(reference)).payload).toHaveLength(1);
    expect((await observer.fetchPayload(reference)).payload).toHaveLength(1);
    await owner.deleteSecret(reference);
  });

  it.each([
    ['signer2', 'ok', 'ok', 'ok'],
    ['projadmin', 'ok', 'ok', 'ok'],
    ['watcher', 'ok', 'ok', 'KEYSTORE_FORBIDDEN'],
    ['auditor', 'ok', 'KEYSTORE_FORBIDDEN', 'KEYSTORE_FORBIDDEN'],
    ['plainmember', 'KEYSTORE_FORBIDDEN', 'KEYSTORE_FORBIDDEN', 'KEYSTORE_FORBIDDEN'],
    ['stranger', 'KEYSTORE_FORBIDDEN', 'KEYSTORE_FORBIDDEN', 'KEYSTORE_FORBIDDEN'],
  ])('%s: describing %s, reading %s, deleting %s', async (username, describing, reading, deleting) => {
    const owner = as('signer');
    const client = as(username);
    const reference = await owner.storeSecret(octets(Uint8Array.of(1)));
    const outcome = (promise: Promise<unknown>) =>
      promise.then(
        () => 'ok',
        (error: { code: string }) => error.code,
      );
    expect(await outcome(client.readSecret(reference))).toBe(describing);
    expect(await outcome(client.fetchPayload(reference))).toBe(reading);
    expect(await outcome(client.deleteSecret(reference))).toBe(deleting);
    await owner.deleteSecret(reference);
  });

  it.each(['auditor', 'plainmember'])('%s is told that the role is wrong, not the ACL', async (username) => {
    const owner = as('signer');
    const reference = await owner.storeSecret(octets(Uint8Array.of(1)));
    await expect(as(username).fetchPayload(reference)).rejects.toMatchObject({
      code: 'KEYSTORE_FORBIDDEN',
      message: expect.stringContaining('no role in the project that may read secrets') as string,
      fields: { refusal: 'role' },
    });
    await owner.deleteSecret(reference);
  });

  it.each(['watcher', 'auditor', 'plainmember'])('%s may not store, for its role', async (username) => {
    await expect(as(username).storeSecret(octets(Uint8Array.of(1)))).rejects.toMatchObject({
      code: 'KEYSTORE_FORBIDDEN',
      fields: { refusal: 'role' },
    });
  });

  it('a consumer is noted, and the note taken away, twice where it has to be', async () => {
    const client = as('signer');
    const reference = await client.storeSecret(octets(Uint8Array.of(1)));
    const consumer = { service: 'zoneseal', resourceType: 'zone', resourceId: 'example.' };
    const api = await RawApi.login(target(), 'signer');
    const consumers = async (): Promise<unknown> =>
      ((await api.request('GET', `${new URL(reference).pathname}/consumers`)).json as { consumers: unknown })
        .consumers;
    for (let i = 0; i < 2; i++) await client.addConsumer(reference, consumer);
    expect(await consumers()).toMatchObject([
      { service: 'zoneseal', resource_type: 'zone', resource_id: 'example.' },
    ]);
    for (let i = 0; i < 2; i++) await client.removeConsumer(reference, consumer);
    expect(await consumers()).toEqual([]);
    await client.deleteSecret(reference);
    await client.removeConsumer(reference, consumer);
  });

  it.each(['norole', 'nobody'])('%s gets no token, and the error names no secret', async (username) => {
    const failure = as(username).readSecret(randomUUID());
    await expect(failure).rejects.toMatchObject({
      code: 'KEYSTORE_FORBIDDEN',
      fields: { service: 'keystone', refusal: 'credentials' },
    });
    await expect(failure).rejects.not.toThrow(`${username}pw`);
  });

  it('an application credential serves until it is deleted, and at once no longer', async () => {
    const raw = await RawApi.login(target(), 'signer');
    const { id, secret } = await raw.createApplicationCredential();
    const client = connect({ kind: 'application_credential', id, secret });
    const reference = await client.storeSecret(octets(Uint8Array.of(1)));
    await raw.deleteApplicationCredential(id);
    await expect(client.fetchPayload(reference)).rejects.toMatchObject({ code: 'KEYSTORE_FORBIDDEN' });
    await as('signer').deleteSecret(reference);
  });

  it('a revoked token is replaced by a new one', async () => {
    const tap = await TokenTap.start(target().barbicanUrl);
    const client = connect(contractCredentials('signer'), { barbicanUrl: tap.url });
    const reference = await client.storeSecret(octets(Uint8Array.of(1)));
    await RawApi.revoke(target(), tap.tokens[0] as string);
    expect((await client.fetchPayload(reference)).payload).toHaveLength(1);
    expect(new Set(tap.tokens).size).toBe(2);
    expect(client.state.keystone.tokens).toBe(2);
    await client.deleteSecret(reference);
    tap.close();
  });

  it('the microversion that is asked for is given, one that there is not is refused', async () => {
    for (const microversion of ['1.0', '1.1']) {
      const client = connect(contractCredentials('signer'), { microversion });
      const reference = await client.storeSecret(octets(Uint8Array.of(1)));
      expect((await client.readSecret(reference)).status).toBe('ACTIVE');
      await client.deleteSecret(reference);
    }
    const late = connect(contractCredentials('signer'), { microversion: '9.9' });
    await expect(late.readSecret(randomUUID())).rejects.toMatchObject({
      code: 'KEYSTORE_REFUSED',
      fields: { status: 406 },
    });
  });

  it('the address of Barbican may be given, and a region that the catalog does not know is an error', async () => {
    const fixed = connect(contractCredentials('signer'), {
      barbicanUrl: target().barbicanUrl,
      region: 'nowhere',
    });
    await expect(fixed.readSecret(randomUUID())).rejects.toMatchObject({ code: 'KEY_MISSING' });
    const lost = connect(contractCredentials('signer'), { region: 'nowhere' });
    await expect(lost.readSecret(randomUUID())).rejects.toMatchObject({ code: 'KEYSTORE_CONFIG_INVALID' });
  });
}
