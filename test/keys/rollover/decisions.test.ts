import { describe, expect, it } from 'vitest';
import { isDsAlive, isUseAlive } from '../../../src/keys/rollover/alive.js';
import { applyStep, observeDs } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import { emergency } from '../../../src/keys/rollover/emergency.js';
import { currentFacts, takenKeyTags } from '../../../src/keys/rollover/facts.js';
import { rollable } from '../../../src/keys/rollover/goals.js';
import type { ManagedKey, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import { ds, key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });
const zsk = key('z', 'ZSK', { keyTag: 200 });

/** A key that was just made. */
function fresh(id: string, role: ManagedKey['role'], more: Partial<ManagedKey> = {}): ManagedKey {
  return key(id, role, {
    signs: false,
    published: false,
    parent: false,
    activeAt: null,
    createdAt: 0,
    ...more,
  });
}

/** The state after every step of now, and its publication in the views (all that are not named: at the same time). */
function after(state: RolloverState, now: number, served: readonly string[] = state.views): RolloverState {
  const changed = decide(state, now)
    .steps.filter((step): step is Exclude<Step, { kind: 'create' }> => step.kind !== 'create')
    .reduce((to, step) => applyStep(to, step, now), state);
  const replaced = { replacedAt: now, until: now };
  const uses = changed.uses.map((use) =>
    served.includes(use.view) && use.until === null ? { ...use, ...replaced } : use,
  );
  const use = { since: now, until: null, replacedAt: null, maxTtl: 5000, dnskeyTtl: 1000 };
  const facts = currentFacts(changed);
  return { ...changed, uses: [...uses, ...served.map((view) => ({ view, facts, ...use }))] };
}

