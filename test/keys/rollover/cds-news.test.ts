import { describe, expect, it } from 'vitest';
import { cdsNews } from '../../../src/keys/rollover/cds-news.js';
import type { KeySetUse, RolloverState } from '../../../src/keys/rollover/model.js';
import { ds, key, policy, TERMS, zone } from './lab.js';

const old = key('k', 'KSK', { parent: false });
const next = key('j', 'KSK');
const zsk = key('z', 'ZSK');

/** CDS were changed from k to j by version 1, which each view was published with at 1000 unless it says something else. */
function state(uses: Readonly<Record<string, Partial<KeySetUse> | null>>, more: object = {}): RolloverState {
  const now = zone([old, next, zsk], { views: Object.keys(uses), ds: [ds(old)], ...more });
  const all = now.uses.flatMap((use): KeySetUse[] => {
    const change = uses[use.view];
    const before = { ...use, facts: { ...use.facts, version: -1, parent: ['k'] } };
    if (change === null) return [before];
    return [
      { ...before, replacedAt: 1000, until: 1000, ...change },
      { ...use, since: 1000 },
    ];
  });
  return { ...now, uses: all };
}

describe('changed CDS (RFC 9859)', () => {
  it.each<[string, Readonly<Record<string, Partial<KeySetUse> | null>>, string[], number | null]>([
    ['are not told of before they are published', { a: null }, ['a'], null],
    ['are not told of before they are published in every view', { a: {}, b: null }, ['a'], null],
    ['are told of after the propagation delay where no peers are known', { a: {} }, [], 1100],
    ['are told of when all peers have them', { a: { until: 1030 } }, ['a'], 1030],
    [
      'are told of when all peers of all views have them',
      { a: { until: 1030 }, b: { until: 1050 } },
      ['a', 'b'],
      1050,
    ],
    [
      'are told of after the propagation delay where a peer does not come',
      { a: { until: null } },
      ['a'],
      1100,
    ],
    ['are told of then where it comes later', { a: { until: 9000 } }, ['a'], 1100],
    ['are told of when those without peers are to have them', { a: { until: 1030 }, b: {} }, ['a'], 1100],
  ])('%s', (_, uses, peered, tellAt) => {
    expect(TERMS.propagationDelay).toBe(100);
    expect(cdsNews(state(uses), peered)).toEqual({ wanted: '["j"]', tellAt });
  });

  it('are those that were published first, whatever else changed since', () => {
    const now = state({ a: { until: 1030 } });
    const [before, use] = now.uses as [KeySetUse, KeySetUse];
    const later = { ...use, since: 5000, facts: { ...use.facts, zoneSigners: {} } };
    const uses = [before, { ...use, replacedAt: 5000 }, later];
    expect(cdsNews({ ...now, uses }, ['a'])?.tellAt).toBe(1030);
  });

  it('may ask for no DS at all, or for nothing', () => {
    expect(cdsNews(state({ a: null }, { deleteSentinel: true }), [])?.wanted).toBe('[]');
    expect(cdsNews(state({ a: {} }, { policy: policy({ cdsDigests: [] }) }), [])).toBeNull();
    expect(cdsNews(zone([old, zsk]), [])).toBeNull();
  });
});
