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
  });
}
