import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DevelopmentBarbican, startDevelopmentBarbican } from '../../src/barbican/development.js';
import { Name } from '../../src/dns/name.js';
import { describeDevelopmentBarbican } from '../../src/gateway-parts.js';
import { bindFileName, encodeBindPrivate, encodeBindPublic } from '../../src/keys/formats/encode.js';
import { generateKey } from '../../src/keys/generate.js';
import { removeRunningGateway, writeRunningGateway } from '../../src/running-gateway.js';
import type { Database } from '../../src/store/database.js';
import { openMigrated } from '../embedded-database.js';
import { type Run, zoneseal, zonesealHere } from './run.js';

const COMMON = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.1
mail A 192.0.2.25
`;
const INTERNAL = '$TTL 1h\nwww A 10.0.0.80\nintranet A 10.0.0.7\n';
const EXTERNAL = '$TTL 1h\nwww A 192.0.2.80\n';

// what a running gateway has open: the embedded database and the development Barbican
let folder = '';
let database: Database;
let barbican: DevelopmentBarbican;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zoneseal-cli-'));
  process.chdir(folder);
  await writeFile('zoneseal.yaml', 'data: ./data\n');
  await writeFile('common.db', COMMON);
  await writeFile('internal.db', INTERNAL);
  await writeFile('external.db', EXTERNAL);
  const data = join(folder, 'data');
  database = await openMigrated(join(data, 'database'));
  barbican = await startDevelopmentBarbican({ dataFolder: join(data, 'barbican') });
  writeRunningGateway(data, { pid: process.pid, barbican: describeDevelopmentBarbican(barbican) });
});

afterAll(async () => {
  removeRunningGateway(join(folder, 'data'));
  await barbican.close();
  await database.close();
  process.chdir('/');
  await rm(folder, { recursive: true, force: true });
});

function run(args: string): Promise<Run> {
  return zonesealHere([...args.split(' '), '--config', join(folder, 'zoneseal.yaml')]);
}

/** Runs a command that has to succeed. */
async function done(args: string): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect(stderr, args).not.toContain('error');
  expect(code, args).toBe(0);
  return stdout;
}

async function json(args: string): Promise<unknown> {
  return JSON.parse(await done(`${args} --json`)) as unknown;
}

describe('a zone with two views', () => {
  it('is put together from master files', async () => {
    await done('view add internal');
    await done('view add external');
    const created = await done('zone import common.db --zone example --assign internal --assign external');
    expect(created).toContain('4 added, 0 removed, 0 changed, 0 unchanged; version 1');
    await done('zone import internal.db --zone example --view internal');
    await done('zone import external.db --zone example --view external');
    expect(await json('zone list')).toMatchObject([
      {
        name: 'example.',
        version: 3,
        policy: 'default',
        views: [{ view: 'external' }, { view: 'internal' }],
      },
    ]);
    expect(await done('rrset list example www')).toBe(
      'www.example.\t3600\tIN\tA\t192.0.2.80\t; external\nwww.example.\t3600\tIN\tA\t10.0.0.80\t; internal\n',
    );
  });

  it('is exported as one of them sees it, the SOA first', async () => {
    const lines = (await done('zone export example --view external')).trimEnd().split('\n');
    expect(lines[0]).toContain('\tSOA\t');
    expect(lines.map((line) => line.split('\t')[0])).not.toContain('intranet.example.');
    expect(lines).toContain('www.example.\t3600\tIN\tA\t192.0.2.80');
  });

  it('is not exported without saying as whom', async () => {
    const { code, stderr } = await run('zone export example');
    expect([code, stderr]).toEqual([
      2,
      'zoneseal: views see zone example. differently; give --view, one of external, internal\n',
    ]);
  });

  it('is exported whole, a row a line, for a program', async () => {
    const rows = (await done('zone export example --json')).trimEnd().split('\n');
    expect(rows.map((row) => JSON.parse(row) as object)).toContainEqual({
      owner: 'intranet.example.',
      type: 'A',
      ttl: 3600,
      data: ['10.0.0.7'],
      views: ['internal'],
    });
  });

  it('is not overwritten without --replace', async () => {
    const { code, stderr } = await run('zone import internal.db --zone example --view internal');
    expect(code).toBe(1);
    expect(stderr).toContain('there is data for internal already; add --replace');
  });

  it('says what --replace would change, and then changes it', async () => {
    await writeFile('internal.db', '$TTL 1h\nwww A 10.0.0.81\nnew TXT "x"\n');
    const planned = await json('zone import internal.db --zone example --view internal --replace --dry-run');
    expect(planned).toMatchObject({
      imported: false,
      counts: { added: 1, removed: 1, changed: 1, unchanged: 0 },
      changes: [
        { change: 'removed', owner: 'intranet.example.', before: { data: ['10.0.0.7'] } },
        { change: 'added', owner: 'new.example.', after: { ttl: 3600, data: ['"x"'] } },
        {
          change: 'changed',
          owner: 'www.example.',
          before: { data: ['10.0.0.80'] },
          after: { data: ['10.0.0.81'] },
        },
      ],
    });
    expect(await done('rrset list example intranet')).not.toBe('');
    const replaced = await done('zone import internal.db --zone example --view internal --replace');
    expect(replaced).toContain('1 added, 1 removed, 1 changed, 0 unchanged; version 4');
    expect(await done('rrset list example intranet')).toBe('');
  });

  it.each([
    ['--policy', 'policy'],
    ['--assign', 'view'],
  ])('is not changed where %s names what is not there, nor said to be by a dry run', async (option, kind) => {
    const before = await done('rrset list example');
    await writeFile('more.db', `${COMMON}more A 192.0.2.9\n`);
    const args = `zone import more.db --zone example --replace --assign internal ${option} nosuch`;
    for (const dry of ['', ' --dry-run']) {
      const { code, stdout, stderr } = await run(`${args}${dry}`);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`there is no ${kind} "nosuch"`);
    }
    expect(await done('rrset list example')).toBe(before);
    expect(await json('zone show example')).toMatchObject({ version: 4, policy: 'default' });
  });

  it('is judged in every view before anything is written', async () => {
    await writeFile('alias.db', 'www 60 CNAME mail\n');
    const { code, stderr } = await run('zone import alias.db --zone example --replace');
    expect(code).toBe(1);
    for (const view of ['internal', 'external']) {
      expect(stderr).toContain(
        `error: alias.db: zone example. (view ${view}): example. SOA: is missing at the apex; add it`,
      );
    }
    expect(stderr).toContain(
      'error: alias.db:1: zone example.: www.example. CNAME: stands beside other data (A)',
    );
    expect(stderr).toContain('alias.db is not imported, nothing was changed');
    expect(await json('zone show example')).toMatchObject({ version: 4, rrsets: 7 });
  });

  it('keeps out a file with an error, and DNSSEC records', async () => {
    await writeFile('bad.db', `${COMMON}www A 192.0.2.256\nwww NSEC @ A\n`);
    const { code, stderr } = await run('zone import bad.db --zone other');
    expect(code).toBe(1);
    expect(stderr).toContain('error: bad.db:6:');
    expect(stderr).toContain('leave them out with --strip-dnssec');
    expect((await run('zone show other')).code).toBe(1);
  });

  it('is assigned only to views in which it has no errors', async () => {
    await writeFile('part.db', '$TTL 60\nwww A 192.0.2.1\n');
    await done('view add lab');
    await writeFile('apex.db', '$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.example.\n');
    await done('zone import apex.db --zone parts --view internal');
    const { code, stderr } = await run('view assign parts lab');
    expect([code, stderr.split('\n')[0]]).toEqual([
      1,
      'error: zone parts. (view lab): parts. SOA: is missing at the apex; add it',
    ]);
    await done('view assign parts internal');
    await done('view unassign parts internal');
    expect(await json('zone show parts')).toMatchObject({ views: [] });
    expect((await run('zone delete parts')).code).toBe(2);
    await done('zone delete parts --yes');
    expect((await run('zone show parts')).stderr).toContain('there is no zone "parts."');
  });
});

describe('RRsets', () => {
  it('are added, changed, listed and deleted', async () => {
    await done('rrset set example txt TXT one "two" --ttl 60');
    expect(await json('rrset set example txt TXT one')).toEqual({
      owner: 'txt.example.',
      type: 'TXT',
      ttl: 60,
      data: ['"one"'],
      views: null,
      outcome: 'changed',
      version: 6,
    });
    expect(await json('rrset set example txt.example. TXT one')).toMatchObject({
      outcome: 'unchanged',
      version: 6,
    });
    await done('rrset set example api A 10.0.0.9 --view internal');
    expect(await json('rrset list example api')).toMatchObject([{ views: ['internal'], data: ['10.0.0.9'] }]);
    expect(await json('rrset list example --view external')).not.toContainEqual(
      expect.objectContaining({ owner: 'api.example.' }),
    );
    await done('rrset delete example api A --view internal');
    await done('rrset delete example txt');
    expect(await json('rrset list example txt')).toEqual([]);
  });

  it.each([
    ['rrset set example www CNAME mail', 'stands beside other data'],
    ['rrset set example www A 192.0.2.1', 'seen by the same view'],
    ['rrset set example mail A 192.0.2.256', 'is no IPv4 address'],
    ['rrset set example www.example.org. A 192.0.2.1', 'does not lie in example.'],
    [
      'rrset set example www NSEC example. A',
      'www.example. NSEC: is a DNSSEC record that Zoneseal makes itself',
    ],
    ['rrset set example @ CDS 1', 'CDS'],
    ['rrset delete example @ NS', 'is missing at the apex'],
    ['rrset delete example nothing', 'there is no nothing.example.'],
    ['rrset set nowhere www A 192.0.2.1', 'there is no zone "nowhere."'],
  ])('that would make an error are refused: %s', async (args, reason) => {
    const before = await json('zone show example');
    const { code, stderr } = await run(args);
    expect(code).toBe(1);
    expect(stderr).toContain(reason);
    expect(await json('zone show example')).toEqual(before);
  });

  it('may be changed in a zone that has errors already, made by another program', async () => {
    await database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
       values (zoneseal.zone_id('example.'), 'broken.example.', 'A', 60, '{nonsense}')`,
    );
    const check = await run('zone check example');
    expect([check.code, check.stdout]).toEqual([
      1,
      expect.stringContaining('error: zone example.: broken.example. A: "nonsense" is no IPv4 address'),
    ]);
    await done('rrset set example fine A 192.0.2.4');
    await done('rrset set example broken A 192.0.2.3');
    await done('rrset delete example broken');
    await done('rrset delete example fine');
    expect((await run('zone check example')).code).toBe(0);
  });
});

