import { webcrypto } from 'node:crypto';
import { Crypto } from '@peculiar/webcrypto';
import { describe, expect, it } from 'vitest';
import { dnskeyRdata, keyTag, tagsOf } from '../../src/dnssec/dnskey.js';
import { defaultKeyProvider, generateKey, importKey, type KeyProvider } from '../../src/keys/generate.js';

/** Node's own WebCrypto: another provider than the default one. */
const nodeProvider: KeyProvider = { subtle: webcrypto.subtle, edwards: 'curve' };

describe('key generation', () => {
  it.each([
    [8, 260],
    [10, 260],
    [13, 64],
    [14, 96],
    [15, 32],
    [16, 57],
  ])(
    'algorithm %i: a key of %i octets by either provider, importable by the other',
    async (algorithm, octets) => {
      const ours = await generateKey({ algorithm, role: 'KSK' });
      const theirs = await generateKey({ algorithm, role: 'ZSK', provider: nodeProvider });
      expect([ours.publicKey.length, theirs.publicKey.length]).toEqual([octets, octets]);
      expect([ours.flags, theirs.flags]).toEqual([257, 256]);
      expect(ours.keyTag).toBe(keyTag(dnskeyRdata(ours)));
      const swapped = await importKey(ours.pkcs8, { algorithm, role: 'KSK', provider: nodeProvider });
      expect(swapped).toMatchObject({ keyTag: ours.keyTag });
      const back = await importKey(theirs.pkcs8, { algorithm, role: 'ZSK' });
      expect(Buffer.from(back.publicKey)).toEqual(Buffer.from(theirs.publicKey));
    },
  );

  it('the RSA size is that of the policy', async () => {
    expect((await generateKey({ algorithm: 8, role: 'CSK', rsaBits: 1024 })).publicKey.length).toBe(132);
    for (const rsaBits of [512, 5000, 2049]) {
      await expect(generateKey({ algorithm: 8, role: 'CSK', rsaBits })).rejects.toMatchObject({
        code: 'KEY_UNSUPPORTED',
      });
    }
  });

  it('an algorithm that is not supported is refused', async () => {
    await expect(generateKey({ algorithm: 5, role: 'ZSK' })).rejects.toMatchObject({
      code: 'KEY_UNSUPPORTED',
    });
  });

  it('material of another kind is refused on import', async () => {
    const key = await generateKey({ algorithm: 13, role: 'ZSK' });
    await expect(importKey(key.pkcs8, { algorithm: 14, role: 'ZSK' })).rejects.toMatchObject({
      code: 'KEY_UNREADABLE',
    });
  });
});

describe('key tags', () => {
  /** Gives the same pairs again and again, as often as told. */
  function repeating(pairs: readonly webcrypto.CryptoKeyPair[]): KeyProvider {
    const { subtle } = new Crypto();
    let next = 0;
    const generate = () => Promise.resolve(pairs[Math.min(next++, pairs.length - 1)]);
    const proxy = new Proxy(subtle, {
      get: (target, name) => {
        if (name === 'generateKey') return generate;
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    return { subtle: proxy, edwards: 'EdDSA' };
  }
  const pair = async (): Promise<webcrypto.CryptoKeyPair> => {
    const made = await defaultKeyProvider.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    return made;
  };

  it('a key whose tag is taken is thrown away', async () => {
    const [first, second] = [await pair(), await pair()];
    const one = await generateKey({ algorithm: 13, role: 'ZSK', provider: repeating([first]) });
    const two = await generateKey({
      algorithm: 13,
      role: 'ZSK',
      provider: repeating([first, second]),
      takenTags: new Set(tagsOf(one)),
    });
    expect(two.keyTag).not.toBe(one.keyTag);
  });

  it('after twenty of them something is wrong', async () => {
    const first = await pair();
    const one = await generateKey({ algorithm: 13, role: 'ZSK', provider: repeating([first]) });
    const again = generateKey({
      algorithm: 13,
      role: 'ZSK',
      provider: repeating([first]),
      takenTags: new Set(tagsOf(one)),
    });
    await expect(again).rejects.toMatchObject({ code: 'KEY_TAG_TAKEN' });
  });

  it('tags that a key has once it is revoked are taken too (RFC 5011 §7)', async () => {
    const key = await generateKey({ algorithm: 13, role: 'KSK' });
    const revoked = keyTag(dnskeyRdata({ ...key, flags: key.flags | 0x80 }));
    expect(tagsOf(key)).toEqual([key.keyTag, revoked]);
    expect(tagsOf({ ...key, flags: key.flags | 0x80 })).toEqual([key.keyTag, revoked]);
  });
});

describe('self-test', () => {
  it('a provider whose signatures do not verify gives no key', async () => {
    const { subtle } = new Crypto();
    const proxy = new Proxy(subtle, {
      get: (target, name) => {
        if (name === 'sign') return () => Promise.resolve(new ArrayBuffer(64));
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const made = generateKey({ algorithm: 13, role: 'ZSK', provider: { subtle: proxy, edwards: 'EdDSA' } });
    await expect(made).rejects.toMatchObject({ code: 'KEY_SELF_TEST_FAILED' });
  });
});
