import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RCODE } from '../../src/dns/message.js';
import { query } from '../lib/dns-client.js';
import { startPostgres, type TestPostgres } from '../lib/postgres.js';
import { waitUntil } from '../lib/processes.js';
import { shiftedClock } from '../tsig/gateways.js';
import { type Contents, servedSerial } from './following.js';
import { Lab, SLOW } from './lab.js';

let postgres: TestPostgres;

beforeAll(async () => {
  // what was committed is to be there after a crash
  postgres = await startPostgres({ durable: true });
});
afterAll(() => postgres?.remove());

describe('a PostgreSQL that goes away', () => {
  const READY = 'ready.example.';
  const LARGE = 'large.example.';
  const LARGE_HOSTS = 8000;
  const NEW = 'new.example.';
  let lab: Lab;
  let pid: number | undefined;
  let ready: Contents;
  let burned: number | undefined;

  beforeAll(async () => {
    lab = await Lab.start(postgres, 'outage', { database: { connectTimeout: 3 } });
    await lab.prepareZone(READY);
    await lab.prepareZone(LARGE, LARGE_HOSTS, SLOW);
    await lab.prepareZone(NEW);
    lab.serve(READY);
    await lab.serial(READY);
    ready = await lab.take(READY);
    ({ pid } = lab.gateway);
  });
  afterAll(() => lab?.stop());

  test('in the middle of a first transfer: no client gets the closing SOA', async () => {
    const transfer = await lab.followFirst(LARGE);
    const stalled = await lab.begin(LARGE);
    await stalled.read(1);
    stalled.stall(true);
    await transfer.read(5);
    burned = transfer.serial;
    postgres.stop('immediate');
    expect(await transfer.read()).toBe(false);
    stalled.stall(false);
    expect(await stalled.read()).toBe(false);
    for (const { isClosed, soaRecords, records } of [transfer, stalled]) {
      expect({ isClosed, soaRecords }).toEqual({ isClosed: true, soaRecords: 1 });
      expect(records).toBeLessThan(4 * LARGE_HOSTS);
    }
    expect(lab.errorsAbout(LARGE)).toContainEqual(expect.objectContaining({ code: 'DATABASE_UNAVAILABLE' }));
  });

  test('what is ready is served meanwhile, and what is not gets SERVFAIL', async () => {
    for (let i = 0; i < 5; i++) {
      expect(await servedSerial(lab.gateway.target, READY, lab.key)).toBe(ready.serial);
      expect(await lab.take(READY)).toEqual(ready);
      expect(await lab.rcode(LARGE)).toBe(RCODE.SERVFAIL);
      expect(await lab.transferRcode(LARGE)).toBe(RCODE.SERVFAIL);
      expect(await lab.rcode(NEW)).toBe(RCODE.SERVFAIL);
      // longer, in all, than an answer of the database is good for
      await sleep(400);
    }
    await waitUntil('the log tells of it', () => lab.hasLogged('error', 'what is ready is served'));
  });

  test('all is made good when it is back, by the same process', async () => {
    await postgres.start();
    lab.serve(NEW);
    lab.addHost(READY, 'after');
    await lab.serial(NEW);
    await lab.serial(READY, ready.serial);
    await lab.serial(LARGE);
    const large = await lab.take(LARGE);
    expect(large.serial).toBeGreaterThan(burned as number);
    expect(large.records).toBeGreaterThan(4 * LARGE_HOSTS);
    expect(await lab.failure(LARGE)).toBeUndefined();
    expect(lab.gateway.pid).toBe(pid);
  });

  test('one that hangs, too', async () => {
    const before = await lab.take(READY);
    const server = postgres.pid();
    const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
      for (const id of [server, ...childrenOf(server)]) process.kill(id, name);
    };
    signal('SIGSTOP');
    try {
      // longer than an answer of the database is good for
      for (let i = 0; i < 6; i++) {
        expect(await servedSerial(lab.gateway.target, READY, lab.key)).toBe(before.serial);
        await sleep(500);
      }
      expect(await lab.take(READY)).toEqual(before);
      expect(await servedSerial(lab.gateway.target, LARGE, lab.key)).toBeDefined();
    } finally {
      signal('SIGCONT');
    }
    lab.addHost(READY, 'awake');
    await lab.serial(READY, before.serial);
    expect(lab.gateway.pid).toBe(pid);
  });

  test('a client that stalls in a large first transfer holds no transaction, and others complete', async () => {
    const zone = 'stalled.example.';
    await lab.prepareZone(zone, LARGE_HOSTS, SLOW);
    const stalled = await lab.followFirst(zone);
    stalled.stall(true);
    const serial = await lab.serial(zone);
    const transactions = (): string =>
      lab.psql(`select count(*) from pg_stat_activity
        where application_name = 'zoneseal' and datname = current_database() and xact_start < now() - interval '1 s'`);
    await waitUntil('a transaction is held open', () => transactions() === '0', 10_000);
    expect((await lab.take(zone)).serial).toBe(serial);
    expect((await lab.take(READY)).records).toBeGreaterThan(0);
    const completed = (): number =>
      lab.gateway.logLines.filter((line) => line['zone'] === zone && line.msg === 'a transfer was completed')
        .length;
    // the one that stalls is not among them
    expect(completed()).toBe(1);
    expect(transactions()).toBe('0');
    stalled.stall(false);
    expect(await stalled.read()).toBe(true);
    expect(stalled).toMatchObject({ soaRecords: 2, serial, isAuthentic: true });
    await waitUntil('the transfer was completed', () => completed() === 2);
  });
});

