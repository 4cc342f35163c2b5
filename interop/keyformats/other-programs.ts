/** Keys as other programs make them and give them away. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runWell } from '../lib/processes.js';
import { toolPath } from '../lib/tools.js';

/** What an operator has in hand. */
export interface ExportedKeys {
  /** The arguments of `zoneseal keys import ZONE`, for each time that it is called. */
  readonly imports: readonly (readonly string[])[];
  /** The DNSKEY records that there have to be, `flags 3 algorithm base64`. */
  readonly dnskeys: readonly string[];
  /** The key tags that the program says; none where it knows nothing of DNSSEC. */
  readonly tags: readonly number[];
  /** One key signs everything. */
  readonly isCsk: boolean;
}

/** Makes keys of each of some algorithms for a zone, and exports them in one way. */
export type Exporter = (folder: string, zone: string, algorithms: readonly number[]) => Promise<ExportedKeys>;

/** What encrypted exports are encrypted with. */
export const PASSPHRASE = 'a passphrase of these suites';

const RSA: readonly number[] = [8, 10];
const dnskeyIn = (text: string): string => {
  const [, rdata] = /DNSKEY\s+(\d+ 3 \d+ \S.*?)\s*(?:;.*)?$/m.exec(text.replaceAll(/^;.*$/gm, '')) ?? [];
  if (rdata === undefined) throw new Error(`no DNSKEY in ${text}`);
  const [flags, protocol, algorithm, ...key] = rdata.split(/\s+/);
  return `${flags} ${protocol} ${algorithm} ${key.join('')}`;
};

/** `dnssec-keygen`: a folder of K*.key and K*.private. */
export const fromDnssecKeygen: Exporter = async (folder, zone, algorithms) => {
  const own = mkdtempSync(join(folder, 'bind-'));
  const kinds = algorithms.flatMap((algorithm) => [[`${algorithm}`, '-f', 'KSK'], [`${algorithm}`]]);
  const names = await Promise.all(
    kinds.map(async ([algorithm = '', ...flags]) => {
      const size = RSA.includes(Number(algorithm)) ? ['-b', '2048'] : [];
      const args = ['-q', '-K', own, '-a', algorithm, ...size, ...flags, zone];
      return (await runWell(toolPath('dnssec-keygen'), args)).trim();
    }),
  );
  return {
    imports: [[own]],
    dnskeys: names.map((name) => dnskeyIn(readFileSync(join(own, `${name}.key`), 'utf8'))),
    tags: names.map((name) => Number(name.slice(-5))),
    isCsk: false,
  };
};

const KNOT_ROLES = { KSK: ['ksk=yes', 'zsk=no'], ZSK: ['ksk=no', 'zsk=yes'] } as const;

/** `keymgr generate`: the PEM files of Knot's key store, whose roles have to be said. */
export const fromKeymgr: Exporter = async (folder, zone, algorithms) => {
  const database = mkdtempSync(join(folder, 'knot-'));
  const keymgr = (...args: string[]): Promise<string> =>
    runWell(toolPath('keymgr'), ['-D', database, zone, ...args]);
  const made: { readonly id: string; readonly role: string }[] = [];
  for (const algorithm of algorithms) {
    for (const [role, is] of Object.entries(KNOT_ROLES)) {
      const id = (await keymgr('generate', `algorithm=${algorithm}`, ...is)).trim();
      made.push({ id, role });
    }
  }
  const listed = JSON.parse(await keymgr('-j', 'list')) as readonly { id: string; tag: number }[];
  const dnskeys = await Promise.all(made.map(async ({ id }) => dnskeyIn(await keymgr('dnskey', id))));
  const files = (of: string): string[] =>
    made.filter(({ role }) => role === of).map(({ id }) => join(database, 'keys', `${id}.pem`));
  return {
    imports: Object.keys(KNOT_ROLES).map((role) => [...files(role), '--role', role]),
    dnskeys,
    tags: listed.map(({ tag }) => tag),
    isCsk: false,
  };
};

const PDNS_ALGORITHMS: Readonly<Record<number, string>> = {
  8: 'rsasha256',
  10: 'rsasha512',
  13: 'ecdsa256',
  14: 'ecdsa384',
  15: 'ed25519',
  16: 'ed448',
};

/** A PowerDNS database of one zone, without keys; calls pdnsutil on it. */
export async function powerdnsOf(
  folder: string,
  zone: string,
): Promise<(...args: string[]) => Promise<string>> {
  const own = mkdtempSync(join(folder, 'pdns-'));
  const database = join(own, 'pdns.sqlite3');
  writeFileSync(
    join(own, 'pdns.conf'),
    `launch=gsqlite3\ngsqlite3-database=${database}\ngsqlite3-dnssec=yes\n`,
  );
  const schema = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';
  await runWell(toolPath('sqlite3'), [database], { input: readFileSync(schema, 'utf8') });
  const pdnsutil = (...args: string[]): Promise<string> =>
    runWell(toolPath('pdnsutil'), [`--config-dir=${own}`, ...args]);
  await pdnsutil('create-zone', zone);
  return pdnsutil;
}

/** The tag and the DNSKEY of each key of a zone, by PowerDNS' numbers of them. */
export async function powerdnsKeys(
  pdnsutil: (...args: string[]) => Promise<string>,
  zone: string,
): Promise<{ readonly id: string; readonly tag: number; readonly dnskey: string }[]> {
  const shown = await pdnsutil('show-zone', zone);
  const ids = [...shown.matchAll(/^ID = (\d+) .*?tag = (\d+)/gm)].map(([, id = '', tag]) => ({ id, tag }));
  return Promise.all(
    ids.map(async ({ id, tag }) => ({
      id,
      tag: Number(tag),
      dnskey: dnskeyIn(await pdnsutil('export-zone-dnskey', zone, id)),
    })),
  );
}

