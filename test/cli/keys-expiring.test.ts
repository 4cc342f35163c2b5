import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/generate.js';
import { type CommandFixture, openCommandFixture } from './fixture.js';

const DAY = 86_400;
let f: CommandFixture;

beforeAll(async () => {
  f = await openCommandFixture();
  await f.database.execute("insert into zoneseal.zones (name) values ('example.')");
});

afterAll(async () => {
  await f.close();
});

async function store(expiration: number): Promise<string> {
  const { pkcs8 } = await generateKey({ algorithm: 13, role: 'CSK' });
  const contentType = 'application/pkcs8';
  return f.keyStore.storeSecret({ name: 'mine', type: 'private', contentType, payload: pkcs8, expiration });
}

const textOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000', '');
const inDays = (days: number): number => Math.floor(Date.now() / 1000) + days * DAY;

describe('a secret that expires', () => {
  it('within a year is not imported', async () => {
    const soon = inDays(364);
    const reference = await store(soon);
    const { code, stderr } = await f.run(`keys import example. ${reference}`);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(
        /^zoneseal: zone example\.: CSK \d+ \(ECDSAP256SHA256\): Barbican deletes its secret .* it is not imported: store the key again without an expiration/,
      ),
    ]);
    expect(stderr).toContain(`${reference} by itself at ${textOf(soon)}`);
    expect(await f.json('keys list example.')).toEqual([]);
  });

  it('later is warned of, shown by "keys test", and missed as one that has expired', async () => {
    const late = inDays(366);
    const reference = await store(late);
    const { stderr } = await f.done(`keys import example. ${reference}`);
    expect(stderr).toMatch(/^warning: zone example\.: CSK \d+ .* Barbican deletes its secret/m);
    expect(stderr).toContain(textOf(late));
    expect(await f.json('keys list example.')).toMatchObject([{ secretExpires: textOf(late) }]);
    const proved = await f.done('keys test example.');
    expect(proved.stdout).toContain(`OK until ${textOf(late)}`);
    expect(proved.stderr).toContain(
      `by itself at ${textOf(late)}; store the key again without an expiration`,
    );
    // imported before expirations were kept
    await f.database.execute('update zoneseal.zone_keys set secret_expires_at = null');
    expect(await f.json('keys test example.')).toMatchObject([{ ok: true, secretExpires: textOf(late) }]);

    await f.keyStore.deleteSecret(reference);
    const deleted = await f.run('keys test example.');
    expect([deleted.code, deleted.stderr]).toEqual([1, expect.not.stringContaining('has expired at')]);
    const past = '2026-01-02 03:04:05Z';
    await f.database.execute('update zoneseal.zone_keys set secret_expires_at = $1', [past]);
    const expired = await f.run('keys test example.');
    expect([expired.code, expired.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^zone example\., key \d+ .*the secret has expired at 2026-01-02T03:04:05Z, .*store the key again without an expiration/,
      ),
    ]);
    await f.database.execute("update zoneseal.zone_keys set secret_expires_at = now() + interval '1 day'");
    expect((await f.run('keys test example.')).stderr).not.toContain('has expired at');
  });
});
