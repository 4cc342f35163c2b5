import { describe, expect, it } from 'vitest';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';

/** Serial lines and publications. */
export function publicationsSuite(open: () => Fixture): void {
  describe('publications', () => {
    it('are due in a view when something that it sees has changed', async () => {
      const f = open();
      const zone = await f.newZone([
        ['@', 'SOA', 'ns. host. 7 1 1 1 1'],
        ['i', 'A', '192.0.2.1', ['internal']],
        ['e', 'A', '192.0.2.1', ['external']],
      ]);
      expect(await f.due(zone)).toEqual(['external', 'internal']);
      const external = await f.publish(zone, 'external');
      const internal = await f.publish(zone, 'internal');
      expect(await f.due(zone)).toEqual([]);
      await f.database.execute("update zoneseal.rrsets set ttl = 1 where zone_id = $1 and owner like 'i.%'", [
        zone.id,
      ]);
      expect(await f.due(zone)).toEqual(['internal']);
      expect(await f.allocate(zone, 'external')).toMatchObject({
        kind: 'current',
        publication: { id: external.id },
      });
      const next = await f.publish(zone, 'internal');
      expect(next).toMatchObject({ zoneVersion: 2 });
      expect(next.serial).toBeGreaterThan(internal.serial);
      expect(await f.due(zone)).toEqual([]);
    });

    it('name the whole tuple, and come back as they were made', async () => {
      const f = open();
      const zone = await f.newZone();
      const made = await f.publish(zone);
      expect(made).toMatchObject({
        zoneId: zone.id,
        zone: zone.name,
        view: 'external',
        zoneVersion: 1,
        policyName: 'default',
        policyVersion: 1,
        keySetVersion: 0,
        formatVersion: FORMAT,
        state: 'building',
        soa: null,
        resignAt: null,
        error: null,
      });
      expect(await f.publications.newestReady(zone.id, 'external')).toEqual({
        ...made,
        state: 'ready',
        resignAt: made.time + 1000,
        expiresAt: made.time + 2000,
        generation: made.id,
        maxTtl: 300,
        records: 5,
        octets: 500,
        soa: {
          ttl: 300,
          rdata: Uint8Array.of(0, 1, 0xff, 0x5c),
          signatures: [Uint8Array.of(1, 0x22, 0x5c, 0), Uint8Array.of(2)],
        },
      });
      expect(await f.publications.newestReady(zone.id, 'internal')).toBeUndefined();
      expect(await f.publications.findServed(zone.name, 'external')).toEqual({
        zoneId: zone.id,
        zone: zone.name,
        view: 'external',
      });
    });

    it('stand on the lines of which several are asked for together', async () => {
      const f = open();
      const [one, two] = [await f.newZone(), await f.newZone()];
      const ready = await f.publish(two, 'external');
      const [first, second, none, unknown] = await Promise.all([
        f.publications.findLine(one.name, 'external'),
        f.publications.findLine(two.name, 'external'),
        f.publications.findLine(two.name, 'nowhere'),
        f.publications.findLine('not-held.example.', 'external'),
      ]);
      expect(first).toEqual({
        served: { zoneId: one.id, zone: one.name, view: 'external' },
        publication: undefined,
        lastSerial: undefined,
        isRecovering: false,
      });
      expect(second).toMatchObject({
        served: { zoneId: two.id, zone: two.name, view: 'external' },
        publication: await f.publications.newestReady(two.id, 'external'),
        lastSerial: ready.serial,
      });
      expect([none, unknown]).toEqual([undefined, undefined]);
    });

    it('begin at the stored serial where the policy says nothing greater', async () => {
      const f = open();
      const zone = await f.newZone([
        ['@', 'SOA', 'ns. host. 2000000000 1 1 1 1', ['external']],
        ['@', 'SOA', '( ns. host. 2100000000 1 1 1 1 )', ['internal']],
      ]);
      const external = await f.publish(zone, 'external');
      const internal = await f.publish(zone, 'internal');
      expect([external, internal]).toMatchObject([{ serial: 2_000_000_000 }, { serial: 2_100_000_000 }]);
    });

    it('are built by one gateway at a time', async () => {
      const f = open();
      const zone = await f.newZone();
      const first = await f.allocate(zone);
      expect(first.kind).toBe('allocated');
      const second = await f.allocate(zone, 'external', 'g2');
      expect(second).toEqual({ ...first, kind: 'building-elsewhere' });
      expect(await f.due(zone)).toEqual(['internal']);
      if (first.kind !== 'allocated') return;
      expect(await f.publications.renewLease(first.publication.id, 'g1', 30)).toBe(true);
      expect(await f.publications.renewLease(first.publication.id, 'g2', 30)).toBe(false);
    });

    it('of a zone are built one at a time, as its views share signatures', async () => {
      const f = open();
      const zone = await f.newZone();
      const external = await f.allocate(zone, 'external', 'g1');
      if (external.kind !== 'allocated') throw new Error(external.kind);
      expect(await f.allocate(zone, 'internal', 'g2')).toEqual({ ...external, kind: 'building-elsewhere' });
      await f.publications.markReady(external.publication.id, 'g1', resultOf(external.publication));
      expect((await f.allocate(zone, 'internal', 'g2')).kind).toBe('allocated');
    });

    it('that say nothing new are dropped, and the ready one goes on', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const ready = await f.publish(zone);
      await f.zones.setPolicy(`u${zone.id}`, { algorithm: 15 });
      await f.zones.assignPolicy(zone.name, `u${zone.id}`);
      expect(await f.due(zone)).toEqual(['external']);
      const next = await f.allocate(zone);
      if (next.kind !== 'allocated') throw new Error(next.kind);
      expect(next.publication).toMatchObject({ cause: 'policy', previous: ready.id });
      expect(await f.publications.markUnchanged(next.publication.id, 'g2')).toBe(false);
      expect(await f.publications.markUnchanged(next.publication.id, 'g1')).toBe(true);
      expect(await f.due(zone)).toEqual([]);
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({ id: ready.id });
      const [line] = await f.database.query<{ last_serial: number }>(
        'select last_serial from zoneseal.serial_lines where zone_id = $1',
        [zone.id],
      );
      expect(line?.last_serial).toBe(next.publication.serial); // burned
    });

    it('say why they are made', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const causes: string[] = [];
      const note = async (): Promise<void> => void causes.push((await f.publish(zone)).cause);
      await note();
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      await note();
      await f.database.execute('update zoneseal.serial_lines set resign_at = now() where zone_id = $1', [
        zone.id,
      ]);
      await note();
      await f.database.execute('update zoneseal.serial_lines set wanted = wanted + 1 where zone_id = $1', [
        zone.id,
      ]);
      await note();
      expect(causes).toEqual(['first', 'change', 'refresh', 'asked']);
      expect(await f.due(zone)).toEqual([]);
    });

    it('renew signatures also while a change cannot be published, and leave what failed as it was', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const ready = await f.publish(zone, 'external', 100);
      await f.insert(zone.name, [['a', 'A', 'x']]);
      const bad = await f.allocate(zone);
      if (bad.kind !== 'allocated') throw new Error(bad.kind);
      await f.publications.markFailed(bad.publication.id, 'g1', 'a A: bad', null);
      expect(await f.due(zone)).toEqual([]);
      const age = (): Promise<number> =>
        f.database.execute('update zoneseal.serial_lines set resign_at = now() where zone_id = $1', [
          zone.id,
        ]);
      await age();
      expect(await f.due(zone)).toEqual(['external']);
      const renewal = await f.allocate(zone);
      expect(renewal).toMatchObject({
        kind: 'allocated',
        publication: { zoneVersion: 1, cause: 'refresh', previous: ready.id },
      });
      if (renewal.kind !== 'allocated') return;
      await f.publications.markFailed(renewal.publication.id, 'g1', 'no keys', 30);
      expect(await f.due(zone)).toEqual([]);
      await age();
      const second = await f.publish(zone);
      expect(second).toMatchObject({ zoneVersion: 1, cause: 'refresh' });
      expect(await f.due(zone)).toEqual([]); // the change is not tried again for it
      const [view] = (await f.zones.showZone(zone.name)).views;
      expect(view).toMatchObject({ failed: { error: 'a A: bad' }, ready: { serial: second.serial } });
      await f.insert(zone.name, [['b', 'A', '192.0.2.1']]);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 3, cause: 'change' });
      expect((await f.zones.showZone(zone.name)).views[0]).toMatchObject({ failed: null });
    });

    it('of a frozen zone stay at its version until it is thawed', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.publish(zone);
      const freeze = async (version: string): Promise<void> => {
        await f.database.execute(`update zoneseal.zones set frozen_version = ${version} where id = $1`, [
          zone.id,
        ]);
        await f.database.execute(
          `update zoneseal.serial_lines set frozen_version = ${version} where zone_id = $1`,
          [zone.id],
        );
      };
      await freeze('1');
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      expect(await f.due(zone)).toEqual([]);
      await f.database.execute('update zoneseal.serial_lines set resign_at = now() where zone_id = $1', [
        zone.id,
      ]);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 1, cause: 'refresh' });
      await freeze('null');
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 2, cause: 'change' });
    });

    it('are lost with their lease, and their serial with them', async () => {
      const f = open();
      const zone = await f.newZone();
      const first = await f.allocate(zone);
      if (first.kind !== 'allocated') throw new Error(first.kind);
      const { id, serial, time } = first.publication;
      await f.database.execute(
        "update zoneseal.serial_lines set building_until = now() - interval '1 s' where building = $1",
        [id],
      );
      expect(await f.due(zone)).toContain('external');
      const second = await f.allocate(zone, 'external', 'g2');
      expect(second).toMatchObject({ kind: 'allocated' });
      if (second.kind === 'allocated') expect(second.publication.serial).toBeGreaterThan(serial);
      expect(await f.publications.markReady(id, 'g1', resultOf({ id, time }))).toBe(false);
      expect(await f.publications.renewLease(id, 'g1', 30)).toBe(false);
      await f.publications.markFailed(id, 'g1', 'too late', null);
      const [row] = await f.database.query<{ error: string }>(
        'select error from zoneseal.publications where id = $1',
        [id],
      );
      expect(row?.error).toContain('lease ran out');
    });

    it('that failed are tried again when the input changes, or when it is time', async () => {
      const f = open();
      const zone = await f.newZone(
        [
          ['a', 'A', 'x', ['external']],
          ['b', 'A', 'x', ['internal']],
        ],
        ['external'],
      );
      const fail = async (retry: number | null): Promise<void> => {
        const allocation = await f.allocate(zone);
        if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
        await f.publications.markFailed(allocation.publication.id, 'g1', 'a A: bad', retry);
      };
      await fail(null);
      expect(await f.due(zone)).toEqual([]);
      expect(await f.allocate(zone)).toMatchObject({
        kind: 'failed',
        publication: { state: 'failed', error: 'a A: bad' },
      });
      await f.database.execute("update zoneseal.rrsets set ttl = 3 where zone_id = $1 and owner like 'b.%'", [
        zone.id,
      ]);
      expect(await f.due(zone)).toEqual([]);
      await f.database.execute("update zoneseal.rrsets set ttl = 3 where zone_id = $1 and owner like 'a.%'", [
        zone.id,
      ]);
      expect(await f.due(zone)).toEqual(['external']);
      await fail(1000);
      expect(await f.due(zone)).toEqual([]);
      await f.database.execute(
        "update zoneseal.serial_lines set retry_at = now() - interval '1 s' where zone_id = $1",
        [zone.id],
      );
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.allocate(zone)).toMatchObject({ kind: 'allocated' });
    });

    it('that failed are forgotten but for the newest, however often it is tried', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const ready = await f.publish(zone);
      await f.insert(zone.name, [['a', 'A', 'bad']]);
      const fail = async (force?: 'asked'): Promise<string> => {
        const allocation = await f.allocate(zone, 'external', 'g1', force);
        if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
        const { id } = allocation.publication;
        await f.publications.markFailed(id, 'g1', `attempt ${id}`, null);
        return id;
      };
      const kept = async (): Promise<string[]> => {
        const rows = await f.database.query<{ id: number }>(
          'select id from zoneseal.publications where zone_id = $1 order by id',
          [zone.id],
        );
        return rows.map(({ id }) => String(id));
      };
      let newest = '';
      for (let i = 0; i < 5; i++) newest = await fail('asked');
      expect(await kept()).toEqual([ready.id, newest]);
      expect(await f.allocate(zone)).toMatchObject({
        kind: 'failed',
        publication: { id: newest, error: `attempt ${newest}` },
      });
      // a renewal that fails meanwhile is not what is told of
      await f.database.execute('update zoneseal.serial_lines set resign_at = now() where zone_id = $1', [
        zone.id,
      ]);
      const stopgap = await fail();
      expect(await kept()).toEqual([ready.id, newest, stopgap]);
      const { views } = await f.zones.showZone(zone.name);
      expect(views[0]?.failed).toMatchObject({ error: `attempt ${newest}` });
      const last = await fail('asked');
      expect(await kept()).toEqual([ready.id, last]);
    });

    it('keep being served while newer ones fail', async () => {
      const f = open();
      const zone = await f.newZone();
      const ready = await f.publish(zone);
      await f.insert(zone.name, [['a', 'A', 'bad']]);
      const allocation = await f.allocate(zone);
      if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
      await f.publications.markFailed(allocation.publication.id, 'g1', 'a A: bad', null);
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({ id: ready.id });
      const { views } = await f.zones.showZone(zone.name);
      expect(views[0]).toMatchObject({
        view: 'external',
        ready: { serial: ready.serial },
        failed: { error: 'a A: bad', retryAt: null },
        building: null,
      });
    });

    it('are made anew when signatures get old, when asked to, and for a newer format', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.publish(zone, 'external', -5);
      expect(await f.due(zone)).toEqual(['external']);
      const second = await f.publish(zone);
      expect((await f.allocate(zone)).kind).toBe('current');
      const forced = await f.allocate(zone, 'external', 'g1', 'asked');
      expect(forced.kind).toBe('allocated');
      if (forced.kind === 'allocated') expect(forced.publication.serial).toBeGreaterThan(second.serial);
      await f.database.execute(
        'update zoneseal.serial_lines set ready_format_version = 1, building = null, building_until = null where zone_id = $1',
        [zone.id],
      );
      expect(await f.due(zone)).toEqual(['external']);
      expect((await f.allocate(zone)).kind).toBe('allocated');
    });

    it('follow the policy: its versions, and which one the zone has', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const name = `p${zone.id}`;
      expect(await f.zones.setPolicy(name, { serial: 'increment' })).toBe(1);
      await f.publish(zone);
      await f.zones.assignPolicy(zone.name, name);
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.publish(zone)).toMatchObject({ policyName: name, policyVersion: 1 });
      expect(await f.zones.setPolicy(name, { serial: 'increment' })).toBe(1);
      expect(await f.due(zone)).toEqual([]);
      expect(await f.zones.setPolicy(name, { denial: 'nsec3' })).toBe(2);
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.publish(zone)).toMatchObject({ policyVersion: 2 });
      expect(await f.due(zone)).toEqual([]);
      expect(await f.publications.readPolicy(name, 1)).toMatchObject({ serial: 'increment', denial: 'nsec' });
      expect(await f.publications.readPolicy(name, 2)).toMatchObject({ denial: 'nsec3' });
      await expect(f.publications.readPolicy(name, 3)).rejects.toMatchObject({ code: 'NOT_HELD' });
    });

    it('fail, with what is wrong, where the stored policy does not parse', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.database.execute(
        `insert into zoneseal.policies (name, document) values ('bad${zone.id}', '{"algorithm": 99}')`,
      );
      await f.zones.assignPolicy(zone.name, `bad${zone.id}`);
      const failed = await f.allocate(zone);
      expect(failed).toMatchObject({
        kind: 'failed',
        publication: { error: expect.stringContaining('algorithm') },
      });
      expect(await f.due(zone)).toEqual([]);
      expect((await f.allocate(zone)).kind).toBe('failed');
    });

    it('are not made of zones that are not in the view', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      expect(await f.allocate(zone, 'internal')).toEqual({ kind: 'not-served' });
      expect(await f.allocate({ name: 'none.test.', id: '999999' })).toEqual({ kind: 'not-served' });
      expect(await f.publications.findServed(zone.name, 'internal')).toBeUndefined();
    });

    it('end when a zone leaves a view, and the serials go on when it returns', async () => {
      const f = open();
      const zone = await f.newZone();
      const first = await f.publish(zone);
      expect(await f.zones.unassignView(zone.name, 'external')).toBe(true);
      expect(await f.publications.findServed(zone.name, 'external')).toBeUndefined();
      expect(await f.publications.newestReady(zone.id, 'external')).toBeUndefined();
      expect(await f.due(zone)).toEqual(['internal']);
      expect(await f.zones.assignView(zone.name, 'external')).toBe(true);
      expect(await f.zones.assignView(zone.name, 'external')).toBe(false);
      const again = await f.publish(zone);
      expect(again.serial).toBeGreaterThan(first.serial);
      await f.zones.deleteZone(zone.name);
      expect(await f.publications.findServed(zone.name, 'external')).toBeUndefined();
      await expect(f.read(zone.id, 1)).rejects.toMatchObject({ code: 'NOT_HELD' });
      const returned = await f.zones.createZone(zone.name, { views: ['external'] });
      const last = await f.allocate({ name: zone.name, id: String(returned.id) });
      if (last.kind === 'allocated') expect(last.publication.serial).toBeGreaterThan(again.serial);
      expect(last.kind).toBe('allocated');
    });
  });
}
