import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { signOctets } from '../../src/signing/batch.js';
import { type NativeKey, nativeKey } from '../../src/signing/native-key.js';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function held(): NativeKey {
  const native = nativeKey(privateKey);
  if (native === undefined)
    throw new Error('koffi, an optional dependency, is not there, or Node.js shows no OpenSSL');
  return native;
}

const isGood = (octets: Uint8Array, signature: Uint8Array): boolean =>
  verify('sha256', octets, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);

describe('nativeKey', () => {
  afterEach(() => {
    vi.doUnmock('node:module');
    vi.resetModules();
  });

  it('makes signatures that node:crypto finds good, those with short halves too', () => {
    const native = held();
    let short = 0;
    // one half in 256 begins with a zero: that 3,000 have none is as good as impossible
    for (let i = 0; i < 3000; i++) {
      const octets = randomBytes(i % 400);
      const signature = native.sign(octets);
      expect(signature.length).toBe(64);
      if (signature[0] === 0 || signature[32] === 0) short++;
      expect(isGood(octets, signature)).toBe(true);
    }
    expect(short).toBeGreaterThan(0);
    native.free();
  });

  it('signs what a view shows of a larger array, and nothing beside it', () => {
    const native = held();
    const block = randomBytes(1000);
    const signature = native.sign(block.subarray(100, 260));
    expect(isGood(block.subarray(100, 260), signature)).toBe(true);
    expect(isGood(block.subarray(101, 260), signature)).toBe(false);
    native.free();
  });

  it('gives each signature octets of its own', () => {
    const native = held();
    const octets = randomBytes(40);
    const first = native.sign(octets);
    const copy = first.slice();
    const second = native.sign(octets);
    expect(first).toEqual(copy);
    expect(second).not.toEqual(first);
    native.free();
  });

  it('holds several keys at once', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [one, two] = [held(), nativeKey(other.privateKey) as NativeKey];
    const octets = randomBytes(40);
    const signatures = [one.sign(octets), two.sign(octets), one.sign(octets)];
    const by = (key: typeof publicKey): boolean[] =>
      signatures.map((it) => verify('sha256', octets, { key, dsaEncoding: 'ieee-p1363' }, it));
    expect(by(publicKey)).toEqual([true, false, true]);
    expect(by(other.publicKey)).toEqual([false, true, false]);
    one.free();
    expect(
      verify('sha256', octets, { key: other.publicKey, dsaEncoding: 'ieee-p1363' }, two.sign(octets)),
    ).toBe(true);
    two.free();
  });

  it('makes the very Ed25519 signatures that node:crypto makes', () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    const native = nativeKey(key) as NativeKey;
    for (let i = 0; i < 500; i++) {
      const octets = randomBytes(i);
      expect(Buffer.compare(native.sign(octets), sign(null, octets, key))).toBe(0);
    }
    native.free();
  });

  it('leaves keys of other kinds to node:crypto', () => {
    expect(nativeKey(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)).toBeUndefined();
    expect(nativeKey(generateKeyPairSync('ed448').privateKey)).toBeUndefined();
    expect(nativeKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)).toBeUndefined();
  });

  it.each([
    [
      'where the package is not installed',
      () => {
        throw new Error('Cannot find module');
      },
    ],
    [
      'where OpenSSL has no such function',
      () => ({
        load: () => ({
          func: () => {
            throw new Error('no symbol');
          },
        }),
      }),
    ],
  ])('is not had %s, and node:crypto signs', async (_, required) => {
    vi.resetModules();
    vi.doMock('node:module', () => ({ createRequire: () => required }));
    const { nativeKey: withoutIt } = await import('../../src/signing/native-key.js');
    const native = withoutIt(privateKey);
    expect(native).toBeUndefined();
    const octets = randomBytes(40);
    expect(isGood(octets, signOctets(octets, { key: privateKey, algorithm: 13, native }))).toBe(true);
  });

  it('is not used when what it makes is not good', async () => {
    vi.resetModules();
    const freed: string[] = [];
    const func = (declaration: string) => () => {
      const name = /(\w+)\(/.exec(declaration)?.[1] as string;
      if (name.endsWith('_free')) freed.push(name);
      return name === 'd2i_AutoPrivateKey' || name === 'EVP_PKEY_CTX_new' ? {} : 1;
    };
    vi.doMock('node:module', () => ({ createRequire: () => () => ({ load: () => ({ func }) }) }));
    const { nativeKey: wrong } = await import('../../src/signing/native-key.js');
    expect(wrong(privateKey)).toBeUndefined();
    expect(freed).toEqual(['EVP_PKEY_CTX_free', 'EVP_MD_free', 'EVP_PKEY_free']);
  });
});
