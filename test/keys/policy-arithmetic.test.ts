import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/keys/policy.js';
import { doubtfulTimes, unsafeTimes } from '../../src/keys/policy-arithmetic.js';

describe('a policy that cannot be safe is refused with the sum', () => {
  it.each<[document: object, reason: string]>([
    [
      { validity: '3d', refresh: '2d', dnskeyTtl: '23h', propagationDelay: '1h' },
      'validity: must be longer than refresh 172800 s + dnskeyTtl 82800 s + propagationDelay 3600 s = 259200 s, it is 259200 s: signatures would expire in caches',
    ],
    [
      { zskLifetime: '6h' },
      'zskLifetime: must be longer than propagationDelay 3600 s + dnskeyTtl 3600 s + publishSafety 3600 s + propagationDelay 3600 s + dnskeyTtl 3600 s + publishSafety 3600 s = 21600 s, it is 21600 s: a roll takes that long',
    ],
    [{ kskLifetime: '1d' }, 'parentPropagationDelay 3600 s + parentDsTtl 86400 s + publishSafety 3600 s'],
  ])('%j', (document, reason) => {
    expect(() => parsePolicy('p', document)).toThrow(reason);
  });

  it.each([
    { validity: 259_201, refresh: '2d', dnskeyTtl: '23h' },
    { zskLifetime: 21_601 },
    { zskLifetime: 0 },
  ])('and one that can is not: %j', (document) => {
    expect(() => parsePolicy('p', document)).not.toThrow();
  });

  it('by the largest TTL of the zone', () => {
    const policy = parsePolicy('p', { validity: '14d', refresh: '7d' });
    expect(unsafeTimes(policy, 6 * 86_400)).toEqual([]);
    expect(unsafeTimes(policy, 7 * 86_400)).toEqual([
      {
        setting: 'validity',
        message:
          'must be longer than refresh 604800 s + largest TTL 604800 s + propagationDelay 3600 s = 1213200 s, it is 1209600 s: signatures would expire in caches',
      },
    ]);
  });
});

describe('a doubtful policy is warned of', () => {
  const policy = parsePolicy('p', {});

  it('where a nameserver serves expired signatures before it gives up', () => {
    expect(doubtfulTimes(policy, 3600, 601_200)).toEqual([]);
    expect(doubtfulTimes(policy, 3600, 601_201)).toMatchObject([{ setting: 'refresh' }]);
    expect(doubtfulTimes(policy, 3600, 601_201)[0]?.message).toContain(
      "the SOA's expire 601201 s + largest TTL 3600 s = 604801 s",
    );
  });

  it('where caches get signatures that expire before their TTL', () => {
    expect(doubtfulTimes(policy, 601_200)).toEqual([]);
    expect(doubtfulTimes(policy, 601_201)).toMatchObject([{ setting: 'refresh' }]);
  });
});
