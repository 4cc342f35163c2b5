import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Name } from '../../src/dns/name.js';
import {
  bindFileName,
  encodeBindPrivate,
  encodeBindPublic,
  encodePkcs8Pem,
} from '../../src/keys/formats/encode.js';
import { removeFolder, runWell, temporaryFolder } from '../lib/processes.js';
import { runSome } from '../lib/tasks.js';
import { toolPath } from '../lib/tools.js';
import { ALGORITHMS } from '../validators/variants.js';
import { dnskeysIn, judgeFile, KeyLab, type ListedKey, signersIn, tagsIn } from './lab.js';
import {
  type Exporter,
  fromDnssecKeygen,
  fromKeymgr,
  fromPdnsutil,
  fromPdnsutilPairs,
  fromPdnsutilPem,
  fromPkcs12,
  PASSPHRASE,
  powerdnsKeys,
  powerdnsOf,
} from './other-programs.js';
import { spoiltSources } from './spoilt.js';

const folder = temporaryFolder('keyformats');
const passphraseFile = join(folder, 'passphrase');
let lab: KeyLab;

beforeAll(async () => {
  lab = await KeyLab.start(passphraseFile);
});
afterAll(async () => {
  await lab?.stop();
  removeFolder(folder);
});

const sorted = (tags: readonly number[]): number[] => tags.toSorted((a, b) => a - b);
const tagsOf = (keys: readonly ListedKey[]): number[] => sorted(keys.map(({ keyTag }) => keyTag));

/** What Barbican gives to whoever may have it. */
async function privateKeyOf({ secretRef }: ListedKey): Promise<KeyObject> {
  const { contentType, payload } = await lab.barbican.fetchPayload(secretRef);
  expect(contentType).toBe('application/pkcs8');
  return createPrivateKey({ key: Buffer.from(payload), format: 'der', type: 'pkcs8' });
}

interface Exported extends ListedKey {
  readonly privateKey: KeyObject;
  /** BIND's pair of files, without their extension. */
  readonly base: string;
  readonly pem: string;
}

async function exportKeys(keys: readonly ListedKey[], into: string): Promise<Exported[]> {
  return Promise.all(
    keys.map(async (key) => {
      const name = Name.parse(key.zone);
      const { algorithm, keyTag, flags } = key;
      const privateKey = await privateKeyOf(key);
      const base = join(into, bindFileName(name, algorithm, keyTag));
      const publicKey = Buffer.from(key.publicKey, 'base64');
      const options = { mode: 0o600 };
      writeFileSync(`${base}.key`, encodeBindPublic(name, flags, algorithm, publicKey));
      writeFileSync(`${base}.private`, encodeBindPrivate(privateKey, algorithm), options);
      const pem = `${base}.pem`;
      writeFileSync(pem, encodePkcs8Pem(privateKey), options);
      return { ...key, privateKey, base, pem };
    }),
  );
}

/** A zone before it is signed. */
function writeMaster(zone: string, file: string, keys: readonly Exported[]): void {
  const records = [
    `${zone} 300 IN SOA ns.${zone} host.${zone} 1 3600 600 86400 300`,
    `${zone} 300 IN NS ns.${zone}`,
    `ns.${zone} 300 IN A 192.0.2.1`,
    `www.${zone} 300 IN A 192.0.2.2`,
  ];
  writeFileSync(
    file,
    `${records.join('\n')}\n${keys.map(({ base }) => readFileSync(`${base}.key`, 'utf8')).join('')}`,
  );
}

/** The signatures of a file, by the tags of the keys that made them. */
function signersOf(file: string): number[] {
  const text = readFileSync(file, 'utf8').replaceAll(/\(|\)/g, ' ').replaceAll(/\s+/g, ' ');
  const tags = [...text.matchAll(/RRSIG \S+ \d+ \d+ \d+ \d{14} \d{14} (\d+) /g)].map(([, tag]) =>
    Number(tag),
  );
  return sorted([...new Set(tags)]);
}

