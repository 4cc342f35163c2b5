import { describe, expect, it } from 'vitest';
import { readAhead } from '../../src/zone/batches.js';

/** Batches of one number each, and what was asked of them. */
function numbers(count: number, failAt = Number.POSITIVE_INFINITY) {
  const seen = { asked: 0, closed: 0 };
  async function* make(): AsyncGenerator<readonly number[], void, undefined> {
    try {
      for (let i = 0; i < count; i++) {
        seen.asked = i + 1;
        if (i === failAt) throw new Error(`no batch ${i}`);
        yield await Promise.resolve([i]);
      }
    } finally {
      seen.closed++;
    }
  }
  return { seen, batches: make() };
}

describe('batches that are read ahead', () => {
  it('come in order, one asked for before it is needed', async () => {
    const { seen, batches } = numbers(5);
    const got: number[] = [];
    for await (const [value] of readAhead(batches)) {
      await new Promise((resolve) => setImmediate(resolve));
      got.push(value as number);
      expect(seen.asked).toBe(Math.min(got.length + 1, 5));
    }
    expect(got).toEqual([0, 1, 2, 3, 4]);
    expect(seen.closed).toBe(1);
  });

  it('are not read ahead at their beginning where that is to come soon', async () => {
    const { seen, batches } = numbers(5);
    const asked: number[] = [];
    for await (const _ of readAhead(batches, 2)) {
      await new Promise((resolve) => setImmediate(resolve));
      asked.push(seen.asked);
    }
    expect(asked).toEqual([1, 2, 4, 5, 5]);
  });

  it('fail where the source does, after all that came before', async () => {
    const { seen, batches } = numbers(5, 2);
    const got: number[] = [];
    const read = async (): Promise<void> => {
      for await (const [value] of readAhead(batches)) {
        // the failure is there before anybody asks for it
        await new Promise((resolve) => setImmediate(resolve));
        got.push(value as number);
      }
    };
    await expect(read()).rejects.toThrow('no batch 2');
    expect(got).toEqual([0, 1]);
    expect(seen.closed).toBe(1);
  });

  it('end no sooner than a read that is under way, so that its connection is free then', async () => {
    let [reads, closed] = [0, false];
    async function* slow(): AsyncGenerator<readonly number[], void, undefined> {
      try {
        for (let i = 0; ; i++) {
          if (i > 0) await new Promise((resolve) => setTimeout(resolve, 50));
          reads++;
          yield [i];
        }
      } finally {
        closed = true;
      }
    }
    for await (const _ of readAhead(slow())) break;
    expect({ reads, closed }).toEqual({ reads: 2, closed: true });
  });

  it.each([1, 2, 5])('let their source go where the reader stops after %i', async (after) => {
    const { seen, batches } = numbers(5, 3);
    let count = 0;
    const read = async (): Promise<void> => {
      for await (const _ of readAhead(batches)) if (++count === after) return;
    };
    if (after < 4) await read();
    else await expect(read()).rejects.toThrow('no batch 3');
    expect(seen.closed).toBe(1);
    expect(await batches.next()).toEqual({ done: true, value: undefined });
  });
});
