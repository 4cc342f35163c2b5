import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type SlotClaim, Slots } from '../../src/publication/slots.js';

/** Has claims wait for one slot, which goes round; returns in which order they had it. */
async function orderOf(
  claims: readonly SlotClaim[],
  meanwhile: () => void = () => undefined,
): Promise<number[]> {
  const slots = new Slots(1);
  const first = await slots.take();
  const order: number[] = [];
  const all = claims.map(async (claim, i) => {
    const release = await slots.take(claim);
    order.push(i);
    await turn();
    release();
  });
  await turn();
  expect(slots.waiting).toBe(claims.length);
  meanwhile();
  first();
  await Promise.all(all);
  expect(slots.waiting).toBe(0);
  return order;
}

const claim = (isUrgent: boolean): SlotClaim => ({ isUrgent });

describe('slots', () => {
  it('go to those that a client waits for first, in order otherwise', async () => {
    expect(await orderOf([false, false, true, false, true].map(claim))).toEqual([2, 4, 0, 1, 3]);
  });

  it('go first to what became urgent while it waited', async () => {
    const claims = [false, false, false].map(claim);
    const urge = (): void => {
      (claims[2] as SlotClaim).isUrgent = true;
    };
    expect(await orderOf(claims, urge)).toEqual([2, 0, 1]);
  });

  it('go to what nobody waits for as well, however many clients come', async () => {
    const order = await orderOf([claim(false), ...Array.from({ length: 30 }, () => claim(true))]);
    expect(order.indexOf(0)).toBe(7);
  });

  it('are given back once', async () => {
    const slots = new Slots(1);
    const release = await slots.take();
    release();
    release();
    await slots.take();
    void slots.take();
    await turn();
    expect(slots.waiting).toBe(1);
  });
});