describe('policies', () => {
  it('are created, changed setting by setting, shown and assigned', async () => {
    await done('policy set strict denial=nsec3 nsec3.optOut=true nsec3.salt=1234 validity=30d');
    await done('policy set strict nsec3.salt= zonemd=true');
    expect(await json('policy show strict')).toMatchObject({
      name: 'strict',
      version: 2,
      document: { denial: 'nsec3', nsec3: { optOut: true }, validity: '30d', zonemd: true },
      settings: { validity: 2_592_000, nsec3: { optOut: true, salt: '', iterations: 0 }, algorithm: 13 },
    });
    await done('policy assign example strict');
    expect(await json('policy show')).toMatchObject([
      { name: 'default', zones: 0 },
      { name: 'strict', zones: 1 },
    ]);
  });

  it('with a wrong setting are refused', async () => {
    const { code, stderr } = await run('policy set strict validity=1h nope=1');
    expect(code).toBe(1);
    expect(stderr).toContain('policy "strict": ');
    expect(await json('policy show strict')).toMatchObject({ version: 2 });
  });
});

describe('keys', () => {
  it('are made as the policy wants, and give DS records and a signed zone', async () => {
    const made = await json('keys generate example');
    expect(made).toMatchObject([
      { role: 'KSK', algorithm: 13, flags: 257, view: null, signs: true, published: true },
      { role: 'ZSK', algorithm: 13, flags: 256 },
    ]);
    expect(JSON.stringify(made)).not.toMatch(/private|pkcs8/i);
    const ds = (await done('keys ds example')).split('\n');
    expect(ds.filter((line) => !line.startsWith(';') && line !== '')).toHaveLength(2);
    expect(await done('keys ds example --format trust-anchors')).toMatch(
      /^trust-anchors \{\n\t"example\." static-ds \d+ 13 2 "[0-9A-F]{64}";\n\};\n$/,
    );
    await done('zone export example --view internal --signed --output signed.db');
    expect((await readFile('signed.db', 'utf8')).split('\n')[0]).toContain('\tSOA\t');
    expect(await done('verify signed.db --require-zonemd')).toContain('0 errors');
    expect((await run('keys generate example')).code).toBe(2);
  });

  it('in Barbican sign a file without the database', async () => {
    await writeFile('other.db', COMMON);
    const { code, stdout } = await run('sign other.db --zone example');
    expect(code).toBe(0);
    await writeFile('signed.db', stdout);
    expect(await done('verify signed.db')).toContain('0 errors');
    const [ksk, zsk] = (await json('keys list example')) as { secretRef: string }[];
    const named = await run(
      `sign other.db --zone example.org --key-ref KSK=${ksk?.secretRef} --key-ref ZSK=${zsk?.secretRef}`,
    );
    expect(named.code).toBe(0);
    expect((await run('sign other.db --zone example.org')).stderr).toContain(
      'no secret that is marked as a key',
    );
  });

  it('are taken over from a folder, a file and a reference', async () => {
    const zone = Name.parse('moved.example.');
    await writeFile('moved.db', COMMON);
    await done('zone import moved.db --zone moved.example');
    for (const role of ['KSK', 'ZSK'] as const) {
      const key = await generateKey({ algorithm: 15, role });
      const name = bindFileName(zone, 15, key.keyTag);
      await writeFile(`${name}.private`, encodeBindPrivate(key.privateKey, 15));
      await writeFile(`${name}.key`, encodeBindPublic(zone, key.flags, 15, key.publicKey));
    }
    expect(await json('keys import moved.example .')).toMatchObject([{ algorithm: 15 }, { algorithm: 15 }]);
    const csk = await generateKey({ algorithm: 8, role: 'CSK', rsaBits: 1024 });
    await writeFile('csk.pem', csk.privateKey.export({ format: 'pem', type: 'pkcs8' }));
    expect((await run('keys import moved.example csk.pem')).stderr).toContain(
      'say what the key is for with --role',
    );
    expect(await json('keys import moved.example csk.pem --role CSK --algorithm 10')).toMatchObject([
      { algorithm: 10 },
    ]);
    const [, , stored] = (await json('keys list moved.example')) as { secretRef: string }[];
    await done('zone import moved.db --zone again.example');
    expect(await json(`keys import again.example ${stored?.secretRef}`)).toMatchObject([
      { role: 'CSK', algorithm: 10 },
    ]);
    expect((await run('keys import moved.example .')).code).toBe(1);
  });

  it('that would break a sound key set are refused', async () => {
    const { code, stderr } = await run('keys generate example --role ZSK --algorithm 15');
    expect(code).toBe(1);
    expect(stderr).toContain(
      'they would break the key set: algorithm ED25519 is published, but no published KSK',
    );
    expect(await json('keys list example')).toHaveLength(2);
  });
});

