import { getHeapSpaceStatistics } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleMemory, ownMemory } from '../src/idle-memory.js';

const MB = 1024 * 1024;
/** Five looks. */
const REST_MS = 10_000;
const GIVEN_BACK = ['young', 'all', 'all'];

describe('memory that a gateway at rest does not need', () => {
  let work: number;
  /** The part of the time that collecting took. */
  let collecting: number;
  let heap: number;
  let collected: string[];
  let memory: IdleMemory;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    work = 0;
    collecting = 0;
    heap = 300 * MB;
    collected = [];
    memory = new IdleMemory({
      work: () => {
        const worked = work + collecting;
        collecting = 0;
        return worked;
      },
      heapOctets: () => heap,
      collectYoung: () => collected.push('young'),
      collectAll: () => {
        collected.push('all');
        collecting = 0.3;
        heap = 100 * MB;
      },
    });
  });

  afterEach(() => {
    memory.close();
    vi.useRealTimers();
  });

  it('is given back once, and again when the heap has grown', () => {
    vi.advanceTimersByTime(REST_MS);
    expect(collected).toEqual(GIVEN_BACK);
    heap = 140 * MB;
    vi.advanceTimersByTime(10 * REST_MS);
    expect(collected).toHaveLength(3);
    heap = 142 * MB;
    vi.advanceTimersByTime(10 * REST_MS);
    expect(collected).toEqual([...GIVEN_BACK, ...GIVEN_BACK]);
  });

  it('is left alone while there is work, and where that has only paused', () => {
    work = 0.2;
    vi.advanceTimersByTime(REST_MS);
    expect(collected).toEqual([]);
    work = 0;
    vi.advanceTimersByTime(REST_MS / 2);
    work = 0.2;
    vi.advanceTimersByTime(REST_MS);
    expect(collected).toEqual(['young']);
  });

  it('is left alone after the end', () => {
    memory.close();
    vi.advanceTimersByTime(REST_MS);
    expect(collected).toEqual([]);
  });
});

describe("this process's memory", () => {
  it('is rid of garbage, young and old, by what no code has a name for', async () => {
    const { heapOctets, collectYoung, collectAll, work } = ownMemory();
    const garbage = new WeakRef(Array.from({ length: 100_000 }, (_, i) => [i]));
    // what a WeakRef was made of lives to the end of the turn
    await new Promise(setImmediate);
    const before = youngOctets();
    collectYoung();
    expect(youngOctets()).toBeLessThan(before);
    collectAll();
    expect(garbage.deref()).toBeUndefined();
    expect('gc' in globalThis).toBe(false);
    expect(heapOctets()).toBeGreaterThan(MB);
    expect(work()).toBeGreaterThan(0);
    expect(work()).toBeLessThanOrEqual(1);
  });
});

function youngOctets(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_used_size ?? 0;
}
