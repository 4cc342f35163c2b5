import { describe, expect, it, test } from 'vitest';
import { jumpOf, SAFE_JUMP } from '../../src/publication/line-jump.js';
import type { DatabaseState, Incarnation } from '../../src/publication/recovery-ports.js';
import { findSetBack } from '../../src/publication/set-back.js';

const A = 'aaaaaaaa-0000-4000-8000-000000000000';
const B = 'bbbbbbbb-0000-4000-8000-000000000000';

function incarnation(id: string, marker: number, more: Partial<Incarnation> = {}): Incarnation {
  const server = { systemIdentifier: '1', timeline: 1 };
  return { incarnation: id, marker, isCurrent: true, isCertain: true, ...server, ...more };
}

function state(incarnations: readonly Incarnation[], more: Partial<DatabaseState> = {}): DatabaseState {
  return {
    incarnations,
    systemIdentifier: '1',
    timeline: 1,
    hasPublications: true,
    hasOthers: false,
    ...more,
  };
}

describe('a database', () => {
  const remembered = { incarnation: A, marker: 10 };

  test.each([
    { title: 'as it is remembered', state: state([incarnation(A, 10)]) },
    { title: 'that other gateways went on with', state: state([incarnation(A, 99)]) },
    {
      title: 'that was set back and noticed by another gateway',
      state: state([incarnation(A, 3), incarnation(B, 4)]),
    },
    {
      title: 'that another gateway was careful about, with all that is remembered',
      state: state([incarnation(A, 10), incarnation(B, 11, { isCertain: false })]),
    },
  ])('was not set back: one $title', ({ state: it }) => {
    expect(findSetBack(it, remembered)).toBeUndefined();
  });

  test.each([
    { title: 'marker', state: state([incarnation(A, 9)]), reason: /marker is 9, and was 10/ },
    { title: 'incarnation', state: state([incarnation(B, 99)]), reason: /does not know/ },
    {
      title: 'system identifier',
      state: state([incarnation(A, 10)], { systemIdentifier: '2' }),
      reason: /system identifier/,
    },
    {
      title: 'timeline',
      state: state([incarnation(A, 10)], { timeline: 2 }),
      reason: /timeline was 1, and is 2/,
    },
    {
      title: 'marker of before, that nobody was certain of',
      state: state([incarnation(A, 9), incarnation(B, 20, { isCertain: false })]),
      reason: /marker/,
    },
  ])('was set back for certain, by its $title', ({ state: it, reason }) => {
    const finding = findSetBack(it, remembered);
    expect(finding?.isCertain).toBe(true);
    expect(finding?.reason).toMatch(reason);
  });

  it('may have been set back when nobody remembers it, and something is published', () => {
    expect(findSetBack(state([incarnation(A, 10)]), undefined)).toMatchObject({ isCertain: false });
    expect(findSetBack(state([incarnation(A, 10)], { hasOthers: true }), undefined)).toBeUndefined();
    expect(findSetBack(state([incarnation(A, 10)], { hasPublications: false }), undefined)).toBeUndefined();
  });
});

describe('a serial line (RFC 1982)', () => {
  const input = {
    last: 100,
    ready: 100,
    seen: [{ peer: 'a', serial: 100 }],
    isSafe: true,
    policy: 'increment' as const,
    now: 1_800_000_000,
  };
  const seen = (...serials: (number | undefined)[]): { peer: string; serial: number | undefined }[] =>
    serials.map((serial, i) => ({ peer: `ns${i}`, serial }));

  test.each([
    ['stays where all peers serve what is published, or less', { seen: seen(100, 99) }, 'clear', null],
    ['goes past the greatest that is seen', { seen: seen(100, 107, 103) }, 'jumped', 107],
    [
      'goes past it across the end of the circle',
      { last: 4_294_967_290, ready: 4_294_967_290, seen: seen(5) },
      'jumped',
      5,
    ],
    [
      'gets a new publication where a peer serves what was given out and is not published',
      { ready: 99, seen: seen(100) },
      'jumped',
      100,
    ],
    [
      'that has given out nothing begins after what is seen',
      { last: null, ready: null, seen: seen(7, 9) },
      'jumped',
      9,
    ],
    ['moves by a margin where a peer is silent', { seen: seen(107, undefined) }, 'safe', 107 + SAFE_JUMP],
    ['moves by a margin where there are no peers', { seen: seen() }, 'safe', 100 + SAFE_JUMP],
    [
      'moves to now where serials tell the time',
      { policy: 'unixtime' as const, seen: seen() },
      'safe',
      1_800_000_000,
    ],
    [
      'that is ahead of the clock moves by a margin',
      { policy: 'unixtime' as const, last: 2_026_112_500, seen: seen(undefined) },
      'safe',
      2_026_112_500 + SAFE_JUMP,
    ],
    [
      'stays where nobody answers and nothing is known to be lost',
      { isSafe: false, seen: seen(undefined) },
      'clear',
      null,
    ],
    ['cannot get past what is half the circle away', { seen: seen(100 + 2 ** 31) }, 'apart', null],
  ])('%s', (_, more, kind, past) => {
    expect(jumpOf({ ...input, ...more })).toMatchObject({ kind, past });
  });

  it('tells of what is half the circle away', () => {
    expect(jumpOf({ ...input, seen: seen(100 + 2 ** 31, 101) })).toEqual({
      kind: 'jumped',
      past: 101,
      apart: 100 + 2 ** 31,
    });
  });
});
