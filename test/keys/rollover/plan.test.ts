import { describe, expect, it } from 'vitest';
import { planRolls } from '../../../src/keys/rollover/plan.js';
import { key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });
const zsk = key('z', 'ZSK', { keyTag: 200 });
const assumed = { signingTime: 7, peerDelay: 0, parentDelay: 3 };

describe('a timetable', () => {
  const state = zone([ksk, zsk], { asked: ['k'] });
  const { entries, waits } = planRolls(state, 0, 50_000, assumed);

  it('says why each step waited', () => {
    expect(entries.map(({ at, waitedFor }) => [at, waitedFor])).toEqual([
      [0, null],
      [0, null],
      [
        1117,
        'for otherwise a resolver with the DS set (new KSK (1)) finds no key of algorithm 13 in the DNSKEY RRset (KSK 100, ZSK 200; signed by KSK 100), until 1970-01-01T00:18:37Z',
      ],
      [1127, "until the parent's nameservers are seen with its DS"], // the new key is in use
      [22_644, expect.stringMatching(/^for otherwise a resolver .*, until 1970-01-01T06:17:24Z$/)],
      [23_761, expect.stringMatching(/^for caches may hold it/)],
    ]);
  });

  it('says who could hold it', () => {
    const kinds = entries.map(({ step, heldBy }) => [step.kind, ...heldBy]);
    expect(kinds[0]).toEqual(['create', 'key store']);
    expect(kinds[1]).toEqual(['change', 'key store']);
    expect(entries.find(({ at }) => at === 1127)?.heldBy).toEqual(['parent']);
    expect(entries.find(({ at }) => at === 22_644)?.heldBy).toEqual(['nameservers', 'parent']);
  });

  it('does not have the parent hold a ZSK', () => {
    const { entries: steps } = planRolls(zone([ksk, zsk], { asked: ['z'] }), 0, 50_000, assumed);
    expect(steps.flatMap(({ heldBy }) => heldBy)).not.toContain('parent');
    expect(steps.find(({ step }) => step.reason === 'new ZSK (1) is in use')?.waitedFor).toBe(
      'until what it signed is published',
    );
  });

  it('ends with nothing that waits', () => {
    expect(waits).toEqual([]);
  });

  it('takes more time where nameservers and the parent do', () => {
    const slow = planRolls(state, 0, 500_000, { signingTime: 7, peerDelay: 600, parentDelay: 86_400 });
    const times = slow.entries.filter(({ step }) => step.kind === 'change').map(({ at }) => at);
    expect(times).toContain(1717); // 7 + 600 + 1110
    expect(times).toContain(108_334); // 1717 + 7 + 86400 + 20210
  });

  it('is the same where rolls are held, and says by whom', () => {
    const held = planRolls({ ...state, isHeld: true }, 0, 50_000, assumed).entries;
    expect(held.map(({ at }) => at)).toEqual(entries.map(({ at }) => at));
    expect(held.every(({ heldBy }) => heldBy[0] === 'operator')).toBe(true);
  });

  it('goes no further than it was asked for, and not without end', () => {
    const rolling = zone([ksk, zsk], { policy: policy({ zskLifetime: 10_000 }) });
    expect(planRolls(rolling, 0, 20_000, assumed).entries.every(({ at }) => at <= 20_000)).toBe(true);
    expect(planRolls(rolling, 0, 20_000, assumed).cutAt).toBeNull();
    const { entries: many, cutAt } = planRolls(rolling, 0, 1e9, assumed);
    expect(many.length).toBeGreaterThanOrEqual(300);
    expect(many.length).toBeLessThan(320);
    expect(cutAt).toBeGreaterThanOrEqual(many.at(-1)?.at ?? 0);
    expect(cutAt).toBeLessThan(1e9);
    // of what came before nothing is missing
    const again = planRolls(rolling, 0, (cutAt as number) - 1, assumed);
    expect(again).toMatchObject({ cutAt: null, entries: many.filter(({ at }) => at < (cutAt as number)) });
  });

  it('says what waits where it ends', () => {
    const early = planRolls(state, 0, 2000, assumed);
    expect(early.waits.map(({ message }) => message)).toEqual([
      expect.stringContaining('KSK 100 leaves the key set: waits, for otherwise'),
    ]);
  });
});
