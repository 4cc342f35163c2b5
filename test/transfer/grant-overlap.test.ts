import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { AccessRules } from '../../src/transfer/access.js';
import { AddressRange } from '../../src/transfer/address-range.js';
import { BoundedLog } from '../../src/transfer/bounded-log.js';
import { findGrantOverlap, type GrantTerms } from '../../src/transfer/grant-overlap.js';
import { FixedClock, ListLog } from './fixture.js';

function terms(view: string, zones: string[] | null = null, addresses: string[] | null = null): GrantTerms {
  return { view, zones, addresses };
}

describe('grants of one key that contradict each other', () => {
  it.each<[what: string, a: GrantTerms, b: GrantTerms, zone: string | null, address: string | null]>([
    ['everything', terms('a'), terms('b'), null, null],
    ['one zone within all', terms('a'), terms('b', ['x.']), 'x.', null],
    ['one range within all', terms('a', null, ['192.0.2.0/24']), terms('b'), null, '192.0.2.0/24'],
    [
      'names in whatever case',
      terms('a', ['X.example.']),
      terms('b', ['y.', 'x.EXAMPLE.']),
      'x.EXAMPLE.',
      null,
    ],
    [
      'a range within another',
      terms('a', null, ['10.0.0.0/8']),
      terms('b', null, ['192.0.2.1/32', '10.1.0.0/16']),
      null,
      '10.1.0.0/16',
    ],
    [
      'a mapped range',
      terms('a', null, ['::ffff:192.0.2.0/120']),
      terms('b', null, ['192.0.2.7/32']),
      null,
      '192.0.2.7/32',
    ],
  ])('%s', (_, a, b, zone, address) => {
    expect(findGrantOverlap([b], [a])).toEqual({ views: ['a', 'b'], zone, address });
    expect(findGrantOverlap([a, b], [])).toEqual({ views: ['a', 'b'], zone, address });
  });

  it.each<[what: string, a: GrantTerms, b: GrantTerms]>([
    ['the same view', terms('a'), terms('a')],
    ['other zones', terms('a', ['x.']), terms('b', ['y.'])],
    ['other addresses', terms('a', null, ['10.0.0.0/8']), terms('b', null, ['192.0.2.0/24'])],
    ['other families', terms('a', null, ['0.0.0.0/0']), terms('b', null, ['::/0'])],
    ['other zones at the same address', terms('a', ['x.'], ['::1']), terms('b', ['y.'], ['::1'])],
  ])('not with %s', (_, a, b) => {
    expect(findGrantOverlap([b], [a])).toBeUndefined();
    expect(findGrantOverlap([a, b], [])).toBeUndefined();
  });

  it('are no reason to refuse another grant', () => {
    expect(findGrantOverlap([terms('a', ['x.'])], [terms('a'), terms('b', ['y.'])])).toBeUndefined();
  });

  it('are those of which the access rules would make nothing', () => {
    const zones = ['x.', 'y.'];
    const ranges = ['10.0.0.0/8', '10.1.0.0/16', '10.2.0.0/16', '::/0'];
    const addresses = ['10.1.0.1', '10.2.0.1', '10.3.0.1', '192.0.2.1', '::1'];
    const list = (texts: string[]): fc.Arbitrary<string[] | null> =>
      fc.option(fc.uniqueArray(fc.constantFrom(...texts), { minLength: 1 }));
    const any = fc.record({ view: fc.constantFrom('a', 'b'), zones: list(zones), addresses: list(ranges) });
    fc.assert(
      fc.property(any, any, (one, other) => {
        const entry = {
          name: Name.parse('key.'),
          algorithm: 'hmac-sha256',
          secretRef: '',
          grants: [one, other].map((grant) => ({
            ...grant,
            zones: grant.zones === null ? null : new Set(grant.zones.map((zone) => Name.parse(zone).key)),
          })),
        };
        const log = new ListLog();
        const rules = new AccessRules([], new BoundedLog(log, new FixedClock()));
        for (const zone of zones)
          for (const address of addresses) rules.viewOfKey(entry, Name.parse(zone), address);
        expect(findGrantOverlap([one, other], []) !== undefined).toBe(log.lines.length > 0);
      }),
    );
  });
});

it('ranges overlap where one lies in the other', () => {
  const overlap = (a: string, b: string): boolean => AddressRange.parse(a).overlaps(AddressRange.parse(b));
  for (const [a, b, expected] of [
    ['10.0.0.0/8', '10.255.0.0/16', true],
    ['10.0.0.0/9', '10.255.0.0/16', false],
    ['192.0.2.9/24', '192.0.2.1/24', true],
    ['::/0', '10.0.0.0/8', false],
  ] as const) {
    expect([overlap(a, b), overlap(b, a)]).toEqual([expected, expected]);
  }
});
