import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TransferSlots } from '../../src/transfer/transfer-slots.js';

const forever = new AbortController().signal;

test('slots are given in turn', async () => {
  const slots = new TransferSlots(2, 10);
  const first = await slots.acquire(1000, forever);
  await slots.acquire(1000, forever);
  const order: number[] = [];
  const waiting = [1, 2].map(async (i) => {
    const slot = await slots.acquire(1000, forever);
    order.push(i);
    return slot;
  });
  await sleep(5);
  expect([slots.running, slots.waiting]).toEqual([2, 2]);
  first?.release();
  first?.release();
  const next = await waiting[0];
  expect([order, slots.running, slots.waiting]).toEqual([[1], 2, 1]);
  next?.release();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2]);
});

test('who waits too long, in too long a queue, or is gone, gets none', async () => {
  const slots = new TransferSlots(1, 2);
  const held = await slots.acquire(0, forever);
  expect(await slots.acquire(0, forever)).toBeUndefined();
  const gone = new AbortController();
  const waiting = [slots.acquire(20, forever), slots.acquire(1000, gone.signal)];
  expect(await slots.acquire(1000, forever)).toBeUndefined();
  gone.abort();
  expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  expect(await slots.acquire(1000, gone.signal)).toBeUndefined();
  expect([slots.running, slots.waiting]).toEqual([1, 0]);
  held?.release();
  expect(slots.running).toBe(0);
});
