import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BarbicanClient } from '../../src/barbican/client.js';
import { formatRecord } from '../../src/dns/master-writer.js';
import { RCODE } from '../../src/dns/message.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { TsigKey } from '../../src/dns/tsig-key.js';
import { decodePrivateKey } from '../../src/keys/formats/decode.js';
import { CONTRACT_ACCOUNTS, contractCredentials } from '../../test/barbican/contract-target.js';
import { type Transfer, transfer } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { Openstack } from '../lib/openstack.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { removeFolder, runProgram, runWell, temporaryFolder } from '../lib/processes.js';
import { TOOLS } from '../lib/tools.js';
import { waitForRcode } from '../tsig/gateways.js';
import {
  assignView,
  asUser,
  Commands,
  gatewayOptions,
  insertZone,
  makeApplicationCredential,
  tokenOf,
} from './deployment.js';
import { CommandLineWatch, filesOf, findLeaks, type Place, type Secret } from './leaks.js';

const VIEW = 'internal';
const PASSPHRASE = `passphrase ${randomBytes(9).toString('base64')}`;
const DATABASE_PASSWORD = `database ${randomBytes(9).toString('base64')}`;

const GENERATED = [13, 15, 8].flatMap((algorithm) =>
  (['split', 'csk'] as const).map((keys) => ({ zone: `${keys}${algorithm}.example.`, algorithm, keys })),
);
const IMPORTED = ['pkcs8', 'pkcs12', 'rsa', 'bind', 'reference'].map((form) => `import-${form}.example.`);
const ZONES = [...GENERATED.map(({ zone }) => zone), ...IMPORTED];

let postgres: TestPostgres;
let openstack: Openstack;
/** Both on the one database and the one Barbican: this one by password… */
let gateway: GatewayProcess;
/** … and this one by application credential. */
let other: GatewayProcess;
let commands: Commands;
let client: BarbicanClient;
let transferKey: TsigKey;
let givenKey: TsigKey;
const files = temporaryFolder('key-files');
const secrets: Secret[] = [];
let watch: CommandLineWatch;

beforeAll(async () => {
  watch = new CommandLineWatch();
  [postgres, openstack] = await Promise.all([
    startPostgres(),
    Openstack.start({ accounts: CONTRACT_ACCOUNTS }),
  ]);
  const migration = await GatewayProcess.prepare({ config: { database: { url: postgres.url } } });
  await migration.command(['migrate', '--roles']);
  await migration.remove();
  postgres.psql(`
    create role suite_gateway login in role zoneseal_gateway;
    create role suite_operator login in role zoneseal_admin;
    insert into zoneseal.views (name) values ('${VIEW}')`);
  const userUrl = (user: string): string => postgres.url.replace('postgres@', `${user}@`);
  const common = {
    ZONESEAL_KEY_PASSPHRASE: PASSPHRASE,
    // nobody asks for it here, and it must not be told of all the same
    ZONESEAL_DATABASE_PASSWORD: DATABASE_PASSWORD,
  };
  const user = asUser(openstack, 'signer');
  const credential = await makeApplicationCredential(openstack, 'signer');
  const { keystoneUrl } = openstack;
  secrets.push(
    { name: 'the password', octets: Buffer.from(user.environment['ZONESEAL_BARBICAN_PASSWORD'] as string) },
    { name: 'the application credential', octets: Buffer.from(credential.secret) },
    { name: 'the passphrase', octets: Buffer.from(PASSPHRASE) },
    { name: 'the password of the database', octets: Buffer.from(DATABASE_PASSWORD) },
  );
  const commandEnvironment = { ZONESEAL_DATABASE_URL: userUrl('suite_operator') };
  gateway = await GatewayProcess.start(
    gatewayOptions(userUrl('suite_gateway'), user, { environment: common, commandEnvironment }),
  );
  commands = new Commands(gateway);
  other = await GatewayProcess.start(
    gatewayOptions(userUrl('suite_gateway'), undefined, {
      config: { barbican: { keystoneUrl, applicationCredentialId: credential.id } },
      environment: { ...common, ZONESEAL_BARBICAN_APPLICATION_CREDENTIAL_SECRET: credential.secret },
    }),
  );
  client = new BarbicanClient({ keystoneUrl, credentials: contractCredentials('signer') });
  for (const zone of ZONES) insertZone(postgres, zone);
});

