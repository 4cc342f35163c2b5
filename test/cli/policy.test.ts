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
  const KEPT = 'for algorithm, rsaBits and keys of a policy are for new keys alone';

  it('is assigned to a zone without keys in silence', async () => {
    await f.done('policy set modern algorithm=15');
    expect((await f.done('policy assign example modern')).stderr).toBe(
      'zone example. is signed by policy modern\n',
    );
    await f.done('policy assign example default');
    await f.done('keys generate example');
  });

  it.each(['algorithm=15', 'keys=csk'])(
    'is said to change none of them when it is assigned: %s',
    async (setting) => {
      await f.done(`policy set other ${setting}`);
      const { stderr } = await f.done('policy assign example other');
      expect(stderr).toMatch(
        /^zone example\. is signed by policy other\nzone example\. keeps its keys \(KSK \d+ of algorithm 13, ZSK \d+ of algorithm 13\), /,
      );
      expect(stderr).toContain(KEPT);
      expect((await f.done('policy assign example other --quiet')).stderr).toBe('');
      expect((await f.done('policy assign example default')).stderr).not.toContain(KEPT);
      await f.done('policy set other algorithm= keys=');
    },
  );

  it('is said to change none of them when it is set', async () => {
    expect((await f.done('policy set default algorithm=15')).stderr).toBe(
      `policy default changed: version 2 (1 zones)\nzones keep the keys they have, ${KEPT}\n`,
    );
    expect((await f.done('policy set default zonemd=true')).stderr).not.toContain(KEPT);
    expect((await f.done('policy set other algorithm=15')).stderr).not.toContain(KEPT);
  });
});
