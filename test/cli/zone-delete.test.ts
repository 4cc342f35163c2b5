import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

let f: CommandFixture;

const importZone = async (): Promise<void> => {
  const file = join(f.folder, 'zone.db');
  await writeFile(file, '@ 3600 SOA ns.other. h.other. 1 2 3 4 5\n@ 3600 NS ns.other.\n');
  await f.done(`zone import ${file} --zone example`);
};

const keysOf = async (): Promise<{ role: string; keyTag: number; secretRef: string }[]> =>
  (await f.json('keys list example')) as { role: string; keyTag: number; secretRef: string }[];

const secrets = async (): Promise<number> => {
  let count = 0;
  for await (const _ of f.keyStore.listSecrets({ namePrefix: 'zoneseal key example. ' })) count++;
  return count;
};

beforeAll(async () => {
  f = await openCommandFixture();
  await importZone();
});

afterAll(async () => {
  await f.close();
});

describe('zone delete', () => {
  it('warns of a DS at the parent, says what becomes of the keys, and they are destroyed after keyRetention', async () => {
    await f.done('keys generate example');
    const keys = await keysOf();
    const ksk = keys.find(({ role }) => role === 'KSK')?.keyTag ?? -1;
    await f.done(`keys ds-seen example ${ksk}`);
    const { stderr } = await f.done('zone delete example --yes');
    expect(stderr).toContain(`the parent was seen with a DS of it (KSK ${ksk})`);
    expect(stderr).toContain('zone example. deleted\nits private keys (KSK');
    for (const { secretRef } of keys) expect(stderr).toContain(secretRef);
    await importZone();
    const again = await f.done('keys generate example');
    expect(again.stderr).not.toContain('destroyed');
    const fresh = await keysOf();
    expect(fresh.map(({ secretRef }) => secretRef)).not.toContain(keys[0]?.secretRef);
    expect(await secrets()).toBe(4);
    await f.database.execute('update zoneseal.deleted_keys set destroy_at = now()');
    const later = await f.done('keys generate example --role ZSK');
    expect(later.stderr).toContain(`destroyed key ${ksk} (KSK) of zone example., which was deleted`);
    expect(await secrets()).toBe(3);
  });

  it('leaves a secret that another zone has, however its reference was written, and keeps that as Barbican has it', async () => {
    await f.done('policy set brief keyRetention=0');
    await f.database.execute(
      "insert into zoneseal.zones (name, policy) values ('c.', 'brief'), ('b.', 'brief')",
    );
    await f.done('keys generate c. --role CSK');
    const keysIn = async (zone: string): Promise<{ secretRef: string }[]> =>
      (await f.json(`keys list ${zone}`)) as { secretRef: string }[];
    const [{ secretRef }] = (await keysIn('c.')) as [{ secretRef: string }];
    await f.done(`keys import b. ${secretRef.slice(-36).toUpperCase()}`);
    expect(await keysIn('b.')).toMatchObject([{ secretRef }]);
    // as an import of before has left it
    await f.database.execute(
      'update zoneseal.zone_keys set secret_ref = $1 where secret_ref = $2 and zone_id = zoneseal.zone_id($3)',
      [`${secretRef}/`, secretRef, 'b.'],
    );
    await f.done('zone delete c. --yes');
    await f.done('keys generate example --role ZSK');
    await f.done('keys test b.');
  });

  it('says nothing of keys where there are none', async () => {
    await f.done('zone delete example --yes');
    await importZone();
    expect((await f.done('zone delete example --yes')).stderr).toBe('zone example. deleted\n');
  });
});
