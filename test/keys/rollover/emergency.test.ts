import { describe, expect, it } from 'vitest';
import { applyStep } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import { emergency } from '../../../src/keys/rollover/emergency.js';
import { currentFacts } from '../../../src/keys/rollover/facts.js';
import { rollable } from '../../../src/keys/rollover/goals.js';
import type { Step } from '../../../src/keys/rollover/model.js';
import { fresh, key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });
const zsk = key('z', 'ZSK', { keyTag: 200 });

describe('an emergency roll', () => {
  it('of a key of an algorithm that goes takes the algorithm out, once what the policy wants is there', () => {
    const state = zone([ksk, zsk], { policy: policy({ algorithm: 8 }) });
    const made = [fresh('k8', 'KSK', { algorithm: 8 }), fresh('z8', 'ZSK', { algorithm: 8 })];
    for (const [id, other] of [
      ['k', 'z'],
      ['z', 'k'],
    ] as const) {
      expect(emergency(state, id, 0).steps).toMatchObject([{ kind: 'create', role: 'KSK', algorithm: 8 }]);
      expect(emergency({ ...state, keys: [...state.keys, ...made] }, id, 0).steps).toMatchObject([
        {
          keys: [
            { id, goal: 'out', published: false },
            { id: 'k8', published: true, signs: true },
            { id: 'z8', published: true, signs: true },
            { id: other, goal: 'out', published: false, signs: false },
          ],
        },
      ]);
    }
  });

  it('has a key made first, and says what validators will see', () => {
    const { steps, conflicts, goneAt } = emergency(zone([ksk, zsk]), 'z', 0);
    // when signatures that are served now have left caches, as `keys plan` has it of the key that is removed
    expect(goneAt).toBe(5110);
    expect(steps).toMatchObject([{ kind: 'create', role: 'ZSK', replaces: 'z' }]);
    expect(conflicts.map(({ kind, until }) => [kind, until])).toEqual([
      ['dnskey-signature', null],
      ['dnskey-signature', null],
    ]);
    expect(conflicts[0]?.message).toContain('new ZSK (1)');
  });

  it('has the key out at once, and is finished like any other roll', () => {
    const state = zone([ksk, zsk, fresh('y', 'ZSK')]);
    const { steps } = emergency(state, 'z', 0);
    expect(steps).toMatchObject([
      {
        kind: 'change',
        keys: [
          { id: 'z', goal: 'out', published: false, signs: false },
          { id: 'y', goal: 'in', published: true, signs: true },
        ],
      },
    ]);
    const [step] = steps as [Exclude<Step, { kind: 'create' }>];
    const changed = applyStep({ ...state, asked: ['z'] }, step, 0);
    const [use] = state.uses as [(typeof state.uses)[0]];
    const past = { ...use, replacedAt: 0, until: 0 };
    const served = { ...changed, uses: [past, { ...use, facts: currentFacts(changed), since: 0 }] };
    expect(decide(served, 5110).steps).toMatchObject([{ keys: [{ id: 'z', removedAt: 5110 }, { id: 'y' }] }]);
  });

  it('of a KSK breaks the chain until the parent has the new DS', () => {
    const state = zone([ksk, zsk, fresh('j', 'KSK')]);
    const { steps, conflicts, needsDsByHand } = emergency(state, 'k', 0);
    expect(needsDsByHand).toBe(true);
    expect(emergency(state, 'z', 0).needsDsByHand).toBe(false);
    expect(steps).toMatchObject([
      {
        keys: [
          { id: 'k', parent: false },
          { id: 'j', parent: true },
        ],
      },
    ]);
    expect(conflicts.map(({ kind, until }) => [kind, until])).toContainEqual(['ds-dnskey', null]);
  });

  it('of a place that the policy does not want any more has what it wants instead made first', () => {
    const csk = key('c', 'CSK');
    const state = zone([csk]);
    const [first] = emergency(state, 'c', 0).steps;
    expect(first).toMatchObject({ kind: 'create', role: 'KSK' });
    const half = { ...state, keys: [...state.keys, fresh('j', 'KSK')] };
    expect(emergency(half, 'c', 0).steps).toMatchObject([{ kind: 'create', role: 'ZSK' }]);
    const { steps } = emergency({ ...half, keys: [...half.keys, fresh('y', 'ZSK')] }, 'c', 0);
    expect(steps).toMatchObject([
      {
        keys: [
          { id: 'c', goal: 'out', published: false, signs: false },
          { id: 'j', published: true, signs: true, parent: true },
          { id: 'y', published: true, signs: true },
        ],
        reason: 'CSK 99 goes out at once, KSK 106 and ZSK 121 take its place: an emergency',
      },
    ]);
  });

  it('of an algorithm that goes takes all of it out, which is of no use without the key', () => {
    const csk = key('c', 'CSK');
    const own = key('y', 'ZSK', { view: 'b' });
    const state = zone([csk, own], {
      views: ['a', 'b'],
      policy: policy({ algorithm: 15, keys: 'csk', viewZsks: ['b'] }),
    });
    expect(emergency(state, 'c', 0).steps).toMatchObject([{ kind: 'create', role: 'CSK', algorithm: 15 }]);
    const next = { algorithm: 15 };
    const made = [fresh('c2', 'CSK', next), fresh('y2', 'ZSK', { ...next, view: 'b' })];
    const [step] = emergency({ ...state, keys: [...state.keys, ...made] }, 'c', 0).steps;
    expect(step).toMatchObject({
      keys: [
        { id: 'c', published: false },
        { id: 'c2', signs: true, published: true },
        { id: 'y2', signs: true, published: true },
        { id: 'y', signs: false, published: false, goal: 'out' },
      ],
    });
  });

  it('is refused where nothing could take the place of the key', () => {
    const state = zone([ksk, zsk], { policy: policy({ signed: false }) });
    expect(emergency(state, 'k', 0).steps).toMatchObject([{ kind: 'change' }]);
    const own = zone([ksk, key('y', 'ZSK', { view: 'a' }), key('x', 'ZSK', { view: 'b' })], {
      views: ['a', 'b'],
      policy: policy({ viewZsks: ['b'] }),
    });
    // what view a is to be signed with is made before its own key goes
    expect(emergency(own, 'y', 0).steps).toMatchObject([{ kind: 'create', role: 'ZSK', view: null }]);
  });

  it('is of keys as well that a roll has going out already, as long as they are there', () => {
    const leaving = key('l', 'ZSK', { goal: 'out', signs: false });
    const out = key('o', 'ZSK', { goal: 'out', signs: false, published: false });
    const keys = [ksk, zsk, leaving, out];
    expect(rollable(keys, false)).toEqual([ksk, zsk]);
    expect(rollable(keys, true)).toEqual([ksk, zsk, leaving]);
    expect(emergency(zone([ksk, zsk, leaving]), 'l', 0).steps).toMatchObject([
      {
        keys: [
          { id: 'l', published: false, signs: false },
          { id: 'z', signs: true },
        ],
      },
    ]);
  });

  it('is of a key that there is', () => {
    expect(() => emergency(zone([ksk, zsk]), 'nope', 0)).toThrow(
      expect.objectContaining({ code: 'NOT_HELD' }) as Error,
    );
  });
});
