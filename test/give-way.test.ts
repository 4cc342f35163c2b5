import { describe, expect, it } from 'vitest';
import { GiveWay } from '../src/give-way.js';

/** Milliseconds that a pause takes after a piece of work of so many. */
async function paused(way: GiveWay, ms: number): Promise<number> {
  const begun = performance.now();
  await way.after(ms);
  return performance.now() - begun;
}

describe('work that gives way', () => {
  it('pauses nine times as long as it took while the thread is busy, half a second at the most', async () => {
    let now = 0;
    let utilization = 1;
    const way = new GiveWay(
      () => utilization,
      () => now,
    );
    // it is not known yet
    expect(await paused(way, 10_000)).toBeLessThan(400);
    now = 600;
    expect(await paused(way, 10)).toBeGreaterThanOrEqual(85);
    expect(await paused(way, 10_000)).toBeGreaterThanOrEqual(490);
    utilization = 0.5;
    // judged over half a second, not at each piece
    expect(await paused(way, 10)).toBeGreaterThanOrEqual(85);
    now = 1200;
    expect(await paused(way, 10_000)).toBeLessThan(400);
  });
});
