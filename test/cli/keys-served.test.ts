import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresRolloverStore } from '../../src/store/rollover-store.js';
import { type CommandFixture, openCommandFixture, serveLong } from './fixture.js';

let f: CommandFixture;

const ZONE = 'served.example.';
const VIEW = 'external';

beforeAll(async () => {
  f = await openCommandFixture();
  await serveLong(f, ZONE, VIEW);
});

afterAll(() => f.close());

async function secrets(): Promise<number> {
  let count = 0;
  for await (const _ of f.keyStore.listSecrets({ namePrefix: 'zoneseal key ' })) count++;
  return count;
}

const tagOf = async (role: string): Promise<number> =>
  ((await f.json(`keys list ${ZONE}`)) as { role: string; keyTag: number }[]).find((key) => key.role === role)
    ?.keyTag as number;

describe('keys of a zone that is served', () => {
  it('are not added where validators would find answers bogus, and leave no secret', async () => {
    const before = await secrets();
    const { code, stdout, stderr } = await f.run(`keys generate ${ZONE} --role CSK --algorithm 15`);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /^zoneseal: zone served\.example\.: the keys are not added, validators would find answers bogus: signatures of view external .* have none of algorithm 15 .*see: zoneseal keys plan served\.example\.\n$/,
    );
    expect(await f.json(`keys list ${ZONE}`)).toHaveLength(2);
    expect(await secrets()).toBe(before);
    const refused = await f.run(`keys generate ${ZONE} --role CSK --algorithm 15 --json`);
    expect(JSON.parse(refused.stderr || refused.stdout)).toMatchObject({ error: { code: 'KEYS_UNSAFE' } });
  });

  it('are added beside others of their kind', async () => {
    await f.done(`keys generate ${ZONE} --role ZSK`);
    expect(await f.json(`keys list ${ZONE}`)).toHaveLength(3);
  });
});

describe('keys plan', () => {
  it('says what comes, and nothing of failures where there are none', async () => {
    await f.done(`keys hold ${ZONE} --release`);
    const tag = await tagOf('ZSK');
    await f.done(`keys roll ${ZONE} ${tag}`);
    const { stdout } = await f.done(`keys plan ${ZONE}`);
    expect(stdout).toContain('WHEN');
    expect(stdout).not.toMatch(/cannot be (done|published) now/);
    expect(await f.json(`keys plan ${ZONE}`)).toMatchObject({ failures: [], unpublished: [] });
  });

  it('says which steps were tried in vain, and why', async () => {
    const rollovers = new PostgresRolloverStore(f.database);
    const { decide } = await import('../../src/keys/rollover/decide.js');
    const loaded = await rollovers.load(ZONE);
    if (loaded === undefined) throw new Error('there is no such zone');
    const [step] = decide(loaded.state, loaded.now).steps;
    if (step === undefined) throw new Error('no step is due');
    const reason = 'secrets:post is refused (403): the user lacks the role creator';
    await rollovers.noteFailed(ZONE, step, 'KEYSTORE_FORBIDDEN', reason);
    const { stdout } = await f.done(`keys plan ${ZONE}`);
    expect(stdout).toContain('\ncannot be done now, and is tried again:\n');
    expect(stdout).toMatch(/KEYSTORE_FORBIDDEN.* since \d{4}-.*Z: .*the user lacks the role creator/);
    expect(await f.json(`keys plan ${ZONE}`)).toMatchObject({
      failures: [{ what: expect.stringContaining('KEYSTORE_FORBIDDEN') as string }],
    });
  });

  it('says which views cannot be published, and why', async () => {
    const [publication] = await f.database.query<{ id: number }>(
      `insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version, time,
         format_version, state, error, gateway)
       select id, $2, 1, version, policy, 1, key_set_version, 1, 1, 'failed', 'zone served.example., key 1: the secret is not there', 'g'
       from zoneseal.zones where name = $1 returning id`,
      [ZONE, VIEW],
    );
    await f.database.execute(
      `update zoneseal.serial_lines set failed = $2, failed_zone_version = 0, failed_policy = 'default', failed_policy_version = 1,
         failed_key_set_version = 0, failed_format_version = 1
       where zone = $1`,
      [ZONE, publication?.id],
    );
    const { stdout } = await f.done(`keys plan ${ZONE}`);
    expect(stdout).toContain(
      '\ncannot be published now, so that no step comes that needs it:\n  view external: zone served.example., key 1: the secret is not there\n',
    );
    expect(await f.json(`keys plan ${ZONE}`)).toMatchObject({ unpublished: [{ view: VIEW }] });
  });
});
