import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

let f: CommandFixture;

beforeAll(async () => {
  f = await openCommandFixture();
  const file = join(f.folder, 'zone.db');
  await writeFile(file, '@ 3600 SOA ns.other. h.other. 1 2 3 4 5\n@ 3600 NS ns.other.\n');
  await f.done(`zone import ${file} --zone example`);
});

afterAll(async () => {
  await f.close();
});

describe('a policy for other keys than a zone has', () => {
  const ROLL = 'zoneseal keys plan';

  it('is assigned to a zone without keys in silence', async () => {
    await f.done('policy set modern algorithm=15');
    expect((await f.done('policy assign example modern')).stderr).toBe(
      'zone example. is signed by policy modern\n',
    );
    await f.done('policy assign example default');
    await f.done('keys generate example');
  });

  it.each(['algorithm=15', 'keys=csk'])(
    'is said to have them roll when it is assigned: %s',
    async (setting) => {
      await f.done(`policy set other ${setting}`);
      const { stderr } = await f.done('policy assign example other');
      expect(stderr).toMatch(
        /^zone example\. is signed by policy other\nzone example\.: its keys \(KSK \d+ of algorithm 13, ZSK \d+ of algorithm 13\) roll to those /,
      );
      expect(stderr).toContain(ROLL);
      expect((await f.done('policy assign example other --quiet')).stderr).toBe('');
      expect((await f.done('policy assign example default')).stderr).not.toContain(ROLL);
      await f.done('policy set other algorithm= keys=');
    },
  );

  it('is said to have them roll when it is set', async () => {
    expect((await f.done('policy set default algorithm=15')).stderr).toBe(
      'policy default changed: version 2 (1 zones)\nthe keys of these zones roll to what the policy wants now; see: zoneseal keys plan ZONE\n',
    );
    expect((await f.done('policy set default zonemd=true')).stderr).not.toContain(ROLL);
    expect((await f.done('policy set other algorithm=15')).stderr).not.toContain(ROLL);
  });
});

describe('a policy that begins with another', () => {
  it('is a copy of what that one says now, with the settings that are given', async () => {
    await f.done('policy set slow denial=nsec3 nsec3.optOut=true validity=30d');
    const { stderr } = await f.done('policy set slower --from slow validity=40d nsec3.optOut=');
    expect(stderr).toBe('policy slower created: version 1\n');
    const document = { denial: 'nsec3', nsec3: {}, validity: '40d' };
    expect(await f.json('policy show slower')).toMatchObject({ document });
    await f.done('policy set slow denial=nsec');
    expect(await f.json('policy show slower')).toMatchObject({ version: 1, document });
    expect(await f.json('policy show slow')).toMatchObject({
      document: { denial: 'nsec', nsec3: { optOut: true }, validity: '30d' },
    });
  });

  it.each([
    ['slow --from slower', 'policy slow is there already, and --from is for a new one'],
    ['new --from nosuch', 'there is no policy "nosuch" to copy for new; see: zoneseal policy show'],
    ['new --from slow --file -', 'give a --file or --from, not both'],
  ])('is refused: %s', async (args, message) => {
    const { code, stderr } = await f.run(`policy set ${args}`);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect((await f.run('policy show new')).code).toBe(1);
  });

  it('is not what others without a setting fall back to, and default signs a zone that names none', async () => {
    await f.done('policy set default serial=increment');
    await f.done('policy set apart denial=nsec3');
    const { settings } = (await f.json('policy show apart')) as { settings: { serial: string } };
    expect(settings.serial).toBe('unixtime');
    await f.done(`zone import ${join(f.folder, 'zone.db')} --zone plain`);
    expect(await f.json('zone show plain')).toMatchObject({ policy: 'default' });
    await f.done('policy set default serial=');
  });
});

describe('keys by hand', () => {
  it('that are others than the policy wants are held, and it is said how to let them roll', async () => {
    await f.done('policy set default algorithm=');
    await f.done('policy assign example default');
    const refused = await f.run('keys generate example --role ZSK --algorithm 15');
    expect(refused.stderr).toContain('they would break the key set');
    expect(refused.stderr + (await f.done('keys history example')).stdout).not.toContain('held');
    const { stderr } = await f.done('keys generate example --role CSK');
    expect(stderr).toContain(
      'so they are held; let them roll to these with: zoneseal keys hold example. --release',
    );
    const plan = JSON.parse((await f.done('keys plan example --json')).stdout) as { held: boolean };
    expect(plan.held).toBe(true);
    expect(plan).toMatchObject({ cutAt: null });
    expect((await f.done('keys plan example')).stdout).toContain('are held; released now, this would come:');
    expect((await f.done('keys hold example --release')).stderr).toContain(
      'from now on roll by their policy',
    );
    expect((await f.done('keys hold example --release')).stderr).toContain('as before roll by their policy');
    expect((await f.done('keys history example')).stdout).toMatch(/keys released/);
  });

  it('are replaced when that is asked for; an emergency says first what it breaks, and does nothing without --yes', async () => {
    const keys = JSON.parse((await f.done('keys list example --json')).stdout) as {
      role: string;
      keyTag: number;
    }[];
    const tagOf = (role: string): number => keys.find((key) => key.role === role)?.keyTag ?? -1;
    expect((await f.done(`keys roll example ${tagOf('ZSK')}`)).stderr).toContain('is to be replaced');
    const { code, stderr } = await f.run(`keys roll example ${tagOf('KSK')} --emergency`);
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nothing was changed'),
    });
    expect((await f.run('keys roll example 1')).stderr).toContain('has no key 1 that this could be about');
    expect((await f.run('keys roll example --emergency')).code).toBe(2);
  });

  it('have the DS that an operator says, or none', async () => {
    const keys = JSON.parse((await f.done('keys list example --json')).stdout) as {
      role: string;
      keyTag: number;
    }[];
    const ksk = keys.find((key) => key.role === 'KSK')?.keyTag ?? -1;
    expect((await f.done(`keys ds-seen example ${ksk} --ttl 1h`)).stderr).toContain(
      `the parent has the DS of KSK ${ksk}`,
    );
    const emergency = await f.run(`keys roll example ${ksk} --emergency`);
    expect(emergency.code).toBe(1);
    expect(emergency.stdout).toContain('have its DS changed by hand');
    expect((await f.done('keys ds-seen example --none')).stderr).toContain('the parent has no DS');
    expect((await f.run('keys ds-seen example')).code).toBe(2);
  });
});

