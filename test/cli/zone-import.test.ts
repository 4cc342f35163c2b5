import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

const APEX = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.1
`;

let f: CommandFixture;

beforeAll(async () => {
  f = await openCommandFixture();
});

afterAll(() => f.close());

describe('zone import', () => {
  it('leaves nothing of a zone that is not there yet where its records are no zone', async () => {
    const hosts = Array.from({ length: 2000 }, (_, i) => `h${i} A 192.0.2.1`).join('\n');
    const file = join(f.folder, 'wrong.db');
    await writeFile(
      file,
      `${APEX}${hosts}\nalias CNAME h1\nalias A 192.0.2.1\nother CNAME h2\nother MX 1 h3\n`,
    );
    const { code, stdout, stderr } = await f.run(`zone import ${file} --zone wrong`);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: \S+wrong\.db:\d+: .*alias\.wrong\. /m);
    expect(stderr).toMatch(/^error: \S+wrong\.db:\d+: .*other\.wrong\. /m);
    expect(stderr).toContain('wrong.db is not imported, nothing was changed: 2 errors, 0 warnings\n');
    const zones = (await f.json('zone list')) as { name: string }[];
    expect(zones.map(({ name }) => name)).not.toContain('wrong.');
    const created = await f.run(`zone import ${file} --zone wrong --json`);
    expect(JSON.parse(created.stdout)).toMatchObject({
      imported: false,
      problems: [{ severity: 'error' }, { severity: 'error' }],
    });
  });
});
