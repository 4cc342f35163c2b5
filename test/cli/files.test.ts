import { generateKeyPairSync } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseMasterText } from '../../src/dns/master-file.js';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import { typeToText } from '../../src/dns/types.js';
import { dnskeyRdata, keyTag } from '../../src/dnssec/dnskey.js';
import { bindFileName, encodeBindPrivate, encodeBindPublic } from '../../src/keys/formats/encode.js';
import { dnskeyPublicKey } from '../../src/keys/formats/public-key.js';
import { folderWith, type Run, zoneseal, zonesealHere } from './run.js';

const zone = Name.parse('example.');

const GOOD = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
*.w TXT "wild"
child NS ns.child
ns.child A 192.0.2.3
`;

const BAD = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.256
www CNAME ns
www TXT "x"
other.test. A 192.0.2.1
@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
mail MX 10 www
`;

/** K*.private and K*.key files of an Ed25519 key, whose signatures repeat. */
function keyFiles(flags: number): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = dnskeyPublicKey(privateKey);
  const name = bindFileName(zone, 15, keyTag(dnskeyRdata({ flags, algorithm: 15, publicKey })));
  return {
    [`${name}.private`]: encodeBindPrivate(privateKey, 15),
    [`${name}.key`]: encodeBindPublic(zone, flags, 15, publicKey),
  };
}

let folder: Awaited<ReturnType<typeof folderWith>>;
beforeAll(async () => {
  folder = await folderWith({ 'good.db': GOOD, 'bad.db': BAD, ...keyFiles(257), ...keyFiles(256) });
  process.chdir(folder.path);
});
afterAll(async () => {
  process.chdir('/');
  await folder.remove();
});

/** Runs the command in its own process where it reads standard input, and else in this one. */
function run(args: string, input?: string): Promise<Run> {
  return input === undefined
    ? zonesealHere(args.split(' '))
    : zoneseal(args.split(' '), { cwd: folder.path, input });
}

/** The records of signed text, `owner TYPE`, or for an RRSIG `owner RRSIG(TYPE)`. */
async function recordsOf(text: string): Promise<string[]> {
  const records = await parseMasterText(text, { origin: zone, file: 'signed' });
  return records.map(({ owner, type, rdata }) => {
    const covered = typeToText(type) === 'RRSIG' ? `(${formatRdata(type, rdata).split(' ')[0]})` : '';
    return `${owner} ${typeToText(type)}${covered}`;
  });
}

describe('check', () => {
  it('passes a sound file with exit code 0', async () => {
    expect(await zoneseal(['check', 'good.db', '--zone', 'example'], { cwd: folder.path })).toEqual({
      code: 0,
      stdout: 'good.db: zone example.: 7 records, 6 names: 0 errors, 0 warnings\n',
      stderr: '',
    });
  });

  it('names every error with its line, and exits with 1', async () => {
    const { code, stdout, stderr } = await run('check bad.db --zone example');
    expect(code).toBe(1);
    expect(stderr).toBe('');
    expect(stdout.split('\n').map((line) => line.split(':').slice(0, 3).join(':'))).toEqual([
      'error: bad.db:4',
      'error: bad.db:8',
      'error: bad.db:7',
      'error: bad.db:5',
      'warning: bad.db:9',
      'bad.db: zone example.: 6 records, 4 names',
      '',
    ]);
  });

  it('says the same for a program', async () => {
    const { code, stdout } = await run('check - --zone example --json --strip-dnssec', BAD);
    const report = JSON.parse(stdout) as { ok: boolean; problems: { rule: string }[]; stripped: object };
    expect(code).toBe(1);
    expect(report).toMatchObject({ zone: 'example.', file: '<stdin>', ok: false, stripped: { DNSKEY: 1 } });
    expect(report.problems.map(({ rule }) => rule)).toEqual([
      'syntax',
      'out-of-zone',
      'cname-beside-data',
      'target-is-alias',
    ]);
  });
});

