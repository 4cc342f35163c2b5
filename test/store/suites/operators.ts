import { describe, expect, it } from 'vitest';
import { OperatorStore } from '../../../src/store/operator-store.js';
import { prune } from '../../../src/store/prune.js';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';

const SOA = ['@', 'SOA', 'ns. host. 7 3600 600 86400 300'] as const;

/** What operators do to a zone: freeze, resign, serials, publications asked for. */
export function operatorsSuite(open: () => Fixture): void {
  const operators = (): OperatorStore => new OperatorStore(open().database);
  const setLast = async (zone: { id: string }, serial: number): Promise<void> => {
    await open().database.execute('update zoneseal.serial_lines set last_serial = $2 where zone_id = $1', [
      zone.id,
      serial,
    ]);
  };

  describe('a frozen zone', () => {
    it('stays at its version, is refreshed there, and goes on when it is thawed', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await f.publish(zone);
      const frozen = await f.publications.countFrozen();
      expect(await operators().freeze(zone.name)).toEqual({ version: 1, isNew: true });
      expect(await f.publications.countFrozen()).toBe(frozen + 1);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      expect(await f.due(zone)).toEqual([]);
      expect(await operators().freeze(zone.name.toUpperCase())).toEqual({ version: 1, isNew: false });
      expect(await f.zones.showZone(zone.name)).toMatchObject({
        version: 2,
        frozenVersion: 1,
        frozenAt: expect.stringMatching(/^\d{4}-/) as unknown,
        views: [{ view: 'external', waiting: true }],
      });
      await operators().resign(zone.name);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 1, cause: 'asked' });
      expect(await operators().thaw(zone.name)).toBe(1);
      expect(await operators().thaw(zone.name)).toBeNull();
      expect(await f.due(zone)).toEqual(['external']);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 2, cause: 'change' });
      expect(await f.zones.showZone(zone.name)).toMatchObject({
        frozenVersion: null,
        frozenAt: null,
        views: [{ waiting: false }],
      });
    });

    it('says that nothing waits in a view that sees none of the changes', async () => {
      const f = open();
      const zone = await f.newZone([SOA]);
      await operators().freeze(zone.name);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1', ['internal']]]);
      const { views } = await f.zones.showZone(zone.name);
      expect(views).toMatchObject([
        { view: 'external', waiting: false },
        { view: 'internal', waiting: true },
      ]);
    });

    it('can be read at its version after pruning, though no publication names it', async () => {
      const f = open();
      const zone = await f.newZone([SOA, ['a', 'A', '192.0.2.1']], ['external']);
      await operators().freeze(zone.name);
      await f.insert(zone.name, [['b', 'A', '192.0.2.2']]);
      await f.database.execute("delete from zoneseal.rrsets where zone_id = $1 and owner like 'a.%'", [
        zone.id,
      ]);
      while ((await prune(f.database, { holder: 't', keep: 1 })).zones > 0);
      const first = await f.publish(zone);
      expect(first).toMatchObject({ zoneVersion: 1, cause: 'first' });
      expect(await f.show(zone, 1)).toEqual([expect.stringContaining('SOA') as unknown, 'a A 192.0.2.1']);
      await operators().thaw(zone.name);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 3 });
      // all that has changed since is still listed
      const changes = await f.publications.readChanges(zone.id, 'external', 1, 3, 10);
      expect(changes.kind === 'owners' && changes.keys.length).toBe(2);
    });

    it('is frozen in views that it comes to later', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await operators().freeze(zone.name);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      await f.zones.assignView(zone.name, 'internal');
      expect(await f.publish(zone, 'internal')).toMatchObject({ zoneVersion: 1 });
    });

    it('is not rechecked: what it is held at could not be read any more', async () => {
      const f = open();
      const zone = await f.newZone([SOA]);
      await operators().freeze(zone.name);
      const recheck = (): Promise<unknown> =>
        f.database.query('select zoneseal.zone_recheck($1)', [zone.name]);
      await expect(recheck()).rejects.toMatchObject({
        code: 'DATA_REFUSED',
        message: expect.stringContaining(`zoneseal zone thaw ${zone.name}`) as unknown,
      });
      await operators().thaw(zone.name);
      await recheck();
    });
  });

  describe('resign', () => {
    it('has signatures begin anew in every view, twice within a second as well', async () => {
      const f = open();
      const zone = await f.newZone([SOA]);
      const before = await f.publish(zone, 'internal');
      await f.publish(zone, 'external');
      await operators().resign(zone.name);
      expect(await f.due(zone)).toEqual(['external', 'internal']);
      const first = await f.publish(zone, 'internal');
      expect(first).toMatchObject({ cause: 'asked', previous: before.id });
      expect(first.notBefore).toBeGreaterThanOrEqual(before.time);
      await operators().resign(zone.name);
      const second = await f.publish(zone, 'internal');
      expect(second.notBefore).toBeGreaterThan(first.notBefore);
      expect((await operators().history(zone.name, 'internal', 10)).map((it) => it.resigned)).toEqual([
        true,
        true,
        false,
      ]);
    });
  });

  describe('a publication that was asked for', () => {
    it('is made though nothing changed, and is told from the one before', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await f.publish(zone);
      const [asked] = await operators().ask(zone.name, undefined);
      expect(asked?.view).toBe('external');
      expect((await operators().progress(zone.name))[0]?.readyWanted).toBeLessThan(asked?.wanted ?? 0);
      const { serial } = await f.publish(zone);
      expect(await operators().progress(zone.name)).toMatchObject([
        { view: 'external', readyWanted: asked?.wanted, serial, error: null, gateway: null },
      ]);
    });

    it('is not had where the zone is not served', async () => {
      const zone = await open().newZone([SOA], ['external']);
      await expect(operators().ask(zone.name, 'internal')).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(operators().ask('nowhere.', undefined)).rejects.toMatchObject({ code: 'NOT_HELD' });
    });
  });

  describe('a serial line', () => {
    it('is moved past a serial, and a publication follows at once, whatever else is pending', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      const { serial } = await f.publish(zone);
      const to = serial + 1_000_000;
      // a change that the view does not see, but for which the publication alone would be dropped
      await f.zones.setPolicy(`s${zone.id}`, { algorithm: 15 });
      await f.zones.assignPolicy(zone.name, `s${zone.id}`);
      const [line] = await operators().moveSerials(zone.name, undefined, to);
      expect(line).toEqual({ view: 'external', isAssigned: true, served: serial, last: to, next: to + 1 });
      expect(await f.publish(zone)).toMatchObject({ serial: to + 1, cause: 'asked' });
    });

    it('is moved by less than half the circle only, and says the way round (RFC 1982)', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await setLast(zone, 2_999_999_999);
      const { serial } = await f.publish(zone);
      expect(serial).toBe(3_000_000_000);
      const refused = operators().moveSerials(zone.name, ['external'], 2_000_000_000);
      await expect(refused).rejects.toMatchObject({
        code: 'DATA_REFUSED',
        message: expect.stringMatching(/it is 3294967296 further on.*two steps/) as unknown,
      });
      const error = (await refused.catch((it: unknown) => it)) as Error;
      const steps = [...error.message.matchAll(/--past (\d+)/g)].map(([, step]) => Number(step));
      expect(steps).toHaveLength(2);
      for (const step of steps) {
        await operators().moveSerials(zone.name, ['external'], step);
        await f.publish(zone);
      }
      expect((await operators().lines(zone.name))[0]?.served).toBe(2_000_000_001);
    });

    it.each([
      ['the last one itself', 0, /the last one given out, .*zoneseal publish/],
      ['one before it', -5, /does not come after/],
      ['one half the circle away', 2 ** 31, /is 2147483648 further on/],
    ])('is not moved past %s', async (_, distance, message) => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      const { serial } = await f.publish(zone);
      const to = (serial + distance + 2 ** 32) % 2 ** 32;
      await expect(operators().moveSerials(zone.name, undefined, to)).rejects.toMatchObject({
        code: 'DATA_REFUSED',
        message: expect.stringMatching(message) as unknown,
      });
      expect(await f.due(zone)).toEqual([]);
    });

    it('that was moved waits for a publication before it is moved out of the reach of nameservers', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      const { serial } = await f.publish(zone);
      const far = (distance: number): number => (serial + distance) % 2 ** 32;
      await operators().moveSerials(zone.name, undefined, far(2_000_000_000));
      await expect(operators().moveSerials(zone.name, undefined, far(3_000_000_000))).rejects.toMatchObject({
        message: expect.stringContaining('past '.concat(String(serial))) as unknown,
      });
      await f.publish(zone);
      await operators().moveSerials(zone.name, undefined, far(3_000_000_000));
    });

    describe('of which attempts fail', () => {
      /** Its serials count, so that what is next is known. */
      const counting = async (): Promise<{ name: string; id: string }> => {
        const zone = await open().newZone([SOA], ['external']);
        await open().zones.setPolicy('counting', { serial: 'increment' });
        await open().zones.assignPolicy(zone.name, 'counting');
        return zone;
      };
      /** An attempt that fails; its serial. */
      const fail = async (zone: { name: string; id: string }, isKilled = false): Promise<number> => {
        const allocation = await open().allocate(zone, 'external', 'g1', 'asked');
        if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
        if (isKilled) {
          await open().database.execute(
            "update zoneseal.serial_lines set building_until = clock_timestamp() - interval '1 s' where zone_id = $1",
            [zone.id],
          );
        } else await open().publications.markFailed(allocation.publication.id, 'g1', 'no', 0);
        return allocation.publication.serial;
      };
      const next = async (zone: { name: string }): Promise<number | null | undefined> =>
        (await operators().lines(zone.name))[0]?.next;

      it('gives the serial of one that nobody saw out again, also after a gateway was killed', async () => {
        const zone = await counting();
        const { serial } = await open().publish(zone);
        for (const isKilled of [false, false, true, true, false]) {
          expect(await next(zone)).toBe(serial + 1);
          expect(await fail(zone, isKilled)).toBe(serial + 1);
        }
        const building = await open().allocate(zone, 'external', 'g1', 'asked');
        if (building.kind !== 'allocated') throw new Error(building.kind);
        expect(building.publication.serial).toBe(serial + 1);
        expect(await next(zone)).toBe(serial + 2);
        await open().publications.markReady(building.publication.id, 'g1', resultOf(building.publication));
        expect(await fail(zone)).toBe(serial + 2);
      });

      it('keeps those of first ones, which may have been seen', async () => {
        const zone = await counting();
        const first = await fail(zone);
        expect(await fail(zone, true)).toBe(first + 1);
        expect(await open().publish(zone)).toMatchObject({ serial: first + 2, cause: 'first' });
      });

      it('comes after the served one still, as far as it was moved and as many as fail', async () => {
        const zone = await counting();
        const { serial } = await open().publish(zone);
        const far = (serial + 2 ** 31 - 1001) % 2 ** 32;
        await operators().moveSerials(zone.name, undefined, far);
        for (let i = 0; i < 20; i++) expect(await fail(zone)).toBe(far + 1);
        expect(await open().publish(zone)).toMatchObject({ serial: far + 1 });
      });

      it('gives out none that nameservers would take for an earlier one, and says what to do', async () => {
        const zone = await counting();
        const { serial } = await open().publish(zone);
        await setLast(zone, (serial + 2 ** 31) % 2 ** 32);
        const refused = open().allocate(zone, 'external', 'g1', 'asked');
        await expect(refused).rejects.toMatchObject({ code: 'DATA_REFUSED' });
        const { message } = (await refused.catch((it: unknown) => it)) as Error;
        const past = Number(/zone serial \S+ --view external --past (\d+)/.exec(message)?.[1]);
        await operators().moveSerials(zone.name, ['external'], past);
        expect(await open().publish(zone)).toMatchObject({ serial: serial + 1 });
      });
    });

    it('is moved in all views or in none', async () => {
      const f = open();
      const zone = await f.newZone([SOA]);
      await f.publish(zone, 'external');
      await setLast(zone, 2_000_000_000);
      await f.database.execute(
        "update zoneseal.serial_lines set last_serial = 2100000000 where zone_id = $1 and view = 'internal'",
        [zone.id],
      );
      await expect(operators().moveSerials(zone.name, undefined, 2_050_000_000)).rejects.toThrow(/internal/);
      expect((await operators().lines(zone.name)).map(({ last }) => last)).toEqual([
        2_000_000_000, 2_100_000_000,
      ]);
    });

    it('begins after a serial that it takes over, before the zone is served in the view', async () => {
      const f = open();
      const zone = await f.newZone([SOA], []);
      const start = 3_500_000_000;
      expect(await operators().startSerials(zone.name, ['external'], start)).toEqual([
        { view: 'external', isAssigned: false, served: null, last: start, next: null },
      ]);
      await f.zones.assignView(zone.name, 'external');
      const first = await f.publish(zone);
      // by RFC 1982 what the clock says comes after it, or not: forward in any case
      expect((first.serial - start + 2 ** 32) % 2 ** 32).toBeLessThan(2 ** 31);
      await expect(operators().startSerials(zone.name, undefined, 1)).rejects.toThrow(
        new RegExp(`serial ${first.serial} is published`),
      );
    });

    it('that is past the serial to be taken over already stays', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await setLast(zone, 1_800_000_000);
      const [line] = await operators().startSerials(zone.name, undefined, 42);
      expect(line?.last).toBe(1_800_000_000);
    });

    it('goes on when its zone is deleted and comes back, moved ones too', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      const { serial } = await f.publish(zone);
      const to = serial + 500_000;
      await operators().moveSerials(zone.name, undefined, to);
      await f.zones.deleteZone(zone.name);
      const again = await f.zones.createZone(zone.name);
      expect(await operators().lines(zone.name)).toMatchObject([{ isAssigned: false, last: to }]);
      await f.zones.assignView(zone.name, 'external');
      await f.insert(zone.name, [SOA]);
      const back = await f.publish({ name: zone.name, id: String(again.id) });
      expect(back).toMatchObject({ serial: to + 1, cause: 'first' });
    });

    it('of no view is refused', async () => {
      const zone = await open().newZone([SOA], []);
      await expect(operators().moveSerials(zone.name, ['nowhere'], 1)).rejects.toThrow(/view "nowhere"/);
      await expect(operators().moveSerials(zone.name, undefined, 1)).rejects.toThrow(/view assign/);
    });
  });

  describe('the history of a zone', () => {
    it('says of each publication what it changed, why it was made, and what went wrong', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      await f.publish(zone);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      const next = await f.allocate(zone);
      if (next.kind !== 'allocated') throw new Error(next.kind);
      await f.publications.markFailed(next.publication.id, 'g1', 'a cannot be parsed', null);
      const history = await operators().history(zone.name, undefined, 10);
      expect(history).toMatchObject([
        {
          serial: next.publication.serial,
          state: 'failed',
          cause: 'change',
          zoneVersion: 2,
          error: 'a cannot be parsed',
        },
        {
          state: 'ready',
          cause: 'first',
          zoneVersion: 1,
          records: 5,
          signatures: 2,
          reused: 0,
          gateway: 'g1',
          removed: null,
        },
      ]);
      expect(await operators().history(zone.name, 'internal', 10)).toEqual([]);
      expect(await operators().history(zone.name, undefined, 1)).toHaveLength(1);
    });
  });

  describe('a preview', () => {
    it('is of the newest version, also of a frozen zone, and writes nothing', async () => {
      const f = open();
      const zone = await f.newZone([SOA], ['external']);
      const ready = await f.publish(zone);
      await operators().freeze(zone.name);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      const line = (): Promise<unknown> =>
        f.database.query('select * from zoneseal.serial_lines where zone_id = $1', [zone.id]);
      const before = await line();
      const preview = await operators().preview(zone.name, 'external', FORMAT);
      expect(preview).toMatchObject({
        frozenVersion: 1,
        isDue: false,
        publication: { zoneVersion: 2, cause: 'change', previous: ready.id, state: 'building' },
      });
      expect(preview.publication.serial).toBeGreaterThan(ready.serial);
      expect(await line()).toEqual(before);
      await expect(operators().preview(zone.name, 'internal', FORMAT)).rejects.toThrow(/view assign/);
    });
  });
}
