import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ZonesealError } from '../../src/errors.js';
import { encodeBindPrivate } from '../../src/keys/formats/encode.js';
import { generateKey, type NewKey } from '../../src/keys/generate.js';
import { KeyRing, type SecretPayload, type SecretSource } from '../../src/keys/key-ring.js';
import type { ZoneKey } from '../../src/keys/key-set.js';
import { type TsigKeyRecord, TsigSecretRing } from '../../src/keys/tsig-secret-ring.js';

/** A store in memory that counts and can be made to fail. */
class MemorySource implements SecretSource {
  readonly secrets = new Map<string, SecretPayload>();
  fetches = 0;
  failure: ZonesealError | undefined;

  async fetchPayload(reference: string): Promise<SecretPayload> {
    this.fetches++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (this.failure !== undefined) throw this.failure;
    const secret = this.secrets.get(reference);
    if (secret === undefined) throw new ZonesealError('KEY_MISSING', 'there is no such secret');
    return { contentType: secret.contentType, payload: Uint8Array.from(secret.payload) };
  }

  keep(reference: string, payload: Uint8Array, contentType = 'application/octet-stream'): void {
    this.secrets.set(reference, { contentType, payload });
  }
}

const zoneKey = (key: NewKey, fields: Partial<ZoneKey> = {}): ZoneKey => ({
  id: '1',
  zone: 'example.',
  role: key.role,
  algorithm: key.algorithm,
  keyTag: key.keyTag,
  flags: key.flags,
  publicKey: key.publicKey,
  secretRef: 'ref-1',
  view: null,
  signs: true,
  published: true,
  ...fields,
});

async function refusal(promise: Promise<unknown>): Promise<ZonesealError> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(ZonesealError);
  return outcome as ZonesealError;
}