async function makePowerdnsKeys(
  folder: string,
  zone: string,
  algorithms: readonly number[],
  roles: readonly ('ksk' | 'zsk')[],
) {
  const pdnsutil = await powerdnsOf(folder, zone);
  for (const algorithm of algorithms) {
    const bits = RSA.includes(algorithm) ? ['2048'] : [];
    for (const role of roles)
      await pdnsutil('add-zone-key', zone, role, ...bits, 'active', PDNS_ALGORITHMS[algorithm] ?? '');
  }
  return { pdnsutil, keys: await powerdnsKeys(pdnsutil, zone) };
}

/** One of the commands that print a private key, whose output goes to a file each. PowerDNS' one key signs everything. */
function printedBy(command: 'export-zone-key' | 'export-zone-key-pem', extension: string): Exporter {
  return async (folder, zone, algorithms) => {
    const { pdnsutil, keys } = await makePowerdnsKeys(folder, zone, algorithms, ['ksk']);
    const own = mkdtempSync(join(folder, 'exported-'));
    const files: string[] = [];
    for (const { id } of keys) {
      const file = join(own, `${id}.${extension}`);
      writeFileSync(file, await pdnsutil(command, zone, id), { mode: 0o600 });
      files.push(file);
    }
    return {
      imports: [[...files, '--role', 'CSK']],
      dnskeys: keys.map(({ dnskey }) => dnskey),
      tags: keys.map(({ tag }) => tag),
      isCsk: true,
    };
  };
}

/** `pdnsutil export-zone-key`: BIND's form, without a K*.key file beside it. */
export const fromPdnsutil = printedBy('export-zone-key', 'private');

/** `pdnsutil export-zone-key-pem`: PKCS#1 of RSA keys, SEC1 of ECDSA keys, PKCS#8 of EdDSA keys. */
export const fromPdnsutilPem = printedBy('export-zone-key-pem', 'pem');

/** `pdnsutil export-zone-key` and `export-zone-dnskey`, laid down as BIND's pairs of files. */
export const fromPdnsutilPairs: Exporter = async (folder, zone, algorithms) => {
  const { pdnsutil, keys } = await makePowerdnsKeys(folder, zone, algorithms, ['ksk', 'zsk']);
  const own = mkdtempSync(join(folder, 'exported-'));
  for (const { id, tag, dnskey } of keys) {
    const algorithm = dnskey.split(' ')[2] ?? '';
    const base = join(own, `K${zone}+${algorithm.padStart(3, '0')}+${String(tag).padStart(5, '0')}`);
    writeFileSync(`${base}.private`, await pdnsutil('export-zone-key', zone, id), { mode: 0o600 });
    writeFileSync(`${base}.key`, await pdnsutil('export-zone-dnskey', zone, id));
  }
  return {
    imports: [[own]],
    dnskeys: keys.map(({ dnskey }) => dnskey),
    tags: keys.map(({ tag }) => tag),
    isCsk: false,
  };
};

const OPENSSL_KINDS: Readonly<Record<number, readonly string[]>> = {
  8: ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048'],
  10: ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048'],
  13: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  14: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  15: ['ed25519'],
  16: ['ed448'],
};

/** `openssl pkcs12`: key and certificate in a file with a passphrase, which knows nothing of DNSSEC. */
export const fromPkcs12: Exporter = async (folder, _, algorithms) => {
  const own = mkdtempSync(join(folder, 'pkcs12-'));
  const openssl = (...args: string[]): Promise<string> => runWell(toolPath('openssl'), args);
  const made = await Promise.all(
    algorithms.map(async (algorithm) => {
      const path = (extension: string): string => join(own, `${algorithm}.${extension}`);
      const [pem, certificate, file] = [path('pem'), path('crt'), path('p12')];
      await openssl('genpkey', '-algorithm', ...(OPENSSL_KINDS[algorithm] ?? []), '-out', pem);
      const named = ['-subj', '/CN=key', '-days', '2'];
      await openssl('req', '-x509', '-new', '-key', pem, ...named, '-out', certificate);
      const password = ['-passout', `pass:${PASSPHRASE}`];
      await openssl('pkcs12', '-export', '-inkey', pem, '-in', certificate, ...password, '-out', file);
      const publicKey = await publicKeyOf(pem, algorithm);
      return { file, dnskey: `257 3 ${algorithm} ${publicKey.toString('base64')}` };
    }),
  );
  return {
    imports: [[...made.map(({ file }) => file), '--role', 'CSK']],
    dnskeys: made.map(({ dnskey }) => dnskey),
    tags: [],
    isCsk: true,
  };
};

/** Octets of an ECDSA or EdDSA public key in a DNSKEY (RFC 6605 §4, RFC 8080 §3), which end OpenSSL's form as well. */
const POINT_OCTETS: Readonly<Record<number, number>> = { 13: 64, 14: 96, 15: 32, 16: 57 };

/** The public key field of the DNSKEY, by OpenSSL alone. */
async function publicKeyOf(pem: string, algorithm: number): Promise<Buffer> {
  const octets = POINT_OCTETS[algorithm];
  if (octets === undefined) {
    const said = await runWell(toolPath('openssl'), ['rsa', '-in', pem, '-noout', '-modulus']);
    // RFC 3110 §2, with the exponent 65537
    return Buffer.from(`03010001${said.trim().replace('Modulus=', '')}`, 'hex');
  }
  const text = await runWell(toolPath('openssl'), ['pkey', '-in', pem, '-pubout']);
  return Buffer.from(text.replaceAll(/-----.*-----/g, ''), 'base64').subarray(-octets);
}