describe('TSIG keys', () => {
  it('are made, their secrets in Barbican and in key files alone', async () => {
    const args =
      'tsig add transfer-key --view internal --zone example --address 192.0.2.0/24 --key-file bind.key --kdig-file kdig.key';
    const added = await run(`${args} --json`);
    const text = await readFile('bind.key', 'utf8');
    const secret = /secret "([^"]+)"/.exec(text)?.[1] as string;
    expect(added.stdout + added.stderr).not.toContain(secret);
    expect(JSON.parse(added.stdout)).toMatchObject({ name: 'transfer-key.', algorithm: 'hmac-sha256' });
    expect((await stat('bind.key')).mode & 0o777).toBe(0o600);
    expect(await readFile('kdig.key', 'utf8')).toBe(`hmac-sha256:transfer-key.:${secret}\n`);
    expect(await json('tsig list')).toMatchObject([
      {
        name: 'transfer-key.',
        grants: [{ view: 'internal', zones: ['example.'], addresses: ['192.0.2.0/24'] }],
      },
    ]);
    await done('tsig grant transfer-key --view external --address 198.51.100.0/24');
    await done('tsig export transfer-key --key-file again.key');
    expect(await readFile('again.key', 'utf8')).toBe(text);
  });

  it('are taken over from a file', async () => {
    await writeFile('given.key', 'key "given-key" { algorithm hmac-sha512; secret "c2VjcmV0"; };\n');
    expect(await json('tsig add given-key --view internal --secret-file given.key')).toMatchObject({
      algorithm: 'hmac-sha512',
    });
    await done('tsig export given-key --kdig-file given.kdig');
    expect(await readFile('given.kdig', 'utf8')).toBe('hmac-sha512:given-key.:c2VjcmV0\n');
    expect((await run('tsig add other-key --view internal --secret-file given.key')).code).toBe(2);
    expect((await run('tsig add given-key --view internal')).stderr).toContain(
      'there is a TSIG key "given-key." already',
    );
    await done('tsig delete given-key');
    expect((await run('tsig export given-key --kdig-file given.kdig')).code).toBe(1);
  });

  it('for a view that is not there leave nothing behind', async () => {
    expect((await run('tsig add lost-key --view nowhere')).stderr).toContain('there is no view "nowhere"');
    expect(JSON.stringify(await json('tsig list'))).not.toContain('lost-key');
  });
});

