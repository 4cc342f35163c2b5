import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/keys/rollover/decide.js';
import type { RolloverState } from '../../../src/keys/rollover/model.js';
import { after, fresh, key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });

describe('a zone that is assigned to another view', () => {
  // all keys that sign data are of view a: in view b it cannot be published yet
  const own = key('y', 'ZSK', { view: 'a', keyTag: 300 });
  const before = zone([ksk, own], { views: ['a'], policy: policy({ viewZsks: ['a'] }) });
  const assigned: RolloverState = { ...before, views: ['a', 'b'] };
  const made: RolloverState = { ...assigned, keys: [...assigned.keys, fresh('g', 'ZSK')] };

  it('gets a key for it, which is published though the new view is not', () => {
    expect(decide(assigned, 0).steps).toMatchObject([{ kind: 'create', role: 'ZSK', view: null }]);
    expect(decide(made, 0).steps).toMatchObject([{ keys: [{ id: 'g', published: true }] }]);
  });

  it('is signed with it in the new view once no cache of the other one is without it', () => {
    const published = after(made, 0, ['a']);
    expect(decide(published, 1109)).toMatchObject({ steps: [], nextAt: 1110 }); // 100 + 1000 + 10
    expect(decide(published, 1110).steps).toMatchObject([{ keys: [{ id: 'g', signs: true }] }]);
  });

  it('waits for the new view from then on', () => {
    const signed = after(after(made, 0, ['a']), 1110, ['a']);
    const rolling = { ...signed, asked: ['y'], keys: [...signed.keys, fresh('x', 'ZSK', { view: 'a' })] };
    expect(
      decide(rolling, 3000)
        .waits.map(({ message }) => message)
        .join(),
    ).toContain('published in view b');
  });

  it('is signed with a CSK in the new view once caches know it, where the policy wants one now', () => {
    const wanted = { ...assigned, policy: policy({ keys: 'csk', viewZsks: ['a'] }) };
    const coming = { ...wanted, keys: [...wanted.keys, fresh('c', 'CSK')] };
    expect(decide(coming, 0).steps).toMatchObject([
      {
        keys: [
          { id: 'c', published: true, signs: true, keySetsOnly: true },
          { id: 'k', goal: 'out' },
        ],
      },
    ]);
    const published = after(coming, 0, ['a']);
    const signs = (at: number): boolean =>
      decide(published, at).steps.some(
        (step) => step.kind === 'change' && step.keys.some((it) => it.id === 'c' && it.keySetsOnly === false),
      );
    expect(signs(1109)).toBe(false);
    expect(signs(1110)).toBe(true);
  });

  it('is signed there only when caches are without an algorithm that leaves meanwhile', () => {
    const leaving = { goal: 'out', parent: false, algorithm: 15 } as const;
    const keys = [
      { ...ksk, ...leaving },
      { ...own, ...leaving },
      key('n', 'KSK', { keyTag: 400 }),
      key('g', 'ZSK', { keyTag: 500 }),
      key('o', 'ZSK', { keyTag: 600, view: 'a' }),
    ];
    const served = zone(keys, { views: ['a'], policy: policy({ viewZsks: ['a'] }) });
    const state: RolloverState = { ...served, views: ['a', 'b'] };
    expect(decide(state, 0).steps).toMatchObject([
      {
        keys: [
          { id: 'k', published: false, signs: false },
          { id: 'y', published: false },
          { id: 'g', signs: false },
        ],
      },
    ]);
    const without = after(state, 0, ['a']);
    const signs = (at: number): boolean =>
      decide(without, at).steps.some(
        (step) => step.kind === 'change' && step.keys.some((it) => it.id === 'g' && it.signs === true),
      );
    expect(signs(1109)).toBe(false);
    expect(signs(1110)).toBe(true);
  });
});
