import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { ALGORITHMS } from '../../src/dnssec/algorithm.js';
import { tagsOf } from '../../src/dnssec/dnskey.js';
import { ZonesealError } from '../../src/errors.js';
import { decodePrivateKey } from '../../src/keys/formats/decode.js';
import {
  bindFileName,
  encodeBindPrivate,
  encodeBindPublic,
  encodePkcs8Pem,
} from '../../src/keys/formats/encode.js';
import { generateKey, type NewKey } from '../../src/keys/generate.js';
import { parseDnskeyFile, readKeyFolder } from '../../src/keys/key-folder.js';
import { removeFolder, runWell, temporaryFolder } from '../lib/processes.js';

const zone = Name.parse('keys.example.');
const algorithms = [...ALGORITHMS.values()].map((it) => [it.mnemonic, it.number] as const);
let folder: string;

beforeAll(() => {
  folder = temporaryFolder('key-formats');
});
afterAll(() => {
  removeFolder(folder);
});

const decodeFile = (path: string, passphrase?: string) =>
  decodePrivateKey(readFileSync(path), passphrase === undefined ? {} : { passphrase });

describe('keys of other programs', () => {
  it.each(algorithms)('dnssec-keygen, %s', async (mnemonic, algorithm) => {
    const bits = mnemonic.startsWith('RSA') ? ['-b', '2048'] : [];
    const name = (
      await runWell('/usr/bin/dnssec-keygen', [
        '-q',
        '-a',
        mnemonic,
        ...bits,
        '-f',
        'KSK',
        '-K',
        folder,
        `bind${algorithm}.example`,
      ])
    ).trim();
    const { keys } = await readKeyFolder(folder, Name.parse(`bind${algorithm}.example.`), { now: 4e9 });
    expect(keys.map((key) => [key.id, key.algorithm, key.flags])).toEqual([[name, algorithm, 257]]);
  });

  it.each(algorithms)('ldns-keygen, %s', async (mnemonic, algorithm) => {
    const args = ['-a', mnemonic, '-b', '2048', `ldns${algorithm}.example`];
    const name = (await runWell('/usr/bin/ldns-keygen', args, { cwd: folder })).trim();
    const { keys } = await readKeyFolder(folder, Name.parse(`ldns${algorithm}.example.`), { now: 4e9 });
    expect(keys.map((key) => key.id)).toEqual([name]);
  });

  it.each(algorithms)('keymgr, %s', async (mnemonic, algorithm) => {
    const database = join(folder, `knot${algorithm}`);
    await runWell('/usr/sbin/keymgr', [
      '-D',
      database,
      zone.toString(),
      'generate',
      `algorithm=${algorithm}`,
      'ksk=yes',
    ]);
    const listed = await runWell('/usr/sbin/keymgr', ['-D', database, zone.toString(), 'dnskey']);
    const published = parseDnskeyFile(listed);
    const pem = readdirSync(database, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.pem'),
    );
    const key = await decodeFile(join(database, pem[0] as string));
    expect(key.algorithms).toContain(algorithm);
    expect(Buffer.from(key.publicKey), mnemonic).toEqual(Buffer.from(published.publicKey));
  });

  it.each([
    ['rsa', ['-pkeyopt', 'rsa_keygen_bits:2048'], 8],
    ['ec', ['-pkeyopt', 'ec_paramgen_curve:P-256'], 13],
    ['ec', ['-pkeyopt', 'ec_paramgen_curve:P-384'], 14],
    ['ed25519', [], 15],
    ['ed448', [], 16],
  ])('openssl, %s %j: plain, encrypted, PKCS#12', async (kind, options, algorithm) => {
    const path = (name: string) => join(folder, `openssl${algorithm}.${name}`);
    const openssl = (...args: string[]) => runWell('/usr/bin/openssl', args);
    await openssl('genpkey', '-algorithm', kind, ...options, '-out', path('pem'));
    const plain = await decodeFile(path('pem'));
    expect(plain.algorithms).toContain(algorithm);
    for (const cipher of ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3']) {
      await openssl(
        'pkcs8',
        '-topk8',
        '-in',
        path('pem'),
        '-v2',
        cipher,
        '-passout',
        'pass:secret',
        '-outform',
        'DER',
        '-out',
        path('der'),
      );
      expect(Buffer.from((await decodeFile(path('der'), 'secret')).publicKey), cipher).toEqual(
        Buffer.from(plain.publicKey),
      );
    }
    await openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      path('pem'),
      '-subj',
      '/CN=x',
      '-days',
      '2',
      '-out',
      path('crt'),
    );
    for (const legacy of [[], ['-legacy']]) {
      await openssl(
        'pkcs12',
        '-export',
        ...legacy,
        '-inkey',
        path('pem'),
        '-in',
        path('crt'),
        '-passout',
        'pass:secret',
        '-out',
        path('p12'),
      );
      expect(Buffer.from((await decodeFile(path('p12'), 'secret')).publicKey)).toEqual(
        Buffer.from(plain.publicKey),
      );
    }
  });
});

