import { describe, expect, it } from 'vitest';
import { AIMS, type Aim, type AimId, aimsOf, aimText, judge } from '../../bench/aims.js';

const ids = Object.keys(AIMS) as AimId[];

describe('an aim is judged by what it is of', () => {
  it.each<[AimId, { value: number; ratio?: number }, boolean | undefined]>([
    ['cold-knot', { value: 99, ratio: 0.8 }, true],
    ['cold-knot', { value: 0.1, ratio: 0.81 }, false],
    ['peak-memory', { value: 399.9, ratio: 50 }, true],
    ['peak-memory', { value: 400 }, false],
    ['small-started', { value: 1, ratio: 20 }, true],
    ['small-started', { value: 1e9, ratio: 19.9 }, false],
    ['import', { value: 100_000 }, true],
    ['control-steady', { value: 1, ratio: 0.91 }, true],
    ['control-steady', { value: 1, ratio: 1.11 }, false],
    ['control-steady', { value: 1, ratio: 0.89 }, false],
  ])('%s with %o: %s', (id, figure, met) => {
    expect(judge(id, figure)).toBe(met);
  });

  it('what is missing is not judged', () => {
    expect(judge('cold-knot', { value: 1 })).toBeUndefined();
    expect(judge('cold-knot', { value: 1, ratio: Number.NaN })).toBeUndefined();
    expect(judge('peak-memory', { value: Number.NaN })).toBeUndefined();
  });
});

it('each aim says in words what is to be reached, and of whose figure', () => {
  for (const id of ids) {
    const { of, peer, unit }: Aim = AIMS[id];
    expect(aimText(id)).toContain(of === 'ratio' ? peer : unit);
  }
  expect(aimText('import')).toBe('at least 100,000 RRs/s');
  expect(aimText('cold-ldns')).toBe('at most 0.55 times ldns-signzone');
  expect(aimText('control-steady')).toBe('within 10 % of at the start');
});

it('the benchmarks together have all aims, each one of them once', () => {
  const benchmarks = [...new Set(ids.map((id) => AIMS[id].benchmark))];
  expect(benchmarks.flatMap((name) => aimsOf([name])).sort()).toEqual([...ids].sort());
});
