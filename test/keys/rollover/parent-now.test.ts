import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { dnskeyRdata, dsRdata, keyTag } from '../../../src/dnssec/dnskey.js';
import type { ZoneKey } from '../../../src/keys/key-set.js';
import { type LastSighting, parentNow } from '../../../src/keys/rollover/parent-now.js';

const zone = Name.parse('example.');
function key(id: number, algorithm = 13): ZoneKey {
  const fields = { algorithm, flags: 257, publicKey: new Uint8Array(64).fill(id) };
  const facts = { zone: 'example.', view: null, secretRef: 'x', signs: true, published: true } as const;
  return { id: String(id), role: 'KSK', ...fields, keyTag: keyTag(dnskeyRdata(fields)), ...facts };
}
const keys = [key(1), key(2, 15), key(3)];
const ds = (of: ZoneKey, digest = 2): Uint8Array => dsRdata(zone, dnskeyRdata(of), digest);
const seen = (
  server: string,
  of: readonly Uint8Array[] | null,
  lastSeen: number,
  ttl: number | null = 60,
  firstSeen = 0,
): LastSighting => ({
  server,
  ds: of,
  ttl,
  firstSeen,
  lastSeen,
});
const shown = (...sightings: LastSighting[]): string[] | null =>
  parentNow(zone, keys, sightings)?.sets.map(
    (set) => `${set.keys.join()} ${set.algorithms.join()} ${set.ttl}`,
  ) ?? null;

describe('what the parent has', () => {
  it.each<[string, LastSighting[], string[] | null]>([
    ['nobody was asked', [], null],
    ['one has never answered', [seen('a', [ds(key(1))], 5), seen('b', null, 1)], null],
    ['all have the same', [seen('a', [ds(key(1))], 5), seen('b', [ds(key(1))], 6, 90)], ['1 13 90']],
    ['they differ', [seen('a', [ds(key(1))], 5), seen('b', [], 6)], ['1 13 60', '  60']],
    ['several digests of a key', [seen('a', [ds(key(1)), ds(key(1), 4)], 5)], ['1 13 60']],
    [
      'the strongest digest is of one key alone',
      [seen('a', [ds(key(1), 4), ds(key(3))], 5)],
      ['1,3 13 60', '1 13 60'],
    ],
    ['SHA-1 beside SHA-256', [seen('a', [ds(key(1), 1), ds(key(3))], 5)], ['1,3 13 60', '3 13 60']],
    [
      'the strongest digest is of no key of the zone',
      [seen('a', [ds(key(1)), ds(key(7), 4)], 5)],
      [`1,unknown:${key(7).keyTag} 13 60`, `unknown:${key(7).keyTag} 13 60`],
    ],
    [
      'all digests of all keys',
      [seen('a', [ds(key(1), 4), ds(key(3), 4), ds(key(1)), ds(key(3))], 5)],
      ['1,3 13 60'],
    ],
    [
      'other digests of another algorithm, which is to sign as well',
      [seen('a', [ds(key(1)), ds(key(2, 15), 4)], 5)],
      ['1,2 13,15 60'],
    ],
    [
      'a digest that is not known here, which others may take for the strongest',
      [seen('a', [ds(key(1)), Uint8Array.of(0, 9, 13, 5, 1)], 5)],
      ['1,unknown:9 13 60'],
    ],
    ['several keys', [seen('a', [ds(key(2, 15)), ds(key(1))], 5)], ['1,2 13,15 60']],
    ['one of no key of the zone', [seen('a', [ds(key(7))], 5)], [`unknown:${key(7).keyTag} 13 60`]],
    ['an operator says so, and no server is known', [seen('', [ds(key(1))], 5, null)], ['1 13 null']],
    [
      'an operator says so later',
      [seen('a', [], 5), seen('b', null, 9), seen('', [ds(key(1))], 5.1)],
      ['1 13 60'],
    ],
    ['servers were asked after that', [seen('a', [], 7), seen('', [ds(key(1))], 6)], ['  60']],
  ])('%s', (_, sightings, sets) => {
    expect(shown(...sightings)).toEqual(sets);
  });

  it('is of the last moment that it rests on, and was so of all servers when the first of them was last heard of', () => {
    const now = parentNow(zone, keys, [seen('a', [], 5.2), seen('b', [], 3.5)]);
    expect(now).toMatchObject({ at: 6, settledAt: 4 });
  });

  it('was so of all servers at no moment, where one was not heard of since another one changed', () => {
    const [a, b] = [seen('a', [ds(key(1))], 1000), seen('b', [ds(key(2, 15))], 90_000, 60, 50_000)];
    expect(parentNow(zone, keys, [a, b])).toMatchObject({ at: 90_000, settledAt: null });
    const again = seen('a', [ds(key(1))], 60_000);
    expect(parentNow(zone, keys, [again, b])).toMatchObject({ settledAt: 60_000 });
  });

  it.each<[string, LastSighting[], number | null]>([
    ['before a server changed', [seen('b', [], 900, 60, 500), seen('', [], 400, 60, 1)], null],
    ['after it', [seen('b', [], 900, 60, 500), seen('', [], 600, 60, 1)], 600],
    ['after all', [seen('b', [], 900, 60, 500), seen('', [], 1000, 60, 1)], 1000],
  ])('is by what an operator said %s', (_, [b, byHand], settledAt) => {
    const a = seen('a', null, 1);
    expect(parentNow(zone, keys, [a, b as LastSighting, byHand as LastSighting])).toMatchObject({
      settledAt,
    });
  });
});
