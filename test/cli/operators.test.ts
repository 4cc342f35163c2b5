import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/generate.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { PublicationManager } from '../../src/publication/manager.js';
import { FORMAT_VERSION } from '../../src/publication/produce.js';
import { removeRunningGateway, writeRunningGateway } from '../../src/running-gateway.js';
import { InlineSigner } from '../../src/signing/signer.js';
import type { Database } from '../../src/store/database.js';
import { PostgresPublicationStore } from '../../src/store/publication-store.js';
import { ZoneKeyStore } from '../../src/store/zone-key-store.js';
import { ZoneStore } from '../../src/store/zone-store.js';
import { ImageStore } from '../../src/transfer/image-store.js';
import { openMigrated } from '../embedded-database.js';
import { type Run, zonesealHere } from './run.js';

const MASTER = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.1
`;

// what a running gateway has open, and its makings of publications
let folder = '';
let database: Database;
let manager: PublicationManager;
let key: Awaited<ReturnType<typeof generateKey>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zoneseal-cli-'));
  await writeFile(join(folder, 'zoneseal.yaml'), 'data: ./data\n');
  await writeFile(join(folder, 'zone.db'), MASTER);
  const data = join(folder, 'data');
  database = await openMigrated(join(data, 'database'));
  writeRunningGateway(data, { pid: process.pid });
  const zones = new ZoneStore(database);
  for (const view of ['internal', 'external']) await zones.addView(view);
  key = await generateKey({ algorithm: 13, role: 'CSK' });
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  manager = new PublicationManager({
    store: new PostgresPublicationStore(database, { formatVersion: FORMAT_VERSION }),
    dependencies: {
      keyRing: new KeyRing({
        fetchPayload: () => Promise.resolve({ contentType: 'application/pkcs8', payload: key.pkcs8.slice() }),
      }),
      signer: new InlineSigner(),
    },
    images: await ImageStore.open({
      folder: join(folder, 'spool'),
      memoryImageOctets: 1e6,
      maxMemoryOctets: 1e7,
      maxSpoolOctets: 1e7,
    }),
    log,
    limits: { productions: 1, heldOctets: 0, freshSeconds: 0, remembered: 10 },
    gateway: 'gateway 1',
    leaseSeconds: 30,
  });
});

afterAll(async () => {
  removeRunningGateway(join(folder, 'data'));
  await manager.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

function run(args: string): Promise<Run> {
  return zonesealHere([...args.split(' '), '--config', join(folder, 'zoneseal.yaml')]);
}

/** Runs a command that has to succeed; what it printed, and what it said. */
async function done(args: string): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  expect(code, `${args}: ${stderr}`).toBe(0);
  return stdout + stderr;
}

async function json(args: string): Promise<unknown> {
  return JSON.parse((await run(`${args} --json`)).stdout);
}

/** Has everything published that is due. */
async function publishDue(): Promise<void> {
  await manager.makeDue();
  await manager.settled();
}

/** A zone in some views that is published. */
async function newZone(name: string, views: readonly string[] = ['internal', 'external']): Promise<void> {
  await done(`zone import ${join(folder, 'zone.db')} --zone ${name}`);
  await new ZoneKeyStore(database).add(`${name}.`, [
    { ...key, secretRef: 'https://barbican/1', view: null, signs: true, published: true },
  ]);
  if (views.length > 0) await done(`view assign ${name} ${views.join(' ')}`);
  await publishDue();
}

const serials = async (zone: string): Promise<(number | null)[]> =>
  ((await json(`zone serial ${zone}`)) as { served: number | null }[]).map(({ served }) => served);

describe('zone freeze and thaw', () => {
  it('hold a zone, show that it is held and what waits, and let it go on', async () => {
    await newZone('held');
    const before = await serials('held');
    expect(await done('zone freeze held')).toBe(
      'zone held. is frozen at version 1; changes wait until: zoneseal zone thaw held.\n',
    );
    expect(await done('zone freeze held')).toContain('was frozen at version 1 already');
    expect(await done('zone show held')).toMatch(/frozen: {3}at version 1 since .*, no changes wait/);
    await done('rrset set held www A 192.0.2.80 --view internal');
    await publishDue();
    expect(await serials('held')).toEqual(before);
    expect(await done('zone show held')).toContain(
      'changes wait in internal; see: zoneseal publish --dry-run',
    );
    const list = await done('zone list');
    expect(list).toMatch(/held\. +external .*ready, frozen\n/);
    expect(list).toMatch(/held\. +internal .*ready, frozen, changes wait\n/);
    expect(await done('status held')).toMatch(
      /held\. +external +\d+ \(frozen\)[^]*2 zones and views, 2 frozen;/,
    );
    expect(await json('zone show held')).toMatchObject({ frozenVersion: 1, version: 2 });
    expect(await done('zone thaw held')).toContain('what waited in internal is published now');
    await publishDue();
    const after = await serials('held');
    expect([after[0] === before[0], after[1] === before[1]]).toEqual([true, false]);
    expect(await done('zone thaw held')).toContain('was not frozen');
    expect((await run('zone freeze nowhere')).code).toBe(1);
  });
});

describe('zone resign', () => {
  it('says what will happen; every view gets a new serial with all signatures made anew', async () => {
    await newZone('anew');
    const before = await serials('anew');
    expect(await done('zone resign anew')).toMatch(
      /all signatures over 3 RRsets are made anew, under a new serial in external \(\d+ records\), internal/,
    );
    await publishDue();
    const after = await serials('anew');
    expect(after.every((serial, i) => serial !== before[i])).toBe(true);
    // all but the SOA, which was signed in both unless their serials are alike
    const [second, first] = (await json('zone history anew --limit 2')) as Record<string, unknown>[];
    expect(first).toMatchObject({ reason: 'all signatures were to be made anew', reused: 0 });
    expect(second).toMatchObject({ reason: 'all signatures were to be made anew' });
    expect(second?.['signatures']).toBeLessThanOrEqual(1);
  });
});

describe('zone serial', () => {
  it('shows lines, and moves one past a serial', async () => {
    await newZone('moved');
    const [external = 0, internal = 0] = (await serials('moved')) as number[];
    const to = external + 1_000_000;
    const moved = await done(`zone serial moved --view external --past ${to}`);
    expect(moved).toMatch(new RegExp(`external +${external} +${to} +${to + 1}\n`));
    expect(moved).toContain(`a new publication past ${to} is made now`);
    await publishDue();
    expect(await serials('moved')).toEqual([to + 1, internal]);
    const { code, stderr } = await run(`zone serial moved --view external --past ${external}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /zone moved\. in view external: serial \d+ does not come after \d+.*two steps|3 steps/,
    );
    expect((await run('zone serial moved --past 1 --start 2')).code).toBe(2);
    expect((await run('zone serial moved --past 4294967296')).code).toBe(2);
  });

  it('begins a line after the serial of the primary that is replaced', async () => {
    await newZone('taken', []);
    expect(await done('zone serial taken --view external --start 2500000000')).toMatch(
      /external +not served +2500000000 +-\n/,
    );
    await done('view assign taken external');
    await publishDue();
    expect(await serials('taken')).toEqual([2_500_000_001]);
    const { code, stderr } = await run('zone serial taken --start 7');
    expect([code, stderr]).toEqual([1, expect.stringContaining('--past 7')]);
  });
});

