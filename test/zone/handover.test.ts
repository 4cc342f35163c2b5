import { describe, expect, it } from 'vitest';
import { Handover } from '../../src/zone/handover.js';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a handover', () => {
  it('gives every value in order, to a reader that is slower or quicker', async () => {
    for (const [slowGiver, slowReader] of [
      [true, false],
      [false, true],
      [false, false],
    ]) {
      const handover = new Handover<number>();
      const read: number[] = [];
      const reading = (async () => {
        for await (const value of handover) {
          if (slowReader === true) await tick();
          read.push(value);
        }
      })();
      for (let i = 0; i < 50; i++) {
        if (slowGiver === true) await tick();
        await handover.give(i);
        expect(i - read.length).toBeLessThan(5);
      }
      handover.end();
      await reading;
      expect(read).toEqual(Array.from({ length: 50 }, (_, i) => i));
    }
  });

  it('waits for nobody who has left', async () => {
    const handover = new Handover<number>();
    const reading = (async () => {
      for await (const value of handover) if (value === 3) return;
    })();
    for (let i = 0; i < 50; i++) await handover.give(i);
    await reading;
  });

  it('ends a reader that waits', async () => {
    const handover = new Handover<number>();
    const reading = handover[Symbol.asyncIterator]().next();
    await tick();
    handover.end();
    expect(await reading).toEqual({ done: true, value: undefined });
  });
});
