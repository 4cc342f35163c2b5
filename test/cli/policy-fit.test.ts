import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

/** A little less than five weeks: longer than any validity here. */
const LARGE = 3_000_000;
const ARITHMETIC =
  'zone slow.: policy short: validity must be longer than refresh 604800 s + largest TTL 3000000 s + propagationDelay 3600 s = 3608400 s, it is 864000 s';

let f: CommandFixture;

async function importZone(zone: string, ttl: number, policy: string, expire = 4): Promise<string> {
  const file = join(f.folder, `${zone}.db`);
  await writeFile(file, `@ 3600 SOA ns.other. h.other. 1 2 3 ${expire} 5\n@ ${ttl} NS ns.other.\n`);
  return `zone import ${file} --zone ${zone} --policy ${policy} --replace`;
}

beforeAll(async () => {
  f = await openCommandFixture();
  await f.done('policy set long validity=60d refresh=10d');
  await f.done('policy set short validity=10d refresh=7d');
  await f.done(await importZone('slow', LARGE, 'long'));
  await f.done(await importZone('quick', 60, 'short'));
});

afterAll(async () => {
  await f.close();
});

describe('a policy that is unsafe by the largest TTL of a zone', () => {
  it('is not assigned to it, and the sum is said', async () => {
    const { code, stderr } = await f.run('policy assign slow short');
    expect(code).toBe(1);
    expect(stderr).toContain(ARITHMETIC);
    expect(stderr).toContain('the largest TTL is that of slow. NS');
    expect(await f.json('zone show slow')).toMatchObject({ policy: 'long' });
  });

  it('is not set, and the zones are named', async () => {
    await f.done('view add some');
    await f.done('view assign slow some');
    const { code, stderr } = await f.run('policy set long validity=10d refresh=7d');
    expect(code).toBe(1);
    expect(stderr).toContain(ARITHMETIC.replace('short', 'long'));
    expect(await f.json('policy show long')).toMatchObject({ version: 1 });
    expect((await f.done('policy set short zonemd=true')).stderr).toContain('version 2 (1 zones)');
  });

  it('refuses an import, of a new zone or in place of what there is, and a dry run of it', async () => {
    for (const [zone, more] of [
      ['new', ''],
      ['quick', ''],
      ['quick', ' --dry-run'],
    ]) {
      const { code, stderr } = await f.run(`${await importZone(zone as string, LARGE, 'short')}${more}`);
      expect([zone, code]).toEqual([zone, 1]);
      expect(stderr).toContain(ARITHMETIC.replace('slow', zone as string));
    }
    expect((await f.run('zone show new')).stderr).toContain('there is no zone "new."');
    expect((await f.done('rrset list quick @ NS')).stdout).toMatch(/\b60\b/);
  });

  it('refuses an RRset', async () => {
    const { code, stderr } = await f.run(`rrset set quick www A 192.0.2.1 --ttl ${LARGE}`);
    expect(code).toBe(1);
    expect(stderr).toContain('the largest TTL is that of www.quick. A');
    expect((await f.done('rrset list quick www')).stdout).not.toContain('192.0.2.1');
  });

  it('is told of by zone check, zone show and publish --dry-run where plain SQL made it so', async () => {
    await f.database.execute("update zoneseal.zones set policy = 'short' where name = 'slow.'");
    await f.done('keys generate slow');
    const check = await f.run('zone check slow');
    expect(check.code).toBe(1);
    expect(check.stdout).toContain(`error: ${ARITHMETIC}`);
    expect(await f.json('zone show slow')).toMatchObject({ problems: [{ rule: 'policy-unsafe' }] });
    expect((await f.done('zone show slow')).stdout).toContain(`error: ${ARITHMETIC}`);
    const dry = await f.run('publish slow --dry-run');
    expect(dry.code).toBe(1);
    expect(dry.stderr).toContain('validity must be longer than refresh 604800 s + largest TTL 3000000 s');
    // what mends it is let through, though a row that is too large is there still
    await f.done('rrset set slow www A 192.0.2.1 --ttl 60');
    await f.done('rrset set slow @ NS ns.other. --ttl 60');
    expect((await f.done('zone check slow')).stdout).toContain('0 errors');
  });
});

describe("a SOA's expire beyond the validity that is left", () => {
  const WARNING = "is 604800 s, less than the SOA's expire 2419200 s + largest TTL 3600 s = 2422800 s";

  it('is warned of', async () => {
    expect((await f.done(await importZone('far', 60, 'default', 2_419_200))).stderr).toContain(
      `warning: zone far.: policy default: refresh ${WARNING}`,
    );
    await f.done('keys generate far');
    await f.done('view assign far some');
    expect((await f.done('zone check far')).stdout).toContain(WARNING);
    expect((await f.done('policy assign far short')).stderr).toContain(WARNING);
    expect((await f.done('policy set short zonemd=false')).stderr).toContain(WARNING);
    expect((await f.done('publish far --dry-run')).stderr).toContain(WARNING);
  });
});

describe('settings that parse', () => {
  it('and cannot work are refused; those that are ill advised are warned of', async () => {
    const { code, stderr } = await f.run('policy set odd viewZsks=[nosuch] rsaBits=2049');
    expect(code).toBe(1);
    expect(stderr).toContain('there is no view "nosuch"');
    expect(stderr).toContain('rsaBits: must be a multiple of 8');
    expect((await f.done('policy set odd denial=nsec3 nsec3.iterations=10')).stderr).toContain(
      'warning: policy odd: nsec3.iterations is 10: it should be 0',
    );
  });
});
