import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type KeeperOptions, PublicationKeeper } from '../../src/publication/keeper.js';
import { FixedClock, ListLog, NOW } from '../transfer/fixture.js';

const POLL = 5;
const PATIENCE = 10;

/** A promise that is settled from outside: a server that has gone without a word, until it is back. */
function silence<T>(): { readonly promise: Promise<T>; end(value: T): void; fail(error: Error): void } {
  let end: (value: T) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  return { promise, end, fail };
}

let log: ListLog;

beforeEach(() => {
  vi.useFakeTimers();
  log = new ListLog();
});

afterEach(() => {
  vi.useRealTimers();
});

function keeperWith(
  work: Partial<Pick<KeeperOptions, 'databaseTime' | 'refresh'>> & {
    readonly makeDue?: () => Promise<number>;
  },
): PublicationKeeper {
  return new PublicationKeeper({
    manager: { makeDue: work.makeDue ?? (() => Promise.resolve(0)), forget: () => undefined },
    databaseTime: work.databaseTime ?? (() => Promise.resolve(NOW)),
    refresh: work.refresh ?? (() => Promise.resolve()),
    clock: new FixedClock(),
    log,
    pollSeconds: POLL,
    patienceSeconds: PATIENCE,
    skewSeconds: 5,
  });
}

const FAILED = 'not all that is due could be done; what is ready is served';
const MENDED = 'what is due can be done again';

describe('a database that does not answer', () => {
  it('is a fault as soon as one piece of work fails, while the next still waits', async () => {
    const waiting = silence<void>();
    const keeper = keeperWith({
      databaseTime: () => Promise.reject(new Error('no answer')),
      refresh: () => waiting.promise,
    });
    const round = keeper.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(keeper.fault).toBe('no answer');
    expect(log.messages()).toEqual([FAILED]);
    waiting.end();
    await round;
    expect(keeper.fault).toBe('no answer');
    await keeper.close();
  });

  it('is a fault when a round takes longer than two polls and a connection may take', async () => {
    const waiting = silence<number>();
    const keeper = keeperWith({ makeDue: () => waiting.promise });
    void keeper.start();
    await vi.advanceTimersByTimeAsync((2 * POLL + PATIENCE) * 1000 - 1);
    expect(keeper.fault).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(keeper.fault).toBe('a round has not ended after 20 s; see whether the database answers');
    expect(log.lines).toEqual([{ level: 'error', fields: { reason: keeper.fault }, message: FAILED }]);
    waiting.fail(new Error('query read timeout'));
    await vi.advanceTimersByTimeAsync(0);
    expect(keeper.fault).toBe('query read timeout');
    await keeper.close();
    expect(log.messages()).toEqual([FAILED]);
  });

  it('is none any more when the round that hung is done after all', async () => {
    const waiting = silence<number>();
    const keeper = keeperWith({ makeDue: () => waiting.promise });
    void keeper.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(keeper.fault).toBeDefined();
    waiting.end(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(keeper.fault).toBeUndefined();
    expect(log.messages()).toEqual([FAILED, MENDED]);
    await keeper.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(keeper.fault).toBeUndefined();
  });
});

it('what cannot be done does not keep the rest from being done, and the next round tells that it can', async () => {
  let reads = 0;
  const makeDue = vi.fn(() => Promise.resolve(0));
  const refresh = (): Promise<void> =>
    reads++ === 0 ? Promise.reject(new Error('no keys')) : Promise.resolve();
  const keeper = keeperWith({ refresh, makeDue });
  await keeper.start();
  expect([makeDue.mock.calls.length, keeper.fault]).toEqual([1, 'no keys']);
  await vi.advanceTimersByTimeAsync(POLL * 1000);
  expect([makeDue.mock.calls.length, keeper.fault]).toEqual([2, undefined]);
  expect(log.messages()).toEqual([FAILED, MENDED]);
  await keeper.close();
});

describe('a round', () => {
  it('comes at once when more may be due, one after another', async () => {
    let rounds = 0;
    const waiting = silence<number>();
    const keeper = keeperWith({ makeDue: () => (++rounds === 2 ? waiting.promise : Promise.resolve(0)) });
    await keeper.start();
    expect(rounds).toBe(1);
    keeper.again();
    await vi.advanceTimersByTimeAsync(0);
    expect(rounds).toBe(2);
    keeper.again();
    keeper.again();
    await vi.advanceTimersByTimeAsync(0);
    expect(rounds).toBe(2);
    waiting.end(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(rounds).toBe(3);
    await keeper.close();
    keeper.again();
    await vi.advanceTimersByTimeAsync(0);
    expect(rounds).toBe(3);
  });
});
