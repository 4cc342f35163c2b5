import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/generate.js';
import { SecretCreationStore } from '../../src/store/secret-creation-store.js';
import { type CommandFixture, openCommandFixture } from './fixture.js';

let f: CommandFixture;

interface Listed {
  readonly id: string;
  readonly keyTag: number;
  readonly role: string;
  readonly secretRef: string;
}

const ZONE = 'example.';

beforeAll(async () => {
  f = await openCommandFixture();
  await f.database.execute('insert into zoneseal.zones (name) values ($1), ($2)', [ZONE, 'other.']);
  await f.done(`keys generate ${ZONE}`);
});

afterAll(async () => {
  await f.close();
});

const list = async (zone = ZONE): Promise<Listed[]> => (await f.json(`keys list ${zone}`)) as Listed[];
const keyOf = async (role: string): Promise<Listed> =>
  (await list()).find((key) => key.role === role) as Listed;

async function secretNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of f.keyStore.listSecrets({ namePrefix: 'zoneseal key ' }))
    names.push(name ?? '');
  return names;
}

describe('keys test', () => {
  it('says OK for each key that can sign', async () => {
    const { stdout } = await f.done('keys test');
    expect(stdout.split('\n').map((line) => line.split(/\s+/).filter(Boolean).join(' '))).toEqual([
      'ZONE ROLE TAG ALGORITHM VIEW RESULT',
      `example. KSK ${(await keyOf('KSK')).keyTag} ECDSAP256SHA256 all OK`,
      `example. ZSK ${(await keyOf('ZSK')).keyTag} ECDSAP256SHA256 all OK`,
      '',
    ]);
    expect(await f.json(`keys test ${ZONE}`)).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it('says which cannot, why, and what to do, and fails', async () => {
    const zsk = await keyOf('ZSK');
    const { pkcs8 } = await generateKey({ algorithm: 13, role: 'ZSK' });
    const type = 'application/pkcs8';
    const other = { name: 'other', type: 'private', contentType: type, payload: pkcs8 } as const;
    const replaced = await f.keyStore.storeSecret(other);
    const point = (reference: string): Promise<number> =>
      f.database.execute('update zoneseal.zone_keys set secret_ref = $2 where id = $1', [zsk.id, reference]);
    await point(replaced);
    const { code, stdout, stderr } = await f.run(`keys test ${ZONE}`);
    expect([code, stdout]).toEqual([1, expect.stringMatching(/ZSK +\d+ .* KEY_MISMATCH\n$/)]);
    expect(stderr).toMatch(
      new RegExp(
        `^zone example\\., key ${zsk.keyTag} \\(algorithm 13, ZSK\\): .*have the key point to where it is stored anew\n$`,
      ),
    );
    await f.keyStore.deleteSecret(replaced);
    const gone = await f.run(`keys test ${ZONE} --json`);
    expect([gone.code, JSON.parse(gone.stdout)]).toMatchObject([
      1,
      [{ ok: true }, { ok: false, error: { code: 'KEY_MISSING' } }],
    ]);
    await point(zsk.secretRef);
    await f.done('keys test');
  });
});

describe('keys delete', () => {
  it('refuses keys that sign or are published, and those that there are not', async () => {
    const { keyTag } = await keyOf('ZSK');
    const refused = await f.run(`keys delete ${ZONE} ${keyTag} --yes`);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      `zoneseal: zone example.: ZSK ${keyTag} (ECDSAP256SHA256) signs and is published, and is not deleted; have it replaced first, with: zoneseal keys roll ${ZONE} ${keyTag}\n`,
    ]);
    const unknown = (await list()).some((key) => key.keyTag === 1) ? 2 : 1;
    expect((await f.run(`keys delete ${ZONE} ${unknown} --yes`)).stderr).toContain(`has no key ${unknown}`);
  });

  it('asks, or wants --yes', async () => {
    await f.done(`keys generate ${ZONE} --role ZSK`);
    const key = (await list())[2] as Listed;
    const out = (signs: boolean): Promise<number> =>
      f.database.execute('update zoneseal.zone_keys set signs = $2, published = $2 where id = $1', [
        key.id,
        signs,
      ]);
    await out(false);
    expect((await f.run(`keys delete ${ZONE} ${key.keyTag}`)).code).toBe(2);
    expect(await list()).toHaveLength(3);
    const { stderr } = await f.done(`keys delete ${ZONE} ${key.keyTag} --yes`);
    expect(stderr).toContain(`zone example.: ZSK ${key.keyTag} (ECDSAP256SHA256) deleted`);
    expect(await list()).toHaveLength(2);
    await expect(f.keyStore.readSecret(key.secretRef)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });

  it('leaves a secret that another zone uses', async () => {
    await f.done(`keys generate ${ZONE} --role ZSK`);
    const key = (await list())[2] as Listed;
    await f.done(`keys import other. ${key.secretRef}`);
    await f.database.execute('update zoneseal.zone_keys set signs = false, published = false where id = $1', [
      key.id,
    ]);
    const { stderr } = await f.done(`keys delete ${ZONE} ${key.keyTag} --yes`);
    expect(stderr).toContain('other zones use its secret, which stays');
    await f.done('keys test other.');
  });
});

describe('a secret that an operator has put into Barbican himself', () => {
  it('stays there when its key is deleted, unless that is asked for', async () => {
    const { pkcs8 } = await generateKey({ algorithm: 13, role: 'ZSK' });
    const contentType = 'application/pkcs8';
    const secretRef = await f.keyStore.storeSecret({
      name: 'mine',
      type: 'private',
      contentType,
      payload: pkcs8,
    });
    const deleteIt = async (more: string): Promise<string> => {
      await f.done(`keys import ${ZONE} ${secretRef} --role ZSK`);
      const key = (await list()).find((it) => it.secretRef === secretRef) as Listed;
      const sql = 'update zoneseal.zone_keys set signs = false, published = false where id = $1';
      await f.database.execute(sql, [key.id]);
      return (await f.done(`keys delete ${ZONE} ${key.keyTag} --yes${more}`)).stderr;
    };
    expect(await deleteIt('')).toContain(
      `kept in Barbican, as it was not put there from here: delete it with: openstack secret delete ${secretRef}`,
    );
    await f.keyStore.readSecret(secretRef);
    await deleteIt(' --any-secret');
    await expect(f.keyStore.readSecret(secretRef)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  });
});

describe('a command that was killed', () => {
  it('leaves what the next one removes', async () => {
    const creations = new SecretCreationStore(f.database);
    const token = '0123456789abcdef'.repeat(2);
    const made = await generateKey({ algorithm: 13, role: 'ZSK' });
    await creations.begin({
      kind: 'zone-key',
      zone: ZONE,
      role: 'ZSK',
      keyTag: made.keyTag,
      algorithm: '13',
      bits: 256,
      view: null,
      token,
      createdBy: 'command on host, process 1',
    });
    await f.keyStore.storeSecret({
      name: `zoneseal key ${ZONE} ZSK 13 ${made.keyTag} ${token}`,
      type: 'private',
      contentType: 'application/pkcs8',
      payload: made.pkcs8,
    });
    const before = await secretNames();
    await f.done(`keys generate ${ZONE} --role ZSK`);
    // it may be at work still
    expect(await secretNames()).toHaveLength(before.length + 1);
    await f.database.execute("update zoneseal.secret_creations set created_at = created_at - interval '1 h'");
    const { stderr } = await f.done(`keys generate ${ZONE} --role ZSK`);
    expect(stderr).toContain(
      `removed what was left of key ${made.keyTag} (ZSK) of zone example. that command on host, process 1 has begun to make or to delete\n`,
    );
    expect(await secretNames()).toHaveLength(before.length + 1);
    expect((await secretNames()).some((name) => name.endsWith(token))).toBe(false);
  });
});

describe('keys lock', () => {
  it('counts, so that gateways find out that they have missed it', async () => {
    const creations = new SecretCreationStore(f.database);
    const before = await creations.locks();
    const { stderr } = await f.done('keys lock');
    expect(stderr).toBe('0 running gateways are told\n');
    expect(await creations.locks()).toBe(before + 1);
  });
});