describe('the key ring', () => {
  it.each([8, 13, 14, 15, 16])('algorithm %i: a key is fetched once for all who ask', async (algorithm) => {
    const made = await generateKey({ algorithm, role: 'ZSK' });
    const source = new MemorySource();
    source.keep('ref-1', made.pkcs8);
    const ring = new KeyRing(source);
    const key = zoneKey(made);
    expect(ring.has(key)).toBe(false);
    const keys = await Promise.all([ring.privateKey(key), ring.privateKey(key), ring.privateKey(key)]);
    expect(new Set(keys).size).toBe(1);
    expect(await ring.privateKey(key)).toBe(keys[0]);
    expect(source.fetches).toBe(1);
    expect(ring.has(key)).toBe(true);
    expect(ring.state).toEqual({ cached: 1, fetching: 0, fetched: 1, failed: 0 });
  });

  it("BIND's form is read as text", async () => {
    const made = await generateKey({ algorithm: 15, role: 'ZSK' });
    const source = new MemorySource();
    source.keep('ref-1', Buffer.from(encodeBindPrivate(made.privateKey, 15).trim()), 'text/plain');
    expect((await new KeyRing(source).privateKey(zoneKey(made))).asymmetricKeyType).toBe('ed25519');
  });

  it('a key of another pair is refused: the public halves differ', async () => {
    const [one, two] = [
      await generateKey({ algorithm: 13, role: 'ZSK' }),
      await generateKey({ algorithm: 13, role: 'ZSK' }),
    ];
    const source = new MemorySource();
    source.keep('ref-1', two.pkcs8);
    const ring = new KeyRing(source);
    const error = await refusal(ring.privateKey(zoneKey(one)));
    expect(error.code).toBe('KEY_MISMATCH');
    expect(error.message).toContain('zone example.');
    expect(error.message).toContain(String(one.keyTag));
    expect(error.message).toMatch(/public half is not that of the DNSKEY; .*stored anew/);
    expect(ring.state).toMatchObject({ cached: 0, failed: 1 });
  });

  it('a key whose material holds the right public half beside a wrong scalar is refused', async () => {
    const [one, two] = [
      await generateKey({ algorithm: 13, role: 'ZSK' }),
      await generateKey({ algorithm: 13, role: 'ZSK' }),
    ];
    const forged = Buffer.from(two.pkcs8);
    const point = forged.indexOf(Buffer.from(two.publicKey));
    Buffer.from(one.publicKey).copy(forged, point);
    const source = new MemorySource();
    source.keep('ref-1', forged);
    const error = await refusal(new KeyRing(source).privateKey(zoneKey(one)));
    expect(['KEY_MISMATCH', 'KEY_UNREADABLE']).toContain(error.code);
  });

  it('a key of another algorithm is refused', async () => {
    const made = await generateKey({ algorithm: 13, role: 'ZSK' });
    const source = new MemorySource();
    source.keep('ref-1', made.pkcs8);
    const error = await refusal(new KeyRing(source).privateKey(zoneKey(made, { algorithm: 15 })));
    expect(error).toMatchObject({ code: 'KEY_MISMATCH' });
  });

  it('while the store is away what is in memory goes on, and the rest fails by name until it is back', async () => {
    const [one, two] = [
      await generateKey({ algorithm: 13, role: 'ZSK' }),
      await generateKey({ algorithm: 13, role: 'KSK' }),
    ];
    const source = new MemorySource();
    source.keep('ref-1', one.pkcs8);
    source.keep('ref-2', two.pkcs8);
    const ring = new KeyRing(source);
    const [first, second] = [zoneKey(one), zoneKey(two, { id: '2', secretRef: 'ref-2' })];
    await ring.privateKey(first);
    source.failure = new ZonesealError('KEYSTORE_UNAVAILABLE', 'Barbican does not answer');
    await expect(ring.privateKey(first)).resolves.toBeDefined();
    const error = await refusal(ring.privateKeys([first, second]));
    expect(error).toMatchObject({
      code: 'KEYSTORE_UNAVAILABLE',
      fields: { zone: 'example.', keyTag: two.keyTag },
    });
    source.failure = undefined;
    expect((await ring.privateKeys([first, second])).size).toBe(2);
  });

  it('a missing secret is told apart from a store that is away', async () => {
    const made = await generateKey({ algorithm: 13, role: 'ZSK' });
    expect((await refusal(new KeyRing(new MemorySource()).privateKey(zoneKey(made)))).code).toBe(
      'KEY_MISSING',
    );
  });

  it('keys beyond the limit push out the least recently used', async () => {
    const made = await Promise.all([1, 2, 3].map(() => generateKey({ algorithm: 15, role: 'ZSK' })));
    const source = new MemorySource();
    const keys = made.map((key, i) => zoneKey(key, { id: String(i), secretRef: `ref-${i}` }));
    made.forEach((key, i) => source.keep(`ref-${i}`, key.pkcs8));
    const ring = new KeyRing(source, { maxKeys: 2 });
    const [a, b, c] = keys as [ZoneKey, ZoneKey, ZoneKey];
    for (const key of [a, b, a, c]) await ring.privateKey(key);
    expect([a, b, c].map((key) => ring.has(key))).toEqual([true, false, true]);
    expect(ring.state.cached).toBe(2);
  });

  it('zones that share a secret have it fetched and proved once; each DNSKEY has a proof of its own', async () => {
    const [one, two] = [
      await generateKey({ algorithm: 13, role: 'CSK' }),
      await generateKey({ algorithm: 13, role: 'CSK' }),
    ];
    const source = new MemorySource();
    source.keep('ref-1', one.pkcs8);
    const ring = new KeyRing(source, { maxKeys: 1 });
    const keys = ['a.', 'b.', 'c.'].map((zone, i) => zoneKey(one, { id: String(i), zone }));
    const privateKeys = await ring.privateKeys(keys);
    expect([...privateKeys.keys()]).toEqual(['0', '1', '2']);
    expect(new Set(privateKeys.values()).size).toBe(1);
    expect(await ring.privateKey(zoneKey(one, { id: '3', zone: 'd.' }))).toBe(privateKeys.get('0'));
    expect(ring.state).toEqual({ cached: 1, fetching: 0, fetched: 1, failed: 0 });
    const wrong = zoneKey(two, { id: '4', zone: 'e.' });
    expect(ring.has(wrong)).toBe(false);
    expect((await refusal(ring.privateKey(wrong))).message).toMatch(/^zone e\., key .*public half is not/);
    expect(ring.has(zoneKey(one))).toBe(true);
  });

  it('a fetch that fails for several zones fails by the name of each', async () => {
    const made = await generateKey({ algorithm: 13, role: 'CSK' });
    const source = new MemorySource();
    const ring = new KeyRing(source);
    const errors = await Promise.all(
      ['a.', 'b.'].map((zone, i) => refusal(ring.privateKey(zoneKey(made, { id: String(i), zone })))),
    );
    expect(source.fetches).toBe(1);
    expect(errors.map(({ code, fields }) => [code, fields['zone'], fields['keyId']])).toEqual([
      ['KEY_MISSING', 'a.', '0'],
      ['KEY_MISSING', 'b.', '1'],
    ]);
  });

  it('a dropped key, and one that was replaced under its id, are fetched anew', async () => {
    const [one, two] = [
      await generateKey({ algorithm: 15, role: 'ZSK' }),
      await generateKey({ algorithm: 15, role: 'ZSK' }),
    ];
    const source = new MemorySource();
    source.keep('ref-1', one.pkcs8);
    source.keep('ref-2', two.pkcs8);
    const ring = new KeyRing(source);
    const before = await ring.privateKey(zoneKey(one));
    ring.drop(zoneKey(one));
    expect(await ring.privateKey(zoneKey(one))).not.toBe(before);
    const replaced = await ring.privateKey(zoneKey(two, { secretRef: 'ref-2' }));
    expect(replaced.equals(two.privateKey)).toBe(true);
    ring.clear();
    expect(ring.state.cached).toBe(0);
  });

  it('an encrypted key needs the passphrase, and the right one', async () => {
    const made = await generateKey({ algorithm: 13, role: 'ZSK' });
    const source = new MemorySource();
    const cipher = { cipher: 'aes-256-cbc', passphrase: 'right', format: 'der', type: 'pkcs8' } as const;
    source.keep('ref-1', made.privateKey.export(cipher));
    const ask = (options: object) => new KeyRing(source, options).privateKey(zoneKey(made));
    expect(await refusal(ask({}))).toMatchObject({ code: 'KEY_PASSPHRASE_NEEDED' });
    expect(await refusal(ask({ passphrase: 'wrong' }))).toMatchObject({ code: 'KEY_PASSPHRASE_WRONG' });
    await expect(ask({ passphrase: 'right' })).resolves.toBeDefined();
  });

  it('no error says anything of the material', async () => {
    const made = await generateKey({ algorithm: 13, role: 'ZSK' });
    const secret = randomBytes(90);
    const source = new MemorySource();
    for (const material of [
      secret,
      Buffer.from(secret.toString('base64')),
      Buffer.from(`-----BEGIN PRIVATE KEY-----\n${secret.toString('base64')}\n-----END PRIVATE KEY-----`),
    ]) {
      source.keep('ref-1', material);
      const error = await refusal(new KeyRing(source).privateKey(zoneKey(made)));
      const shown = inspect(error, { depth: 10, showHidden: true });
      expect(shown).not.toContain(secret.toString('base64').slice(8, 24));
      expect(shown).not.toContain(secret.toString('hex').slice(8, 24));
    }
  });
});

