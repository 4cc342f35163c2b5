import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RRType } from '../../src/dns/types.js';
import type { ImageReader } from '../../src/transfer/ports.js';
import { hosts, ManagerLab, readAll } from './manager-lab.js';

let lab: ManagerLab;

beforeEach(async () => {
  lab = await ManagerLab.open();
});

afterEach(() => lab.manager.close());

describe('a journal that is lost', () => {
  let serial: number;

  beforeEach(async () => {
    serial = await lab.publish(hosts(600));
    await lab.publish(hosts(600, 250));
  });

  async function expectWhole(): Promise<void> {
    expect(await lab.openDifference(serial)).toBeUndefined();
    expect((await lab.fetch()).at(-1)?.type).toBe(RRType.SOA);
    // what is served is not made anew for it
    expect(lab.store.publications).toHaveLength(2);
    expect(lab.logged.filter(({ level }) => level === 'error')).toEqual([]);
  }

  it('is no difference, and the newest publication stays as it is', async () => {
    expect(await readAll((await lab.openDifference(serial)) as ImageReader)).toHaveLength(
      2 * 250 * 2 + 2 * 3,
    );
    await setImmediate(); // the image is held
    lab.manager.makeRoom(Number.MAX_SAFE_INTEGER);
    lab.store.journals.clear();
    await expectWhole();
  });

  it('proves damaged in the middle: no closing SOA, and the whole zone from then on', async () => {
    const parts = lab.store.journals.get('2') ?? [];
    const at = parts.findLastIndex(({ added }) => added);
    const part = parts[at] as (typeof parts)[number];
    lab.store.journals.set('2', parts.with(at, { ...part, content: part.content.map(() => 0xff) }));
    const reader = (await lab.openDifference(serial)) as ImageReader;
    const messages = reader.messages()[Symbol.asyncIterator]();
    expect((await messages.next()).done).toBe(false);
    const follow = async (): Promise<void> => {
      while ((await messages.next()).done !== true);
    };
    await expect(follow()).rejects.toMatchObject({ code: 'JOURNAL_LOST' });
    reader.release();
    await lab.manager.settled();
    await expectWhole();
  });
});
