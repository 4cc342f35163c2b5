import { sign, verify } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ALGORITHMS } from '../../src/dnssec/algorithm.js';
import { dnskeyRdata, keyTag } from '../../src/dnssec/dnskey.js';
import { ZonesealError } from '../../src/errors.js';
import { decodePrivateKey } from '../../src/keys/formats/decode.js';
import { DecodeThread } from '../../src/keys/formats/decode-thread.js';
import { bindFileName, encodeBindPrivate, encodePkcs8Pem } from '../../src/keys/formats/encode.js';
import { publicKeyFromDnskey } from '../../src/keys/formats/public-key.js';
import { generateKey } from '../../src/keys/generate.js';
import { readKeyFolder } from '../../src/keys/key-folder.js';

const folder = fileURLToPath(new URL('../vectors/keys/', import.meta.url));
const expected = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8')) as Record<string, string>;
const read = (file: string): Uint8Array => new Uint8Array(readFileSync(`${folder}${file}`));

async function refusal(promise: Promise<unknown>): Promise<ZonesealError> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(ZonesealError);
    return error as ZonesealError;
  }
  throw new Error('it was accepted');
}

describe('private keys as other programs write them', () => {
  it.each(Object.keys(expected))('%s is read, with the public half that other programs see', async (file) => {
    const key = await decodePrivateKey(read(file), { passphrase: 'secret' });
    expect(Buffer.from(key.publicKey).toString('base64')).toBe(expected[file]);
    const algorithm = key.algorithms[0] as number;
    const digest = ALGORITHMS.get(algorithm)?.digest ?? null;
    const publicKey = publicKeyFromDnskey(algorithm, key.publicKey);
    const data = Buffer.from('data');
    expect(verify(digest, data, publicKey, sign(digest, data, key.privateKey))).toBe(true);
  });

  it.each(readdirSync(folder).filter((file) => file.endsWith('.private')))(
    '%s names its algorithm and keeps it',
    async (file) => {
      const key = await decodePrivateKey(read(file));
      const named = /\+([0-9]{3})\+/.exec(file)?.[1] ?? '14';
      expect(key.algorithms).toEqual([Number(named)]);
      expect(key.format).toBe('BIND');
    },
  );

  it('the forms are told apart', async () => {
    const formats = await Promise.all(
      [
        'pkcs8-ed448.pem',
        'pkcs8-aes128-ed448.pem',
        'pkcs1-rsa2048.der',
        'sec1-prime256v1.pem',
        'p12-ed448.p12',
      ].map(async (file) => (await decodePrivateKey(read(file), { passphrase: 'secret' })).format),
    );
    expect(formats).toEqual(['PKCS#8', 'encrypted PKCS#8', 'PKCS#1', 'SEC1', 'PKCS#12']);
  });

  it('an RSA key serves both RSA algorithms where its form names none', async () => {
    expect((await decodePrivateKey(read('pkcs1-rsa2048.pem'))).algorithms).toEqual([8, 10]);
  });

  it('times of a BIND file are read in UTC', async () => {
    const [file] = Object.keys(expected).filter((name) => name.startsWith('Kbind.example.+013'));
    const created = /Created: ([0-9]{14})/.exec(readFileSync(`${folder}${file}`, 'utf8'))?.[1] as string;
    const iso = created.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z');
    expect((await decodePrivateKey(read(file as string))).timing?.['Created']).toBe(Date.parse(iso) / 1000);
  });

  it('a PEM whose last line break was lost is read', async () => {
    const pem = readFileSync(`${folder}sec1-prime256v1.pem`, 'utf8').trimEnd();
    expect((await decodePrivateKey(Buffer.from(pem))).algorithms).toEqual([13]);
  });
});

describe('passphrases', () => {
  const encrypted = Object.keys(expected).filter((file) => /aes|des3|p12|v1-|100000/.test(file));

  it.each(encrypted)('%s: none and a wrong one are told apart', async (file) => {
    expect((await refusal(decodePrivateKey(read(file)))).code).toBe('KEY_PASSPHRASE_NEEDED');
    if (file.includes('100000')) return;
    expect((await refusal(decodePrivateKey(read(file), { passphrase: 'wrong' }))).code).toBe(
      'KEY_PASSPHRASE_WRONG',
    );
  });

  it('a wrong one whose padding happens to be sound is wrong all the same', async () => {
    const passphrases = Array.from({ length: 300 }, (_, i) => `wrong ${i}`);
    const key = read('sec1-aes256-prime256v1.pem');
    for (const passphrase of passphrases) {
      expect((await refusal(decodePrivateKey(key, { passphrase }))).code).toBe('KEY_PASSPHRASE_WRONG');
    }
  });
});

