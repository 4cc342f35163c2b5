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
const keys = [key(1), key(2, 15)];
const ds = (of: ZoneKey, digest = 2): Uint8Array => dsRdata(zone, dnskeyRdata(of), digest);
const seen = (
  server: string,
  of: readonly Uint8Array[] | null,
  lastSeen: number,
  ttl: number | null = 60,
): LastSighting => ({
  server,
  ds: of,
  ttl,
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

  it('is of the last moment that it rests on', () => {
    expect(parentNow(zone, keys, [seen('a', [], 5.2), seen('b', [], 3)])?.at).toBe(6);
  });
});
