import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture, serveLong } from './fixture.js';

let f: CommandFixture;

const ZONE = 'standing.example.';
const VIEW = 'external';

interface PlanJson {
  readonly standstills: readonly { readonly message: string; readonly until: string | null }[];
  readonly steps: readonly { readonly at: string }[];
}

interface KeyJson {
  readonly role: string;
  readonly keyTag: number;
  readonly signs: boolean;
}

beforeAll(async () => {
  f = await openCommandFixture();
  await serveLong(f, ZONE, VIEW);
});

afterAll(() => f.close());

const keysOf = async (role: string): Promise<KeyJson[]> =>
  ((await f.json(`keys list ${ZONE}`)) as KeyJson[]).filter((key) => key.role === role);
const zskTag = async (): Promise<number> => (await keysOf('ZSK'))[0]?.keyTag ?? -1;
const plan = async (more = ''): Promise<PlanJson> => (await f.json(`keys plan ${ZONE}${more}`)) as PlanJson;

describe('where no key rolls, whatever is due,', () => {
  it('a plan says which gateways keep them from it', async () => {
    await f.done(`keys roll ${ZONE} ${await zskTag()}`);
    expect((await plan()).standstills).toEqual([]);
    await f.database.execute(
      `insert into zoneseal.gateways (name, release, schema_level, format_version, page_format) values ('old', '0.0.9', 11, 2, 1)`,
    );
    const { stdout } = await f.done(`keys plan ${ZONE}`);
    expect(stdout).toMatch(/^no key of any zone rolls: gateway old \(0\.0\.9\) would not sign by/);
    expect((await plan()).standstills).toMatchObject([{ until: null }]);
    await f.database.execute("delete from zoneseal.gateways where name = 'old'");
  });

  it('a plan says until when, as the database was set back, and has no step before', async () => {
    const [due] = (await plan()).steps;
    await f.database.execute(
      "update zoneseal.serial_lines set keys_unknown_until = date_trunc('second', now() + interval '3 days') where zone = $1",
      [ZONE],
    );
    const { standstills, steps } = await plan();
    const until = standstills[0]?.until ?? '';
    expect(Date.parse(until) - Date.parse(due?.at ?? '')).toBeGreaterThan(2.9 * 86_400_000);
    expect(steps.length).toBeGreaterThan(0);
    expect(steps.filter(({ at }) => Date.parse(at) < Date.parse(until))).toEqual([]);
    const { stdout } = await f.done(`keys plan ${ZONE}`);
    expect(stdout).toMatch(
      new RegExp(`^no key of zone ${ZONE} rolls until ${until}: the database was set back`),
    );
    const early = new Date(Date.now() + 86_400_000).toISOString();
    expect((await plan(` --until ${early}`)).steps).toEqual([]);
  });

  it('a plan says what is to be done of a zone in no view, or without keys, and has no step that nobody takes', async () => {
    await f.database.execute("insert into zoneseal.zones (name) values ('bare.example.')");
    const planOf = async () => (await f.json('keys plan bare.example.')) as PlanJson;
    const none = await planOf();
    expect(none.steps).toEqual([]);
    expect(none.standstills.map(({ message }) => message)).toEqual([
      expect.stringContaining('zoneseal view assign bare.example. VIEW'),
      expect.stringContaining('zoneseal keys generate bare.example.'),
    ]);
    await f.done('keys generate bare.example.');
    const [key] = (await f.json('keys list bare.example.')) as KeyJson[];
    await f.done(`keys roll bare.example. ${key?.keyTag}`);
    expect((await planOf()).standstills).toHaveLength(1);
    expect((await f.done('keys plan bare.example.')).stdout).toMatch(
      /^no key of zone bare\.example\. rolls: it is served in no view; have it served with: zoneseal view assign bare\.example\. VIEW\n\nnothing is to come before [^\n]*\n$/,
    );
  });

  it('an emergency says that what was served before the database was set back is not known, and is carried out', async () => {
    const [old] = await keysOf('ZSK');
    // what the parent was seen with, and no gateway has stored yet
    await f.done(`keys ds-seen ${ZONE} ${(await keysOf('KSK'))[0]?.keyTag}`);
    const refused = await f.run(`keys roll ${ZONE} ${old?.keyTag} --emergency`);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toMatch(
      /the database was set back, and what of zone .* served before is not known/,
    );
    const { stderr } = await f.done(`keys roll ${ZONE} ${old?.keyTag} --emergency --yes`);
    expect(stderr).toMatch(new RegExp(`ZSK ${old?.keyTag} .*is out`));
    const signing = (await keysOf('ZSK')).filter(({ signs }) => signs);
    expect(signing).toHaveLength(1);
    expect(signing[0]?.keyTag).not.toBe(old?.keyTag);
    const [stored] = await f.database.query<{ count: number }>(
      'select count(*) from zoneseal.ds_uses u join zoneseal.zones z on z.id = u.zone_id where z.name = $1 and u.seen_at is not null',
      [ZONE],
    );
    expect(stored?.count).toBe(1);
  });
});