describe('zone history', () => {
  it('says why each publication was made and what it changed', async () => {
    await newZone('told', ['external']);
    await done('rrset set told a A 192.0.2.7');
    await publishDue();
    await done('zone serial told --past 3000000000');
    await publishDue();
    await database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id('told.'), 'bad.told.', 'A', 1, '{x}')`,
    );
    await publishDue();
    const reasons = (await json('zone history told')) as { reason: string; state: string }[];
    expect(reasons.map(({ reason, state }) => `${state}: ${reason}`)).toEqual([
      'failed: its data changed',
      'ready: an operator asked for it',
      'ready: its data changed',
      'ready: there was none',
    ]);
    const text = await done('zone history told --view external --limit 3');
    expect(text).toMatch(/external +\d+ +\S+Z +ready +2 +-\d+ \+\d+ +\d+ +\d+ +\d+ +its data changed/);
    expect(text).toMatch(/view external, serial \d+, on gateway 1: .*bad\.told\./);
    expect(text).not.toContain('there was none');
  });
});

describe('publish --dry-run', () => {
  it('says what each view would get, and publishes nothing', async () => {
    await newZone('dry');
    await done('zone freeze dry');
    await done('rrset set dry www A 192.0.2.80 --view internal');
    const rows = (): Promise<unknown> =>
      database.query(
        `select l.*, (select count(*) from zoneseal.publications) as n from zoneseal.serial_lines l order by zone, view`,
      );
    const before = await rows();
    const text = await done('publish dry --dry-run');
    expect(text).toMatch(
      /view external: served serial \d+, version 1; newest version 2, which waits: .*\nnothing would change\n/,
    );
    expect(text).toContain('+ www.dry.\t3600\tIN\tA\t192.0.2.80\n');
    expect(text).toContain('~ www.dry. A signed anew\n');
    expect(text).toMatch(/1 record removed|records removed/);
    expect(await json('publish dry --dry-run --view internal --limit 1')).toMatchObject([
      {
        view: 'internal',
        ok: true,
        frozenVersion: 1,
        zoneVersion: 2,
        served: { zoneVersion: 1 },
        isChanged: true,
        isCut: true,
        signatures: 4,
      },
    ]);
    expect(await rows()).toEqual(before);
    // and that is what it gets
    await done('zone thaw dry');
    await publishDue();
    expect(await json('zone history dry --limit 1')).toMatchObject([{ view: 'internal', signatures: 4 }]);
  });

  it('shows the whole of a zone that was never published, and what stops one', async () => {
    await newZone('never', []);
    await done('view assign never external');
    expect(await done('publish never --dry-run')).toMatch(/served nothing yet[^]*\+ never\.\t3600\tIN\tSOA/);
    await database.execute(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id('never.'), 'bad.never.', 'A', 1, '{x}')`,
    );
    const { code, stderr } = await run('publish never --dry-run');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/cannot be published\n.*bad\.never\./)]);
    expect(await json('publish never --dry-run')).toMatchObject([
      { ok: false, error: { code: 'RDATA_INVALID' } },
    ]);
    expect((await run('publish never --dry-run --view internal')).code).toBe(1);
  });
});

describe('publish', () => {
  it('waits until it is ready, and shows the serials', async () => {
    await newZone('now');
    const before = (await serials('now')) as number[];
    const published = done('publish now');
    const ticking = setInterval(() => void manager.makeDue(), 100);
    try {
      expect(await published).toMatch(
        /^view external: serial \d+, 0 records removed, 0 added\nview internal: /,
      );
      expect(((await serials('now')) as number[]).every((it, i) => it > (before[i] ?? 0))).toBe(true);
      await database.execute(
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id('now.'), 'bad.now.', 'A', 1, '{x}')`,
      );
      const { code, stdout, stderr } = await run('publish now --view external');
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/zone now\. in view external: .*bad\.now\..*; it is tried again/);
    } finally {
      clearInterval(ticking);
      await manager.settled();
    }
  });

  it('says after a while that no gateway has begun it', async () => {
    await newZone('late', ['external']);
    const { code, stderr } = await run('publish late --timeout 1');
    expect([code, stderr]).toEqual([
      1,
      'zoneseal: zone late. in view external: not ready after 1s: no gateway has begun it; does one run?\n',
    ]);
    expect((await run('publish nowhere')).code).toBe(1);
  });
});
