import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

let f: CommandFixture;

beforeAll(async () => {
  f = await openCommandFixture();
  await f.done('view add internal');
  await f.done('view add external');
});

afterAll(async () => {
  await f.close();
});

async function keyNames(): Promise<string[]> {
  return ((await f.json('tsig list')) as { name: string }[]).map(({ name }) => name);
}

describe('a TSIG key has one view of a zone at an address', () => {
  const WAY_OUT =
    'the key decides which view is seen; make one key for each view, or keep the views apart by --zone or --address\n';

  it('is not added with two, nor is a secret stored for it', async () => {
    const { code, stderr } = await f.run('tsig add both --view internal --view external --zone example');
    expect([code, stderr]).toEqual([
      1,
      `zoneseal: TSIG key both.: it would have zone example. in the views internal and external from any address, and so be refused in both: ${WAY_OUT}`,
    ]);
    expect(await keyNames()).toEqual([]);
  });

  it('is not granted a second one, but may have one of other zones or addresses', async () => {
    await f.done('tsig add one --view internal --address 10.0.0.0/8');
    const { code, stderr } = await f.run('tsig grant one --view external --address 10.1.0.1');
    expect([code, stderr]).toEqual([
      1,
      `zoneseal: TSIG key one.: it would have every zone in the views internal and external from 10.1.0.1/32, and so be refused in both: ${WAY_OUT}`,
    ]);
    await f.done('tsig grant one --view external --address 192.0.2.1');
    await f.done('tsig grant one --view internal --zone example --address 198.51.100.1');
    expect(await f.json('tsig list')).toMatchObject([
      { grants: [{ view: 'internal' }, { view: 'external' }, { view: 'internal', zones: ['example.'] }] },
    ]);
    expect((await f.run('tsig grant nobody --view internal')).stderr).toContain(
      'there is no TSIG key "nobody."',
    );
    await f.done('tsig delete one');
  });
});

describe('a TSIG key whose file cannot be written', () => {
  it('is not added', async () => {
    const folder = join(f.folder, 'folder');
    await mkdir(folder);
    for (const path of [join(f.folder, 'nowhere', 'key'), folder]) {
      for (const option of ['--key-file', '--kdig-file']) {
        const { code, stderr } = await f.run(`tsig add lost --view internal ${option} ${path}`);
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(/^zoneseal: .*: the file cannot be written \((ENOENT|EISDIR)\)\n$/),
        ]);
      }
    }
    expect(await keyNames()).toEqual([]);
  });

  it('nor is its file made when it is refused', async () => {
    const before = await readdir(f.folder);
    const path = join(f.folder, 'refused.key');
    expect((await f.run(`tsig add lost --view nowhere --key-file ${path}`)).code).toBe(1);
    expect(await readdir(f.folder)).toEqual(before);
    await f.done(`tsig add found --view internal --key-file ${path}`);
    expect(await readFile(path, 'utf8')).toContain('key "found."');
    await f.done('tsig delete found');
  });
});