describe('the ring of TSIG secrets', () => {
  const record: TsigKeyRecord = { name: 'key.', algorithm: 'hmac-sha256', secretRef: 'ref-1' };
  const secret = randomBytes(32);
  const base64 = secret.toString('base64');

  it.each([
    ['octets', secret, 'application/octet-stream'],
    ['base64', Buffer.from(base64), 'text/plain'],
    [
      'a BIND statement',
      Buffer.from(`key "key." {\n algorithm hmac-sha256;\n secret "${base64}";\n};`),
      'text/plain',
    ],
    ["kdig's form", Buffer.from(`hmac-sha256:key.:${base64}`), 'text/plain'],
  ])('%s', async (_, payload, contentType) => {
    const source = new MemorySource();
    source.keep('ref-1', payload, contentType);
    const ring = new TsigSecretRing(source);
    expect(ring.peek(record)).toBeUndefined();
    const key = await ring.key(record);
    expect(Buffer.from(key.secret)).toEqual(secret);
    expect(key.name.toString()).toBe('key.');
    source.failure = new ZonesealError('KEYSTORE_UNAVAILABLE', 'away');
    expect(await ring.key(record)).toBe(key);
    expect(ring.peek(record)).toBe(key);
    expect(source.fetches).toBe(1);
    ring.drop(record);
    expect(ring.peek(record)).toBeUndefined();
    expect(await refusal(ring.key(record))).toMatchObject({ code: 'KEYSTORE_UNAVAILABLE' });
  });

  it('a failure stands for five seconds, whoever asks', async () => {
    let now = 1_000_000;
    const clock = { milliseconds: () => now, seconds: () => Math.floor(now / 1000) };
    const source = new MemorySource();
    const ring = new TsigSecretRing(source, { clock });
    for (let i = 0; i < 5; i++)
      expect(await refusal(ring.key(record))).toMatchObject({ code: 'KEY_MISSING' });
    expect(source.fetches).toBe(1);
    source.keep('ref-1', secret);
    expect(await refusal(ring.key(record))).toMatchObject({ code: 'KEY_MISSING' });
    now += 5001;
    await expect(ring.key(record)).resolves.toBeDefined();
    expect(ring.state).toMatchObject({ cached: 1, failed: 1 });
  });

  it('a failure does not stand for a key that was replaced or dropped meanwhile', async () => {
    const source = new MemorySource();
    const ring = new TsigSecretRing(source);
    await refusal(ring.key(record));
    source.keep('ref-2', secret);
    await expect(ring.key({ ...record, secretRef: 'ref-2' })).resolves.toBeDefined();
    ring.drop(record);
    source.keep('ref-1', secret);
    await expect(ring.key(record)).resolves.toBeDefined();
  });

  it.each([
    [
      'a statement for another key',
      `key "other." { algorithm hmac-sha256; secret "${base64}"; };`,
      'KEY_MISMATCH',
    ],
    [
      'a statement for another algorithm',
      `key "key." { algorithm hmac-sha512; secret "${base64}"; };`,
      'KEY_MISMATCH',
    ],
    ['prose', 'a secret, they said', 'TSIG_KEY_INVALID'],
  ])('%s is refused', async (_, text, code) => {
    const source = new MemorySource();
    source.keep('ref-1', Buffer.from(text), 'text/plain');
    const error = await refusal(new TsigSecretRing(source).key(record));
    expect(error.code).toBe(code);
    expect(error.message).toContain('TSIG key key.');
    expect(inspect(error, { depth: 10 })).not.toContain(base64.slice(4, 20));
  });
});
