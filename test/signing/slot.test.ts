import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { slotOf } from '../../src/signing/slot.js';

const DAY = 86_400;
const policy = { validity: 14 * DAY, refresh: 7 * DAY, inceptionOffset: 3600 };
const NOW = 1_790_000_000;

describe('slots', () => {
  it('leave at least refresh and at most validity, begin before now, and do not depend on case', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 32 - 20 * DAY }),
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 1, max: 65_535 }),
        fc.integer({ min: 60, max: 30 * DAY }),
        fc.integer({ min: 60, max: 30 * DAY }),
        (time, label, type, refresh, period) => {
          const given = { refresh, validity: refresh + period, inceptionOffset: 3600 };
          const slot = slotOf(Name.parse(`Host${label}.Example.`), type, time, given);
          expect(slot.inception).toBeLessThanOrEqual(time - 3600);
          expect(slot.expiration - time).toBeGreaterThan(refresh);
          expect(slot.expiration - time).toBeLessThanOrEqual(given.validity);
          expect(slot.end).toBeGreaterThan(time);
          expect(slotOf(Name.parse(`hOST${label}.exaMPLE.`), type, time, given)).toEqual(slot);
        },
      ),
    );
  });

  it('are the same for every time within them, and the next one begins where they end', () => {
    const owner = Name.parse('www.example.');
    const slot = slotOf(owner, 1, NOW, policy);
    expect(slotOf(owner, 1, slot.end - 1, policy)).toEqual(slot);
    const next = slotOf(owner, 1, slot.end, policy);
    expect(next.end).toBe(slot.end + 7 * DAY);
    expect(next.expiration).toBe(slot.expiration + 7 * DAY);
  });

  it('spread expiries evenly over the period', () => {
    const buckets = new Array<number>(7).fill(0);
    for (let i = 0; i < 7000; i++) {
      const left = slotOf(Name.parse(`host${i}.example.`), 1, NOW, policy).expiration - NOW - policy.refresh;
      const bucket = Math.min(6, Math.floor((left - 1) / DAY));
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    for (const bucket of buckets) {
      expect(bucket).toBeGreaterThan(800);
      expect(bucket).toBeLessThan(1200);
    }
  });
});