describe('what is not there', () => {
  it('a database that does not answer exits with 3', async () => {
    await writeFile(
      'away.yaml',
      'database: {url: "postgres://zoneseal@127.0.0.1:1/zoneseal", connectTimeout: 1}\n',
    );
    const { code, stderr } = await zonesealHere(['zone', 'list', '-c', 'away.yaml', '--json']);
    expect(code).toBe(3);
    // no command tries again
    const message = 'database: no connection (ECONNREFUSED); see whether PostgreSQL runs and can be reached';
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'DATABASE_UNAVAILABLE', exit: 3, message } });
  });

  it('a key store that does not answer exits with 4, its password untold', async () => {
    const settings =
      '{keystoneUrl: "http://127.0.0.1:1/v3", username: u, project: p, passwordFile: password, timeout: 1}';
    await writeFile('away.yaml', `data: ./data\nbarbican: ${settings}\n`);
    await writeFile('password', 'hidden-password\n');
    const { code, stderr } = await zonesealHere([
      'sign',
      'common.db',
      '--zone',
      'example',
      '-c',
      'away.yaml',
    ]);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^zoneseal: /);
    expect(stderr).not.toContain('hidden-password');
  });
});

it('a command opens the embedded database itself where no gateway runs', async () => {
  removeRunningGateway(join(folder, 'data'));
  await database.close();
  const { code, stdout } = await zoneseal(['view', 'list', '-c', 'zoneseal.yaml', '--json'], { cwd: folder });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toContainEqual({ name: 'internal', zones: 1 });
});