describe('a gateway that is killed', () => {
  const ZONE = 'killed.example.';
  const HOSTS = 6000;
  let lab: Lab;
  const served = new Map<number, string>();

  beforeAll(async () => {
    lab = await Lab.start(postgres, 'killed');
    await lab.prepareZone(ZONE, HOSTS, SLOW);
  });
  afterAll(() => lab?.stop());

  /** Takes the zone; a serial has the same contents whenever it is served, and never comes before one that was. */
  async function take(): Promise<number> {
    const { serial, digest } = await lab.take(ZONE);
    expect(served.get(serial) ?? digest).toBe(digest);
    served.set(serial, digest);
    expect(Math.max(...served.keys())).toBe(serial);
    return serial;
  }

  const building = (): boolean =>
    lab.psql(`select count(*) from zoneseal.publications where state = 'building'`) === '1';

  test('in a first production: the next one has another serial', async () => {
    const transfer = await lab.followFirst(ZONE);
    await transfer.read(3);
    await lab.gateway.kill();
    expect(await transfer.read()).toBe(false);
    expect(transfer.soaRecords).toBe(1);
    await lab.gateway.serve();
    const serial = await lab.serial(ZONE);
    expect(serial).toBeGreaterThan(transfer.serial as number);
    expect(await take()).toBe(serial);
  });

  test('in a later one: what was ready is served at once, then what is new', async () => {
    const before = await take();
    // one that takes long: all signatures anew
    await lab.commands.command(['zone', 'resign', ZONE]);
    await waitUntil('it is being made', building);
    await lab.gateway.kill();
    expect(building()).toBe(true);
    await lab.gateway.serve();
    expect(await servedSerial(lab.gateway.target, ZONE, lab.key)).toBe(before);
    const after = await lab.serial(ZONE, before);
    expect(after).toBeGreaterThan(before);
    expect(await take()).toBe(after);
    expect(served.size).toBe(2);
    // that of the killed attempt may have been given out again: unlike a first one, nobody can have seen it
    const shared = lab.psql(`select count(*) - count(distinct serial) from zoneseal.publications
      where state = 'ready' or previous is null`);
    expect(shared).toBe('0');
  });

  test('with nothing to do: the same serial, the same octets', async () => {
    const before = await take();
    await lab.gateway.kill();
    await lab.gateway.serve();
    expect(await take()).toBe(before);
  });
});

