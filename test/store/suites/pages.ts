import { describe, expect, it } from 'vitest';
import type { StoredPage } from '../../../src/publication/ports.js';
import { nextSerial } from '../../../src/publication/serial.js';
import type { PackedPage } from '../../../src/signing/page-codec.js';
import { prune } from '../../../src/store/prune.js';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';

const page = (key: string, content = key, chained = true): PackedPage => ({
  chain: false,
  firstKey: Buffer.from(key),
  chained,
  expires: key.charCodeAt(0),
  content: Buffer.from(content),
});

const text = (octets: Uint8Array | null | undefined): string => Buffer.from(octets ?? []).toString();
const shown = (pages: readonly StoredPage[]): string[] =>
  pages.map((it) => `${text(it.firstKey)}=${text(it.content)}`);

/** Signed pages and journals. */
export function pagesSuite(open: () => Fixture): void {
  describe('signed pages', () => {
    async function begin(): Promise<{
      f: Fixture;
      zone: { name: string; id: string };
      id: string;
      generation: string;
    }> {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      const { id } = allocation.publication;
      const pages = [page('b'), page('d', 'glue', false), page('f'), page('h')];
      await f.publications.savePages(id, 'g1', pages.slice(0, 1), []);
      await f.publications.savePages(id, 'g1', [...pages.slice(1), { ...page('a'), chain: true }], []);
      await f.publications.markReady(id, 'g1', resultOf(allocation.publication));
      return { f, zone, id, generation: id };
    }

    async function read(f: Fixture, id: string, generation: string, chain = false): Promise<string[]> {
      const pages: string[] = [];
      for await (const batch of f.publications.readPages({ id, generation }, chain))
        pages.push(...shown(batch));
      return pages;
    }

    it('come back in order, each section apart', async () => {
      const { f, id, generation } = await begin();
      expect(await read(f, id, generation)).toEqual(['b=b', 'd=glue', 'f=f', 'h=h']);
      expect(await read(f, id, generation, true)).toEqual(['a=a']);
    });

    it('can be followed while they are written, the SOA first', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      const { id } = allocation.publication;
      const after = async (key: string | null): Promise<string[]> => {
        const pages: string[] = [];
        const from = key === null ? null : Buffer.from(key);
        for await (const batch of f.publications.readPagesAfter(id, false, from)) pages.push(...shown(batch));
        return pages;
      };
      expect(await f.publications.findPublication(id)).toMatchObject({ state: 'building', soa: null });
      const { soa } = resultOf(allocation.publication);
      await f.publications.savePages(id, 'g1', [page('b'), page('d')], [], soa);
      expect(await f.publications.findPublication(id)).toMatchObject({ state: 'building', soa });
      expect(await after(null)).toEqual(['b=b', 'd=d']);
      await f.publications.savePages(id, 'g1', [page('f')], []);
      expect(await f.publications.findPublication(id)).toMatchObject({ soa });
      expect(await after('d')).toEqual(['f=f']);
      await f.publications.markReady(id, 'g1', resultOf(allocation.publication));
      expect(await f.publications.findPublication(id)).toMatchObject({ state: 'ready', soa });
      expect(await f.publications.findPublication('999999')).toBeUndefined();
    });

    it('of publications that have few are read together; of one that has more, one by one', async () => {
      const { f, id, generation } = await begin();
      const zone = await f.newZone(undefined, ['external']);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      const { publication: many } = allocation;
      await f.publications.savePages(
        many.id,
        'g1',
        'abcdefghi'.split('').map((key) => page(key)),
        [],
      );
      const none = { id: '1000000000', generation: '1000000000' };
      const few = { ...many, id, generation, octets: 1000 };
      const [pages, more, lost, large] = await Promise.all([
        f.publications.readFewPages(few),
        f.publications.readFewPages({ ...many, generation: many.id, octets: 1000 }),
        f.publications.readFewPages({ ...few, ...none }),
        f.publications.readFewPages({ ...few, octets: 1_000_000 }),
      ]);
      expect(shown(pages ?? [])).toEqual(['b=b', 'd=glue', 'f=f', 'h=h', 'a=a']);
      expect(pages?.map(({ chain, nextKey }) => [chain, text(nextKey)])).toEqual([
        [false, 'd'],
        [false, 'f'],
        [false, 'h'],
        [false, ''],
        [true, ''],
      ]);
      expect([more, lost, large]).toEqual([undefined, [], undefined]);
    });

    it('are found by the keys they hold, with where the next begins', async () => {
      const { f, generation } = await begin();
      const keys = ['a', 'b', 'c', 'gg', 'g', 'z'].map((key) => Buffer.from(key));
      const pages = await f.publications.findPages(generation, false, keys);
      expect(shown(pages)).toEqual(['b=b', 'f=f', 'h=h']);
      expect(pages.map(({ nextKey }) => text(nextKey))).toEqual(['d', 'h', '']);
      expect(await f.publications.findPages('0', false, keys)).toEqual([]);
    });

    it('have neighbours; those without a node of the chain are passed over', async () => {
      const { f, generation } = await begin();
      const before = async (key: string | null): Promise<string> =>
        text(
          (await f.publications.pageBefore(generation, false, key === null ? null : Buffer.from(key)))
            ?.firstKey,
        );
      const after = async (key: string): Promise<string> =>
        text((await f.publications.pageAfter(generation, false, Buffer.from(key)))?.firstKey);
      expect([await before('f'), await before('b'), await before(null)]).toEqual(['b', '', 'h']);
      expect([await after('c'), await after('f'), await after('i')]).toEqual(['f', 'f', '']);
    });

    it('are replaced with the commit of a publication; the one before still has its own', async () => {
      const { f, zone, id, generation } = await begin();
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      const next = await f.allocate(zone);
      if (next.kind !== 'allocated') throw new Error(next.kind);
      const [old] = await f.publications.findPages(generation, false, [Buffer.from('g')]);
      const changes = {
        replaced: [old as StoredPage],
        pages: [page('f', 'new'), page('g')],
        journal: [
          { added: true, part: 0, content: Buffer.from('come') },
          { added: false, part: 0, content: Buffer.from('gone') },
        ],
      };
      const result = resultOf(next.publication, { generation, journal: { removed: 1, added: 1, octets: 8 } });
      expect(await f.publications.markReady(next.publication.id, 'g2', result, changes)).toBe(false);
      expect(await read(f, id, generation)).toHaveLength(4);
      expect(await f.publications.markReady(next.publication.id, 'g1', result, changes)).toBe(true);
      expect(await read(f, next.publication.id, generation)).toEqual([
        'b=b',
        'd=glue',
        'f=new',
        'g=g',
        'h=h',
      ]);
      expect(await read(f, id, generation)).toEqual(['b=b', 'd=glue', 'f=f', 'h=h']);
      const parts: string[] = [];
      for await (const part of f.publications.readJournal(next.publication.id, false)) parts.push(text(part));
      expect(parts).toEqual(['gone']);
      const line = await f.publications.readLine({ ...next.publication, id: next.publication.id }, 0);
      expect(line).toEqual([]);
      const first = await f.publications.listReady(zone.id);
      expect(first.map((it) => it.id)).toEqual([next.publication.id]);
    });

    it('that are gone when they are to be replaced undo the whole commit', async () => {
      const { f, zone, id, generation } = await begin();
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      const next = await f.allocate(zone);
      if (next.kind !== 'allocated') throw new Error(next.kind);
      const changes = {
        replaced: [{ chain: false, firstKey: Buffer.from('x'), since: id }],
        pages: [page('x')],
        journal: [],
      };
      const result = resultOf(next.publication, { generation });
      const marked = f.publications.markReady(next.publication.id, 'g1', result, changes);
      await expect(marked).rejects.toMatchObject({ code: 'PAGES_LOST' });
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({ id });
      expect(await read(f, id, generation)).toHaveLength(4);
    });

    it('are not written for a publication that another gateway builds', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      const saved = f.publications.savePages(allocation.publication.id, 'g2', [page('a')], []);
      await expect(saved).rejects.toMatchObject({ code: 'PUBLICATION_LOST' });
    });

    it('go when no publication that may still be read has them', async () => {
      const { f, zone, id, generation } = await begin();
      const count = async (): Promise<number> =>
        (
          await f.database.query<{ n: number }>(
            'select count(*)::int as n from zoneseal.signed_pages where generation = any ($1)',
            [[generation]],
          )
        )[0]?.n ?? -1;
      for (const owner of ['a', 'b']) {
        await f.insert(zone.name, [[owner, 'A', '192.0.2.1']]);
        await f.publish(zone, 'external');
      }
      await prune(f.database, { holder: 'g1' });
      expect(await count()).toBe(5); // replaced just now
      await f.database.execute(
        "update zoneseal.publications set finished_at = now() - interval '1 hour' where zone_id = $1",
        [zone.id],
      );
      await f.database.execute('insert into zoneseal.prune_queue (zone_id) values ($1)', [zone.id]);
      await prune(f.database, { holder: 'g1', minAge: 60 });
      expect(await count()).toBe(5); // not queued for long enough
      await prune(f.database, { holder: 'g1' });
      expect(await count()).toBe(0);
      expect(await read(f, id, generation)).toEqual([]);
    });

    it('of publications that died are kept until one is ready: the newest, and those that reach furthest', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const die = async (pages: readonly PackedPage[]): Promise<string> => {
        const allocation = await f.allocate(zone, 'external', 'g1', 'asked');
        if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
        const { id } = allocation.publication;
        expect(await f.publications.listAbandoned(zone.id)).not.toContain(id);
        await f.publications.savePages(id, 'g1', pages, []);
        await f.publications.markFailed(id, 'g1', 'killed', 0);
        return id;
      };
      const kept = async (): Promise<string[]> => {
        await f.database.execute('insert into zoneseal.prune_queue (zone_id) values ($1)', [zone.id]);
        await prune(f.database, { holder: 'g1' });
        const rows = await f.database.query<{ id: number }>(
          'select id from zoneseal.signed_generations where zone_id = $1 order by id desc',
          [zone.id],
        );
        return rows.map(({ id }) => String(id));
      };
      const chain = { ...page('a'), chain: true };
      const furthest = await die([page('b'), page('f'), chain]);
      const first = await f.publications.listAbandoned(zone.id);
      expect(first).toEqual([furthest]);
      expect(await kept()).toEqual(first);
      const middle = await die([page('b'), page('z')]);
      expect(await f.publications.listAbandoned(zone.id)).toEqual([middle, furthest]);
      const newest = await die([page('b')]);
      expect(await f.publications.listAbandoned(zone.id)).toEqual([newest, furthest]);
      const again = await die([page('b')]);
      // without waiting for pruning
      const generations = 'select from zoneseal.signed_generations where id = any ($1::bigint[])';
      expect(await f.database.query(generations, [[middle, newest, again]])).toHaveLength(2);
      expect(await kept()).toEqual([again, furthest]);
      const read: string[] = [];
      for await (const pages of f.publications.readPagesAfter(furthest, false, null))
        read.push(...shown(pages));
      expect(read).toEqual(['b=b', 'f=f']);
      const served = { zoneId: zone.id, zone: zone.name, view: 'external' };
      const request = { gateway: 'g1', leaseSeconds: 30, formatVersion: FORMAT, nextSerial };
      // as one of many it would not have their signatures
      expect(await f.publications.allocateMany([served], request)).toEqual([]);
      const last = await f.publish(zone);
      expect(await f.publications.listAbandoned(zone.id)).toEqual([]);
      expect((await kept()).filter((id) => id !== last.id)).toEqual([]);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      expect(await f.publications.allocateMany([served], request)).toMatchObject([{ previous: last.id }]);
    });

    it('go with their zone, and with its place in the view', async () => {
      const { f, zone, id, generation } = await begin();
      await f.database.execute('delete from zoneseal.zone_views where zone_id = $1', [zone.id]);
      expect(await read(f, id, generation)).toEqual([]);
      const other = await begin();
      await other.f.zones.deleteZone(other.zone.name);
      expect(await read(other.f, other.id, other.generation)).toEqual([]);
    });
  });
}