describe('keys ds', () => {
  const tagsOf = (text: string, type: string): number[] => {
    const lines = text.split('\n').map((line) => line.split(/\s+/));
    return lines
      .filter(([owner, , , found]) => owner === 'wanted.' && found === type)
      .map((it) => Number(it[4]));
  };
  const both = (tag: number): number[] => [tag, tag];
  const change = (tag: number, set: string): Promise<number> =>
    f.database.execute(`update zoneseal.zone_keys set ${set} where key_tag = $1`, [tag]);
  let old: number;
  let next: number;

  beforeAll(async () => {
    const keys = async () =>
      (JSON.parse((await f.done('keys list wanted --json')).stdout) as { role: string; keyTag: number }[])
        .filter((key) => key.role === 'KSK')
        .map((key) => key.keyTag);
    await f.done(`zone import ${join(f.folder, 'zone.db')} --zone wanted`);
    await f.done('keys generate wanted');
    old = (await keys())[0] as number;
    await f.done('keys generate wanted --role KSK');
    next = (await keys()).find((tag) => tag !== old) as number;
  });

  it('prints the keys that sign, and says so, while nothing is asked of the parent', async () => {
    await change(next, 'signs = false, published = false');
    const { stdout, stderr } = await f.done('keys ds wanted --format ds');
    expect([tagsOf(stdout, 'DS'), stderr]).toEqual([both(old), expect.stringContaining('yet')]);
    const cds = await f.done('keys ds wanted --format cds');
    expect([cds.stdout, cds.stderr]).toEqual(['', expect.stringContaining('no CDS is published')]);
  });

  it('prints what is wanted during a double-DS roll, also of a key that is not published', async () => {
    await change(old, 'parent = true');
    await change(next, 'parent = true');
    expect(tagsOf((await f.done('keys ds wanted')).stdout, 'DS')).toEqual([...both(old), ...both(next)]);
    expect((await f.done('keys ds wanted --format trust-anchors')).stdout).not.toContain(String(next));
    const list = JSON.parse((await f.done('keys list wanted --json')).stdout) as object[];
    expect(list).toContainEqual(
      expect.objectContaining({
        keyTag: next,
        parent: true,
        goal: 'in',
        keySetsOnly: false,
        removedAt: null,
      }),
    );
  });

  it('prints what is wanted during a double-signature roll, without a key that signs still', async () => {
    await change(next, 'signs = true, published = true');
    await change(old, 'parent = false');
    const { stdout, stderr } = await f.done('keys ds wanted --format ds');
    expect([tagsOf(stdout, 'DS'), stderr]).toEqual([both(next), '']);
    expect((await f.done('keys ds wanted --format trust-anchors')).stdout).toContain(String(old));
  });

  it('prints the CDS that are published, by the policy', async () => {
    const cds = async (): Promise<string> => (await f.done('keys ds wanted --format cds')).stdout;
    expect(tagsOf(await cds(), 'CDS')).toEqual([next]);
    expect(await cds()).toMatch(/^wanted\.\s+3600\s+IN\s+CDNSKEY\s+257 3 \d+ /m);
    await f.done('policy set cds dnskeyTtl=600 cdnskey=false cdsDigests=[2,4]');
    await f.done('policy assign wanted cds');
    expect(tagsOf(await cds(), 'CDS')).toEqual(both(next));
    expect(await cds()).not.toContain('CDNSKEY');
    expect(await cds()).toMatch(/^wanted\.\s+600\s/m);
    await f.database.execute("update zoneseal.zones set delete_sentinel = true where name = 'wanted.'");
    expect(await cds()).toMatch(/^wanted\.\s+600\s+IN\s+CDS\s+0 0 0 00\n$/);
    const { stdout, stderr } = await f.done('keys ds wanted --format ds');
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('are to be removed')]);
  });
});

describe('a timetable', () => {
  it('that is cut says so, and from when on', async () => {
    await f.done('view add some');
    await f.done('view assign example some');
    await f.done('policy set default zskLifetime=2d');
    const far = await f.done('keys plan example --until 2175-01-01T00:00:00Z');
    expect(far.stdout).toMatch(
      /the timetable is cut: it has no more than 300 steps, and of what comes from \d{4}-\S+Z on nothing is said, though --until is 2175-/,
    );
    const plan = await f.json('keys plan example --until 2175-01-01T00:00:00Z');
    expect(plan).toMatchObject({ cutAt: expect.stringMatching(/^2\d{3}-/) });
  });
});