describe('a spool that is full', () => {
  const LARGE = 'large.example.';
  const SMALL = 'small.example.';
  const limits = { imageMemoryOctets: '64K', memoryOctets: '1M' };
  const labs: Lab[] = [];
  afterAll(() => Promise.all(labs.map((lab) => lab.stop())));

  async function expectFull(full: Lab, reason: RegExp): Promise<number> {
    await full.prepareZone(SMALL);
    await full.prepareZone(LARGE, 8000);
    full.serve(SMALL);
    full.serve(LARGE);
    await full.serial(SMALL);
    // its publication does not depend on one gateway's room, the transfer from this one does
    const serial = await full.serial(LARGE);
    expect(await full.failure(LARGE)).toBeUndefined();
    const transfer = await full.begin(LARGE);
    await transfer.read();
    transfer.close();
    expect(transfer.soaRecords).toBeLessThan(2);
    await waitUntil('the log says so', () => full.errorsAbout(LARGE).length > 0);
    for (const { code, reason: text } of full.errorsAbout(LARGE)) {
      expect(code).toBe('SPOOL_FULL');
      expect(text).toMatch(reason);
      expect(text).toContain(LARGE);
    }
    // others go on
    const before = await full.take(SMALL);
    full.addHost(SMALL, 'another');
    await full.serial(SMALL, before.serial);
    await full.take(SMALL);
    return serial;
  }

  test.concurrent('by its limit: that zone is named, others go on, and it comes when it fits', async () => {
    const config = { limits: { ...limits, spoolOctets: '1M' } };
    const lab = await Lab.start(postgres, 'spool_limit', { config });
    labs.push(lab);
    const serial = await expectFull(lab, /the spool has reached its limit/);
    lab.psql(
      `delete from zoneseal.rrsets where owner like 'host-%0.${LARGE}' or owner like 'host-___%.${LARGE}'`,
    );
    await lab.serial(LARGE, serial);
    await lab.take(LARGE);
  });

  let folder = '';
  let isMounted = false;
  const mount = (options: string): boolean =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' }).status === 0;
  afterAll(() => {
    if (isMounted) execFileSync('umount', ['-l', folder]);
  });

  test.concurrent('by the disk, where one of 1 MiB can be had', async (context) => {
    const lab = await Lab.start(postgres, 'spool_disk', {
      config: { limits },
      prepare: (gateway) => {
        folder = join(gateway.folder, 'data', 'spool');
        mkdirSync(folder, { recursive: true });
        isMounted = mount('size=1m');
      },
    });
    labs.push(lab);
    if (!isMounted) context.skip('no tmpfs can be mounted here');
    const serial = await expectFull(lab, /the disk is full/);
    expect(mount('remount,size=64m')).toBe(true);
    expect((await lab.take(LARGE)).serial).toBe(serial);
  });
});

describe('a clock that is an hour ahead', () => {
  const ZONE = 'clock.example.';
  const HOUR = 3600;
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.start(postgres, 'clock', { environment: shiftedClock(HOUR) });
    await lab.prepareZone(ZONE);
    lab.serve(ZONE);
  });
  afterAll(() => lab?.stop());

  test('is told of', () => {
    const line = lab.gateway.logLines.find((it) => it['skewSeconds'] !== undefined);
    expect(line?.level).toBe('warn');
    expect(Math.abs((line?.['skewSeconds'] as number) + HOUR)).toBeLessThan(30);
  });

  test('is that of TSIG, while serials and signatures go by the clock of the database', async () => {
    const ask = (skewSeconds: number): ReturnType<typeof query> =>
      query(lab.gateway.target, { name: ZONE, type: 'SOA', signing: { key: lab.key, skewSeconds } });
    await waitUntil('it is served', async () => (await ask(HOUR))?.message.rcode === RCODE.NOERROR);
    expect((await ask(0))?.tsig).toMatchObject({ status: 'refused', tsigError: 18 });
    const now = systemClock.seconds();
    const [serial, time] = lab
      .psql('select serial, time from zoneseal.publications order by id desc limit 1')
      .split('|');
    for (const value of [serial, time]) expect(Math.abs(Number(value) - now)).toBeLessThan(120);
  });
});

/** The processes that a process has started and that still run. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return parent === pid ? [Number(entry)] : [];
      } catch {
        return [];
      }
    });
}
