import { describe, expect, it } from 'vitest';
import { isDsAlive } from '../../../src/keys/rollover/alive.js';
import { ds, key, zone } from './lab.js';

describe('a DS set that is gone', () => {
  const state = zone([key('k', 'KSK'), key('z', 'ZSK')]);
  // of the parent: 200 s until all its servers have it, and 10 s for safety
  const gone = { ...ds(key('x', 'KSK')), since: -50_000, until: 0, ttl: 60 };

  it('is in caches for the TTL that it was seen with', () => {
    expect(isDsAlive(state, { ...gone, seenAt: -40_000 }, 269)).toBe(true);
    expect(isDsAlive(state, { ...gone, seenAt: -40_000 }, 270)).toBe(false);
  });

  it('may be in caches with the TTL of the policy that it had before it was seen', () => {
    const seen = { ...gone, seenAt: -5000 };
    expect(isDsAlive(state, seen, 15_209)).toBe(true);
    expect(isDsAlive(state, seen, 15_210)).toBe(false);
    const never = { ...gone, seenAt: null, ttl: null };
    expect(isDsAlive(state, never, 20_209)).toBe(true);
    expect(isDsAlive(state, never, 20_210)).toBe(false);
  });
});
