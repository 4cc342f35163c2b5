import { describe, expect, it } from 'vitest';
import { GiveWay } from '../src/give-way.js';

/** Milliseconds that a pause takes after a piece of work of so many. */
async function paused(way: GiveWay, ms: number): Promise<number> {
  const begun = performance.now();
  await way.after(ms);
  return performance.now() - begun;
}

/** One that has found the thread busy. */
function busy(): GiveWay {
  let time = 0;
  const way = new GiveWay(
    () => 1,
    () => time,
  );
  time = 600;
  return way;
}

describe('work that gives way', () => {
  it('pauses nine times as long as it took while the thread is busy', async () => {
    let time = 0;
    let utilization = 1;
    const way = new GiveWay(
      () => utilization,
      () => time,
    );
    // it is not known yet
    expect(await paused(way, 10_000)).toBeLessThan(400);
    time = 600;
    expect(await paused(way, 10)).toBeGreaterThanOrEqual(85);
    utilization = 0.5;
    time = 1000;
    // judged over half a second, not at each piece
    expect(await paused(way, 10)).toBeGreaterThanOrEqual(85);
    time = 1200;
    expect(await paused(way, 10_000)).toBeLessThan(400);
  });

  it('pauses for each of several pieces that were under way together', async () => {
    const way = busy();
    const pauses = await Promise.all(Array.from({ length: 4 }, () => paused(way, 5)));
    expect(pauses.map((ms, i) => ms >= 45 * (i + 1) - 5)).toEqual([true, true, true, true]);
  });

  it('pauses no longer when it is closed', async () => {
    const way = busy();
    const pause = paused(way, 10_000);
    way.close();
    expect(await pause).toBeLessThan(400);
    expect(await paused(way, 10_000)).toBeLessThan(400);
  });
});
