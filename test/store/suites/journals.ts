import { describe, expect, it } from 'vitest';
import type { Publication } from '../../../src/publication/ports.js';
import { type PruneOptions, prune } from '../../../src/store/prune.js';
import { type Fixture, resultOf } from '../fixture.js';

/** Octets that a step of an IXFR has besides its journal, as the SOA of these publications is four octets. */
const SOA_OCTETS = 2 * (4 + 4);

/** Journals, which are what an IXFR is made of, and how long they are kept. */
export function journalsSuite(open: () => Fixture): void {
  interface Line {
    readonly f: Fixture;
    readonly zone: { readonly name: string; readonly id: string };
    readonly publications: readonly Publication[];
  }

  /** A line of one publication, and one more for each journal of so many octets. */
  async function lineOf(journals: readonly number[], octets = 500): Promise<Line> {
    const f = open();
    const zone = await f.newZone(undefined, ['external']);
    const publications: Publication[] = [];
    for (const [i, size] of [undefined, ...journals].entries()) {
      if (i > 0) await f.insert(zone.name, [[`h${i}`, 'A', '192.0.2.1']]);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      const { publication } = allocation;
      const generation = publications[0]?.id ?? publication.id;
      const journal = size === undefined ? undefined : { removed: 1, added: 1, octets: size };
      await f.publications.markReady(
        publication.id,
        'g1',
        resultOf(publication, { generation, journal, octets }),
        {
          replaced: [],
          pages: [],
          journal:
            size === undefined
              ? []
              : [
                  { added: false, part: 0, content: Buffer.alloc(1) },
                  { added: true, part: 0, content: Buffer.alloc(size - 1) },
                ],
        },
      );
      publications.push((await f.publications.newestReady(zone.id, 'external')) as Publication);
    }
    return { f, zone, publications };
  }

  /** For each publication but the newest: how many steps lead from its serial to the newest; 0: the whole zone. */
  async function steps({ f, publications }: Line): Promise<number[]> {
    const newest = publications.at(-1) as Publication;
    const lines = [];
    for (const { serial } of publications.slice(0, -1))
      lines.push(await f.publications.readLine(newest, serial));
    return lines.map((line) => Math.max(0, line.length - 1));
  }

  describe('the line of publications that a difference goes through', () => {
    it('has all from a serial on, the oldest first', async () => {
      const line = await lineOf([10, 20, 30]);
      const [first, , , newest] = line.publications as [Publication, Publication, Publication, Publication];
      const found = await line.f.publications.readLine(newest, first.serial);
      expect(found).toEqual(line.publications);
      expect(await line.f.publications.readLine(newest, newest.serial)).toEqual([newest]);
      expect(await line.f.publications.readLine(newest, 1)).toEqual([]);
      expect(await steps(line)).toEqual([3, 2, 1]);
    });

    it.each([
      ['as large as the zone is still read', 0, [2, 1]],
      ['an octet larger is not', 1, [0, 1]],
    ])('%s', async (_, more, expected) => {
      const octets = 500;
      const journal = octets / 2 - SOA_OCTETS;
      expect(await steps(await lineOf([journal + more, journal], octets))).toEqual(expected);
    });

    it.each([
      ['is gone', 'delete from zoneseal.journal_parts where publication_id = $1'],
      ['has lost a part', 'delete from zoneseal.journal_parts where publication_id = $1 and added'],
      [
        'is cut off',
        "update zoneseal.journal_parts set content = '\\x00' where publication_id = $1 and added",
      ],
      ['is not kept', 'update zoneseal.publications set journal_octets = null where id = $1'],
    ])('ends where a journal %s', async (_, statement) => {
      const line = await lineOf([10, 20, 30]);
      await line.f.database.execute(statement, [line.publications[2]?.id]);
      expect(await steps(line)).toEqual([0, 0, 1]);
    });
  });

  describe('what is kept of a line', () => {
    /** Has pruning look at the zone, whatever was done to it. */
    async function pruneLine({ f, zone }: Line, kept: Partial<PruneOptions>): Promise<void> {
      await f.database.execute('insert into zoneseal.prune_queue (zone_id) values ($1)', [zone.id]);
      await prune(f.database, { holder: 'g1', keep: 100, ...kept });
    }

    async function count({ f, zone }: Line, table: string): Promise<number> {
      const [row] = await f.database.query<{ n: number }>(
        table === 'journal_parts'
          ? `select count(*)::int as n from zoneseal.journal_parts j join zoneseal.publications p on p.id = j.publication_id
             where p.zone_id = $1`
          : `select count(*)::int as n from zoneseal.${table} where zone_id = $1`,
        [zone.id],
      );
      return row?.n ?? -1;
    }

    it.each([
      ['as many octets as are kept', 60, [3, 2, 1], 6],
      ['an octet less', 59, [0, 2, 1], 4],
      ['those of the newest alone', 30, [0, 0, 1], 2],
      ['less than the newest has', 29, [0, 0, 0], 0],
      ['none', 0, [0, 0, 0], 0],
      ['more than the zone has, which are never sent', 1000, [3, 2, 1], 6],
    ])('are journals: %s', async (_, journalOctets, expected, parts) => {
      const line = await lineOf([10, 20, 30]);
      await pruneLine(line, { journalOctets });
      expect(await steps(line)).toEqual(expected);
      expect(await count(line, 'journal_parts')).toBe(parts);
      expect(await count(line, 'publications')).toBe(4);
      expect(await line.f.publications.newestReady(line.zone.id, 'external')).toMatchObject({
        id: line.publications.at(-1)?.id,
      });
    });

    it.each([
      ['as large as the zone', 500, 6],
      ['an octet larger: never sent, whatever comes', 499, 4],
    ])('are journals that are together %s', async (_, octets, parts) => {
      const line = await lineOf([100, 200, 200], octets);
      await pruneLine(line, { journalOctets: 1_000_000 });
      expect(await count(line, 'journal_parts')).toBe(parts);
    });

    it('are large journals no longer than until the next run, however soon', async () => {
      const line = await lineOf([100, 100, 100]);
      await prune(line.f.database, { holder: 'g1', keep: 100, journalOctets: 200, minAge: 600 });
      expect(await steps(line)).toEqual([0, 2, 1]);
    });

    it.each([
      ['all that there are', 4, [3, 2, 1]],
      ['one less', 3, [0, 2, 1]],
      ['the newest alone', 1, [0, 0, 0]],
    ])('are publications by their number: %s', async (_, keep, expected) => {
      const line = await lineOf([10, 20, 30]);
      await pruneLine(line, { keep });
      expect(await steps(line)).toEqual(expected);
      expect(await count(line, 'publications')).toBe(keep);
      expect(await count(line, 'journal_parts')).toBe(2 * Math.min(keep, 3));
    });

    describe('are publications by how long ago they were replaced', () => {
      /** Four publications, ready so many seconds ago. */
      async function aged(...ages: readonly number[]): Promise<Line> {
        const line = await lineOf([10, 20, 30]);
        for (const [i, age] of ages.entries())
          await line.f.database.execute(
            'update zoneseal.publications set finished_at = clock_timestamp() - make_interval(secs => $2) where id = $1',
            [line.publications[i]?.id, age],
          );
        return line;
      }

      it.each([
        ['younger', [9000, 3500, 2000, 1000], [3, 2, 1], 4],
        ['older', [9000, 3700, 2000, 1000], [0, 2, 1], 3],
        ['the newest stays, however old', [9000, 8000, 7000, 6000], [0, 0, 0], 1],
        ['one served until a moment ago stays', [9000, 8000, 7000, 10], [0, 0, 1], 2],
      ])('%s', async (_, ages, expected, left) => {
        const line = await aged(...ages);
        await pruneLine(line, { keepSeconds: 3600 });
        expect(await steps(line)).toEqual(expected);
        expect(await count(line, 'publications')).toBe(left);
      });

      it('the zone is looked at again when the next is due, though nothing happens to it', async () => {
        const line = await aged(4000, 3000, 2000, 1000);
        await pruneLine(line, { keepSeconds: 3600 });
        expect(await count(line, 'publications')).toBe(4);
        const [row] = await line.f.database.query<{ seconds: number }>(
          `select round(extract(epoch from queued_at - clock_timestamp()))::int as seconds
           from zoneseal.prune_queue where zone_id = $1`,
          [line.zone.id],
        );
        // an hour after it was replaced, which is 3,000 seconds ago
        expect(row?.seconds).toBeGreaterThan(0);
        expect(row?.seconds).toBeLessThanOrEqual(600);
        await line.f.database.execute(
          "update zoneseal.publications set finished_at = finished_at - interval '10 min' where zone_id = $1",
          [line.zone.id],
        );
        await line.f.database.execute(
          "update zoneseal.prune_queue set queued_at = queued_at - interval '10 min' where zone_id = $1",
          [line.zone.id],
        );
        await prune(line.f.database, { holder: 'g1', keep: 100, keepSeconds: 3600 });
        expect(await count(line, 'publications')).toBe(3);
      });
    });

    it('are replaced rows as far as a difference leads back, and none of what is older is read as if it were whole', async () => {
      const line = await lineOf([10, 20, 30]);
      const { f, zone, publications } = line;
      for (const data of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) {
        await f.database.execute(
          "update zoneseal.rrsets set data = array[$2] where zone_id = $1 and type = 'A' and owner = $3",
          [zone.id, data, `h1.${zone.name}`],
        );
        await f.publish(zone);
      }
      await pruneLine(line, {});
      expect(await count(line, 'rrset_history')).toBe(3);
      // nothing leads past the fifth
      await f.database.execute(
        `update zoneseal.publications set journal_octets = null
         where id = (select id from zoneseal.publications where zone_id = $1 order by id offset 4 limit 1)`,
        [zone.id],
      );
      await pruneLine(line, {});
      expect(await count(line, 'rrset_history')).toBe(2);
      expect(await count(line, 'publications')).toBe(7);
      await expect(f.read(zone.id, publications[1]?.zoneVersion as number)).rejects.toMatchObject({
        code: 'VERSION_NOT_RETAINED',
      });
      expect(await f.read(zone.id, await f.version(zone.name))).toHaveLength(4);
    });
  });
}