describe('sign', () => {
  it('writes the signed zone, the SOA first, the serial kept', async () => {
    const { code, stdout, stderr } = await run(
      'sign good.db --zone example --keys . --time 2026-11-23T12:00:00Z',
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.split('\n')[0]).toBe(
      'example.\t3600\tIN\tSOA\tns.example. hostmaster.example. 7 3600 1800 1209600 300',
    );
    expect((await recordsOf(stdout)).sort()).toEqual(
      [
        ...['SOA', 'NS', 'DNSKEY', 'DNSKEY', 'NSEC'].map((type) => `example. ${type}`),
        ...['SOA', 'NS', 'DNSKEY', 'NSEC'].map((type) => `example. RRSIG(${type})`),
        ...['NS', 'NSEC', 'RRSIG(NSEC)'].map((type) => `child.example. ${type}`),
        'ns.child.example. A',
        ...['ns', 'www'].flatMap((owner) =>
          ['A', 'RRSIG(A)', 'NSEC', 'RRSIG(NSEC)'].map((t) => `${owner}.example. ${t}`),
        ),
        ...['TXT', 'RRSIG(TXT)', 'NSEC', 'RRSIG(NSEC)'].map((type) => `*.w.example. ${type}`),
      ].sort(),
    );
  });

  it('writes the same octets at the same time with keys whose signatures repeat', async () => {
    const args = 'sign good.db --zone example --keys . --nsec3 --salt aabb --zonemd --time 1795435200';
    const [first, second] = [await run(args), await run(`${args} -o twice.db --workers 1`)];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(await readFile(join(folder.path, 'twice.db'), 'utf8')).toBe(first.stdout);
    const records = await recordsOf(first.stdout);
    expect(records.filter((record) => record.endsWith(' NSEC3'))).toHaveLength(6);
    expect(records).toContain('example. RRSIG(ZONEMD)');
  });

  it('refuses a zone with errors, naming each, and writes nothing', async () => {
    const { code, stdout, stderr } = await run('sign bad.db --zone example --keys . --output out.db');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/zoneseal: bad.db is not signed: 4 errors, 1 warning\n$/);
    expect((await readdir(folder.path)).filter((name) => name.includes('out.db'))).toEqual([]);
  });

  it('refuses keys of another zone', async () => {
    const { code, stderr } = await run('sign - --zone example.org --keys .', GOOD);
    expect([code, stderr]).toEqual([
      1,
      'zoneseal: .: no K*.private file with a K*.key file for zone example.org.\n',
    ]);
  });

  it('takes the serial that was asked for', async () => {
    const serialOf = async (serial: string): Promise<string | undefined> => {
      const { stdout } = await run(
        `sign good.db --zone example --keys . --time 1795435200 --serial ${serial}`,
      );
      return stdout.split('\n')[0]?.split(' ')[2];
    };
    expect(await serialOf('increment')).toBe('8');
    expect(await serialOf('unixtime')).toBe('1795435200');
    expect(await serialOf('date')).toBe('2026112300');
    expect(await serialOf('4711')).toBe('4711');
  });
});

