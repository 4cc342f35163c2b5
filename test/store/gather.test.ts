import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Gather } from '../../src/store/gather.js';

/** A database of which each statement is answered when the test says so. */
class Statements {
  readonly asked: (readonly number[])[] = [];
  readonly #open: { resolve: (answers: number[]) => void; reject: (error: Error) => void }[] = [];

  readonly ask = (questions: readonly number[]): Promise<number[]> => {
    this.asked.push(questions);
    return new Promise((resolve, reject) => this.#open.push({ resolve, reject }));
  };

  answer(): void {
    const questions = this.asked[this.asked.length - this.#open.length] as readonly number[];
    this.#open.shift()?.resolve(questions.map((it) => it * 10));
  }

  fail(error: Error): void {
    this.#open.shift()?.reject(error);
  }

  async begun(count: number): Promise<void> {
    for (let i = 0; i < 1000 && this.asked.length < count; i++) await sleep(1);
    expect(this.asked).toHaveLength(count);
  }
}

const FOREVER = 1_000_000;

describe('questions that come together', () => {
  it('go with one statement; what comes while it is under way, with the next, and never with it', async () => {
    const statements = new Statements();
    const gather = new Gather(statements.ask, { together: 100, waiting: 100, patienceMs: FOREVER });
    const first = [1, 2].map((it) => gather.get(it));
    await statements.begun(1);
    const later = [3, 4, 5].map((it) => gather.get(it));
    await sleep(5);
    expect(statements.asked).toEqual([[1, 2]]);
    expect(gather.waiting).toBe(3);
    statements.answer();
    expect(await Promise.all(first)).toEqual([10, 20]);
    await statements.begun(2);
    expect(statements.asked[1]).toEqual([3, 4, 5]);
    statements.answer();
    expect(await Promise.all(later)).toEqual([30, 40, 50]);
    expect(gather.waiting).toBe(0);
  });

  it('are no more at once than is said, in the order in which they came', async () => {
    const statements = new Statements();
    const gather = new Gather(statements.ask, { together: 2, waiting: 100, patienceMs: FOREVER });
    const answers = [1, 2, 3, 4, 5].map((it) => gather.get(it));
    for (let i = 1; i <= 3; i++) {
      await statements.begun(i);
      statements.answer();
    }
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50]);
    expect(statements.asked).toEqual([[1, 2], [3, 4], [5]]);
  });

  it('fail together, and those after them do not', async () => {
    const statements = new Statements();
    const gather = new Gather(statements.ask, { together: 100, waiting: 100, patienceMs: FOREVER });
    const failed = [1, 2].map((it) => gather.get(it).catch((error: Error) => error.message));
    await statements.begun(1);
    const later = gather.get(3);
    statements.fail(new Error('away'));
    expect(await Promise.all(failed)).toEqual(['away', 'away']);
    await statements.begun(2);
    statements.answer();
    expect(await later).toBe(30);
  });

  it('do not wait for a statement that hangs; but no more than four are under way', async () => {
    const statements = new Statements();
    const gather = new Gather(statements.ask, { together: 1, waiting: 100, patienceMs: 1 });
    const answers = [1, 2, 3, 4, 5, 6].map((it) => gather.get(it));
    await statements.begun(4);
    await sleep(20);
    expect(statements.asked).toHaveLength(4);
    for (let i = 0; i < 4; i++) statements.answer();
    await statements.begun(6);
    statements.answer();
    statements.answer();
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50, 60]);
  });

  it('are refused when too many wait', async () => {
    const statements = new Statements();
    const gather = new Gather(statements.ask, { together: 1, waiting: 2, patienceMs: FOREVER });
    const first = gather.get(1);
    await statements.begun(1);
    const waiting = [2, 3].map((it) => gather.get(it));
    await expect(gather.get(4)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    for (let i = 1; i <= 3; i++) {
      await statements.begun(i);
      statements.answer();
    }
    expect(await Promise.all([first, ...waiting])).toEqual([10, 20, 30]);
  });
});
