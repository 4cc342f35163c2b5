/** What a key set says at the apex, and zones without signatures: a nameserver follows, and other people's programs judge. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../lib/dns-client.js';
import { GatewayProcess } from '../lib/gateway.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { runProgram, runWell, waitUntil } from '../lib/processes.js';
import { Secondary, type SecondaryProgram } from '../lib/secondary.js';
import { TOOLS } from '../lib/tools.js';
import { judge, type ValidatorName } from '../lib/validators.js';

const ZONE = 'keysets.example.';
const MASTER = `$TTL 300
@ SOA ns host 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.80
*.wild TXT "any"
deep.below.here TXT "empty non-terminals above"
sub NS ns.sub
ns.sub A 192.0.2.2
`;

/** Without knotd, which validates what it takes as the suites have it, and takes no unsigned zone then. */
const SECONDARIES: readonly SecondaryProgram[] = ['named', 'nsd'];

let postgres: TestPostgres;
let gateway: GatewayProcess;
const secondaries: Secondary[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
  gateway = await GatewayProcess.start({ config: { database: { url: postgres.url } } });
  await gateway.command(['view', 'add', 'external']);
  const file = join(gateway.folder, 'ns.key');
  await gateway.command(['tsig', 'add', 'ns-key.', '--view', 'external', '--key-file', file]);
  const text = readFileSync(file, 'utf8');
  const word = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? '';
  const key = {
    name: word(/key\s+"?([^"\s]+)"?/),
    algorithm: word(/algorithm\s+([^;\s]+);/),
    secret: word(/secret\s+"([^"]+)"/),
  };
  await policy({});
  writeFileSync(join(gateway.folder, 'zone'), MASTER);
  await gateway.command([
    'zone',
    'import',
    join(gateway.folder, 'zone'),
    '--zone',
    ZONE,
    '--assign',
    'external',
  ]);
  await gateway.command(['keys', 'generate', ZONE]);
  // key sets are what this suite makes them
  await gateway.command(['keys', 'hold', ZONE]);
  for (const name of SECONDARIES) {
    const options = { zones: [ZONE], primary: gateway.target, key, label: `${name} of key sets` };
    secondaries.push(await Secondary.start(name, options));
  }
  await waitUntil(
    () => `nothing is published\n${gateway.log.slice(-3000)}`,
    async () => (await served()) !== null,
    30_000,
  );
}, 180_000);

afterAll(async () => {
  for (const secondary of secondaries) await secondary.stop();
  await gateway?.remove();
  postgres?.remove();
});

/** Sets what the default policy says. */
async function policy(document: object): Promise<void> {
  await Promise.resolve();
  const text = JSON.stringify({ serial: 'increment', cdsDigests: [2, 4], ...document });
  postgres.psql(`update zoneseal.policies set document = '${text}' where name = 'default'`);
}

function keys(change: string, where = 'true'): void {
  postgres.psql(`update zoneseal.zone_keys set ${change} where ${where}`);
}

async function served(): Promise<number | null> {
  const [line] = (await gateway.json(['zone', 'serial', ZONE])) as { served: number | null }[];
  return line?.served ?? null;
}

/** Records of a transfer, one a line, spaces alike; TTLs that a nameserver does not change. */
async function dump({ host, port }: Target, file: string): Promise<string[]> {
  const dig = TOOLS['dig']?.path ?? 'dig';
  const args = [`@${host}`, '-p', String(port), ZONE, 'AXFR', '+onesoa', '+noall', '+answer'];
  const text = await runWell(dig, args);
  writeFileSync(file, text);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/\s+/g, ' '))
    .sort();
}

/** Waits for what is published after a change, and until every nameserver has it; they all have the same. */
async function published(
  title: string,
  change: () => Promise<void> | void,
): Promise<{ lines: string[]; file: string }> {
  const before = await served();
  await change();
  let serial: number | null = null;
  await waitUntil(
    () => `nothing but ${serial} is published\n${gateway.log.slice(-3000)}`,
    async () => {
      serial = await served();
      return serial !== null && serial !== before;
    },
    30_000,
  );
  const exported = join(gateway.folder, `${title}.zone`);
  await gateway.command(['zone', 'export', ZONE, '--signed', '-o', exported]);
  const dumps: string[][] = [];
  for (const secondary of secondaries) {
    await secondary.retrieve(ZONE);
    await secondary.waitForSerial(ZONE, serial ?? 0);
    dumps.push(await dump(secondary.target, join(gateway.folder, `${title}.${secondary.name}`)));
  }
  for (const other of dumps.slice(1)) expect(other).toEqual(dumps[0]);
  return { lines: dumps[0] ?? [], file: join(gateway.folder, `${title}.${SECONDARIES[0]}`) };
}

const typesOf = (lines: readonly string[]): Set<string> =>
  new Set(lines.map((line) => line.split(' ')[3] ?? ''));
const ofType = (lines: readonly string[], type: string): string[] =>
  lines.filter((line) => line.split(' ')[3] === type).map((line) => line.split(' ').slice(4).join(' '));

async function accepted(title: string, file: string, isCsk = false): Promise<void> {
  for (const validator of JUDGES) {
    const verdict = await judge(validator, { apex: ZONE, file, isCsk, hasZonemd: false });
    expect(verdict, `${validator} of ${title}`).toMatchObject({ outcome: 'accepted' });
  }
}
/** A zone that is served nowhere. */
const CARRIER = 'carrier.example.';

