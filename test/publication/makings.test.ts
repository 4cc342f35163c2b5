import { describe, expect, it } from 'vitest';
import { type Making, Makings } from '../../src/publication/makings.js';

const making: Promise<Making> = Promise.resolve({ image: undefined, done: Promise.resolve() });

/** What is being made, and how often there was room again. */
function begun(lines: number): { makings: Makings; state: { done: number; rooms: number } } {
  const state = { done: 0, rooms: 0 };
  const makings = new Makings(
    () => state.rooms++,
    () => state.done,
  );
  for (let i = 0; i < lines; i++) makings.begin(`${i}`, making, { isUrgent: false });
  return { makings, state };
}

describe('what is being made', () => {
  it('leaves no room for more than half the limit; who had to wait is told when it does', () => {
    const { makings, state } = begun(6);
    expect(makings.isFull(10)).toBe(true);
    expect(state.rooms).toBe(0);
    makings.end('0');
    expect(state.rooms).toBe(1);
    makings.end('1');
    expect(state.rooms).toBe(1);
    expect(makings.isFull(10)).toBe(false);
    makings.end('2');
    expect(state.rooms).toBe(1);
  });

  it('is followed by more that is due when it has come to something, and not when nothing comes of it', () => {
    const { makings, state } = begun(8);
    makings.wantMore(8);
    for (let i = 0; i < 8; i++) makings.end(`${i}`);
    expect(state.rooms).toBe(0); // nothing was made: one look would follow the other
    const next = begun(8);
    next.makings.wantMore(8);
    for (let i = 0; i < 8; i++) {
      next.state.done++;
      next.makings.end(`${i}`);
      expect(next.state.rooms).toBe(i < 3 ? 0 : 1);
    }
  });

  it('is joined by those who ask for the same, and is urgent when one of them is', async () => {
    const { makings } = begun(0);
    const claim = { isUrgent: false };
    makings.begin('a', making, claim);
    expect(makings.join('b', { isUrgent: true })).toBeUndefined();
    expect(makings.join('a', { isUrgent: false })).toBe(making);
    expect(claim.isUrgent).toBe(false);
    expect(makings.join('a', { isUrgent: true })).toBe(making);
    expect(makings.join('a', { isUrgent: false })).toBe(making);
    expect(claim.isUrgent).toBe(true);
    void making.then(() => makings.end('a'));
    await makings.settled();
    expect(makings.size).toBe(0);
  });
});
