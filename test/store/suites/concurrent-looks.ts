import { describe, expect, it } from 'vitest';
import type { DsUse, Step } from '../../../src/keys/rollover/model.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import type { Fixture } from '../fixture.js';
import { csk, loadZone, stateOf } from '../rollover-fixture.js';

type Zone = { name: string; id: string };

const T0 = 4_000_000_000;

/** Two gateways that look at the keys of one zone at the same time: each has loaded it before the other one is done. */
export function concurrentLooksSuite(open: () => Fixture): void {
  const storeOf = (f: Fixture) => new PostgresRolloverStore(f.database);
  const dueAt = async (f: Fixture, zone: Zone): Promise<number | null> => {
    const micros = (await loadZone(f, zone)).look.dueAt;
    return micros === null ? null : micros / 1_000_000;
  };
  const isDue = async (f: Fixture, zone: Zone): Promise<boolean> =>
    (await storeOf(f).listDue(100_000)).some(({ zoneId }) => zoneId === zone.id);
  const settled = async (f: Fixture, nextAt: number | null): Promise<Zone> => {
    const zone = await f.newZone(undefined, ['external']);
    await f.keys.add(zone.name, [csk(1)]);
    await storeOf(f).noteLooked((await loadZone(f, zone)).look, nextAt);
    expect(await isDue(f, zone)).toBe(false);
    return zone;
  };

  describe('of two looks at a zone at one time', () => {
    it.each([
      ['no time', null],
      ['a later time', T0 + 1000],
    ])('the one that has seen less, and notes %s, leaves what the other one noted', async (_, older) => {
      const f = open();
      const store = storeOf(f);
      const zone = await settled(f, null);
      const slow = await loadZone(f, zone);
      await store.hold(zone.name, true, 'a test');
      await store.noteLooked((await loadZone(f, zone)).look, T0);
      expect(await isDue(f, zone)).toBe(false);
      await store.noteLooked(slow.look, older);
      expect(await dueAt(f, zone)).toBe(T0);
      expect(await isDue(f, zone)).toBe(true);
      await store.noteLooked((await loadZone(f, zone)).look, T0);
      expect(await isDue(f, zone)).toBe(false);
    });

    it('the one that has seen less does so too where the time is what it was before both', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await settled(f, T0);
      await store.hold(zone.name, true, 'a test');
      const slow = await loadZone(f, zone);
      await store.hold(zone.name, false, 'a test');
      await store.noteLooked((await loadZone(f, zone)).look, T0);
      await store.noteLooked(slow.look, null);
      expect(await dueAt(f, zone)).toBe(T0);
      expect(await isDue(f, zone)).toBe(true);
    });

    it('the one that has seen an older policy does so too', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await settled(f, null);
      const policy = `c${zone.id}`;
      await f.zones.setPolicy(policy, {});
      await f.zones.assignPolicy(zone.name, policy);
      await store.noteLooked((await loadZone(f, zone)).look, null);
      await f.zones.setPolicy(policy, { zskLifetime: 86_400 });
      const slow = await loadZone(f, zone);
      await f.zones.setPolicy(policy, { zskLifetime: 172_800 });
      await store.noteLooked((await loadZone(f, zone)).look, null);
      await store.noteLooked(slow.look, T0);
      expect(await dueAt(f, zone)).toBeNull();
      expect(await isDue(f, zone)).toBe(true);
    });

    it('what is noted of a zone that is gone meanwhile is nothing', async () => {
      const f = open();
      const zone = await settled(f, null);
      const { look } = await loadZone(f, zone);
      await f.database.execute('delete from zoneseal.zones where id = $1', [zone.id]);
      await storeOf(f).noteLooked(look, T0);
      expect(await isDue(f, zone)).toBe(false);
    });

    const use = (keys: readonly string[], more: Partial<DsUse> = {}): DsUse => {
      return { keys, algorithms: [13], since: 100, seenAt: 200, until: null, ttl: 60, ...more };
    };

    it('an older sighting of the parent takes the place of no newer one', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await settled(f, null);
      const slow = await stateOf(f, zone);
      const newer = [use(['unknown:1'], { until: 300 }), use(['unknown:2'], { since: 300, seenAt: 300 })];
      expect(await store.storeDs(await stateOf(f, zone), newer)).toBe(true);
      expect(await store.storeDs(slow, [use(['unknown:1'])])).toBe(false);
      expect((await stateOf(f, zone)).ds).toEqual(newer);
    });

    it('a step that was decided on an older sighting is not taken', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await settled(f, null);
      const slow = await stateOf(f, zone);
      const [key] = slow.keys;
      const step: Step = {
        kind: 'change',
        keys: [{ id: key?.id as string, activeAt: 500 }],
        reason: 'a test',
      };
      const newer = [use(['unknown:2'])];
      await store.storeDs(slow, newer);
      expect(await store.apply(slow, step, [use(['unknown:1'])])).toBe(false);
      expect((await stateOf(f, zone)).ds).toEqual(newer);
      expect(await store.apply(await stateOf(f, zone), step, newer)).toBe(true);
      expect((await stateOf(f, zone)).keys).toMatchObject([{ activeAt: 500 }]);
    });
  });
}