const JUDGES: readonly ValidatorName[] = ['ldns-verify-zone', 'dnssec-verify', 'kzonecheck', 'zoneseal'];

describe('CDS and CDNSKEY', () => {
  test('of the key that the parent is to have are taken by every nameserver, and by dnssec-cds as DS', async () => {
    const { lines, file } = await published('parent', () => keys('parent = true', "role = 'KSK'"));
    await accepted('parent', file);
    expect(ofType(lines, 'CDS')).toHaveLength(2);
    expect(ofType(lines, 'CDNSKEY')).toEqual(ofType(lines, 'DNSKEY').filter((it) => it.startsWith('257 ')));
    const ds = await gateway.command(['keys', 'ds', ZONE, '--format', 'ds']);
    const folder = gateway.folder;
    writeFileSync(join(folder, `dsset-${ZONE}`), ds.replaceAll(/^.*[ \t]4[ \t][0-9A-F \t]+$/gm, ''));
    const made = await runProgram(
      '/usr/bin/dnssec-cds',
      // signatures begin before the file of DS records was written
      ['-s', '-2592000', '-a', '2', '-a', '4', '-f', file, '-d', folder, ZONE],
      {
        cwd: folder,
      },
    );
    expect(made.status, made.stderr).toBe(0);
    const digests = (text: string): string[] =>
      [...text.matchAll(/ 13 ([24] [0-9A-F ]+)/g)].map((it) => (it[1] ?? '').replaceAll(' ', '')).sort();
    expect(digests(made.stdout)).toEqual(digests(ds.replaceAll('\t', ' ')));
  }, 120_000);

  test('ask for the removal of all DS when told to', async () => {
    const { lines, file } = await published('sentinel', () => {
      postgres.psql('update zoneseal.zones set delete_sentinel = true');
    });
    await accepted('sentinel', file);
    expect(ofType(lines, 'CDS')).toEqual(['0 0 0 00']);
    expect(ofType(lines, 'CDNSKEY')).toEqual(['0 3 0 AA==']);
  }, 120_000);
});

describe('an algorithm that signs before its DNSKEY is published', () => {
  test('hinders nobody who validates by those that are', async () => {
    // `keys generate` refuses to add it to a zone that is served: this is for the validators to see
    await gateway.command(
      ['zone', 'import', '-', '--zone', CARRIER],
      '@ 60 SOA ns host 1 60 60 60 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n',
    );
    await gateway.command(['keys', 'generate', CARRIER, '--role', 'CSK', '--algorithm', '15']);
    const { lines, file } = await published('early', () => {
      postgres.psql(`
        insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref)
        select zoneseal.zone_id('${ZONE}'), role, algorithm, flags, key_tag, public_key, secret_ref
        from zoneseal.zone_keys where zone_id = zoneseal.zone_id('${CARRIER}')`);
    });
    expect(ofType(lines, 'DNSKEY')).toHaveLength(3);
    const early = await published('unpublished', () => keys('published = false', 'algorithm = 15'));
    expect(ofType(early.lines, 'DNSKEY')).toHaveLength(2);
    expect(ofType(early.lines, 'RRSIG').filter((it) => it.split(' ')[1] === '15')).not.toHaveLength(0);
    await accepted('early', file, true);
    await accepted('unpublished', early.file);
    await published('one algorithm', () => keys('signs = false', 'algorithm = 15'));
  }, 120_000);
});

describe('a zone whose policy wants no signatures', () => {
  test('stays signed while it has keys, goes unsigned without, and comes back', async () => {
    await policy({ signed: false });
    const wish = await gateway.command(['publish', ZONE, '--dry-run']);
    expect(wish).not.toContain('DNSKEY');
    const bare = await published('bare', () => keys('signs = false, published = false, parent = false'));
    expect(typesOf(bare.lines)).toEqual(new Set(['SOA', 'NS', 'A', 'TXT']));
    expect(bare.lines).toHaveLength(8);
    await gateway.command(['verify', join(gateway.folder, 'bare.zone'), '--zone', ZONE, '--unsigned']);
    await gateway.command(['rrset', 'set', ZONE, 'www', 'A', '192.0.2.81']);
    const changed = await published('changed', () => policy({ signed: false, zonemd: true }));
    expect(typesOf(changed.lines)).toEqual(new Set(['SOA', 'NS', 'A', 'TXT', 'ZONEMD']));
    await gateway.command(['verify', join(gateway.folder, 'changed.zone'), '--unsigned', '--require-zonemd']);
    await policy({});
    const back = await published('back', () => {
      postgres.psql('update zoneseal.zones set delete_sentinel = false');
      keys('signs = true, published = true', 'algorithm = 13');
    });
    await accepted('back', back.file);
    expect(ofType(back.lines, 'A')).toContain('192.0.2.81');
  }, 180_000);

  test('is not due all the time', async () => {
    await policy({ signed: false });
    await published('bare again', () => keys('signs = false, published = false'));
    const [due] = postgres
      .psql("select due_at > now() + interval '1000 years' from zoneseal.serial_lines")
      .trim()
      .split('\n');
    expect(due).toBe('t');
    expect(postgres.psql('select count(*) from zoneseal.serial_lines where safe_until < now()').trim()).toBe(
      '0',
    );
    expect(await gateway.command(['zone', 'show', ZONE])).toMatch(/ready: .*, unsigned$/m);
  }, 120_000);
});
