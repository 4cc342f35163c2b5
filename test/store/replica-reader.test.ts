import { describe, expect, it } from 'vitest';
import { ZonesealError } from '../../src/errors.js';
import { Database } from '../../src/store/database.js';
import { ReplicaReader, type ReplicaReaderOptions } from '../../src/store/replica-reader.js';

/** The rows of a database that answers by a list, one entry a statement; what throws is an answer as well. */
class AnsweringDatabase extends Database {
  readonly asked: (readonly unknown[])[] = [];
  readonly #answers: (readonly object[] | Error)[];

  constructor(answers: readonly (readonly object[] | Error)[]) {
    super({ url: 'postgres://nobody@127.0.0.1:1/none' });
    this.#answers = [...answers];
  }

  override query<Row extends object>(_text: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.asked.push(values);
    const answer = this.#answers.shift() ?? new Error('more was asked than expected');
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as Row[]);
  }
}

class SilentDatabase extends AnsweringDatabase {
  override query<Row extends object>(): Promise<Row[]> {
    return new Promise<Row[]>(() => undefined);
  }
}

const part = (text: string): object => ({ reached: true, content: Buffer.from(text) });
const END = [{ reached: true, content: null }];
const BEHIND = [{ reached: false, content: null }];

function failure(state: string): ZonesealError {
  return new ZonesealError('DATABASE_CONFLICT', 'canceling statement due to conflict with recovery', {
    state,
  });
}

async function journalOf(
  replica: AnsweringDatabase,
  primary: AnsweringDatabase,
  more: Partial<ReplicaReaderOptions> = {},
): Promise<{ reader: ReplicaReader; read: () => Promise<string[]> }> {
  const reader = new ReplicaReader({ primary, replica, incarnation: () => 'i', ...more });
  const read = async (): Promise<string[]> => {
    const parts: string[] = [];
    for await (const it of reader.readJournal('7', true)) parts.push(Buffer.from(it).toString());
    return parts;
  };
  await Promise.resolve();
  return { reader, read };
}

describe('a journal', () => {
  it('is read from a replica that has its publication', async () => {
    const replica = new AnsweringDatabase([[part('a')], [part('b')], END]);
    const { reader, read } = await journalOf(replica, new AnsweringDatabase([]));
    expect(await read()).toEqual(['a', 'b']);
    expect(reader.counts).toEqual({ replica: 1, behind: 0, away: 0, cancelled: 0 });
    expect(replica.asked).toEqual([
      ['7', true, 0, 'i'],
      ['7', true, 1, 'i'],
      ['7', true, 2, 'i'],
    ]);
  });

  it('is read from the primary where the replica is behind', async () => {
    const primary = new AnsweringDatabase([[part('a')], []]);
    const { reader, read } = await journalOf(new AnsweringDatabase([BEHIND]), primary);
    expect(await read()).toEqual(['a']);
    expect(reader.counts.behind).toBe(1);
  });

  it.each(['40001', '57014'])('goes on from the primary where the replica cancels (%s)', async (state) => {
    const primary = new AnsweringDatabase([[part('b')], []]);
    const { reader, read } = await journalOf(
      new AnsweringDatabase([[part('a')], failure(state), END]),
      primary,
    );
    expect(await read()).toEqual(['a', 'b']);
    expect(reader.counts).toEqual({ replica: 0, behind: 0, away: 0, cancelled: 1 });
    expect(primary.asked[0]).toEqual(['7', true, 1]);
    // it is asked again the next time
    expect(await journalOf(new AnsweringDatabase([END]), primary).then((it) => it.read())).toEqual([]);
  });

  it('leaves a replica that is away alone for a while', async () => {
    const away = new ZonesealError('DATABASE_UNAVAILABLE', 'no connection');
    const replica = new AnsweringDatabase([away, END]);
    const primary = new AnsweringDatabase([[], [], []]);
    const { reader, read } = await journalOf(replica, primary, { pauseMs: 50 });
    await read();
    await read();
    expect(replica.asked).toHaveLength(1);
    expect(reader.counts.away).toBe(2);
    await new Promise((resolve) => {
      setTimeout(resolve, 60);
    });
    await read();
    expect(reader.counts.replica).toBe(1);
  });

  it('does not wait for a replica that says nothing', async () => {
    const primary = new AnsweringDatabase([[part('a')], []]);
    const { reader, read } = await journalOf(new SilentDatabase([]), primary, { patienceMs: 20 });
    expect(await read()).toEqual(['a']);
    expect(reader.counts.away).toBe(1);
  });

  it('is read from the primary while it is not known which database is trusted', async () => {
    const primary = new AnsweringDatabase([[part('a')], []]);
    const options = { incarnation: () => undefined };
    const { reader, read } = await journalOf(new AnsweringDatabase([]), primary, options);
    expect(await read()).toEqual(['a']);
    expect(reader.counts.behind).toBe(1);
  });
});

