import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { dnskeyRdata, dsRdata } from '../../../src/dnssec/dnskey.js';
import type { DsUse, Step } from '../../../src/keys/rollover/model.js';
import { ParentStore } from '../../../src/store/parent-store.js';
import { PostgresParentWatchStore } from '../../../src/store/parent-watch-store.js';
import { PostgresRecoveryStore } from '../../../src/store/recovery-store.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import type { Fixture } from '../fixture.js';
import { csk, loadZone, stateOf, usesOf } from '../rollover-fixture.js';

type Zone = { name: string; id: string };
/** Key rolls: steps, which zones are due, what the parent has. */
export function rolloversSuite(open: () => Fixture): void {
  const storeOf = (f: Fixture) => new PostgresRolloverStore(f.database);

  describe('steps of a roll', () => {
    const change = (id: string, more: object): Step => ({
      kind: 'change',
      keys: [{ id, ...more }],
      reason: 'a test',
    });

    it('are taken once, on the key set that was looked at', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [old] = await f.keys.add(zone.name, [csk(1)]);
      const before = await stateOf(f, zone);
      expect(before).toMatchObject({
        zone: zone.name,
        views: ['external'],
        keySetVersion: 1,
        keys: [{ id: old, goal: 'in', parent: false, keySetsOnly: false, replaces: null, removedAt: null }],
        ds: [],
        isHeld: false,
        asked: [],
        deleteSentinel: false,
      });
      const create: Step = {
        kind: 'create',
        role: 'CSK',
        algorithm: 13,
        view: null,
        replaces: old as string,
        reason: 'it is old',
      };
      expect(await store.apply(before, create, [], csk(2))).toBe(true);
      expect(await store.apply(before, create, [], csk(3))).toBe(false);
      const created = await stateOf(f, zone);
      expect(created.keys[1]).toMatchObject({
        replaces: old,
        signs: false,
        published: false,
        activeAt: null,
      });
      expect(await f.due(zone)).toEqual(['external']);
      await f.publish(zone);
      const next = created.keys[1]?.id as string;
      const asked: DsUse[] = [
        { keys: [next], algorithms: [13], since: 100, seenAt: null, until: null, ttl: null },
      ];
      const steps: Step = {
        kind: 'change',
        keys: [
          { id: next, signs: true, published: true, parent: true, activeAt: 1_790_000_000 },
          { id: old as string, goal: 'out' },
        ],
        deleteSentinel: false,
        reason: 'it is time',
      };
      expect(await store.apply(created, steps, asked)).toBe(true);
      const changed = await stateOf(f, zone);
      expect(changed.keySetVersion).toBe(created.keySetVersion + 1);
      expect(changed.keys).toMatchObject([
        { id: old, goal: 'out' },
        { id: next, signs: true, published: true, parent: true, activeAt: 1_790_000_000 },
      ]);
      expect(changed.ds).toEqual(asked);
      expect(await f.due(zone)).toEqual(['external']);
      expect((await store.listEvents(zone.name, 10)).map(({ what, why }) => `${what}: ${why}`)).toEqual([
        'is to go: it is time',
        'signs, published, wanted at the parent, active: it is time',
        'created as CSK of algorithm 13: it is old',
      ]);
    });

    it('that fail are noted once, until another one is taken', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [csk(1)]);
      const destroy: Step = { kind: 'destroy', key: id as string, reason: 'it was taken out' };
      const create: Step = {
        kind: 'create',
        role: 'CSK',
        algorithm: 13,
        view: null,
        replaces: null,
        reason: 'it is old',
      };
      const fail = async (): Promise<void> => {
        await store.noteFailed(
          zone.name,
          destroy,
          'KEYSTORE_FORBIDDEN',
          `not yours (request ${Math.random()})`,
        );
        await store.noteFailed(zone.name, create, null, 'no room');
      };
      await fail();
      await fail();
      const events = async (): Promise<string[]> =>
        (await store.listEvents(zone.name, 10)).map(({ key, what }) => `${what} ${key === id}`);
      const once = ['failed false', 'failed (KEYSTORE_FORBIDDEN) true'];
      expect(await events()).toEqual(once);
      expect((await store.listEvents(zone.name, 1))[0]?.why).toBe('it is old: no room');
      await store.hold(zone.name, true, 'a test');
      await fail();
      expect(await events()).toEqual([...once, 'keys held false', ...once]);
    });

    it('take keys out, which stay as rows until they are destroyed', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [csk(1)]);
      const destroy: Step = { kind: 'destroy', key: id as string, reason: 'a test' };
      // not one that is in use
      await store.apply(await stateOf(f, zone), destroy, []);
      expect(await f.keys.list(zone.name)).toHaveLength(1);
      const out = change(id as string, { signs: false, published: false, removedAt: 1_790_000_000 });
      await store.apply(await stateOf(f, zone), out, []);
      expect((await stateOf(f, zone)).keys).toMatchObject([{ id, removedAt: 1_790_000_000 }]);
      expect((await f.keys.keySet(zone.name)).keys).toEqual([]);
      expect(await store.apply(await stateOf(f, zone), destroy, [])).toBe(true);
      expect((await stateOf(f, zone)).keys).toEqual([]);
    });

    it.each([
      ['deleted', 'destroyed'],
      ['shared', 'forgotten, its secret kept in Barbican: other keys use it'],
      ['kept', 'forgotten, its secret kept in Barbican: it was not put there from here'],
    ] as const)('tell of a key whose secret is %s that it was %s', async (secret, what) => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [{ ...csk(1), signs: false, published: false }]);
      expect(await f.keys.takeOut(id as string)).toBe(true);
      const step: Step = { kind: 'destroy', key: id as string, reason: 'a test', secret };
      expect(await store.apply(await stateOf(f, zone), step, [])).toBe(true);
      expect(await store.listEvents(zone.name, 1)).toMatchObject([{ what, why: 'a test' }]);
      expect(await f.keys.list(zone.name)).toEqual([]);
    });

    it('wait while the zone is held, and are asked for', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [csk(1)]);
      const before = await stateOf(f, zone);
      expect(await store.hold(zone.name, true, 'a test')).toBe(true);
      expect(await store.hold(zone.name, true, 'a test')).toBe(false);
      expect(await store.apply(before, change(id as string, { goal: 'out' }), [])).toBe(false);
      expect(await stateOf(f, zone)).toMatchObject({ isHeld: true });
      expect(await store.hold(zone.name, false, 'a test')).toBe(true);
      await store.askRoll(zone.name, [id as string], 'a test');
      expect(await stateOf(f, zone)).toMatchObject({ isHeld: false, asked: [id] });
      await expect(store.askRoll(zone.name, ['999999'], 'a test')).rejects.toMatchObject({
        code: 'NOT_HELD',
      });
      await expect(store.hold('nowhere.', true, 'a test')).rejects.toMatchObject({ code: 'NOT_HELD' });
      expect(await store.load('nowhere.')).toBeUndefined();
    });
  });

  describe('zones whose keys are to be looked at', () => {
    const isDue = async (f: Fixture, zone: Zone): Promise<boolean> =>
      (await storeOf(f).listDue(100_000)).some(({ zoneId }) => zoneId === zone.id);
    const look = async (f: Fixture, zone: Zone, nextAt: number | null = null): Promise<void> =>
      storeOf(f).noteLooked((await loadZone(f, zone)).look, nextAt);

    it('are new ones, those whose time has come, and those of which something has changed', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const policy = `r${zone.id}`;
      await f.zones.setPolicy(policy, {});
      const events: (() => Promise<unknown>)[] = [
        () => Promise.resolve(),
        () => f.keys.add(zone.name, [csk(1)]),
        () => f.publish(zone),
        () => f.zones.assignPolicy(zone.name, policy),
        () => f.zones.setPolicy(policy, { zskLifetime: 86_400 }),
        () => store.recordDs(zone.name, ['192.0.2.1'], []),
        () => store.hold(zone.name, true, 'a test'),
        () => look(f, zone, 1_000_000_000),
        () => f.database.execute('delete from zoneseal.zone_views where zone_id = $1', [zone.id]),
        () =>
          f.database.execute(`insert into zoneseal.zone_views (zone_id, view) values ($1, 'internal')`, [
            zone.id,
          ]),
      ];
      for (const event of events) {
        await event();
        expect(await isDue(f, zone), String(event)).toBe(true);
        await look(f, zone, 4_000_000_000);
        expect(await isDue(f, zone), String(event)).toBe(false);
      }
    });

    it('are not those whose parent has what it had, unless a roll waits for it', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      await f.keys.add(zone.name, [csk(1)]);
      const server = '192.0.2.1';
      const dueAfter = async (work: () => Promise<void>): Promise<boolean> => {
        await look(f, zone, 4_000_000_000);
        await work();
        return isDue(f, zone);
      };
      const see = (ds: readonly Uint8Array[], ttl = 60, servers = [server]) =>
        dueAfter(() => store.recordDs(zone.name, servers, [{ server, ds, ttl, isTtlProved: false }]));
      const ds = dsRdata(Name.parse(zone.name), dnskeyRdata(csk(1)), 2);
      const awaits = (value: boolean) =>
        f.database.execute(
          `insert into zoneseal.parent_looks as l (zone_id, awaits) values ($1, $2)
           on conflict (zone_id) do update set awaits = excluded.awaits`,
          [zone.id, value],
        );
      await awaits(false);
      expect(await see([ds])).toBe(true);
      expect(await see([ds])).toBe(false);
      expect(await see([ds], 61)).toBe(true);
      expect(await see([ds], 61, [server, '192.0.2.2'])).toBe(true);
      expect(await see([ds])).toBe(true); // the other one is none of the parent's any more
      expect(await see([ds])).toBe(false);
      expect(await dueAfter(() => store.recordDsByHand(zone.name, [], null))).toBe(true);
      expect(await see([ds])).toBe(true); // which counts instead of what was said by hand
      expect(await see([ds])).toBe(false);
      expect(await see([])).toBe(true);
      await awaits(true);
      expect(await see([])).toBe(true);
    });

    it('are so once more when something happens while they are looked at', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const { look: before } = await loadZone(f, zone);
      await f.keys.add(zone.name, [csk(1)]);
      await storeOf(f).noteLooked(before, null);
      expect(await isDue(f, zone)).toBe(true);
    });

    it('are not those that could not be looked at, until their time has come or they change', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      await store.postpone(zone.id, 3600);
      expect(await isDue(f, zone)).toBe(false);
      await store.hold(zone.name, true, 'a test');
      expect(await isDue(f, zone)).toBe(true);
      await store.postpone(zone.id, 3600);
      expect(await isDue(f, zone)).toBe(false);
      await store.postpone(zone.id, 0);
      expect(await isDue(f, zone)).toBe(true);
    });

    it('are none while a gateway runs that does not know of rolls', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.database.execute(
        `insert into zoneseal.gateways (name, release, schema_level, format_version, page_format) values ('old', '0', 11, 2, 1)`,
      );
      expect(await isDue(f, zone)).toBe(false);
      expect(await storeOf(f).listOlderGateways()).toEqual(['gateway old (0)']);
      await f.database.execute("delete from zoneseal.gateways where name = 'old'");
      expect(await storeOf(f).listOlderGateways()).toEqual([]);
      expect(await isDue(f, zone)).toBe(true);
    });

    it('stay as they are while nobody knows what was served before the database was set back', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [csk(1)]);
      const { serial } = await f.publish(zone);
      const recovery = new PostgresRecoveryStore(f.database);
      await recovery.pushServed([{ zone: zone.name, view: 'external', serial: serial + 100 }]);
      // looked at once, so that it can be told of
      expect(await isDue(f, zone)).toBe(true);
      const { look: first, unknownUntil } = await loadZone(f, zone);
      expect(unknownUntil).toBeGreaterThan(Date.now() / 1000 + 2 * 86_400);
      await storeOf(f).noteLooked(first, unknownUntil);
      expect(await isDue(f, zone)).toBe(false);
      const step: Step = { kind: 'change', keys: [{ id: id as string, goal: 'out' }], reason: 'a test' };
      expect(await storeOf(f).apply(await stateOf(f, zone), step, [])).toBe(false);
      const urgent: Step = { kind: 'change', keys: [{ id: id as string, goal: 'in' }], reason: 'a test' };
      expect(await storeOf(f).apply({ ...(await stateOf(f, zone)), isUrgent: true }, urgent, [])).toBe(true);
      await f.publish(zone);
      expect(await usesOf(f, zone)).toEqual(['external 1']);
      await f.database.execute(
        'update zoneseal.serial_lines set keys_unknown_until = clock_timestamp() where zone_id = $1',
        [zone.id],
      );
      expect((await loadZone(f, zone)).unknownUntil).toBeNull();
      expect(await storeOf(f).apply(await stateOf(f, zone), step, [])).toBe(true);
    });
  });

  describe('what the parent has', () => {
    it('is what each of its nameservers was last seen with, once all have answered', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [csk(1)]);
      const ds = dsRdata(Name.parse(zone.name), dnskeyRdata(csk(1)), 2);
      const foreign = dsRdata(Name.parse(zone.name), dnskeyRdata(csk(9)), 2);
      const parentOf = async () => (await loadZone(f, zone)).parent;
      expect(await parentOf()).toBeNull();
      const servers = ['192.0.2.1', '2001:db8::1'];
      await store.recordDs(zone.name, servers, [
        { server: '192.0.2.1', ds: [ds, foreign], ttl: 3600, isTtlProved: true },
      ]);
      expect(await parentOf()).toBeNull();
      await store.recordDs(zone.name, servers, [
        { server: '2001:db8::1', ds: [], ttl: 300, isTtlProved: true },
      ]);
      expect((await parentOf())?.sets).toEqual([
        { keys: [id, `unknown:${csk(9).keyTag}`], algorithms: [13], ttl: 3600 },
        { keys: [], algorithms: [], ttl: 300 },
      ]);
      expect((await parentOf())?.settledAt).toBeNull();
      // what is seen together was there at one time
      await store.recordDs(zone.name, servers, [
        { server: '192.0.2.1', ds: [ds, foreign], ttl: 3600, isTtlProved: true },
        { server: '2001:db8::1', ds: [ds], ttl: 300, isTtlProved: true },
      ]);
      expect((await parentOf())?.settledAt).toBeGreaterThan(0);
      // the same again in another order and with another TTL; the other server is none of the parent's any more
      await store.recordDs(
        zone.name,
        ['192.0.2.1'],
        [{ server: '192.0.2.1', ds: [foreign, ds], ttl: 7200, isTtlProved: true }],
      );
      expect((await parentOf())?.sets).toEqual([
        { keys: [id, `unknown:${csk(9).keyTag}`], algorithms: [13], ttl: 7200 },
      ]);
      const [count] = await f.database.query<{ count: number }>(
        'select count(*) from zoneseal.ds_sightings where zone_id = $1 and ds is not null',
        [zone.id],
      );
      expect(count?.count).toBe(3);
      // one that nobody has signed counts for no less than the policy says
      const unsigned = { server: '192.0.2.1', ds: [], isTtlProved: false };
      await store.recordDs(zone.name, ['192.0.2.1'], [{ ...unsigned, ttl: 60 }]);
      expect((await parentOf())?.sets).toEqual([{ keys: [], algorithms: [], ttl: 86_400 }]);
      await store.recordDs(zone.name, ['192.0.2.1'], [{ ...unsigned, ttl: 600_000 }]);
      expect((await parentOf())?.sets).toMatchObject([{ ttl: 600_000 }]);
      // and for nothing once a signed one is there
      await store.recordDs(zone.name, ['192.0.2.1'], [{ ...unsigned, ttl: 60, isTtlProved: true }]);
      expect((await parentOf())?.sets).toMatchObject([{ ttl: 60 }]);
      await store.recordDsByHand(zone.name, [ds], null);
      expect((await parentOf())?.sets).toEqual([{ keys: [id], algorithms: [13], ttl: null }]);
      const uses: DsUse[] = [
        { keys: [id as string], algorithms: [13], since: 5, seenAt: 6, until: null, ttl: 3600 },
        { keys: [], algorithms: [], since: 1, seenAt: 2, until: 7, ttl: null },
      ];
      const state = await stateOf(f, zone);
      expect(await store.storeDs(state, uses)).toBe(true);
      expect((await stateOf(f, zone)).ds).toEqual(uses);
      expect(await store.storeDs({ ...state, keySetVersion: 0 }, [])).toBe(false);
    });
  });

  describe('the parent of a zone', () => {
    const looked = (
      zone: Zone,
      wanted: string | null,
      tellIn: number | null,
      awaitsParent = true,
      fault: string | null = null,
    ) => {
      const tellAt = tellIn === null ? null : Date.now() / 1000 + tellIn;
      const news = wanted === null ? null : { wanted, tellAt };
      return { zoneId: zone.id, zone: zone.name, hasEntry: true, awaitsParent, news, fault };
    };
    const setUp = async () => {
      const f = open();
      const store = new PostgresParentWatchStore(f.database, storeOf(f));
      const zone = await f.newZone(undefined, ['external']);
      const claim = async () => (await store.claim(100_000, 60)).find(({ zoneId }) => zoneId === zone.id);
      const faults = () => new ParentStore(f.database).listFaults(zone.name, 10);
      return { store, zone, claim, faults };
    };

    it('is told of at once where its DS makes the zone bogus, until it does not', async () => {
      const { store, zone, claim, faults } = await setUp();
      await store.schedule(looked(zone, 'a', -1, false));
      expect(await claim()).toMatchObject({ fault: null });
      const before = await store.countFaults();
      await store.schedule(looked(zone, 'a', -1, false, 'another key'));
      const found = await claim();
      expect(found).toMatchObject({ fault: 'another key', faultToldSeconds: null });
      await store.noteFaultTold(found as NonNullable<typeof found>);
      await store.noteAsked(found as NonNullable<typeof found>, 0, false);
      expect((await claim())?.faultToldSeconds).toBeGreaterThanOrEqual(0);
      expect(await faults()).toMatchObject([{ zone: zone.name, fault: 'another key' }]);
      expect(await store.countFaults()).toBe(before + 1);
      await store.schedule(looked(zone, 'a', -1, false, 'a third key'));
      expect(await claim()).toMatchObject({ fault: 'a third key', faultToldSeconds: null });
      await store.schedule(looked(zone, 'a', -1, false));
      expect([await faults(), await store.countFaults()]).toEqual([[], before]);
    });

    it('is told of each DS set that is wanted once nameservers have it, whether one was waited for before or not', async () => {
      const { store, zone, claim } = await setUp();
      await store.schedule(looked(zone, 'a', null));
      const first = await claim();
      expect(first).toMatchObject({ awaits: true, wanted: 'a', tellSeconds: null, toldSeconds: null });
      await store.noteAsked(first as NonNullable<typeof first>, 3600, false);
      expect(await claim()).toBeUndefined();
      // the nameservers have it
      await store.schedule(looked(zone, 'a', -1));
      const second = await claim();
      expect(second).toMatchObject({ wanted: 'a', tellSeconds: 0, toldSeconds: null });
      await store.noteAsked(second as NonNullable<typeof second>, 3600, true);
      // another one while the first is waited for
      await store.schedule(looked(zone, 'b', 500));
      const third = await claim();
      expect(third).toMatchObject({ wanted: 'b', toldSeconds: null });
      expect(third?.tellSeconds).toBeGreaterThan(400);
      await store.noteAsked(third as NonNullable<typeof third>, 3600, false);
      await store.schedule(looked(zone, 'b', -1));
      const fourth = await claim();
      expect(fourth).toMatchObject({ tellSeconds: 0, toldSeconds: null });
      await store.noteAsked(fourth as NonNullable<typeof fourth>, 0, true);
      expect((await claim())?.toldSeconds).toBeGreaterThanOrEqual(0);
    });

    it('is asked at once again where something has changed while it was asked', async () => {
      const { store, zone, claim } = await setUp();
      await store.schedule(looked(zone, 'a', -1, false));
      const before = await claim();
      await store.schedule(looked(zone, 'b', -1));
      await store.noteAsked(before as NonNullable<typeof before>, 3600, true);
      expect(await claim()).toMatchObject({ awaits: true, wanted: 'b', toldSeconds: null });
    });
  });
}
