import { describe, expect, it } from 'vitest';
import { ParentStore } from '../../../src/store/parent-store.js';
import { PostgresParentWatchStore } from '../../../src/store/parent-watch-store.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import type { Fixture } from '../fixture.js';

/** Zones above which no parent is known, so that nobody can be asked for their DS. */
export function unknownParentsSuite(open: () => Fixture): void {
  describe('the parent of a zone', () => {
    const setUp = async () => {
      const f = open();
      const store = new PostgresParentWatchStore(f.database, new PostgresRolloverStore(f.database));
      const zone = await f.newZone(undefined, ['external']);
      const schedule = ({ id: zoneId, name }: { id: string; name: string }, fault: string | null = null) =>
        store.schedule({ zoneId, zone: name, hasEntry: true, awaitsParent: true, news: null, fault });
      const claim = async (of = zone) =>
        (await store.claim(100_000, 60)).find(({ zoneId }) => zoneId === of.id);
      return { f, store, zone, schedule, claim };
    };

    it('is put off without being asked where none is known, unless a fault is to be told of', async () => {
      const { store, zone, schedule, claim } = await setUp();
      await schedule(zone);
      expect(await store.putOffUnknown(100_000, 3600)).toBeGreaterThan(0);
      expect(await claim()).toBeUndefined();
      await schedule(zone, 'another key');
      await store.putOffUnknown(100_000, 3600);
      expect(await claim()).toMatchObject({ fault: 'another key' });
    });

    it('is not put off where one is known, which keeps none that comes after from being put off', async () => {
      const { f, store, zone: other, schedule } = await setUp();
      const name = 'child.known.test.';
      const zone = { name, id: String((await f.zones.createZone(name, { views: ['external'] })).id) };
      const servers = [{ address: '192.0.2.1', port: 53 }];
      await new ParentStore(f.database).set({ name: 'known.test.', servers, notify: [], anchors: [] });
      for (const it of [zone, other]) await schedule(it);
      while ((await store.putOffUnknown(1, 3600)) > 0);
      const claimed = (await store.claim(100_000, 60)).map(({ zoneId }) => zoneId);
      expect(claimed).toContain(zone.id);
      expect(claimed).not.toContain(other.id);
    });
  });
}