describe('a file whose end is missing', () => {
  const P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const openssl = (...args: string[]) => runWell('/usr/bin/openssl', args);
  /** The forms that the programs write, of an ECDSA key: each is decoded once an octet. */
  const forms: readonly (readonly [string, (own: string) => Promise<unknown>, string?])[] = [
    ['BIND', (own) => runWell('/usr/bin/dnssec-keygen', ['-q', '-a', '13', '-K', own, 'cut.example'])],
    ['PKCS#8 PEM', (own) => openssl('genpkey', ...P256, '-out', join(own, 'key.private'))],
    ['PKCS#8 DER', (own) => openssl('genpkey', ...P256, '-outform', 'DER', '-out', join(own, 'key.private'))],
    [
      'encrypted PKCS#8',
      (own) =>
        openssl('genpkey', ...P256, '-aes256', '-pass', 'pass:secret', '-out', join(own, 'key.private')),
      'secret',
    ],
    [
      'SEC1',
      (own) =>
        openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', join(own, 'key.private')),
    ],
  ];

  it.each(forms.map((it) => [it[0], it] as const))(
    'is never another key, %s',
    async (form, [, make, passphrase]) => {
      const own = temporaryFolder('cut-off');
      await make(own);
      const file = readdirSync(own).find((name) => name.endsWith('.private')) as string;
      const octets = readFileSync(join(own, file));
      const options = passphrase === undefined ? {} : { passphrase };
      const whole = Buffer.from((await decodePrivateKey(octets, options)).publicKey);
      let refused = 0;
      for (let length = 0; length < octets.length; length++) {
        const decoded = await decodePrivateKey(octets.subarray(0, length), options).catch(
          (error: unknown) => {
            expect(error).toBeInstanceOf(ZonesealError);
            refused++;
          },
        );
        if (decoded !== undefined)
          expect(whole.equals(decoded.publicKey), `${form} cut at ${length}`).toBe(true);
      }
      // what may be missing is the end of the last line, and of BIND's the times
      const needed = form === 'BIND' ? octets.indexOf('Created') - 1 : octets.length - 1;
      expect(refused).toBeGreaterThanOrEqual(needed);
      removeFolder(own);
    },
  );
});

describe('our keys in other programs', () => {
  const write = (key: NewKey, into: string): string => {
    const name = bindFileName(zone, key.algorithm, key.keyTag);
    writeFileSync(join(into, `${name}.private`), encodeBindPrivate(key.privateKey, key.algorithm));
    writeFileSync(join(into, `${name}.key`), encodeBindPublic(zone, key.flags, key.algorithm, key.publicKey));
    return name;
  };
  const master =
    'keys.example. 300 IN SOA ns.keys.example. h.keys.example. 1 7200 3600 864000 300\nkeys.example. 300 IN NS ns.keys.example.\nns.keys.example. 300 IN A 192.0.2.1\n';

  it.each(algorithms)('dnssec-signzone and ldns-signzone sign with them, %s', async (mnemonic, algorithm) => {
    const into = temporaryFolder(`keys-${algorithm}`);
    const ksk = await generateKey({ algorithm, role: 'KSK' });
    const zsk = await generateKey({ algorithm, role: 'ZSK', takenTags: new Set(tagsOf(ksk)) });
    const [kskName, zskName] = [write(ksk, into), write(zsk, into)];
    const input = join(into, 'zone');
    const keys = [kskName, zskName].map((name) => readFileSync(join(into, `${name}.key`), 'utf8'));
    writeFileSync(input, master + keys.join(''));
    const bind = [
      '-d',
      into,
      '-o',
      zone.toString(),
      '-K',
      into,
      '-k',
      join(into, kskName),
      '-f',
      join(into, 'bind'),
      input,
      join(into, zskName),
    ];
    await runWell('/usr/bin/dnssec-signzone', bind);
    await runWell('/usr/bin/dnssec-verify', ['-o', zone.toString(), join(into, 'bind')]);
    writeFileSync(input, master);
    const ldns = [
      '-o',
      zone.toString(),
      '-f',
      join(into, 'ldns'),
      input,
      join(into, kskName),
      join(into, zskName),
    ];
    await runWell('/usr/bin/ldns-signzone', ldns);
    await runWell('/usr/bin/ldns-verify-zone', [join(into, 'ldns')]);
    expect(readFileSync(join(into, 'bind'), 'utf8')).toContain(String(zsk.keyTag));
    removeFolder(into);
    expect(mnemonic).toBeTruthy();
  });

  it.each(algorithms)('keymgr imports them with the same key tag, %s', async (_, algorithm) => {
    const into = temporaryFolder(`import-${algorithm}`);
    const key = await generateKey({ algorithm, role: 'KSK' });
    const name = write(key, into);
    const database = join(into, 'kasp');
    await runWell('/usr/sbin/keymgr', [
      '-D',
      database,
      zone.toString(),
      'import-bind',
      join(into, `${name}.key`),
    ]);
    expect(await runWell('/usr/sbin/keymgr', ['-D', database, zone.toString(), 'ds'])).toContain(
      ` ${key.keyTag} ${algorithm} 2 `,
    );
    removeFolder(into);
  });

  it.each(algorithms)('openssl reads our PKCS#8, %s', async (_, algorithm) => {
    const key = await generateKey({ algorithm, role: 'ZSK' });
    const pem = join(folder, `ours${algorithm}.pem`);
    writeFileSync(pem, encodePkcs8Pem(key.privateKey));
    await runWell('/usr/bin/openssl', ['pkey', '-in', pem, '-check', '-noout']);
  });

  it('dnssec-dsfromkey and our key tag agree on the throw-away keys', async () => {
    const folderOfKeys = new URL('../../keys-dev/', import.meta.url).pathname;
    const { keys } = await readKeyFolder(folderOfKeys, Name.parse('quickstart.example.'), { now: 4e9 });
    expect(keys.map((key) => key.role).sort()).toEqual(['KSK', 'ZSK']);
    for (const key of keys) {
      const ds = await runWell('/usr/bin/dnssec-dsfromkey', ['-2', join(folderOfKeys, `${key.id}.key`)]);
      expect(ds).toContain(` ${key.keyTag} 13 2 `);
    }
  });
});