describe('a decision', () => {
  it('is the same for whoever decides again', () => {
    const state = zone([ksk, zsk], { asked: ['k', 'z'] });
    expect(decide(state, 5)).toEqual(decide(state, 5));
  });

  it('says until when what is in caches forbids a step, in words', () => {
    const state = after(zone([ksk, zsk, fresh('y', 'ZSK', { keyTag: 300 })], { asked: ['z'] }), 0);
    const { steps, waits, nextAt } = decide(state, 1);
    expect(steps).toEqual([]);
    expect(waits).toEqual([
      {
        step: {
          kind: 'change',
          keys: [
            { id: 'y', signs: true },
            { id: 'z', signs: false },
          ],
          reason: 'ZSK 300 signs the zone instead of ZSK 200',
        },
        conflicts: [
          {
            kind: 'dnskey-signature',
            algorithm: 13,
            until: 1110,
            message:
              'signatures of view all (by ZSK 300) have none of algorithm 13 by a key of the DNSKEY RRset (KSK 100, ZSK 200; signed by KSK 100), until 1970-01-01T00:18:30Z',
          },
        ],
        until: 1110,
        why: expect.stringMatching(/^for otherwise signatures of view all/) as string,
        message: expect.stringMatching(/: waits, for otherwise .*, until 1970-01-01T00:18:30Z$/) as string,
      },
    ]);
    expect(nextAt).toBe(1110);
    expect(decide(state, 1109).steps).toEqual([]);
    expect(decide(state, 1110).steps).toHaveLength(1);
  });

  it('waits for the slowest view', () => {
    const keys = [ksk, zsk, fresh('y', 'ZSK')];
    const state = after(zone(keys, { views: ['a', 'b'], asked: ['z'] }), 0, ['a']);
    const { steps, waits } = decide(state, 50_000);
    expect(steps).toEqual([]);
    expect(waits[0]).toMatchObject({ until: null });
    expect(waits[0]?.message).toContain('DNSKEY RRset (KSK 100, ZSK 200');
    const later = { ...state, uses: [...state.uses] };
    later.uses.push({ ...(state.uses.at(-1) as (typeof state.uses)[0]), view: 'b' });
    const done = later.uses.map((use) =>
      use.view === 'b' && use.facts.version === 1 ? { ...use, replacedAt: 40_000, until: 49_000 } : use,
    );
    expect(decide({ ...later, uses: done }, 50_109).steps).toEqual([]);
    expect(decide({ ...later, uses: done }, 50_110).steps).toHaveLength(1);
  });

  it('does not go on from a key set that is not served yet', () => {
    const state = zone([ksk, zsk, fresh('y', 'ZSK')], { asked: ['z'] });
    const [step] = decide(state, 0).steps;
    const changed = applyStep(state, step as Exclude<Step, { kind: 'create' }>, 0);
    expect(decide({ ...changed, asked: ['z', 'k'] }, 10).steps).toMatchObject([
      { kind: 'create', role: 'KSK' },
    ]);
  });

  it('counts the largest TTL that was served, not the one that is', () => {
    const signing = { ...fresh('y', 'ZSK', { signs: true, published: true }), activeAt: 0 };
    const state = zone([ksk, { ...zsk, signs: false, goal: 'out' }, signing]);
    const [use] = state.uses as [(typeof state.uses)[0]];
    const before = {
      ...use,
      facts: { ...use.facts, version: 0, zoneSigners: { all: ['z'] } },
      replacedAt: 0,
      until: 0,
      maxTtl: 86_400,
    };
    const uses = [before, { ...use, since: 0, maxTtl: 60 }];
    expect(decide({ ...state, uses }, 86_509).steps).toEqual([]);
    expect(decide({ ...state, uses }, 86_510).steps).toMatchObject([
      { keys: [{ id: 'z', published: false }] },
    ]);
  });

  it('makes no step while an operator holds the keys, and says what it would do', () => {
    const { steps, waits } = decide(zone([ksk, zsk], { asked: ['z'], isHeld: true }), 0);
    expect(steps).toEqual([]);
    expect(waits).toMatchObject([{ step: { kind: 'create', role: 'ZSK' } }]);
    expect(waits[0]?.message).toContain('held');
  });

  it('tells an operator to say what the parent has where nobody knows', () => {
    const { steps, waits } = decide(zone([ksk, zsk], { asked: ['k'], ds: [] }), 0);
    expect(steps).toEqual([]);
    expect(waits).toMatchObject([{ step: { kind: 'create', role: 'KSK' }, until: null }]);
    expect(waits[0]?.message).toContain('zoneseal keys ds-seen');
  });

  it('takes an imported key to have a DS and to have none, until the parent was seen', () => {
    const state = zone([ksk, zsk], { policy: policy({ signed: false }), ds: [] });
    expect(decide(state, 0).steps).toMatchObject([{ deleteSentinel: true }]);
    const asked = after(state, 0);
    expect(decide(asked, 10_000_000).steps).toEqual([]);
    const seen = { ...asked, ds: observeDs(asked, [{ keys: [], algorithms: [], ttl: null }], 10_000) };
    expect(decide(seen, 10_000 + 20_209).steps).toEqual([]);
    expect(decide(seen, 10_000 + 20_210).steps).toMatchObject([{ deleteSentinel: false }]);
  });

  it('waits for a parent that never takes the DS, for ever', () => {
    const state = after(
      after(zone([ksk, zsk, fresh('j', 'KSK', { keyTag: 400 })], { asked: ['k'] }), 0),
      1110,
    );
    expect(state.keys.map(({ id, parent }) => [id, parent])).toEqual([
      ['k', false],
      ['z', false],
      ['j', true],
    ]);
    const seen = {
      ...state,
      ds: observeDs(state, [{ keys: ['k'], algorithms: [13], ttl: 20_000 }], 90_000_000),
    };
    const { steps, waits, nextAt } = decide(seen, 100_000_000);
    expect([steps, nextAt]).toEqual([[], null]);
    expect(waits[0]?.message).toContain('a resolver with the DS set (KSK 100) finds no key of algorithm 13');
    expect(waits[0]?.message).toContain('zoneseal keys ds-seen');
  });

  it('leaves the keys that there are in use while the key store makes none', () => {
    const state = zone([ksk, zsk], { policy: policy({ algorithm: 15, keys: 'csk' }) });
    const { steps } = decide(state, 0);
    expect(steps).toMatchObject([{ kind: 'create', role: 'CSK', algorithm: 15, replaces: 'k' }]);
  });

  it('keeps one of two keys that were made for the same', () => {
    const state = zone([ksk, zsk, fresh('y', 'ZSK'), fresh('x', 'ZSK')], { asked: ['z'] });
    const [step] = decide(state, 0).steps;
    expect(step).toMatchObject({ kind: 'change' });
    const { keys } = applyStep(state, step as Exclude<Step, { kind: 'create' }>, 0);
    expect(keys.map(({ id, goal, published }) => [id, goal, published])).toEqual([
      ['k', 'in', true],
      ['z', 'out', true],
      ['y', 'out', false],
      ['x', 'in', true],
    ]);
  });
});

