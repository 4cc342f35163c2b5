import { describe, expect, it } from 'vitest';
import { tagsOf } from '../../../src/dnssec/dnskey.js';
import { additionConflicts } from '../../../src/keys/rollover/addition.js';
import { isDsAlive, isUseAlive } from '../../../src/keys/rollover/alive.js';
import { applyStep, observeDs, observeParent } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import { takenKeyTags } from '../../../src/keys/rollover/facts.js';
import type { ManagedKey, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import { after, ds, fresh, key, policy, zone } from './lab.js';

const ksk = key('k', 'KSK', { keyTag: 100 });
const zsk = key('z', 'ZSK', { keyTag: 200 });

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

  it('takes as long as the policy promised for what was served then', () => {
    const signing = { ...fresh('y', 'ZSK', { signs: true, published: true }), activeAt: 0 };
    const state = zone([ksk, { ...zsk, signs: false, goal: 'out' }, signing]);
    const [use] = state.uses as [(typeof state.uses)[0]];
    const before = { ...use, facts: { ...use.facts, version: 0, zoneSigners: { all: ['z'] } } };
    const uses = [{ ...before, replacedAt: 0, until: 0 }, use];
    const delays = { ...state.policy, propagationDelay: 4000 };
    const lowered = (until: number): RolloverState => ({ ...state, uses, formerly: [{ until, delays }] });
    // 100 + 5000 + 10 by the policy as it is, 4000 + 5000 + 10 as it was when the other signatures were served
    expect(decide({ ...state, uses }, 5109).nextAt).toBe(5110);
    expect(decide({ ...state, uses }, 5110).steps).toHaveLength(1);
    expect(decide(lowered(20), 9009).steps).toEqual([]);
    expect(decide(lowered(20), 9010).steps).toMatchObject([{ keys: [{ id: 'z', published: false }] }]);
    // what it promised until long before says little of what was served until now
    expect(decide(lowered(-3000), 6009).steps).toEqual([]);
    expect(decide(lowered(-3900), 5110).steps).toHaveLength(1);
    // the parent's DS: 20000 + 200 + 10
    const gone = { ...ds(key('x', 'KSK')), until: 0 };
    const parent = {
      ...state,
      ds: [...state.ds, gone],
      formerly: [{ until: 5, delays: { ...delays, parentDsTtl: 90_000 } }],
    };
    expect(isDsAlive({ ...parent, formerly: [] }, gone, 20_209)).toBe(true);
    expect(isDsAlive({ ...parent, formerly: [] }, gone, 20_210)).toBe(false);
    expect(isDsAlive(parent, gone, 90_209)).toBe(true);
    expect(isDsAlive(parent, gone, 90_210)).toBe(false);
  });

  it('counts keys that are published and sign as known to the parent, for they can be given to it by hand', () => {
    const unseen = { parent: false, activeAt: null };
    const state = zone([key('c', 'CSK', unseen)], { ds: [] });
    const { steps, waits } = decide(state, 1_000_000);
    expect(steps).toMatchObject([{ kind: 'create', role: 'ZSK' }, { keys: [{ id: 'c', parent: true }] }]);
    expect(waits.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("the parent's DS set is not known"),
    );
    const unsigned = zone([key('k', 'KSK', unseen), { ...zsk, activeAt: null }], {
      ds: [],
      policy: policy({ signed: false }),
    });
    for (const step of decide(unsigned, 1_000_000).steps) {
      expect(step).toMatchObject({ kind: 'change' });
      expect(JSON.stringify(step)).not.toContain('"published":false');
    }
  });

  it('asks the parent for the DS of the first keys, of which it can have no other', () => {
    const first = { parent: false, activeAt: null };
    const state = zone([key('k', 'KSK', first), key('z', 'ZSK', { activeAt: null })], { ds: [] });
    expect(decide(state, 0).steps).toMatchObject([{ keys: [{ id: 'k', parent: true }, { id: 'z' }] }]);
  });

  it('does not wait for a key set to be served that is not whole', () => {
    const csk = key('c', 'CSK');
    const was = zone([csk]);
    const out = { published: false, signs: false, parent: false, goal: 'out' } as const;
    const broken = {
      ...was,
      keySetVersion: 2,
      keys: [{ ...csk, ...out }, fresh('j', 'KSK'), fresh('y', 'ZSK')],
    };
    expect(decide(broken, 10).steps).toMatchObject([
      {
        keys: [
          { id: 'j', published: true, signs: true },
          { id: 'y', published: true, signs: true },
        ],
      },
    ]);
  });

  describe('where nameservers are behind', () => {
    const gone = { ...zsk, signs: false, published: false, goal: 'out' as const };
    const next = key('y', 'ZSK', { keyTag: 300 });
    const behind = (more: object = {}): RolloverState => {
      const state = zone([ksk, gone, next], { views: ['a', 'b'] });
      const uses = state.uses.flatMap((use) => [
        {
          ...use,
          facts: { ...use.facts, version: 0, published: ['k', 'z'], zoneSigners: { a: ['z'], b: ['z'] } },
          replacedAt: 0,
          ...(use.view === 'a' ? { until: null, ...more } : { until: 0 }),
        },
        { ...use, since: 0 },
      ]);
      return { ...state, uses };
    };
    const message = (state: RolloverState): string[] =>
      decide(state, 9_000_000).waits.map((it) => it.message);

    it('says which ones a ZSK waits for that is out, and nothing of a DS', () => {
      expect(message(behind({ behind: ['ns1', 'ns2'] }))).toEqual([
        'ZSK 200 is removed: waits, for nameservers of view a (ns1, ns2) were not seen with what replaced it; see: zoneseal status example.',
      ]);
      expect(message(behind())[0]).toContain('view a (a peer)');
    });

    it('says both of a KSK whose DS may be there still', () => {
      const state = behind({ behind: ['ns1'] });
      const old = key('j', 'KSK', {
        keyTag: 400,
        signs: false,
        published: false,
        goal: 'out',
        parent: false,
      });
      const uses = state.uses.map((use) =>
        use.until === null && use.replacedAt !== null
          ? { ...use, facts: { ...use.facts, published: ['k', 'z', 'j'] } }
          : use,
      );
      const [first, second] = message({ ...state, keys: [...state.keys, old], uses, ds: [ds(ksk), ds(old)] });
      expect(first).not.toContain('DS');
      expect(second).toMatch(
        /^KSK 400 is removed: waits, for nameservers of view a \(ns1\).*; and the parent may have its DS still/,
      );
    });

    it('says so of other steps that wait for them', () => {
      const state = behind({ behind: ['ns1'] });
      const leaving = { ...gone, published: true };
      const uses = state.uses.map((use) =>
        use.replacedAt === null ? { ...use, facts: { ...use.facts, published: ['k', 'y', 'z'] } } : use,
      );
      const [wait] = message({ ...state, keys: [ksk, leaving, next], uses });
      expect(wait).toMatch(
        /^ZSK 200 leaves the key set: waits, for otherwise .*\(ns1\).*zoneseal status example\.$/,
      );
    });
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

  it('ends no set that a server may have taken which was not heard of since', () => {
    const past = { keys: ['old'], algorithms: [13], since: 20, seenAt: 30, until: null, ttl: null };
    const state = { ...asked(), ds: [...asked().ds, past] };
    const sets = [{ keys: ['k'], algorithms: [13], ttl: 500 }, ...seen];
    const untilOf = (settledAt: number | null): (number | null)[] =>
      observeParent(state, { sets, at: 90_000, settledAt }).map(({ until }) => until);
    // seen at another one since then
    expect(untilOf(10)).toEqual([null, null, null]);
    expect(untilOf(null)).toEqual([null, null, null]);
    expect(untilOf(2000)).toEqual([null, 2000, null]);
  });

  it('does not end what its older CDS said when the server was last heard of', () => {
    const at = (settledAt: number) => observeParent(asked(), { sets: seen, at: 90_000, settledAt })[0]?.until;
    expect([at(1309), at(1310)]).toEqual([null, 1310]);
    const byHand = (settledAt: number) => {
      const past = asked();
      const uses = past.uses.map((use) =>
        use.until === null ? use : { ...use, replacedAt: 700, until: 700 },
      );
      const people = { ...past, uses, policy: policy({ cdsDigests: [] }) };
      return observeParent(people, { sets: seen, at: 90_000, settledAt })[0]?.until;
    };
    expect([byHand(699), byHand(700)]).toEqual([null, 700]);
  });

  it('is not known of it as a whole until all servers were seen at one time', () => {
    const state = { ...asked(), ds: [] };
    expect(observeParent(state, { sets: seen, at: 9, settledAt: null })).toMatchObject([{ seenAt: null }]);
    expect(observeParent(state, { sets: seen, at: 9, settledAt: 8 })).toMatchObject([{ seenAt: 9 }]);
  });

  it('may be a key that is none of ours: the chain that there is stays', () => {
    const unknown = { keys: ['unknown:7', 'k'], algorithms: [8, 13], ttl: 500 };
    const state = zone([ksk, zsk]);
    const other = { ...state, ds: observeDs(state, [unknown], 100) };
    const taken = takenKeyTags(other);
    const revoked = other.keys.flatMap(tagsOf);
    expect(taken).toEqual(new Set([100, 200, 7, ...revoked]));
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

describe('keys that an operator adds to a zone that is served', () => {
  const added = (role: ManagedKey['role'], more: Partial<ManagedKey> = {}): ManagedKey =>
    key('n', role, more);

  it('are refused where caches hold the DNSKEY RRset without them', () => {
    const state = zone([ksk, zsk], { views: ['int', 'ext'] });
    const own = additionConflicts(state, [added('ZSK', { view: 'int' })], 0);
    expect(own.map(({ kind }) => kind)).toContain('dnskey-signature');
    expect(own[0]?.message).toContain('signatures of view int (by new ZSK (1))');
  });

  it('are refused where they bring an algorithm that nothing in caches is signed with', () => {
    const conflicts = additionConflicts(zone([ksk, zsk]), [added('CSK', { algorithm: 15 })], 0);
    expect(conflicts.map(({ algorithm }) => algorithm)).toContain(15);
  });

  it('are no danger beside others of their kind, where they do nothing yet, and to a zone that was never served', () => {
    const state = zone([ksk, zsk]);
    expect(additionConflicts(state, [added('ZSK'), added('KSK')], 0)).toEqual([]);
    const idle = { signs: false, published: false };
    expect(additionConflicts(state, [added('CSK', { algorithm: 15, ...idle })], 0)).toEqual([]);
    expect(additionConflicts({ ...state, uses: [] }, [added('CSK', { algorithm: 15 })], 0)).toEqual([]);
  });
});