describe('verify', () => {
  let signed = '';
  beforeAll(async () => {
    signed = (await run('sign good.db --zone example --keys . --zonemd --time 2026-11-23T12:00:00Z')).stdout;
  });

  it('accepts what sign wrote, the zone named by its SOA', async () => {
    const { code, stdout } = await run('verify - --now 2026-11-23T12:00:00Z --require-zonemd', signed);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^<stdin>: zone example\.: 27 records, 6 names, 12 signatures, NSEC, serial 7, .*: 0 errors, 0 warnings\n$/,
    );
  });

  it.each([
    ['a record that was changed', '192.0.2.2', '192.0.2.9', '', 'rrsig-bogus'],
    ['a record that was added', '$', '\nnew.example. 60 IN A 192.0.2.9\n', '', 'nsec-missing'],
    ['a record that cannot be read', '192.0.2.2', '192.0.2.256', '', 'is no IPv4 address'],
    ['a signature that has run out', '', '', '--now 2027-11-23T12:00:00Z', 'rrsig-expired'],
    ['a signature that runs out within the margin', '', '', '--margin 30d', 'rrsig-expires-soon'],
  ])('finds %s, and exits with 1', async (_, before, after, options, fault) => {
    await folder.write('altered.db', before === '$' ? signed + after : signed.replace(before, after));
    const now = options.includes('--now') ? '' : ' --now 2026-11-23T12:00:00Z';
    const { code, stdout } = await run(
      `verify altered.db --zone example ${options}${now}`.replace(/ +/g, ' '),
    );
    expect(code).toBe(1);
    expect(stdout).toContain(fault);
  });

  it('lists every fault for a program', async () => {
    await folder.write('altered.db', signed.replaceAll('192.0.2', '198.51.100'));
    const { code, stdout } = await run('verify altered.db --now 2026-11-23T12:00:00Z --json --max-faults 3');
    const report = JSON.parse(stdout) as { faults: { rule: string }[] };
    expect(code).toBe(1);
    expect(report).toMatchObject({
      zone: 'example.',
      ok: false,
      denial: 'nsec',
      serial: 7,
      counts: { errors: 3 },
    });
    expect(report.faults.map(({ rule }) => rule).sort()).toEqual([
      'rrsig-bogus',
      'rrsig-bogus',
      'zonemd-digest',
    ]);
  });

  it('says that there is no SOA to name the zone', async () => {
    const { code, stderr } = await run('verify -', 'www.example. 60 IN A 192.0.2.1\n');
    expect([code, stderr]).toEqual([1, 'zoneseal: <stdin>: there is no SOA; give --zone\n']);
  });
});

describe('a wrong command line', () => {
  it.each([
    ['check good.db', "required option '--zone <name>' not specified"],
    ['chekc good.db', "unknown command 'chekc'"],
    ['sign good.db --zone example --keys . --salt aa', '--salt is of NSEC3; give --nsec3 with it'],
    ['sign good.db --zone example --keys . --key-ref x', '--keys and --key-ref exclude each other'],
    ['sign good.db --zone a..b --keys .', 'no domain name'],
    ['check good.db --zone example -c missing.yaml --nope', "unknown option '--nope'"],
    ['sign good.db --zone example --keys . -c missing.yaml', 'missing.yaml: cannot be read'],
    ['rrset delete example www --view a --untagged', "cannot be used with option '--view <view>'"],
    ['view add Internal', 'A view name has'],
    ['keys generate example --role KSK --view internal', 'only a ZSK can be for one view'],
    ['tsig add key --view a --secret-env ZONESEAL_TEST_NOT_SET', 'ZONESEAL_TEST_NOT_SET is not set'],
    ['tsig export key', 'name a file to write'],
    ['policy set strict denial', '"denial" is no setting'],
  ])('%s exits with 2', async (args, message) => {
    const { code, stdout, stderr } = await zonesealHere(args.split(' '));
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^zoneseal: /);
  });

  it('is one JSON object for a program', async () => {
    const { code, stderr } = await run('check good.db --zone example --json --default-ttl 1x');
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE', exit: 2 } });
    expect(stderr).toContain('--default-ttl');
  });
});

it('every error of a configuration is told with its line, without a stack trace', async () => {
  await folder.write('broken.yaml', 'listen: 5\nnope: 1\n');
  const { code, stderr } = await run('sign good.db --zone example --keys . -c broken.yaml');
  expect(code).toBe(2);
  expect(stderr).toContain('zoneseal: broken.yaml:1: listen');
  expect(stderr).toContain('zoneseal: broken.yaml:2: nope: ');
  expect(stderr).not.toContain('    at ');
});
