import { describe, expect, it } from 'vitest';
import { ParentStore } from '../../../src/store/parent-store.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import type { Fixture } from '../fixture.js';
import { csk, stateOf } from '../rollover-fixture.js';

/** Nameservers of the parent that do not answer. */
export function silentParentsSuite(open: () => Fixture): void {
  describe("the parent's nameservers that are waited for", () => {
    it('are known where a parent above the zone is, and are those that have never answered or not since another one changed', async () => {
      const f = open();
      const rollovers = new PostgresRolloverStore(f.database);
      const parents = new ParentStore(f.database);
      const name = 'child.silent.test.';
      const zone = { name, id: String((await f.zones.createZone(name, { views: ['external'] })).id) };
      await f.keys.add(zone.name, [csk(1)]);
      const silent = async () => (await stateOf(f, zone)).silent?.map((it) => it.server);
      const set = (name: string) =>
        parents.set({ name, servers: [{ address: '192.0.2.1', port: 53 }], notify: [], anchors: [] });
      for (const other of [zone.name, 'ilent.test.', 'other.test.', 'below.child.silent.test.']) {
        await set(other);
        expect(await silent(), other).toBeUndefined();
        await parents.delete(other);
      }
      for (const above of ['.', 'silent.test.']) {
        await set(above);
        expect(await silent(), above).toEqual([]);
        if (above === '.') await parents.delete(above);
      }
      const servers = ['192.0.2.1 53', '192.0.2.2 53'];
      const see = (server: string, ds: readonly Uint8Array[]) =>
        rollovers.recordDs(zone.name, servers, [{ server, ds, ttl: 60, isTtlProved: true }]);
      await see('192.0.2.1 53', []);
      expect(await silent()).toEqual(['192.0.2.2 53']);
      await see('192.0.2.2 53', []);
      await see('192.0.2.1 53', []);
      expect(await silent()).toEqual([]);
      await see('192.0.2.1 53', [new Uint8Array(36)]);
      expect(await silent()).toEqual(['192.0.2.2 53']);
      await rollovers.recordDsByHand(zone.name, [new Uint8Array(36)], null);
      expect(await silent()).toEqual([]);
      await parents.delete('silent.test.');
    });
  });
}
