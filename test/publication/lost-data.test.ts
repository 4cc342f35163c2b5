import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RRType } from '../../src/dns/types.js';
import { verifyZone } from '../../src/dnssec/verify/index.js';
import { parsePolicy } from '../../src/keys/policy.js';
import type { PackedPage } from '../../src/signing/page-codec.js';
import type { ImageReader } from '../../src/transfer/ports.js';
import type { MemoryPage } from '../lib/memory-pages.js';
import { hosts, ManagerLab, readAll, zone } from './manager-lab.js';

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

describe('pages that are lost', () => {
  it.each([
    ['with the records as they are', {}],
    ['with NSEC3 and ZONEMD', { denial: 'nsec3', zonemd: true }],
  ])('have a client wait for the publication that takes their place (%s)', async (_, policy) => {
    lab.store.policy = parsePolicy('default', policy);
    await lab.publish(hosts(20));
    const before = await lab.publish(hosts(20, 3));
    lab.store.pages.clear();
    lab.store.journals.clear();
    const [records, others] = await Promise.all([lab.fetch(), lab.fetch()]);
    expect(others).toEqual(records);
    expect(lab.store.publications.map(({ cause, state }) => `${cause} ${state}`)).toEqual([
      'first ready',
      'change ready',
      'pages ready',
    ]);
    expect(await lab.openDifference(before)).toBeUndefined();
    const { faults } = await verifyZone(records.slice(0, -1), { apex: zone, now: lab.store.now });
    expect(faults).toEqual([]);
  });

  it('hold up no change: the whole is made in one attempt', async () => {
    await lab.publish(hosts(20));
    lab.store.pages.clear();
    await lab.publish(hosts(20, 3));
    expect(lab.store.publications.map(({ state }) => state)).toEqual(['ready', 'ready']);
  });

  it('are not waited for when their place cannot be taken: one attempt, and an error', async () => {
    await lab.publish(hosts(20));
    lab.manager.makeRoom(Number.MAX_SAFE_INTEGER);
    lab.store.pages.clear();
    lab.store.rows = [];
    await expect(lab.fetch()).rejects.toMatchObject({ code: 'PAGES_LOST' });
    expect(lab.store.publications.map(({ state }) => state)).toEqual(['ready', 'failed']);
  });

  it.each([
    ['gone', (page: PackedPage): PackedPage[] => (page.chain ? [page] : [])],
    ['damaged', (page: PackedPage): PackedPage[] => [{ ...page, content: page.content.subarray(0, 9) }]],
  ])('of another view are no fault of this one (%s)', async (_, lose) => {
    const external = { ...lab.store.zone, view: 'external' };
    await lab.publish(hosts(20));
    await lab.manager.makeDue();
    lab.store.listDue = () => Promise.resolve([external]);
    await lab.manager.makeDue();
    await lab.manager.settled();
    const pages = lab.store.pages.get('1') ?? [];
    const left = pages.flatMap((it) => lose(it.page).map((page) => ({ ...it, page })));
    lab.store.pages.set('1', left);
    // an update, then all anew
    for (const [i, rows] of [hosts(20, 3), hosts(20, 4)].entries()) {
      lab.store.version++;
      lab.store.rows = rows;
      lab.store.notBefore = i;
      await lab.manager.makeDue();
      await lab.manager.settled();
    }
    expect(lab.store.publications.map(({ view, state }) => `${view} ${state}`)).toEqual([
      'internal ready',
      'external ready',
      'external ready',
      'external ready',
    ]);
  });

  it.each([
    ['some are gone', (pages: MemoryPage[]): MemoryPage[] => pages.toSpliced(3, 1)],
    ['the last are gone', (pages: MemoryPage[]): MemoryPage[] => pages.slice(0, -2)],
    ['all are gone', (): MemoryPage[] => []],
  ])(
    'of a large view let no first publication of another be smaller: it is made of all rows (%s)',
    async (_, lose) => {
      await lab.publish(hosts(3000));
      lab.store.pages.set('1', lose(lab.store.pages.get('1') ?? []));
      const external = { ...lab.store.zone, view: 'external' };
      lab.store.listDue = () => Promise.resolve([external]);
      for (let i = 0; i < 2; i++) {
        await lab.manager.makeDue();
        await lab.manager.settled();
      }
      expect(lab.store.publications.map(({ view, state }) => `${view} ${state}`)).toEqual([
        'internal ready',
        'external failed',
        'external ready',
      ]);
      expect(lab.store.publications[2]?.records).toBe(lab.store.publications[0]?.records);
      expect(lab.store.publications[1]?.error).toMatch(
        /of its stored pages .* a new publication takes its place/,
      );
    },
  );
});
