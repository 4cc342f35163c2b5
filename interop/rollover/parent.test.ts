import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { type DsSighting, ParentClient, type ParentZone } from '../../src/fleet/parent-client.js';
import { type RunningProgram, removeFolder, temporaryFolder } from '../lib/processes.js';
import { type SignedFile, servePrimary, signFile } from './signed-parent.js';

const MANY = 40;
const digest = (i: number): string => i.toString(16).padStart(64, '0');
const delegation = (zone: string): string => `${zone} 300 IN NS ns.elsewhere.`;
const childrenOf = (parent: string): string[] => [
  delegation(`signed.${parent}`),
  `signed.${parent} 120 IN DS 12345 13 2 ${digest(1)}`,
  `signed.${parent} 120 IN DS 54321 13 2 ${digest(2)}`,
  delegation(`insecure.${parent}`),
  delegation(`large.${parent}`),
  ...Array.from({ length: MANY }, (_, i) => `large.${parent} 120 IN DS ${i + 1} 13 2 ${digest(i)}`),
  // names enough that a span lies before, between and behind
  ...['a', 'm', 'z'].map((label) => `${label}.${parent} 300 IN A 192.0.2.1`),
];
const VARIANTS: readonly (readonly [string, readonly string[]])[] = [
  ['nsec.test.', []],
  ['nsec3.test.', ['-3', '-', '-H', '0']],
  ['optout.test.', ['-3', '-', '-H', '0', '-A']],
];

const folder = temporaryFolder('parents');
const signed = new Map<string, SignedFile>();
let server: { address: string; port: number; program: RunningProgram };
const client = new ParentClient({
  clock: systemClock,
  answerSeconds: 5,
  sourceIpv4: undefined,
  sourceIpv6: undefined,
});

beforeAll(async () => {
  for (const [name, options] of VARIANTS)
    signed.set(name, await signFile(folder, name, childrenOf(name), options));
  // signatures that have run out
  signed.set(
    'old.test.',
    await signFile(folder, 'old.test.', childrenOf('old.test.'), [
      '-P',
      '-s',
      '20200101000000',
      '-e',
      '20200201000000',
    ]),
  );
  // one octet of each digest of the child's DS set is another than what was signed
  const broken = await signFile(folder, 'broken.test.', childrenOf('broken.test.'));
  const text = readFileSync(broken.file, 'utf8');
  writeFileSync(broken.file, text.replaceAll(/0{20}/g, `${'0'.repeat(19)}F`));
  signed.set('broken.test.', broken);
  // the same server has a child as well
  const child = { name: 'signed.nsec.test.', file: join(folder, 'child') };
  writeFileSync(child.file, '@ 300 IN SOA ns h 1 3600 600 86400 60\n@ 300 IN NS ns\nns 300 IN A 127.0.0.1\n');
  server = await servePrimary([...signed.values(), child]);
}, 120_000);

afterAll(async () => {
  await server?.program.stop();
  removeFolder(folder);
});

const parentOf = (name: string, anchors?: readonly Uint8Array[]): ParentZone => ({
  name,
  servers: [server],
  anchors: anchors ?? [(signed.get(name) as SignedFile).anchor],
});
const find = (zone: string, parent: ParentZone): Promise<DsSighting> =>
  client.findDs(zone, parent, server, new AbortController().signal);

describe.each(VARIANTS.map(([name]) => name))('the DS of zones below %s', (name) => {
  test('is seen with its TTL, from the parent where the server has the child as well', async () => {
    const sighting = await find(`signed.${name}`, parentOf(name));
    expect(sighting).toMatchObject({ kind: 'seen', ttl: 120, isProved: true });
    const tags = sighting.kind === 'seen' ? sighting.ds.map((it) => Buffer.from(it).readUInt16BE(0)) : [];
    expect(tags.sort((a, b) => a - b)).toEqual([12345, 54321]);
  });

  test('is asked for over TCP where UDP does not suffice', async () => {
    const sighting = await find(`large.${name}`, parentOf(name));
    expect(sighting.kind === 'seen' && sighting.ds.length).toBe(MANY);
  });

  test.each(['insecure', 'nobody', 'below.a', 'zz'])('is proved not to be there: %s', async (label) => {
    expect(await find(`${label}.${name}`, parentOf(name))).toEqual({
      kind: 'seen',
      ds: [],
      ttl: 60,
      isProved: true,
    });
  });

  test('is not believed by another trust anchor', async () => {
    const anchors = [(signed.get('old.test.') as SignedFile).anchor];
    for (const label of ['signed', 'insecure']) {
      expect(await find(`${label}.${name}`, parentOf(name, anchors))).toMatchObject({
        kind: 'unknown',
        problem: `no DNSKEY of ${name} is the one that the trust anchor names`,
      });
    }
  });
});

test('signatures that have run out prove nothing, and without a trust anchor nothing is asked for', async () => {
  for (const label of ['signed', 'insecure'])
    expect((await find(`${label}.old.test.`, parentOf('old.test.'))).kind).toBe('unknown');
  expect(await find('signed.old.test.', parentOf('old.test.', []))).toMatchObject({
    kind: 'seen',
    ttl: 120,
    isProved: false,
  });
});

test('a DS set that was altered is not believed', async () => {
  expect(await find('signed.broken.test.', parentOf('broken.test.'))).toEqual({
    kind: 'unknown',
    problem: 'its DS RRset has no signature that is valid by the trust anchor',
  });
});

test('what is no answer of the parent is told of', async () => {
  expect(await find('signed.other.', { ...parentOf('nsec.test.'), name: 'other.' })).toEqual({
    kind: 'unknown',
    problem: 'REFUSED',
  });
  expect(await find('www.signed.nsec.test.', parentOf('nsec.test.', []))).toEqual({
    kind: 'unknown',
    problem: 'an answer from signed.nsec.test. in place of nsec.test.',
  });
});
