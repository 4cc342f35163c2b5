import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HistoryEntry, SerialLine } from '../../src/store/operator-store.js';
import { waitUntil } from '../lib/processes.js';
import { judge } from '../lib/validators.js';
import { OLD_SERIAL, OperatorsLab, typedCommands, ZONE } from './operators-lab.js';

let lab: OperatorsLab;

beforeAll(async () => {
  lab = await OperatorsLab.start();
}, 180_000);

afterAll(() => lab?.stop());

/** Records of one type, with spaces alike. */
function ofType(lines: readonly string[], type: string): string[] {
  return lines
    .map((line) => line.split(/\s+/))
    .filter((words) => words[3] === type)
    .map((words) => words.join(' '))
    .sort();
}

/** What the zone says, without what signers make and without the serial. */
function contentOf(lines: readonly string[]): string[] {
  return lines
    .map((line) => line.split(/\s+/))
    .filter(([, , , type = '']) => !['RRSIG', 'NSEC', 'DNSKEY', 'SOA'].includes(type))
    .map((words) => words.join(' '))
    .sort();
}

/** What the secondary has, which validators have to accept. */
async function held(title: string): Promise<string[]> {
  const file = join(lab.folder, `${title}.axfr`);
  const lines = await lab.dump(lab.secondary.target, file);
  for (const validator of ['ldns-verify-zone', 'dnssec-verify'] as const) {
    const verdict = await judge(validator, { apex: ZONE, file, isCsk: false, hasZonemd: false });
    expect(verdict, `${validator} of ${title}`).toMatchObject({ outcome: 'accepted' });
  }
  return lines;
}

async function line(): Promise<SerialLine> {
  const [only] = (await lab.gateway.json(['zone', 'serial', ZONE])) as SerialLine[];
  if (only === undefined) throw new Error('it has no line');
  return only;
}

/** The secondary serves what is published after a serial. */
async function follows(before: number | null): Promise<number> {
  let served: number | null = null;
  await waitUntil(
    () => `nothing but ${served} is published\n${lab.gateway.log.slice(-3000)}`,
    async () => {
      served = (await line()).served;
      return served !== null && served !== before;
    },
    30_000,
  );
  await lab.secondary.waitForSerial(ZONE, served ?? 0);
  return served ?? 0;
}

describe('a signed primary', () => {
  test('is replaced as the guide says; its nameserver takes the new zone, under the same keys and a later serial', async () => {
    await lab.secondary.waitForSerial(ZONE, OLD_SERIAL);
    const before = await held('old');
    // what dig wrote in the guide
    await lab.dump(lab.gateway.target, join(lab.gateway.folder, 'example.old'));
    const [zoneAndKeys = [], serial = [], looks = []] = typedCommands();
    for (const words of zoneAndKeys) {
      const output = await lab.gateway.command(words);
      if (words[1] !== 'ds') continue;
      const digests = (text: string): string[] =>
        [...text.matchAll(/\b13 2 ([0-9A-F ]+)/gi)].map(([, it = '']) =>
          it.replaceAll(' ', '').toLowerCase(),
        );
      expect(digests(output)).toEqual(digests(lab.oldDs));
    }
    for (const words of serial) await lab.gateway.command(words);
    await lab.stopOld();
    await lab.gateway.serve();
    for (const words of looks) await lab.gateway.command(words);
    const served = await follows(null);
    expect(served).toBeGreaterThan(OLD_SERIAL);
    const after = await held('new');
    expect(contentOf(after)).toEqual(contentOf(before));
    expect(ofType(after, 'DNSKEY').map((it) => it.split(' ').slice(3))).toEqual(
      ofType(before, 'DNSKEY').map((it) => it.split(' ').slice(3)),
    );
    expect(lab.secondary.log).toMatch(new RegExp(`transferred serial ${served}`));
    const { status, stderr } = await lab.gateway.run(['zone', 'serial', ZONE, '--start', '9']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('--past 9')]);
  });
});