afterAll(async () => {
  watch?.end();
  client?.close();
  await gateway?.remove();
  await other?.remove();
  await openstack?.close();
  postgres?.remove();
  removeFolder(files);
});

const ec = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const rsa = (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

function keyFile(name: string, content: string | Buffer): string {
  const path = join(files, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const encryptedPem = (key: KeyObject, passphrase = PASSPHRASE): string | Buffer =>
  key.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase });

async function pkcs12(name: string, key: KeyObject): Promise<string> {
  const pem = keyFile(`${name}.pem`, key.export({ format: 'pem', type: 'pkcs8' }));
  const out = join(files, name);
  await runWell(
    (TOOLS['openssl'] as { path: string }).path,
    ['pkcs12', '-export', '-nocerts', '-inkey', pem, '-out', out, '-passout', 'env:PASSPHRASE'],
    { environment: { PASSPHRASE } },
  );
  return out;
}

describe('keys in Barbican', () => {
  test.concurrent.each(GENERATED)('are made for $zone', async ({ zone, algorithm, keys }) => {
    const roles = keys === 'csk' ? ['--role', 'CSK'] : [];
    await commands.command(['keys', 'generate', zone, '--algorithm', String(algorithm), ...roles]);
    const listed = JSON.parse(await commands.command(['keys', 'list', zone, '--json'])) as {
      role: string;
      algorithm: number;
    }[];
    expect(listed.map((key) => key.role)).toEqual(keys === 'csk' ? ['CSK'] : ['KSK', 'ZSK']);
    expect(listed.every((key) => key.algorithm === algorithm)).toBe(true);
  });

  test.concurrent('come from PKCS#8, encrypted', async () => {
    const file = keyFile('encrypted.pem', encryptedPem(ec()));
    await commands.command(['keys', 'import', 'import-pkcs8.example.', file, '--role', 'CSK']);
  });

  test.concurrent('come from PKCS#12 as openssl writes it', async () => {
    const file = await pkcs12('ec.p12', ec());
    await commands.command(['keys', 'import', 'import-pkcs12.example.', file, '--role', 'CSK']);
  });

  test.concurrent('come from RSA keys, the KSK in PKCS#12 and the ZSK in PKCS#1', async () => {
    const zsk = keyFile('zsk.pem', rsa().export({ format: 'pem', type: 'pkcs1' }));
    const ksk = await pkcs12('ksk.p12', rsa());
    const zone = 'import-rsa.example.';
    await commands.command(['keys', 'import', zone, ksk, '--role', 'KSK', '--algorithm', '8']);
    await commands.command(['keys', 'import', zone, zsk, '--role', 'ZSK', '--algorithm', '8']);
  });

  test.concurrent("come from BIND's files as ldns-keygen writes them", async () => {
    const folder = join(files, 'bind');
    mkdirSync(folder);
    for (const role of [['-k'], []]) {
      await runWell('/usr/bin/ldns-keygen', [...role, '-a', 'ECDSAP256SHA256', 'import-bind.example'], {
        cwd: folder,
      });
    }
    await commands.command(['keys', 'import', 'import-bind.example.', folder]);
  });

  test.concurrent('come from a secret that another user of the project has put there', async () => {
    const colleague = new BarbicanClient({
      keystoneUrl: openstack.keystoneUrl,
      credentials: contractCredentials('signer2'),
    });
    const reference = await colleague.storeSecret({
      name: 'made elsewhere',
      type: 'private',
      contentType: 'text/plain',
      payload: Buffer.from(ec().export({ format: 'pem', type: 'pkcs8' }).toString().trim()),
    });
    colleague.close();
    const options = ['--role', 'CSK', '--algorithm', '13'];
    await commands.command(['keys', 'import', 'import-reference.example.', reference, ...options]);
  });

  test('are not there when the passphrase or the password is wrong, and nothing is left behind', async () => {
    const before = await references();
    const [zone] = ZONES as [string];
    const file = keyFile('other.pem', encryptedPem(ec(), 'another'));
    const broken = await commands.run(['keys', 'import', zone, file, '--role', 'CSK']);
    expect(broken).toMatchObject({ status: 1, stdout: '' });
    const user = asUser(openstack, 'signer');
    const environment = { ...user.environment, ZONESEAL_BARBICAN_PASSWORD: 'a wrong password' };
    const stranger = await GatewayProcess.prepare(gatewayOptions(postgres.url, { ...user, environment }));
    const strange = new Commands(stranger);
    const refused = await strange.run(['keys', 'generate', zone, '--role', 'ZSK', '--algorithm', '13']);
    commands.outputs.push(...strange.outputs);
    expect(refused).toMatchObject({ status: 4, stdout: '' });
    expect(refused.stderr).toMatch(/Keystone/);
    await stranger.remove();
    expect(await references()).toEqual(before);
  });

  test('TSIG keys are there as well, made here and given', async () => {
    transferKey = await commands.addTsigKey('made.', ['--view', VIEW]);
    const given = randomBytes(32).toString('base64');
    givenKey = await commands.addTsigKey(
      'given.',
      ['--view', VIEW, '--secret-stdin'],
      `hmac-sha256:given.:${given}\n`,
    );
    expect(Buffer.from(givenKey.secret).toString('base64')).toBe(given);
  });
});

describe('gateways that sign with them', () => {
  beforeAll(() => assignView(postgres, ZONES, VIEW));

  const taken = new Map<string, Transfer>();

  async function take(from: GatewayProcess, zone: string, key: TsigKey): Promise<Transfer> {
    await waitForRcode(from.target, zone, key);
    const result = await transfer(from.target, { name: zone, signing: { key } });
    expect(result).toMatchObject({ isWhole: true, isAuthentic: true, rcode: RCODE.NOERROR });
    return result;
  }

  test.concurrent.each(ZONES)(
    '%s by password: accepted by ldns-verify-zone and zoneseal verify',
    async (zone) => {
      const result = await take(gateway, zone, transferKey);
      taken.set(zone, result);
      const file = keyFile(`${zone}signed`, masterFile(result.records));
      const ldns = await runProgram((TOOLS['ldns-verify-zone'] as { path: string }).path, [file]);
      expect(ldns, ldns.stdout + ldns.stderr).toMatchObject({ status: 0 });
      await commands.command(['verify', file, '--zone', zone]);
    },
  );

  test.concurrent.each(ZONES)(
    '%s by application credential: the same serial, the same records',
    async (zone) => {
      const mine = taken.get(zone) as Transfer;
      const theirs = await take(other, zone, givenKey);
      const file = keyFile(`${zone}other`, masterFile(theirs.records));
      await runWell((TOOLS['ldns-verify-zone'] as { path: string }).path, [file]);
      expect(masterFile(theirs.records)).toBe(masterFile(mine.records));
    },
  );
});

describe('no secret', () => {
  let places: Place[];

  beforeAll(async () => {
    for (const args of [
      ['keys', 'list'],
      ['tsig', 'list'],
      ['zone', 'list'],
      ['zone', 'show', ZONES[0] as string],
    ]) {
      await commands.command(args);
      await commands.command([...args, '--json']);
    }
    secrets.push(...(await storedSecrets()));
    postgres.psql('checkpoint');
    const text = (name: string, content: string): Place => ({ name, octets: Buffer.from(content) });
    places = [
      text('the log', gateway.log),
      text('the log of the other gateway', other.log),
      text('what commands said', commands.outputs.join('\n')),
      text('a dump of the database', dumpDatabase()),
      text('command lines', [...watch.end()].filter((line) => !isForeign(line)).join('\n')),
      ...filesOf(postgres.socketFolder, 'PostgreSQL'),
      ...filesOf(join(gateway.folder, 'data'), 'the data folder'),
      ...filesOf(join(other.folder, 'data'), 'the data folder of the other gateway'),
    ];
  });

  test('is searched for in vain in logs, outputs, the database, data folders and command lines', () => {
    expect(secrets.length).toBeGreaterThan(40);
    const searched = places.map(({ name }) => name);
    expect(searched.some((name) => name.includes('/pg_wal/'))).toBe(true);
    expect(searched.some((name) => /\/base\/\d+\/\d+$/.test(name))).toBe(true);
    expect(findLeaks(secrets, places)).toEqual([]);
  });

  test('is a token of Keystone', async () => {
    const { token } = await tokenOf(openstack, 'signer');
    // Fernet: a version octet, then the upper octets of the time
    const beginning = token.slice(0, 6);
    expect(beginning).toBe('gAAAAA');
    const holding = places.filter(({ octets }) => octets.includes(beginning)).map(({ name }) => name);
    expect(holding).toEqual([]);
  });

  test('would be overlooked: each is found in what holds it', async () => {
    const key = (await storedSecrets()).find(({ name }) => name.endsWith(' d')) as Secret;
    const other = ec().export({ format: 'der', type: 'pkcs8' });
    const der = Buffer.concat([other.subarray(0, 17), key.octets, other.subarray(17)]);
    const lines = (der.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
    const hiding = [
      lines,
      JSON.stringify({ pem: lines }),
      der.toString('hex'),
      der,
      JSON.stringify([...der]),
    ];
    for (const content of hiding) {
      const place = { name: 'a place', octets: Buffer.from(content as string) };
      expect(findLeaks([key], [place])).not.toEqual([]);
    }
    // and the dump and the log hold what they should hold
    const [log, , said, dump] = places as [Place, Place, Place, Place];
    for (const { octets } of [said, dump]) expect(octets.includes('/v1/secrets/')).toBe(true);
    for (const { octets } of [log, dump]) expect(octets.includes('split13.example.')).toBe(true);
  });
});

async function references(): Promise<string[]> {
  const found: string[] = [];
  for await (const { reference } of client.listSecrets()) found.push(reference);
  return found.toSorted();
}

/** The parts of every private key in Barbican that are secret, and every TSIG secret. */
async function storedSecrets(): Promise<Secret[]> {
  const found: Secret[] = [];
  for await (const { reference, name } of client.listSecrets()) {
    const { payload } = await client.fetchPayload(reference);
    if (name?.startsWith('zoneseal tsig') === true) {
      found.push({ name, octets: payload });
      continue;
    }
    const { privateKey } = await decodePrivateKey(payload.slice(), { passphrase: PASSPHRASE });
    const parts = privateKey.export({ format: 'jwk' });
    for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const) {
      const text = parts[part];
      if (text !== undefined) found.push({ name: `${name} ${part}`, octets: Buffer.from(text, 'base64url') });
    }
  }
  return found;
}

function masterFile(records: readonly ResourceRecord[]): string {
  // the closing SOA is the opening one
  const lines = records
    .slice(0, -1)
    .map(({ owner, ttl, type, rdata }) => formatRecord(owner, ttl, type, rdata));
  return `${lines.join('\n')}\n`;
}

function dumpDatabase(): string {
  const program = join(dirname((TOOLS['postgres'] as { path: string }).path), 'pg_dump');
  const args = ['-h', postgres.socketFolder, '-p', String(postgres.port), '-U', 'postgres', 'zoneseal'];
  return execFileSync(program, args, { encoding: 'utf8', cwd: '/', maxBuffer: 256 * 1024 ** 2 });
}

/** Other suites may run on this host at the same time; theirs are not looked at. */
function isForeign(commandLine: string): boolean {
  return ![gateway.folder, other.folder, files].some((folder) => commandLine.includes(folder));
}
