import { describe, expect, it } from 'vitest';
import type { Publication } from '../../../src/publication/ports.js';
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
      ['was not kept', 'update zoneseal.publications set journal_octets = null where id = $1'],
    ])('ends where a journal %s', async (_, statement) => {
      const line = await lineOf([10, 20, 30]);
      await line.f.database.execute(statement, [line.publications[2]?.id]);
      expect(await steps(line)).toEqual([0, 0, 1]);
    });
  });
}