describe('a frozen zone', () => {
  test('stays while it is changed, a dry run shows what waits, and thawing publishes that', async () => {
    const { served } = await line();
    await lab.gateway.command(['zone', 'freeze', ZONE]);
    await lab.gateway.command(['rrset', 'set', ZONE, 'www', 'A', '192.0.2.80']);
    const output = await lab.gateway.command(['publish', ZONE, '--dry-run']);
    expect(output).toContain(`+ www.${ZONE}\t`);
    expect(output).toMatch(/~ www\.example\. A signed anew/);
    expect(output).toMatch(/which waits: the zone is frozen at version \d+/);
    const [expected] = (await lab.gateway.json(['publish', ZONE, '--dry-run'])) as Record<string, number>[];
    // asked for, it is published as it is held
    await lab.gateway.command(['publish', ZONE]);
    const asked = await follows(served);
    expect(contentOf(await held('frozen')).join('\n')).not.toContain('www');
    await lab.gateway.command(['zone', 'thaw', ZONE]);
    await follows(asked);
    expect(contentOf(await held('thawed'))).toContain(`www.${ZONE} 3600 IN A 192.0.2.80`);
    const [made] = (await lab.gateway.json(['zone', 'history', ZONE, '--limit', '1'])) as HistoryEntry[];
    const { removed, added, signatures, reused } = expected ?? {};
    expect(made).toMatchObject({ removed, added, signatures, reused, cause: 'change' });
  });
});

describe('zone resign', () => {
  test('makes every signature anew, and nothing else', async () => {
    const { served } = await line();
    const before = await held('before signing anew');
    await lab.gateway.command(['zone', 'resign', ZONE]);
    await follows(served);
    const after = await held('signed anew');
    expect(contentOf(after)).toEqual(contentOf(before));
    const old = new Set(ofType(before, 'RRSIG'));
    const young = ofType(after, 'RRSIG');
    expect(young.filter((it) => old.has(it))).toEqual([]);
    expect(young).toHaveLength(old.size);
    const [made] = (await lab.gateway.json(['zone', 'history', ZONE, '--limit', '1'])) as HistoryEntry[];
    expect(made).toMatchObject({ resigned: true, reused: 0, signatures: young.length });
  });
});

describe('a serial', () => {
  test('is moved past another one, and round the circle in two steps, the nameserver with it', async () => {
    const { served } = await line();
    const to = (served ?? 0) + 100_000_000;
    await lab.gateway.command(['zone', 'serial', ZONE, '--past', String(to)]);
    expect(await follows(served)).toBe(to + 1);
    // down again
    const target = 2_000_000_000;
    const { status, stderr } = await lab.gateway.run(['zone', 'serial', ZONE, '--past', String(target)]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('The way round has two steps')]);
    const steps = [...stderr.matchAll(/--past (\d+)/g)].map(([, step = '']) => step);
    let last = to + 1;
    for (const step of steps) {
      await lab.gateway.command(['zone', 'serial', ZONE, '--view', 'external', '--past', step]);
      last = await follows(last);
    }
    expect(last).toBe(target + 1);
    await held('moved');
  });

  test('goes on when the zone is deleted and comes back', async () => {
    const { last } = await line();
    await lab.gateway.command(['zone', 'delete', ZONE, '--yes']);
    await lab.gateway.command(['zone', 'import', 'example.old', '--zone', ZONE, '--strip-dnssec']);
    await lab.gateway.command(['keys', 'import', ZONE, 'keys']);
    await lab.gateway.command(['view', 'assign', ZONE, 'external']);
    const served = await follows(null);
    expect(served).toBe((last ?? 0) + 1);
    await held('come back');
  });
});

describe('publish', () => {
  test('tells why a publication failed, as the dry run did', async () => {
    lab.postgres.psql(
      `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values (zoneseal.zone_id('${ZONE}'), 'bad.${ZONE}', 'A', 60, '{192.0.2.300}')`,
    );
    for (const more of [['--dry-run'], []]) {
      const { status, stderr } = await lab.gateway.run(['publish', ZONE, ...more]);
      expect([status, stderr]).toEqual([1, expect.stringContaining(`bad.${ZONE}`)]);
    }
    await lab.gateway.command(['rrset', 'delete', ZONE, 'bad', 'A']);
    expect(await lab.gateway.command(['publish', ZONE])).toMatch(/^view external: serial \d+/);
  });
});
