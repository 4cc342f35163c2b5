import { describe, expect, it } from 'vitest';
import { aimsOf } from '../../bench/aims.js';
import { readSpeed } from '../../bench/control.js';
import { compared, distribution, judgeRows, median, quantile, row, spread } from '../../bench/rows.js';

describe('what is told of several measurements', () => {
  it('the median is the middle one, or half-way between the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([7])).toBe(7);
    expect(median([])).toBeNaN();
  });

  it('quartiles and the spread do not depend on the order', () => {
    const numbers = [8, 1, 7, 2, 6, 3, 5, 4];
    expect([0.25, 0.75, 0.99].map((part) => quantile(numbers, part))).toEqual([3, 7, 8]);
    expect(spread(numbers)).toEqual([1, 8]);
    expect(numbers[0]).toBe(8);
  });

  it('a distribution ends at the greatest with all of them', () => {
    expect(distribution([30, 10, 20, 40])).toEqual([
      [10, 25],
      [20, 50],
      [30, 75],
      [40, 100],
    ]);
    const many = distribution(
      Array.from({ length: 1000 }, (_, i) => i),
      50,
    );
    expect(many).toHaveLength(50);
    expect(many.at(-1)).toEqual([999, 100]);
  });
});

describe('rows', () => {
  it('the ratio is that of the medians', () => {
    const one = compared('x', 's', [4, 2, 3], { peer: 'p', theirs: [1, 2], aim: 'cold-knot' });
    expect(one).toMatchObject({ value: 3, peerValue: 1.5, ratio: 2, spread: [2, 4], peerSpread: [1, 2] });
  });

  it('without a peer, or with one that took nothing, there is no ratio', () => {
    expect(row('x', 1, 's', 'p', 0).ratio).toBeUndefined();
    expect(compared('x', 's', [1], { peer: 'p', theirs: [] }).ratio).toBeUndefined();
  });

  it('each aim of the benchmarks that ran has a row, measured or not', () => {
    const benchmarks = ['cold', 'scale', 'held'];
    const rows = judgeRows([{ ...row('x', 4, '%'), aim: 'held-cpu' }], { benchmarks, quick: true });
    expect(rows).toHaveLength(aimsOf(benchmarks).length);
    expect(rows.filter(({ aim }) => aim === null)).toEqual([]);
    expect(rows.filter(({ value }) => value !== null)).toMatchObject([{ name: 'x', met: true, quick: true }]);
    expect(rows.filter(({ value }) => value === null).every(({ met }) => met === null)).toBe(true);
  });

  it('what is not a number is null, as JSON has no other word for it', () => {
    const [one] = judgeRows([{ ...row('x', Number.NaN, 'MB'), aim: 'peak-memory' }], {
      benchmarks: [],
      quick: false,
    });
    expect(one).toMatchObject({ value: null, ratio: null, met: null });
  });
});

it('openssl speed: rates are added up, and so is the time to sign and to verify', () => {
  const one = '+DTP:256:sign:ecdsa:1\n+R5:22714:256:0.67\n+R6:6534:256:0.57\n+F4:3:256:30000.0:11463.1\n';
  const two = '+R8:2114:253:Ed25519:1.01\n+R9:1020:253:Ed25519:1.00\n+F6:0:253:Ed25519:10000.5:1795.0\n';
  const { perSecond, cpuSeconds, told } = readSpeed(one + two);
  expect(perSecond).toBe(40_000.5);
  expect(cpuSeconds).toBe(2 / 40_000.5);
  expect(told).toBeCloseTo(3.25);
});
