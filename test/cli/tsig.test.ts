import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TsigStore } from '../../src/store/tsig-store.js';
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

describe('a change of secret', () => {
  const secretNames = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of f.keyStore.listSecrets({ namePrefix: 'zoneseal tsig turning. ' }))
      names.push(name ?? '');
    return names;
  };
  const keyFile = (name: string): string => join(f.folder, name);
  const secretIn = async (name: string): Promise<string | undefined> =>
    /secret "([^"]+)"/.exec(await readFile(keyFile(name), 'utf8'))?.[1];

  it('keeps both until it is ended, writes the new one, and says since when', async () => {
    await f.done(`tsig add turning --view internal --key-file ${keyFile('first.key')}`);
    await f.done(`tsig rotate turning --key-file ${keyFile('second.key')}`);
    const [first, second] = [await secretIn('first.key'), await secretIn('second.key')];
    expect(second).toBeDefined();
    expect(second).not.toBe(first);
    expect(await secretNames()).toHaveLength(2);
    const [listed] = (await f.json('tsig list')) as Record<string, string>[];
    expect(listed).toMatchObject({ name: 'turning.' });
    expect(Math.abs(Date.parse(listed?.['nextSince'] ?? '') - Date.now())).toBeLessThan(60_000);
    expect((await f.done('tsig list')).stdout).toContain(`since ${listed?.['nextSince']}`);
    await f.done(`tsig export turning --key-file ${keyFile('exported.key')}`);
    expect(await secretIn('exported.key')).toBe(second);

    const again = await f.run('tsig rotate turning');
    expect([again.code, again.stderr]).toEqual([
      1,
      'zoneseal: TSIG key turning. has a second secret already; end that change with: zoneseal tsig rotate turning. --finish\n',
    ]);
    await f.done('tsig rotate turning --finish');
    expect(await secretNames()).toHaveLength(1);
    await f.done(`tsig export turning --key-file ${keyFile('after.key')}`);
    expect(await secretIn('after.key')).toBe(second);
    expect((await f.json('tsig list')) as object[]).toMatchObject([{ secretRef: listed?.['nextSecretRef'] }]);
    expect(((await f.json('tsig list')) as object[])[0]).not.toHaveProperty('nextSince');
    expect((await f.run('tsig rotate turning --finish')).stderr).toContain('begin a change with');
  });

  it('takes a secret that is given, of the algorithm of the key', async () => {
    const file = keyFile('given.key');
    await writeFile(file, 'key "turning." { algorithm hmac-sha512; secret "AAAAAAAAAAAAAAAAAAAAAA=="; };');
    expect((await f.run(`tsig rotate turning --secret-file ${file}`)).code).toBe(2);
    await writeFile(file, 'AAAAAAAAAAAAAAAAAAAAAA==');
    await f.done(`tsig rotate turning --secret-file ${file}`);
    await f.done(`tsig export turning --key-file ${keyFile('given-out.key')}`);
    expect(await secretIn('given-out.key')).toBe('AAAAAAAAAAAAAAAAAAAAAA==');
  });

  it('leaves nothing when the key is deleted meanwhile, or no such key is there', async () => {
    await f.done('tsig delete turning');
    expect(await secretNames()).toEqual([]);
    expect(await f.database.query('select from zoneseal.secret_creations where removed_at is null')).toEqual(
      [],
    );
    expect((await f.run('tsig rotate turning')).stderr).toContain('there is no TSIG key "turning."');
    expect((await f.run('tsig rotate turning --finish')).stderr).toContain('there is no TSIG key "turning."');
    expect(await secretNames()).toEqual([]);
  });

  it('whose end was cut short is ended by whoever comes next', async () => {
    await f.done('tsig add turning --view internal');
    await f.done('tsig rotate turning');
    const store = new TsigStore(f.database);
    await store.finishRotation('turning.', 'command on host, process 1');
    expect(await secretNames()).toHaveLength(2);
    await f.database.execute("update zoneseal.secret_creations set created_at = created_at - interval '1 h'");
    expect((await f.done('tsig add another --view internal')).stderr).toContain(
      'removed what was left of a secret of TSIG key turning. that command on host, process 1 has begun',
    );
    expect(await secretNames()).toHaveLength(1);
    await f.done(`tsig export turning --key-file ${keyFile('last.key')}`);
  });
});