describe('keys that Zoneseal made', () => {
  const zoneOf = (algorithm: number): string => `ours${algorithm}.test.`;
  let made: ReadonlyMap<string, readonly ListedKey[]>;

  beforeAll(async () => {
    for (const algorithm of ALGORITHMS) lab.addZone(zoneOf(algorithm), algorithm, 'ksk+zsk');
    const zones = ALGORITHMS.map(zoneOf);
    await runSome(zones.map((zone) => () => lab.command('keys', 'generate', zone)));
    for (const zone of zones) lab.serve(zone);
    made = await lab.listKeys();
  });

  test.each(ALGORITHMS)('sign with dnssec-signzone as they do here, algorithm %i', async (algorithm) => {
    const zone = zoneOf(algorithm);
    const into = mkdtempSync(join(folder, 'keys-'));
    const keys = await exportKeys(made.get(zone) ?? [], into);
    expect(keys.map(({ role }) => role).sort()).toEqual(['KSK', 'ZSK']);

    const records = await lab.take(zone);
    expect(signersIn(records)).toEqual(tagsOf(keys));
    expect(await lab.judge(zone, records, false)).toEqual([]);

    const [ksk, zsk] = keys.toSorted((a, b) => b.flags - a.flags) as [Exported, Exported];
    const [plain, signed] = [join(into, 'plain'), join(into, 'signed')];
    writeMaster(zone, plain, keys);
    const args = ['-K', into, '-d', into, '-o', zone, '-k', ksk.base, '-f', signed, plain, zsk.base];
    await runWell(toolPath('dnssec-signzone'), args);
    expect(signersOf(signed)).toEqual(tagsOf(keys));
    expect(await judgeFile({ apex: zone, file: signed, isCsk: false, hasZonemd: false })).toEqual([]);

    // what PowerDNS makes of the PEM is what BIND was given, and its DNSKEYs are those that are served
    const pdnsutil = await powerdnsOf(into, zone);
    for (const { pem, role } of keys) {
      await pdnsutil('import-zone-key-pem', zone, pem, String(algorithm), role.toLowerCase());
    }
    const theirs = await powerdnsKeys(pdnsutil, zone);
    expect(sorted(theirs.map(({ tag }) => tag))).toEqual(tagsOf(keys));
    expect(theirs.map(({ dnskey }) => dnskey).sort()).toEqual(dnskeysIn(records));
    for (const { id, tag } of theirs) {
      const base = keys.find(({ keyTag }) => keyTag === tag)?.base ?? '';
      const fields = (text: string): string[] => text.trim().split('\n').slice(1).sort();
      // compared as a yes or no: what differs is a private key
      const exported = fields(await pdnsutil('export-zone-key', zone, id)).join();
      expect(exported === fields(readFileSync(`${base}.private`, 'utf8')).join()).toBe(true);
    }
  });

  test.each(ALGORITHMS)('are taken by keymgr with their key tags, algorithm %i', async (algorithm) => {
    const zone = zoneOf(algorithm);
    const into = mkdtempSync(join(folder, 'keys-'));
    const keys = await exportKeys(made.get(zone) ?? [], into);
    const keymgr = (database: string, ...args: string[]): Promise<string> =>
      runWell(toolPath('keymgr'), ['-D', join(into, database), zone, ...args]);
    for (const { base, pem, role } of keys) {
      const is = role === 'KSK' ? ['ksk=yes', 'zsk=no'] : ['ksk=no', 'zsk=yes'];
      await keymgr('by-pair', 'import-bind', `${base}.key`);
      await keymgr('by-pem', 'import-pem', pem, `algorithm=${algorithm}`, ...is);
    }
    for (const database of ['by-pair', 'by-pem']) {
      const listed = JSON.parse(await keymgr(database, '-j', 'list')) as readonly { tag: number }[];
      expect(sorted(listed.map(({ tag }) => tag)), database).toEqual(tagsOf(keys));
    }
  });
});

/** An RSA key in a form that names no algorithm fits one of two: both cannot be told apart in one call. */
const ALL = ALGORITHMS;
const [NONE_OF_10, ONLY_10] = [ALGORITHMS.filter((it) => it !== 10), [10]];

interface Import {
  readonly program: string;
  readonly exporter: Exporter;
  readonly algorithms: readonly number[];
  /** Of the policy. */
  readonly algorithm: number;
  readonly more?: readonly string[];
}