describe('pages', () => {
  const page = (key: number): object => ({
    reached: true,
    chain: false,
    first_key: Buffer.of(key),
    since: 1,
    chained: true,
    content: Buffer.of(key),
    next_key: null,
  });

  it('go on from the primary behind the last one of the replica', async () => {
    const batch = Array.from({ length: 40 }, (_, i) => page(i));
    const replica = new AnsweringDatabase([batch, failure('40001')]);
    const primary = new AnsweringDatabase([[page(40)]]);
    const reader = new ReplicaReader({ primary, replica, incarnation: () => 'i' });
    const keys: number[] = [];
    for await (const pages of reader.readPages({ id: '7', generation: '7' }, false)) {
      keys.push(...pages.map(({ firstKey }) => firstKey[0] as number));
    }
    expect(keys).toEqual(Array.from({ length: 41 }, (_, i) => i));
    expect(primary.asked).toEqual([['7', '7', false, Buffer.of(39)]]);
  });
});

describe('pages of publications that have few', () => {
  const of = (id: string) => ({ id, generation: id });
  const row = (i: number, key: string | null): object => ({
    i,
    chain: false,
    first_key: key && Buffer.from(key),
    since: 1,
    chained: true,
    expires: null,
    content: key && Buffer.from(key),
    next_key: null,
  });
  const shown = (all: readonly (readonly { readonly content: Uint8Array }[] | undefined)[]): unknown =>
    all.map((pages) => pages?.map(({ content }) => Buffer.from(content).toString()));

  it('are read from a replica that has them all ready, those of one without pages too', async () => {
    const replica = new AnsweringDatabase([[row(1, 'a'), row(1, 'b'), row(2, null), row(3, 'c')]]);
    const reader = new ReplicaReader({ primary: new AnsweringDatabase([]), replica, incarnation: () => 'i' });
    expect(shown(await reader.readFewPages([of('7'), of('8'), of('9')]))).toEqual([['a', 'b'], [], ['c']]);
    expect(replica.asked).toEqual([[['7', '8', '9'], ['7', '8', '9'], 'i']]);
    expect(reader.counts).toEqual({ replica: 1, behind: 0, away: 0, cancelled: 0 });
  });

  it.each([
    ['is behind with one of them', [row(1, 'a')], 'behind'],
    ['cancels', failure('40001'), 'cancelled'],
    ['is away', new ZonesealError('DATABASE_UNAVAILABLE', 'no connection'), 'away'],
  ] as const)('are read from the primary where the replica %s', async (_, answer, count) => {
    const replica = new AnsweringDatabase([answer]);
    const primary = new AnsweringDatabase([[row(1, 'a'), row(2, 'b')]]);
    const reader = new ReplicaReader({ primary, replica, incarnation: () => 'i' });
    expect(shown(await reader.readFewPages([of('7'), of('8')]))).toEqual([['a'], ['b']]);
    expect(primary.asked).toEqual([
      [
        ['7', '8'],
        ['7', '8'],
      ],
    ]);
    expect(reader.counts).toEqual({ replica: 0, behind: 0, away: 0, cancelled: 0, [count]: 1 });
  });
});
