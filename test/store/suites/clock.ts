import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { followClock } from '../../../src/store/clock-set-back.js';
import { takeLease } from '../../../src/store/lease.js';
import { PostgresPeerStateStore } from '../../../src/store/peer-state-store.js';
import { PeerStore } from '../../../src/store/peer-store.js';
import type { Fixture } from '../fixture.js';

/** The database's clock was set back by an hour, a moment after a gateway was killed: all that it wrote is so much later than now. */
export function clockSuite(open: () => Fixture): void {
  describe('a clock that was set back an hour', () => {
    let f: Fixture;
    let zone: { name: string; id: string };

    beforeEach(async () => {
      f = open();
      zone = await f.newZone(undefined, ['external']);
      await f.database.execute('delete from zoneseal.gateways');
      await f.database.execute(
        `insert into zoneseal.gateways (name, release, schema_level, format_version, page_format, seen_at)
         values ('g1', '1', 1, 1, 1, now() + interval '1 hour')`,
      );
    });

    afterEach(async () => {
      await f.database.execute('delete from zoneseal.gateways');
    });

    const setBack = async (): Promise<void> => {
      expect(Math.round((await followClock(f.database)) / 60)).toBe(60);
    };

    /** Whether a time of a row is at most a minute from now, where it was more than an hour. */
    const isNear = async (table: string, column: string, where: string): Promise<boolean | undefined> => {
      const [row] = await f.database.query<{ near: boolean }>(
        `select ${column} < now() + interval '90 s' as near from zoneseal.${table} where ${where}`,
      );
      return row?.near;
    };

    it('is seen to once, and signs of life are of now from then on', async () => {
      await setBack();
      expect(await followClock(f.database)).toBe(0);
      expect(await isNear('gateways', 'seen_at', "name = 'g1'")).toBe(true);
    });

    it('leaves a publication that a killed gateway was making no longer than its lease', async () => {
      const building = await f.allocate(zone);
      if (building.kind !== 'allocated') throw new Error(building.kind);
      await f.database.execute(
        "update zoneseal.serial_lines set building_until = building_until + interval '1 hour' where zone_id = $1",
        [zone.id],
      );
      await setBack();
      expect(await isNear('serial_lines', 'building_until', `zone_id = ${zone.id}`)).toBe(true);
      // who lives goes on, and prolongs it
      expect(await f.allocate(zone, 'external', 'g2')).toMatchObject({ kind: 'building-elsewhere' });
      expect(await f.publications.renewLease(building.publication.id, 'g1', 30)).toBe(true);
      await f.database.execute(
        "update zoneseal.serial_lines set building_until = building_until - interval '90 s' where zone_id = $1",
        [zone.id],
      );
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.allocate(zone, 'external', 'g2')).toMatchObject({ kind: 'allocated' });
    });

    it('has what failed tried again when it was to be', async () => {
      const building = await f.allocate(zone);
      if (building.kind !== 'allocated') throw new Error(building.kind);
      await f.publications.markFailed(building.publication.id, 'g1', 'a test', 3590);
      expect(await f.due(zone)).toEqual([]);
      await setBack();
      expect(await f.due(zone)).toEqual(['external']);
    });

    it('leaves a lease no longer than it was taken for', async () => {
      await takeLease(f.database, 'clock', 'g1', 3600 + 20);
      await setBack();
      expect(await isNear('leases', 'expires_at', "name = 'clock'")).toBe(true);
      await f.database.execute(
        "update zoneseal.leases set expires_at = expires_at - interval '90 s' where name = 'clock'",
      );
      expect(await takeLease(f.database, 'clock', 'g2', 10)).toMatchObject({ holder: 'g2', token: 2 });
    });

    it('has peers told that a killed gateway had claimed, or was to tell again', async () => {
      const peers = new PeerStore(f.database);
      const states = new PostgresPeerStateStore(f.database);
      const added = {
        name: 'clock-peer',
        view: 'external',
        address: '192.0.2.9',
        port: 53,
        zones: [zone.name],
      };
      await peers.add({ ...added, key: null });
      await f.publish(zone);
      const of = `zone_id = ${zone.id}`;
      await f.database.execute(
        `update zoneseal.peer_states set claimed_by = 'g1', claimed_until = now() + interval '61 min',
           due_at = now() + interval '59 min' where ${of}`,
      );
      await setBack();
      expect(await isNear('peer_states', 'claimed_until', of)).toBe(true);
      await f.database.execute(
        `update zoneseal.peer_states set claimed_until = claimed_until - interval '90 s' where ${of}`,
      );
      const claims = await states.claim('g2', 10, { total: 1000, perPeer: 1000, exceptions: new Map() });
      expect(claims.map(({ zoneId }) => zoneId)).toContain(zone.id);
      await peers.delete('clock-peer');
    });
  });
}
