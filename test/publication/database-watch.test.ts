import { beforeEach, describe, expect, it } from 'vitest';
import { DatabaseWatch } from '../../src/publication/database-watch.js';
import type {
  DatabaseState,
  Finding,
  Incarnation,
  LineOutcome,
  Remembered,
  ServedSerial,
} from '../../src/publication/recovery-ports.js';

const noLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const A = 'aaaaaaaa-0000-4000-8000-000000000000';

/** A database as far as recovery looks at it. */
class FakeDatabase {
  incarnations: Incarnation[] = [
    { incarnation: A, marker: 10, isCurrent: true, isCertain: true, systemIdentifier: '1', timeline: 1 },
  ];
  timeline = 1;
  hasOthers = true;
  looks = 0;
  readonly pushed: ServedSerial[] = [];
  fault: Error | undefined;

  get current(): Incarnation {
    return this.incarnations.at(-1) as Incarnation;
  }

  standing(): Remembered & { sameServer: boolean } {
    return { ...this.current, sameServer: this.current.timeline === this.timeline };
  }

  beat(remembered: Remembered): Promise<number | undefined> {
    const { current } = this;
    if (current.incarnation !== remembered.incarnation || current.marker < remembered.marker) {
      return Promise.resolve(undefined);
    }
    this.incarnations = [{ ...current, marker: current.marker + 1 }];
    return Promise.resolve(current.marker + 1);
  }

  look(_: string, rule: (state: DatabaseState) => Finding | undefined) {
    this.looks++;
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const { incarnations, timeline, hasOthers } = this;
    const began = rule({ incarnations, timeline, systemIdentifier: '1', hasPublications: true, hasOthers });
    if (began !== undefined) {
      const id = `bbbbbbbb-0000-4000-8000-00000000000${incarnations.length}`;
      const { isCertain } = began;
      const marker = this.current.marker + 1;
      this.incarnations = [
        ...incarnations,
        { ...this.current, incarnation: id, timeline, isCertain, marker },
      ];
    }
    return Promise.resolve({ current: this.current, began });
  }

  pushServed(serials: readonly ServedSerial[]): Promise<LineOutcome[]> {
    this.pushed.push(...serials);
    return Promise.resolve([]);
  }
}

describe('a gateway', () => {
  let database: FakeDatabase;
  let file: Remembered | undefined;
  let served: ServedSerial[];
  let incarnations: string[];

  const open = (): DatabaseWatch =>
    new DatabaseWatch({
      store: database,
      gateway: 'g1',
      read: () => Promise.resolve(file),
      write: (remembered) => {
        file = remembered;
        return Promise.resolve();
      },
      takeServed: () => served.splice(0),
      onIncarnation: ({ incarnation }) => void incarnations.push(incarnation),
      log: noLog,
    });

  beforeEach(() => {
    database = new FakeDatabase();
    file = undefined;
    served = [{ zone: 'a.', view: 'v', serial: 7 }];
    incarnations = [];
  });

  /** What a statement of the store does. */
  const ask = (watch: DatabaseWatch): Promise<string> =>
    watch.trusting(async () => {
      await Promise.resolve();
      watch.check(database.standing());
      return 'answer';
    });

  it('looks at the database before it uses what it says, once for however many ask', async () => {
    const watch = open();
    expect(await Promise.all([ask(watch), ask(watch), ask(watch)])).toEqual(['answer', 'answer', 'answer']);
    expect(database.looks).toBe(1);
    expect(watch.noticed).toBe(0);
    expect(served).toHaveLength(1);
    expect(file).toEqual({ incarnation: A, marker: 10 });
  });

  it('that remembers a later marker begins a new incarnation, and tells the database what it served', async () => {
    file = { incarnation: A, marker: 11 };
    const watch = open();
    await ask(watch);
    expect(database.current).toMatchObject({ isCertain: true });
    expect(database.pushed).toEqual([{ zone: 'a.', view: 'v', serial: 7 }]);
    expect(served).toEqual([]);
    expect(watch.noticed).toBe(1);
    expect(incarnations).toEqual([database.current.incarnation]);
    expect(file?.incarnation).toBe(database.current.incarnation);
  });

  it('notices another timeline with the next statement', async () => {
    const watch = open();
    await ask(watch);
    database.timeline = 2;
    await ask(watch);
    expect(watch.noticed).toBe(1);
    await ask(watch);
    expect(watch.noticed).toBe(1);
  });

  it('takes over what another one noticed, with the serials that it served itself', async () => {
    const watch = open();
    await ask(watch);
    const other = { ...database.current, incarnation: 'cccccccc-0000-4000-8000-000000000000', marker: 4 };
    database.incarnations = [{ ...database.current, marker: 3 }, other];
    await ask(watch);
    expect(database.current).toBe(other);
    expect(database.pushed).toHaveLength(1);
    expect(watch.noticed).toBe(1);
  });

  it('forgets no serial when the database goes away in the middle', async () => {
    const watch = open();
    await ask(watch);
    database.timeline = 2;
    const push = database.pushServed.bind(database);
    database.pushServed = () => Promise.reject(new Error('away'));
    await expect(ask(watch)).rejects.toThrow('away');
    database.pushServed = push;
    await ask(watch);
    expect(database.pushed).toEqual([{ zone: 'a.', view: 'v', serial: 7 }]);
  });

  it('moves the marker on, and looks where that cannot be done', async () => {
    const watch = open();
    await watch.beat();
    expect(database.looks).toBe(1);
    database.incarnations = [{ ...database.current, marker: 9 }];
    await expect(ask(watch)).resolves.toBe('answer');
    expect(watch.noticed).toBe(1);
  });

  it('that has served more of a line than the database has knows that it was set back', async () => {
    const watch = open();
    await ask(watch);
    served = [];
    await expect(watch.report({ zone: 'b.', view: 'v', serial: 9 })).rejects.toMatchObject({
      code: 'DATABASE_SET_BACK',
    });
    expect(database.pushed).toEqual([{ zone: 'b.', view: 'v', serial: 9 }]);
    expect(database.current.isCertain).toBe(true);
  });
});