const IMPORTS: readonly Import[] = [
  { program: 'dnssec-keygen', exporter: fromDnssecKeygen, algorithms: ALL, algorithm: 13 },
  { program: 'keymgr', exporter: fromKeymgr, algorithms: NONE_OF_10, algorithm: 8 },
  {
    program: 'keymgr',
    exporter: fromKeymgr,
    algorithms: ONLY_10,
    algorithm: 13,
    more: ['--algorithm', '10'],
  },
  { program: 'pdnsutil', exporter: fromPdnsutil, algorithms: ALL, algorithm: 13 },
  { program: 'pdnsutil-pairs', exporter: fromPdnsutilPairs, algorithms: ALL, algorithm: 13 },
  { program: 'pdnsutil-pem', exporter: fromPdnsutilPem, algorithms: NONE_OF_10, algorithm: 8 },
  { program: 'pdnsutil-pem', exporter: fromPdnsutilPem, algorithms: ONLY_10, algorithm: 10 },
  { program: 'openssl-pkcs12', exporter: fromPkcs12, algorithms: NONE_OF_10, algorithm: 8 },
  { program: 'openssl-pkcs12', exporter: fromPkcs12, algorithms: ONLY_10, algorithm: 10 },
];
const titled = IMPORTS.map(
  (it) => [`${it.program}, algorithms ${it.algorithms.join(', ')}`, it] as [string, Import],
);

describe.concurrent('keys of other programs', () => {
  test.each(titled)(
    'sign what is served, those of %s',
    async (_, it) => {
      const zone = `${it.program}${it.algorithms.length}.test.`;
      const { imports, dnskeys, tags, isCsk } = await it.exporter(folder, zone, it.algorithms);
      lab.addZone(zone, it.algorithm, isCsk ? 'csk' : 'ksk+zsk');
      for (const args of imports) await lab.command('keys', 'import', zone, ...args, ...(it.more ?? []));
      lab.serve(zone);

      const records = await lab.take(zone);
      expect(dnskeysIn(records)).toEqual([...dnskeys].sort());
      const served = tagsIn(records);
      expect(new Set(dnskeys.map((dnskey) => Number(dnskey.split(' ')[2])))).toEqual(new Set(it.algorithms));
      if (tags.length > 0) expect(served).toEqual(sorted(tags));
      expect(signersIn(records)).toEqual(served);
      expect(await lab.judge(zone, records, isCsk)).toEqual([]);
    },
    300_000,
  );
});

describe('keys that cannot be used', () => {
  const zone = 'spoilt.test.';
  let spoilt: Awaited<ReturnType<typeof spoiltSources>>;
  let secrets: number;

  beforeAll(async () => {
    lab.addZone(zone, 13, 'ksk+zsk');
    spoilt = await spoiltSources(folder, zone);
    secrets = await lab.countSecrets();
  });

  /** Nothing came of it, and nothing of the key was said. */
  async function expectRefused(args: readonly string[], says: RegExp): Promise<void> {
    const { status, stdout, stderr } = await lab.run('keys', 'import', zone, ...args);
    expect({ status, stdout, stderr }).toMatchObject({ status: 1, stdout: '' });
    expect(stderr).toMatch(says);
    for (const word of spoilt.secretWords) expect(stderr.includes(word)).toBe(false);
  }

  test('are refused with what is wrong with them', async () => {
    await runSome(
      spoilt.sources.map(
        ({ args, says }) =>
          () =>
            expectRefused(args, says),
      ),
    );
  });

  test('are refused with another passphrase', async () => {
    writeFileSync(passphraseFile, 'another passphrase\n', { mode: 0o600 });
    await expectRefused(spoilt.encrypted, /: the passphrase does not open/);
    writeFileSync(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  });

  test('leave nothing behind, and do not stand in the way of good ones', async () => {
    expect((await lab.listKeys()).has(zone)).toBe(false);
    expect(await lab.countSecrets()).toBe(secrets);
    await lab.command('keys', 'import', zone, spoilt.sound);
    lab.serve(zone);
    const records = await lab.take(zone);
    expect(await lab.judge(zone, records, false)).toEqual([]);
    expect(tagsIn(records)).toEqual(tagsOf((await lab.listKeys()).get(zone) ?? []));
  });
});
