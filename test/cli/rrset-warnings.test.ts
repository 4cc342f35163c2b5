import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandFixture, openCommandFixture } from './fixture.js';

const ZONE = `$TTL 1h
@ SOA ns hostmaster 7 1h 30m 2w 5m
@ NS ns
ns A 192.0.2.1
mail A 192.0.2.25
alias CNAME mail
wild.alias.deep A 192.0.2.2
renamed DNAME other.example.
`;
const INTERNAL = '$TTL 1h\ndata.shop A 10.0.0.1\n';

let f: CommandFixture;

beforeAll(async () => {
  f = await openCommandFixture();
  for (const [name, text] of [
    ['zone.db', ZONE],
    ['internal.db', INTERNAL],
  ] as const) {
    await writeFile(join(f.folder, name), text);
  }
  await f.done('view add internal');
  await f.done('view add external');
  await f.done(`zone import ${join(f.folder, 'zone.db')} --zone example --assign internal --assign external`);
  await f.done(`zone import ${join(f.folder, 'internal.db')} --zone example --view internal`);
});

afterAll(async () => {
  await f.close();
});

/** The lines with warnings that a command said. */
async function warningsOf(args: string): Promise<string[]> {
  const { stderr } = await f.done(args);
  return stderr.split('\n').filter((line) => line.startsWith('warning: '));
}

describe('rrset set warns of what it makes', () => {
  it.each([
    [
      'rrset set example m MX 10:alias',
      'm.example. MX: points to alias.example., which is an alias; point to the name',
    ],
    ['rrset set example _s._tcp SRV 0:0:1:a.renamed', 'points to a.renamed.example., which is an alias'],
    [
      'rrset set example sub NS ns.sub',
      'sub.example. NS: points to ns.sub.example., which has no address in the zone',
    ],
    ['rrset set example a NS 192.0.2.1.', 'a.example. NS: points to 192.0.2.1., which looks like an address'],
    ['rrset set example * NS ns.other.', '*.example. NS: delegates a wildcard'],
  ])('%s', async (args, warning) => {
    const words = args.split(' ').map((word) => (word.includes(':') ? word.replaceAll(':', ' ') : word));
    const { stderr } = await f.done(words);
    expect(stderr).toContain(`warning: zone example.: `);
    expect(stderr).toContain(warning);
    expect((await f.done([...words, '--quiet'])).stderr).toBe('');
    // it is there now, and is not told of again
    expect((await f.done(words)).stderr).not.toContain('warning: ');
    await f.done(`rrset delete example ${words[3]}`);
  });

  it('where an alias takes the place of what records point to', async () => {
    await f.done(['rrset', 'set', 'example', 'm', 'MX', '10 soon']);
    expect(await warningsOf('rrset set example soon CNAME mail')).toEqual([
      'warning: zone example.: m.example. MX: points to soon.example., which is an alias; point to the name that the alias stands for',
    ]);
    await f.done('rrset delete example m');
    await f.done('rrset delete example soon');
  });

  it('where a server loses its address', async () => {
    await f.done('rrset set example ns.sub A 192.0.2.3');
    expect(await warningsOf('rrset set example sub NS NS.sub')).toEqual([]);
    expect(await warningsOf('rrset delete example ns.sub')).toEqual([
      'warning: zone example.: sub.example. NS: points to NS.sub.example., which has no address in the zone; add its A or AAAA, or point elsewhere',
    ]);
    await f.done('rrset delete example sub');
  });

  it('where data of one view lies below the cut of another, whichever comes last', async () => {
    const below = 'lies below the zone cut shop.example., which view external has and this view has not';
    expect(await warningsOf('rrset set example shop NS ns.other. --view external')).toEqual([
      expect.stringContaining(`zone example. (view internal): data.shop.example.: ${below}`),
    ]);
    expect(await warningsOf('rrset set example a.shop A 10.0.0.2 --view internal')).toEqual([
      expect.stringContaining(`zone example. (view internal): a.shop.example.: ${below}`),
    ]);
    await f.done('rrset delete example shop');
    await f.done('rrset delete example a.shop');
  });

  it('and of nothing else', async () => {
    for (const words of [
      ['m', 'MX', '10 mail', '20 elsewhere.org.'],
      ['w', 'MX', '10 wild.alias.deep'],
      ['@', 'NS', 'ns', 'ns.other.'],
      ['renamed', 'TXT', 'x'],
    ]) {
      const { stderr } = await f.done(['rrset', 'set', 'example', ...words]);
      expect(stderr).not.toContain('warning: ');
    }
  });
});
