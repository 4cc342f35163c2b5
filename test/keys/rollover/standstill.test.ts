import { describe, expect, it } from 'vitest';
import type { RolloverState } from '../../../src/keys/rollover/model.js';
import { decideCarriedOut } from '../../../src/keys/rollover/next-step.js';
import { planRolls } from '../../../src/keys/rollover/plan.js';
import { standstillsOf } from '../../../src/keys/rollover/standstill.js';
import { key, policy, TERMS, zone } from './lab.js';
import { PlannedWorld } from './planned-world.js';

const HORIZON = 4_000_000;
const assumed = { signingTime: 7, peerDelay: 60, parentDelay: 3600 };

const ksk = key('k', 'KSK');
const zsk = key('z', 'ZSK');
const gone = { published: false, signs: false, parent: false, goal: 'out', removedAt: -5 } as const;
const asked = { asked: ['k', 'z'] };

const textOf = (state: RolloverState, hasEvents = true): string[] =>
  standstillsOf({
    state,
    unknownUntil: null,
    decision: decideCarriedOut(state, 0),
    hasEvents,
    olderGateways: [],
  }).map(({ message }) => message);

const IN_NO_VIEW =
  'no key of zone example. rolls: it is served in no view; have it served with: zoneseal view assign example. VIEW';
const NO_KEYS = 'zone example. has no keys, and gets its first ones by: zoneseal keys generate example.';

const unserved: [string, RolloverState, string[], number][] = [
  ['in no view', zone([ksk, zsk], { ...asked, views: [] }), [IN_NO_VIEW], 0],
  [
    'in no view that has keys to be destroyed',
    zone([ksk, zsk, key('y', 'ZSK', gone)], { ...asked, views: [] }),
    [IN_NO_VIEW],
    1,
  ],
  ['without keys', zone([], { uses: [] }), [NO_KEYS], 0],
  ['without keys, in no view', zone([], { views: [] }), [IN_NO_VIEW, NO_KEYS], 0],
  ['without keys that is to be unsigned', zone([], { uses: [], policy: policy({ signed: false }) }), [], 0],
];

describe('a zone with which gateways do nothing', () => {
  it.each(unserved)(
    'has a plan of what the keeper does, and is told of: %s',
    async (_, state, texts, steps) => {
      const { entries, waits } = planRolls(state, 0, HORIZON, assumed);
      const world = new PlannedWorld(state, assumed);
      await world.run(HORIZON, 10);
      expect(entries.map(({ at, step }) => ({ at, step }))).toEqual(world.taken);
      expect(world.taken.map(({ at, step }) => `${at} ${step.kind}`)).toEqual(
        Array.from({ length: steps }, () => `${TERMS.keyRetention - 5} destroy`),
      );
      expect(waits).toEqual([]);
      expect(textOf(state)).toEqual(texts);
    },
  );

  it('is told of where its keys were taken over and are not those that the policy wants', () => {
    const state = zone([ksk, zsk], { policy: policy({ algorithm: 15 }) });
    expect(textOf(state, false)).toEqual([
      expect.stringMatching(
        /^gateways will hold the keys of zone example\. .*keys hold example\. --release$/,
      ),
    ]);
    expect(textOf(state)).toEqual([]);
    expect(textOf({ ...state, isHeld: true }, false)).toEqual([]);
    expect(textOf(zone([ksk, zsk], asked), false)).toEqual([]);
  });
});

it('a zone that is served unsigned gets the keys that its policy wants, as its plan says', async () => {
  const state = zone([]);
  const { entries } = planRolls(state, 0, 50_000, assumed);
  const world = new PlannedWorld(state, assumed);
  await world.run(50_000, entries.length + 1);
  expect(entries.length).toBeGreaterThan(2);
  expect(world.taken.map(({ at, step }) => ({ at, step }))).toEqual(
    entries.map(({ at, step }) => ({ at, step })),
  );
  expect(textOf(state)).toEqual([]);
});
