import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromDnssecKeygen, fromPdnsutilPem, fromPkcs12 } from './other-programs.js';

/** Sources that `zoneseal keys import` has to refuse. */
export interface SpoiltSources {
  readonly sources: readonly { readonly args: readonly string[]; readonly says: RegExp }[];
  /** Arguments for a sound key that a passphrase is needed for. */
  readonly encrypted: readonly string[];
  /** A folder with which nothing is wrong. */
  readonly sound: string;
  /** What of all these nobody may say: base64 of the private halves. */
  readonly secretWords: readonly string[];
}

interface Pair {
  readonly name: string;
  readonly key: string;
  readonly privateKey: string;
}

const start = (text: string, share: number): string => text.slice(0, Math.floor(text.length * share));

/** Makes keys for a zone, and spoils them in every way that happens. */
export async function spoiltSources(folder: string, zone: string): Promise<SpoiltSources> {
  const [ecdsa = '', rsa = '', foreign = ''] = await Promise.all(
    (
      [
        [zone, 13],
        [zone, 8],
        [`other.${zone}`, 13],
      ] as const
    ).map(async ([of, algorithm]) => (await fromDnssecKeygen(folder, of, [algorithm])).imports[0]?.[0] ?? ''),
  );
  const [[p12 = ''] = [], [pem = ''] = []] = (
    await Promise.all([fromPkcs12(folder, zone, [13]), fromPdnsutilPem(folder, zone, [13])])
  ).map(({ imports }) => imports[0]);
  const pairs = pairsIn(ecdsa);
  const [ksk, zsk] = pairs as [Pair, Pair];
  const [rsaKsk] = pairsIn(rsa) as [Pair];

  const written = (pair: Pair): string[] => {
    const own = mkdtempSync(join(folder, 'spoilt-'));
    writeFileSync(join(own, `${pair.name}.key`), pair.key);
    writeFileSync(join(own, `${pair.name}.private`), pair.privateKey, { mode: 0o600 });
    return [own];
  };
  const cut = (path: string, share: number): string[] => {
    const octets = readFileSync(path);
    const file = join(mkdtempSync(join(folder, 'cut-')), 'key');
    writeFileSync(file, octets.subarray(0, Math.floor(octets.length * share)), { mode: 0o600 });
    return [file, '--role', 'CSK'];
  };
  const flagged = (flags: number): string[] =>
    written({ ...ksk, key: ksk.key.replace(/DNSKEY 257/, `DNSKEY ${flags}`) });

  return {
    sources: [
      { args: [foreign], says: new RegExp(`no K\\*.private file with a K\\*.key file for zone ${zone}`) },
      // revoked, and no key of a zone
      { args: flagged(385), says: /has flags 385, which a \w+ here does not have; it is not imported/ },
      { args: flagged(0), says: /has flags 0, which a \w+ here does not have; it is not imported/ },
      {
        args: written({ ...ksk, key: zsk.key }),
        says: /\.private: .*its public half is not that of the DNSKEY/,
      },
      {
        args: written({ ...rsaKsk, privateKey: start(rsaKsk.privateKey, 0.5) }),
        says: /\.private: the private key cannot be read/,
      },
      { args: cut(pem, 0.7), says: /\/key: the private key cannot be read/ },
      { args: cut(p12, 0.7), says: /\/key: the private key cannot be read/ },
    ],
    encrypted: [p12, '--role', 'CSK'],
    sound: ecdsa,
    secretWords: [...pairs, rsaKsk].flatMap(
      ({ privateKey }) => privateKey.match(/[A-Za-z0-9+/]{24,}/g) ?? [],
    ),
  };
}

/** The pairs of a folder, a KSK first. */
function pairsIn(folder: string): Pair[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.private'))
    .map((file) => {
      const name = file.replace(/\.private$/, '');
      const read = (extension: string): string => readFileSync(join(folder, `${name}.${extension}`), 'utf8');
      return { name, key: read('key'), privateKey: read('private') };
    })
    .sort((a, b) => Number(b.key.includes(' 257 3 ')) - Number(a.key.includes(' 257 3 ')));
}