describe('what the parent is seen with', () => {
  const asking = { ...ksk, parent: false, goal: 'out' as const };
  const next = { ...fresh('j', 'KSK', { signs: true, published: true }), parent: true };

  /** CDS changed from k to j at 0. */
  function asked(): RolloverState {
    const state = zone([asking, zsk, next], { ds: [ds(ksk)] });
    const [use] = state.uses as [(typeof state.uses)[0]];
    const before = { ...use, facts: { ...use.facts, version: 0, parent: ['k'] }, replacedAt: 0, until: 0 };
    return { ...state, uses: [before, { ...use, since: 0 }] };
  }

  const seen = [{ keys: ['j'], algorithms: [13], ttl: 500 }];

  it('ends the others', () => {
    expect(observeDs(asked(), seen, 1310)).toMatchObject([
      { keys: ['k'], until: 1310 },
      { keys: ['j'], seenAt: 1310, until: null, ttl: 500 },
    ]);
  });

  it('does not end what it may still get from an older CDS', () => {
    expect(observeDs(asked(), seen, 1309)).toMatchObject([
      { keys: ['k'], until: null },
      { keys: ['j'], until: null },
    ]);
  });

  it('is in caches as long as its own TTL says', () => {
    const state = { ...asked(), ds: observeDs(asked(), [{ keys: ['k'], algorithms: [13], ttl: 500 }], 50) };
    const [old] = observeDs(state, [{ keys: ['j'], algorithms: [13], ttl: 9 }], 2000);
    expect(old).toMatchObject({ until: 2000, ttl: 500 });
    expect(isDsAlive(state, old as NonNullable<typeof old>, 2000 + 200 + 500 + 10 - 1)).toBe(true);
    expect(isDsAlive(state, old as NonNullable<typeof old>, 2000 + 200 + 500 + 10)).toBe(false);
  });

  it('may be a key that is none of ours: the chain that there is stays', () => {
    const unknown = { keys: ['unknown:7', 'k'], algorithms: [8, 13], ttl: 500 };
    const state = zone([ksk, zsk]);
    const other = { ...state, ds: observeDs(state, [unknown], 100) };
    expect(takenKeyTags(other)).toEqual(new Set([100, 228, 200, 328, 7]));
    expect(decide({ ...other, asked: ['z'] }, 200).steps).toMatchObject([{ kind: 'create' }]);
  });
});

describe('a use', () => {
  it('is remembered until no cache has anything of it', () => {
    const state = zone([ksk, zsk]);
    const [use] = state.uses as [(typeof state.uses)[0]];
    const past = { ...use, replacedAt: 0, until: 0 };
    expect(isUseAlive(state, use, 9e9)).toBe(true);
    expect(isUseAlive(state, past, 5109)).toBe(true);
    expect(isUseAlive(state, past, 5110)).toBe(false);
  });
});

describe('an emergency roll', () => {
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

  it('of an algorithm that goes has nothing in its place, and the next one comes all the same', () => {
    const csk = key('c', 'CSK');
    const own = key('y', 'ZSK', { view: 'b' });
    const state = zone([csk, own], {
      views: ['a', 'b'],
      policy: policy({ algorithm: 15, keys: 'csk', viewZsks: ['b'] }),
    });
    const [step] = emergency(state, 'c', 0).steps as [Exclude<Step, { kind: 'create' }>];
    const next = { algorithm: 15 };
    const made = [fresh('c2', 'CSK', next), fresh('y2', 'ZSK', { ...next, view: 'b' })];
    const changed = applyStep({ ...state, keys: [...state.keys, ...made] }, step, 0);
    const [a, b] = state.uses as [(typeof state.uses)[0], (typeof state.uses)[0]];
    const facts = currentFacts(changed);
    const served = {
      ...changed,
      uses: [
        { ...a, facts },
        { ...b, facts },
      ],
    };
    expect(decide(served, 10).steps).toMatchObject([
      {
        keys: [
          { id: 'c2', signs: true },
          { id: 'y2', signs: true },
          { id: 'y', goal: 'out' },
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
