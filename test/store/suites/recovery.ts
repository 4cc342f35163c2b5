import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SAFE_JUMP } from '../../../src/publication/line-jump.js';
import { LineRecovery } from '../../../src/publication/line-recovery.js';
import type { DatabaseState, Incarnation, Standing } from '../../../src/publication/recovery-ports.js';
import { findSetBack } from '../../../src/publication/set-back.js';
import { PostgresPublicationStore } from '../../../src/store/publication-store.js';
import { PostgresRecoveryStore } from '../../../src/store/recovery-store.js';
import { type Fixture, FORMAT } from '../fixture.js';

const noLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const CERTAIN = { reason: 'for a test', isCertain: true };

/** A database that was set back, and serial lines that jump. */
export function recoverySuite(open: () => Fixture): void {
  describe('a database that was set back', () => {
    let f: Fixture;
    let store: PostgresRecoveryStore;
    let incarnation: Incarnation;

    beforeEach(async () => {
      f = open();
      store = new PostgresRecoveryStore(f.database);
      await f.zones.setPolicy('recovering', { serial: 'increment' });
    });

    afterEach(async () => {
      // other suites have lines as well
      await f.database.execute(
        'update zoneseal.serial_lines set incarnation = zoneseal.current_incarnation()',
      );
    });

    /** Its serials count, so that what is next is known. */
    const newZone = async (): Promise<{ name: string; id: string }> => {
      const zone = await f.newZone(undefined, ['external']);
      await f.zones.assignPolicy(zone.name, 'recovering');
      return zone;
    };

    const setBack = async (isCertain = true): Promise<void> => {
      ({ current: incarnation } = await store.look('g1', () => ({ ...CERTAIN, isCertain })));
    };

    const lineOf = async (zone: { id: string }, view = 'external') => {
      const [row] = await f.database.query<{ last: number; barred: number; ready: number | null }>(
        'select last_serial as last, barred, ready from zoneseal.serial_lines where zone_id = $1 and view = $2',
        [zone.id, view],
      );
      return row as { last: number; barred: number; ready: number | null };
    };

    it('is another incarnation, of which the marker goes on, and knows those before', async () => {
      let state: DatabaseState | undefined;
      const { current: before } = await store.look('g1', () => undefined);
      const marker = await store.beat(before);
      expect(marker).toBe(before.marker + 1);
      expect(await store.beat({ ...before, marker: before.marker + 5 })).toBeUndefined();
      const { current, began } = await store.look('g1', (it) => {
        state = it;
        return CERTAIN;
      });
      expect(began).toEqual(CERTAIN);
      expect(state?.incarnations.at(-1)).toEqual({ ...before, marker });
      expect(state?.systemIdentifier).toMatch(/^\d+$/);
      expect(state?.timeline).toBe(1);
      expect(current).toMatchObject({ isCurrent: true, isCertain: true, marker: before.marker + 2 });
      expect(await store.beat({ ...before, marker: before.marker + 1 })).toBeUndefined();
      const { incarnations } = await new Promise<DatabaseState>((resolve) => {
        void store.look('g1', (it) => {
          resolve(it);
          return undefined;
        });
      });
      expect(incarnations.at(-2)?.incarnation).toBe(before.incarnation);
      expect(findSetBack({ ...(state as DatabaseState), incarnations }, before)).toBeUndefined();
    });

    it('is trusted by what each statement sees of it', async () => {
      const zone = await newZone();
      const seen: Standing[] = [];
      const publications = new PostgresPublicationStore(f.database, {
        formatVersion: FORMAT,
        trust: {
          incarnation: undefined,
          check: (standing) => void seen.push(standing),
          trusting: (work) => work(),
        },
      });
      await f.publish(zone);
      const { current } = await store.look('g1', () => undefined);
      await publications.findLine(zone.name, 'external');
      await publications.newestReady(zone.id, 'external');
      await publications.allocate(
        { zoneId: zone.id, zone: zone.name, view: 'external' },
        { gateway: 'g1', leaseSeconds: 30, formatVersion: FORMAT, nextSerial: () => 1 },
      );
      const { incarnation: id, marker } = current;
      const standing = { incarnation: id, marker, sameServer: true };
      expect(seen).toEqual([standing, standing, standing]);
    });

    it('serves and publishes nothing of a line that is not settled', async () => {
      const zone = await newZone();
      await f.publish(zone);
      expect(await f.publications.findLine(zone.name, 'external')).toMatchObject({ isRecovering: false });
      await setBack();
      expect(await f.publications.findLine(zone.name, 'external')).toMatchObject({ isRecovering: true });
      expect(await f.publications.newestReady(zone.id, 'external')).toBeUndefined();
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      expect(await f.due(zone)).toEqual([]);
      await expect(f.allocate(zone)).rejects.toMatchObject({
        code: 'DATABASE_SET_BACK',
        message: expect.stringContaining(`zone ${zone.name} in view external`),
      });
      expect(
        (await store.listUnsettled(incarnation.incarnation, { zone: '', view: '' }, 10_000)).map(
          (it) => it.zone,
        ),
      ).toContain(zone.name);
    });

    it('has a line whose pages were not restored published anew', async () => {
      const [kept, bare] = [await newZone(), await newZone()];
      for (const zone of [kept, bare]) await f.publish(zone);
      const generations = async (zone: { id: string }): Promise<(string | null)[]> =>
        (await f.publications.listReady(zone.id)).map(({ generation }) => generation);
      expect(await generations(bare)).toEqual([expect.any(String)]);
      await f.database.execute('delete from zoneseal.signed_pages where generation = $1', [
        (await generations(bare))[0],
      ]);
      expect(await generations(bare)).toEqual([null]);
      await setBack(false);
      const names = [kept, bare].map(({ name }) => ({ zone: name, view: 'external', seen: [] }));
      await store.settle(incarnation, names);
      expect(await f.due(kept)).toEqual([]);
      expect(await f.due(bare)).toEqual(['external']);
      // by one gateway alone
      await store.settle(incarnation, names);
      expect(await f.publish(bare)).toMatchObject({ cause: 'pages' });
      expect(await f.due(bare)).toEqual([]);
    });

    it('goes on with a line whose peers have nothing newer', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      await setBack();
      const seen = [{ peer: 'ns1', serial: ready.serial }];
      const line = { zone: zone.name, view: 'external', seen };
      expect(await store.settle(incarnation, [line])).toMatchObject([{ kind: 'clear', past: null }]);
      expect(await store.settle(incarnation, [line])).toEqual([]); // settled already
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({ id: ready.id });
      expect(await f.due(zone)).toEqual([]);
    });

    it('moves a line past what peers serve, and serves it from a publication of after', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      const lost = await f.allocate(zone);
      if (lost.kind !== 'allocated') throw new Error(lost.kind);
      await setBack();
      const past = ready.serial + 50;
      const [outcome] = await store.settle(incarnation, [
        {
          zone: zone.name,
          view: 'external',
          seen: [
            { peer: 'ns1', serial: past },
            { peer: 'ns2', serial: 3 },
          ],
        },
      ]);
      expect(outcome).toMatchObject({ kind: 'jumped', past });
      expect(await f.publications.findLine(zone.name, 'external')).toMatchObject({ isRecovering: true });
      expect(await f.publications.newestReady(zone.id, 'external')).toBeUndefined();
      // what was being built is not taken any more
      expect(await f.publications.renewLease(lost.publication.id, 'g1', 30)).toBe(false);
      expect(await f.due(zone)).toEqual(['external']);
      const next = await f.publish(zone);
      expect(next).toMatchObject({ serial: past + 1, cause: 'recovery', previous: ready.id });
      expect(await f.publications.newestReady(zone.id, 'external')).toMatchObject({ id: next.id });
      expect(await f.publications.readLine(next, past)).toEqual([]);
      expect(await f.due(zone)).toEqual([]);
    });

    it('does not give out the serial of a failed attempt again that something lost was served under', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      const attempt = await f.allocate(zone, 'external', 'g1', 'asked');
      if (attempt.kind !== 'allocated') throw new Error(attempt.kind);
      const { id, serial } = attempt.publication;
      await f.publications.markFailed(id, 'g1', 'no', 0);
      expect(serial).toBe(ready.serial + 1);
      await setBack();
      await store.settle(incarnation, [
        { zone: zone.name, view: 'external', seen: [{ peer: 'ns1', serial }] },
      ]);
      expect(await f.publish(zone)).toMatchObject({ serial: serial + 1, cause: 'recovery' });
    });

    it('moves a line by a margin when not all could be asked, once however many gateways do it', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      await setBack();
      const line = { zone: zone.name, view: 'external', seen: [{ peer: 'ns1', serial: undefined }] };
      const outcomes = [await store.settle(incarnation, [line]), await store.settle(incarnation, [line])];
      expect(outcomes).toMatchObject([[{ kind: 'safe', silent: ['ns1'] }], []]);
      expect((await lineOf(zone)).last).toBe(ready.serial + SAFE_JUMP);
    });

    it('that nobody can tell of moves no line by a margin', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      await setBack(false);
      // lines that are to be moved for certain are not forgotten
      await f.database.execute('update zoneseal.clusters set certain = false where current');
      await store.settle({ ...incarnation, isCertain: false }, [
        { zone: zone.name, view: 'external', seen: [] },
      ]);
      expect((await lineOf(zone)).last).toBe(ready.serial);
    });

    it('is past what gateways served, also of lines that are settled', async () => {
      const zone = await newZone();
      const ready = await f.publish(zone);
      await setBack();
      await store.settle(incarnation, [
        { zone: zone.name, view: 'external', seen: [{ peer: 'ns1', serial: ready.serial }] },
      ]);
      const serial = ready.serial + 9;
      const served = [
        { zone: zone.name, view: 'external', serial },
        { zone: 'gone.test.', view: 'external', serial },
      ];
      expect(await store.pushServed(served)).toMatchObject([{ zone: zone.name, past: serial }]);
      expect(await f.publications.newestReady(zone.id, 'external')).toBeUndefined();
      expect((await f.publish(zone)).serial).toBe(serial + 1);
      expect(await store.pushServed(served)).toEqual([]);
    });

    it('has new lines settled, and those of zones that come back looked at', async () => {
      const zone = await newZone();
      await f.publish(zone);
      await f.database.execute('delete from zoneseal.zone_views where zone_id = $1', [zone.id]);
      await setBack();
      await f.database.execute(
        "insert into zoneseal.zone_views (zone_id, view) values ($1, 'external'), ($1, 'internal')",
        [zone.id],
      );
      expect(await f.publications.findLine(zone.name, 'external')).toMatchObject({ isRecovering: true });
      expect(await f.publications.findLine(zone.name, 'internal')).toMatchObject({ isRecovering: false });
    });

    it('is settled as a whole, in batches, peers that are silent being left out after a while', async () => {
      const zones = [];
      for (let i = 0; i < 12; i++) zones.push(await newZone());
      const serials = new Map<string, number>();
      for (const zone of zones) serials.set(zone.id, (await f.publish(zone)).serial);
      await setBack();
      await f.database.execute(
        "insert into zoneseal.peers (name, view, address) values ('settling.test', 'external', '127.0.0.1')",
      );
      let asked = 0;
      let settled = 0;
      const recovery = new LineRecovery({
        store,
        ask: ({ zoneId }, isLeftOut) => {
          const silent = { peer: 'ns2', serial: undefined };
          if (!isLeftOut('ns2')) asked++;
          return Promise.resolve([{ peer: 'ns1', serial: (serials.get(zoneId) ?? 0) + 5 }, silent]);
        },
        askSeconds: 5,
        concurrency: 2,
        onSettled: () => void settled++,
        log: noLog,
      });
      recovery.become(incarnation);
      await recovery.settledAll();
      await f.database.execute("delete from zoneseal.peers where name = 'settling.test'");
      expect(await store.countUnsettled(incarnation.incarnation)).toBe(0);
      expect(recovery.unsettled).toBe(0);
      expect(settled).toBeGreaterThan(0);
      expect(asked).toBeLessThanOrEqual(4);
      for (const zone of zones) {
        expect((await lineOf(zone)).last).toBe((serials.get(zone.id) ?? 0) + 5 + SAFE_JUMP);
      }
      const [zone] = zones as [{ name: string; id: string }];
      await f.publish(zone);
      await recovery.findAhead({ zone: zone.name, view: 'external' }, 'ns1', 1);
      await recovery.settledAll();
      expect(await store.unsettle({ zone: zone.name, view: 'external' })).toBe(true);
      expect(await store.unsettle({ zone: zone.name, view: 'external' })).toBe(false);
      await recovery.close();
    });
  });
}
