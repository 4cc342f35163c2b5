import { describe, expect, it } from 'vitest';
import { prune } from '../../../src/store/prune.js';
import type { Fixture } from '../fixture.js';

/** What is removed when nothing names it any more. */
export function pruningSuite(open: () => Fixture): void {
  describe('pruning', () => {
    it('keeps what remaining publications name, and nothing else', async () => {
      const f = open();
      const zone = await f.newZone([['a', 'A', '0']], ['external']);
      const rows = async (table: string): Promise<number> =>
        (
          await f.database.query<{ n: number }>(
            `select count(*) as n from zoneseal.${table} where zone_id = $1`,
            [zone.id],
          )
        )[0]?.n ?? 0;
      for (let i = 1; i <= 5; i++) {
        await f.publish(zone);
        for (const half of [0, 5])
          await f.database.execute('update zoneseal.rrsets set data = $2 where zone_id = $1', [
            zone.id,
            [`${i}.${half}`],
          ]);
      }
      await f.publish(zone);
      expect(await rows('rrset_history')).toBe(10);
      const result = await prune(f.database, { holder: 'test', keep: 2, zones: 1000 });
      expect(result).toMatchObject({ ran: true });
      expect(await rows('publications')).toBe(2);
      expect(await rows('rrset_history')).toBe(1);
      expect(await f.show(zone, 11)).toEqual(['a A 5.5']);
      expect(await f.show(zone, 9)).toEqual(['a A 4.5']);
      await expect(f.read(zone.id, 7)).rejects.toMatchObject({ code: 'VERSION_NOT_RETAINED' });
      expect(await f.changes(zone.name)).toHaveLength(2);
      expect(await prune(f.database, { holder: 'test', keep: 2, zones: 1000 })).toMatchObject({
        zones: 0,
        rows: 0,
      });
    });

    it.each([
      ['of which there is little to remove go together', undefined],
      ['of which there is more than one transaction removes go one by one', 3],
    ])('of several zones, %s', async (_, limit) => {
      const f = open();
      while ((await prune(f.database, { holder: 'test', keep: 1 })).rows > 0);
      const zones: { name: string; id: string }[] = [];
      for (const changes of [0, 1, 3]) {
        const zone = await f.newZone([['a', 'A', '0']], ['external', 'internal']);
        for (let i = 0; i <= changes; i++) {
          for (const view of ['external', 'internal']) await f.publish(zone, view);
          if (i < changes)
            await f.database.execute('update zoneseal.rrsets set data = $2 where zone_id = $1', [
              zone.id,
              [`${i + 1}`],
            ]);
        }
        zones.push(zone);
      }
      const gone = await f.newZone();
      await f.zones.deleteZone(gone.name);
      await f.database.execute('insert into zoneseal.prune_queue (zone_id) values ($1)', [gone.id]);
      const left = async (table: string): Promise<number[]> => {
        const counts = [];
        for (const { id } of [...zones, gone]) {
          const [row] = await f.database.query<{ n: number }>(
            `select count(*) as n from zoneseal.${table} where zone_id = $1`,
            [id],
          );
          counts.push(row?.n ?? -1);
        }
        return counts;
      };
      expect(await left('rrset_history')).toEqual([0, 1, 3, 0]);
      const options = { holder: 'test', keep: 1, ...(limit === undefined ? {} : { rows: limit }) };
      const result = await prune(f.database, options);
      expect(result).toMatchObject({ ran: true, zones: 4, publications: 8 });
      // what went beyond the limit is left for further runs
      for (let runs = 0; runs < 10 && (await prune(f.database, options)).rows > 0; runs++);
      expect(await left('publications')).toEqual([2, 2, 2, 0]);
      expect(await left('rrset_history')).toEqual([0, 0, 0, 0]);
      expect(await left('rrset_births')).toEqual([0, 0, 0, 0]);
      expect(await left('changes')).toEqual([0, 0, 0, 0]);
      expect(await left('prune_queue')).toEqual([0, 0, 0, 0]);
      for (const [i, zone] of zones.entries())
        expect(await f.show(zone, await f.version(zone.name))).toEqual([`a A ${[0, 1, 3][i]}`]);
    });
  });
}