describe('what is refused, and why', () => {
  const cases: [file: string, code: string, reason: RegExp][] = [
    ['bad-certificate.pem', 'KEY_UNSUPPORTED', /"CERTIFICATE"/],
    ['bad-nokey.p12', 'KEY_UNREADABLE', /holds 0 private keys/],
    ['bad-rounds.der', 'KEY_UNREADABLE', /more than 1000000 rounds/],
    ['bad-rsa512.pem', 'KEY_UNSUPPORTED', /512 bits/],
    ['bad-rsa5120.pem', 'KEY_UNSUPPORTED', /5120 bits/],
    ['bad-rsa-pss.pem', 'KEY_UNSUPPORTED', /rsa-pss/],
    ['bad-scrypt.pem', 'KEY_UNSUPPORTED', /openssl pkcs8/],
    ['bad-secp256k1.pem', 'KEY_UNSUPPORTED', /secp256k1/],
    ['bad-secp521r1.pem', 'KEY_UNSUPPORTED', /secp521r1/],
    ['bad-two-keys.pem', 'KEY_UNREADABLE', /2 private keys/],
    ['bad-x25519.pem', 'KEY_UNSUPPORTED', /x25519/],
  ];
  it.each(cases)('%s: %s', async (file, code, reason) => {
    const error = await refusal(decodePrivateKey(read(file), { passphrase: 'secret' }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(reason);
  });

  const texts: [what: string, text: string, reason: RegExp][] = [
    ['nothing', '', /empty/],
    ['prose', 'a key, they said', /neither PEM, DER/],
    ['a cut PEM', '-----BEGIN PRIVATE KEY-----\nMC4CAQ', /no end/],
    ['a PEM that is not base64', '-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----', /not base64/],
    [
      'a BIND file without fields',
      'Private-key-format: v1.3\nAlgorithm: 13 (X)\n',
      /"PrivateKey" is missing/,
    ],
    ['a BIND file of version 2', 'Private-key-format: v2.0\nAlgorithm: 13 (X)\n', /not v1\.x/],
    ['a BIND field given twice', 'Private-key-format: v1.3\nAlgorithm: 13\nAlgorithm: 13\n', /given twice/],
    ['a BIND field of no base64', 'Private-key-format: v1.3\nAlgorithm: 15\nPrivateKey: *\n', /not base64/],
    ['a BIND seed cut off', 'Private-key-format: v1.3\nAlgorithm: 15\nPrivateKey: AAAA\n', /not 32 octets/],
    // older writers leave out leading zeros: only where the file ends too early is a short one no key
    [
      'a BIND scalar cut off',
      `Private-key-format: v1.2\nAlgorithm: 13\nPrivateKey: ${'BBBB'.repeat(9)}`,
      /"PrivateKey" is short, .* its end is missing/,
    ],
    [
      'an ECDSA scalar of zero',
      `Private-key-format: v1.2\nAlgorithm: 13\nPrivateKey: ${Buffer.alloc(32).toString('base64')}\n`,
      /no public key belongs to it/,
    ],
    [
      'a key in a hardware module',
      'Private-key-format: v1.3\nAlgorithm: 13\nLabel: cGtjczEx\n',
      /hardware module/,
    ],
    ['an algorithm of old', 'Private-key-format: v1.3\nAlgorithm: 5\nPrivateKey: AAAA\n', /algorithm 5/],
  ];
  it.each(texts)('%s', async (_, text, reason) => {
    expect((await refusal(decodePrivateKey(Buffer.from(text)))).message).toMatch(reason);
  });

  it('an ECDSA key of BIND is read without leading zeros, where its line has an end', async () => {
    const text = `Private-key-format: v1.2\nAlgorithm: 13\nPrivateKey: ${Buffer.alloc(31, 7).toString('base64')}\n`;
    expect((await decodePrivateKey(Buffer.from(text))).algorithms).toEqual([13]);
  });

  it('more than a key can be long is not looked at', async () => {
    expect((await refusal(decodePrivateKey(new Uint8Array(200_000)))).message).toMatch(/longer than/);
  });

  it('no damage does more than raise an error of ours, and none repeats the material', async () => {
    const files = Object.keys(expected).filter((file) => !/100000|p12-legacy|v1-/.test(file));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom('cut', 'flip', 'insert'),
        fc.integer({ min: 1, max: 255 }),
        async (file, where, how, octet) => {
          const whole = read(file);
          const at = Math.min(whole.length - 1, Math.floor(where * whole.length));
          const damaged = damage(whole, at, how, octet);
          try {
            await decodePrivateKey(damaged, { passphrase: 'secret' });
          } catch (error) {
            expect(error).toBeInstanceOf(ZonesealError);
            expect(
              longestShared((error as Error).message, Buffer.from(whole).toString('latin1')),
            ).toBeLessThan(24);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

function damage(whole: Uint8Array, at: number, how: string, octet: number): Uint8Array {
  if (how === 'cut') return whole.slice(0, at);
  if (how === 'insert') return Uint8Array.from([...whole.slice(0, at), octet, ...whole.slice(at)]);
  const flipped = Uint8Array.from(whole);
  flipped[at] = (flipped[at] as number) ^ octet;
  return flipped;
}

/** The length of the longest run of base64 characters of an error's text that occurs in the material. */
function longestShared(text: string, material: string): number {
  const words = text.split(/[^A-Za-z0-9+/]+/).filter((word) => material.includes(word));
  return Math.max(0, ...words.map((word) => word.length));
}

describe('the thread that decodes', () => {
  it('ends what takes too long, and goes on with the next', async () => {
    const thread = new DecodeThread({ deadline: 150 });
    const slow = decodePrivateKey(read('pkcs8-100000-rsa2048.der'), { passphrase: 'secret', thread });
    const next = decodePrivateKey(read('sec1-prime256v1.pem'), { thread });
    expect((await refusal(slow)).message).toMatch(/longer than 150 ms/);
    // a new thread has to load node-forge within the same deadline
    const outcome = await next.then(
      (key) => key.algorithms,
      (error: ZonesealError) => error.code,
    );
    expect([[13], 'KEY_UNREADABLE']).toContainEqual(outcome);
    await thread.close();
  });

  it('has a bounded queue', async () => {
    const thread = new DecodeThread({ maxQueue: 1 });
    const decode = () => decodePrivateKey(read('sec1-prime256v1.pem'), { thread });
    const results = await Promise.allSettled([decode(), decode(), decode()]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await thread.close();
  });

  it('does not hold up the calling thread', async () => {
    const decoding = decodePrivateKey(read('pkcs8-100000-rsa2048.der'), { passphrase: 'secret' });
    const before = performance.eventLoopUtilization();
    await decoding;
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  });
});

describe('writers', () => {
  it.each([8, 10, 13, 14, 15, 16])(
    'algorithm %i: BIND and PKCS#8 come back as the same key',
    async (algorithm) => {
      const key = await generateKey({ algorithm, role: 'ZSK' });
      const times = { Created: 1_700_000_000, Publish: 1_700_000_000, Activate: 1_800_000_000 };
      const bind = await decodePrivateKey(Buffer.from(encodeBindPrivate(key.privateKey, algorithm, times)));
      expect(bind).toMatchObject({ algorithms: [algorithm], timing: times });
      expect(Buffer.from(bind.publicKey)).toEqual(Buffer.from(key.publicKey));
      const pem = await decodePrivateKey(Buffer.from(encodePkcs8Pem(key.privateKey)));
      expect(Buffer.from(pem.publicKey)).toEqual(Buffer.from(key.publicKey));
    },
  );

  it('file names are those of BIND', () => {
    expect(bindFileName(Name.parse('Example.'), 13, 7)).toBe('Kexample.+013+00007');
    expect(bindFileName(Name.root, 8, 20326)).toBe('K.+008+20326');
    expect(bindFileName(Name.parse('0/25.2.192.in-addr.arpa.'), 8, 1)).toBe(
      'K0%2F25.2.192.in-addr.arpa.+008+00001',
    );
  });
});

describe('folders of keys', () => {
  it('the keys of one zone are read, with the tags in their names', async () => {
    const { keys, privateKeys } = await readKeyFolder(folder, Name.parse('bind.example.'), {
      now: 4_000_000_000,
    });
    expect(keys).toHaveLength(6);
    for (const key of keys) {
      expect(key.id).toMatch(new RegExp(`\\+0*${key.algorithm}\\+0*${key.keyTag}$`));
      expect(keyTag(dnskeyRdata(key))).toBe(key.keyTag);
      expect(privateKeys.has(key.id)).toBe(true);
      expect(key).toMatchObject({ signs: true, published: true, role: 'CSK', view: null });
    }
  });

  it('a key whose times have not come neither signs nor is published', async () => {
    const { keys } = await readKeyFolder(folder, Name.parse('bind.example.'), { now: 1_000_000_000 });
    expect(keys.every((key) => !key.signs && !key.published)).toBe(true);
  });

  it('a zone without keys is an error', async () => {
    const error = await refusal(readKeyFolder(folder, Name.parse('none.example.'), { now: 0 }));
    expect(error.code).toBe('KEY_MISSING');
  });
});
