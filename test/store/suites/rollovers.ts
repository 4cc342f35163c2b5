import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { dnskeyRdata, dsRdata, keyTag } from '../../../src/dnssec/dnskey.js';
import type { DsUse, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import type { LoadedRollover, MadeKey } from '../../../src/keys/rollover/ports.js';
import { prune } from '../../../src/store/prune.js';
import { PostgresRecoveryStore } from '../../../src/store/recovery-store.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';

type Zone = { name: string; id: string };

function key(id: number, more: Partial<MadeKey> = {}): MadeKey {
  const fields = { algorithm: 13, flags: 257, publicKey: new Uint8Array(64).fill(id) };
  return {
    role: 'CSK',
    ...fields,
    keyTag: keyTag(dnskeyRdata(fields)),
    secretRef: `https://barbican/${id}`,
    view: null,
    signs: true,
    published: true,
    ...more,
  };
}

/** Key rolls: what was served when, what the parent has, steps. */
export function rolloversSuite(open: () => Fixture): void {
  const storeOf = (f: Fixture) => new PostgresRolloverStore(f.database);
  const load = async (f: Fixture, zone: Zone): Promise<LoadedRollover> =>
    (await storeOf(f).load(zone.name)) as LoadedRollover;
  const stateOf = async (f: Fixture, zone: Zone): Promise<RolloverState> => (await load(f, zone)).state;
  /** `view version`, with what has ended. */
  const usesOf = async (f: Fixture, zone: Zone): Promise<string[]> =>
    (await stateOf(f, zone)).uses.map(
      (use) =>
        `${use.view} ${use.facts.version}${use.replacedAt === null ? '' : ' replaced'}${use.until === null ? '' : ' gone'}`,
    );
  const peer = async (f: Fixture, zone: Zone, serial?: number): Promise<number> => {
    const [row] = await f.database.query<{ id: number }>(
      `insert into zoneseal.peers (name, view, address, zones)
       values ('p' || (select count(*) from zoneseal.peers) || '-' || $2::text, 'external', '127.0.0.1', array[$1]) returning id`,
      [zone.name, zone.id],
    );
    if (serial !== undefined) await seen(f, row?.id as number, serial);
    return row?.id as number;
  };
  const seen = (f: Fixture, id: number, serial: number): Promise<number> =>
    f.database.execute(
      'update zoneseal.peer_states set serial_seen = $2, seen_at = now() where peer_id = $1',
      [id, serial],
    );

  describe('key set uses', () => {
    it('begin and end with the publications of each view', async () => {
      const f = open();
      const zone = await f.newZone();
      expect(await usesOf(f, zone)).toEqual([]);
      await f.publish(zone, 'external');
      await f.publish(zone, 'internal');
      const [id] = await f.keys.add(zone.name, [key(1)]);
      expect(await usesOf(f, zone)).toEqual(['external 0', 'internal 0']);
      await f.publish(zone, 'external');
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced gone', 'internal 0', 'external 1']);
      const { uses } = await stateOf(f, zone);
      expect(uses[2]).toMatchObject({
        facts: {
          version: 1,
          published: [id],
          keySigners: [id],
          zoneSigners: { external: [id], internal: [id] },
          parent: [],
          deleteSentinel: false,
        },
        maxTtl: 300,
        dnskeyTtl: 3600,
        until: null,
      });
      expect(uses[0]?.facts).toMatchObject({ published: [], zoneSigners: { external: [], internal: [] } });
    });

    it('remember the largest TTLs of their publications', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      for (const maxTtl of [500, 86_400, 60]) {
        await f.insert(zone.name, [[`a${maxTtl}`, 'A', '192.0.2.1']]);
        const allocation = await f.allocate(zone);
        if (allocation.kind !== 'allocated') throw new Error(allocation.kind);
        const { publication } = allocation;
        await f.publications.markReady(
          publication.id,
          'g1',
          resultOf(publication, { maxTtl, dnskeyTtl: maxTtl / 2 }),
        );
      }
      expect((await stateOf(f, zone)).uses).toMatchObject([{ maxTtl: 86_400, dnskeyTtl: 43_200 }]);
    });

    it('change where a publication would say nothing new', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const first = await f.publish(zone);
      await f.keys.add(zone.name, [key(1)]);
      const next = await f.allocate(zone);
      if (next.kind !== 'allocated') throw new Error(next.kind);
      await f.publications.markUnchanged(next.publication.id, 'g1');
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced gone', 'external 1']);
      const [use] = await f.database.query<{ replaced_serial: number }>(
        'select replaced_serial from zoneseal.key_set_uses where zone_id = $1 and replaced_at is not null',
        [zone.id],
      );
      expect(use?.replaced_serial).toBe(first.serial);
    });

    it('of many zones are kept in one commit', async () => {
      const f = open();
      const zones = [await f.newZone(undefined, ['external']), await f.newZone(undefined, ['external'])];
      const publications = await f.publications.allocateMany(
        zones.map(({ name, id }) => ({ zoneId: id, zone: name, view: 'external' })),
        { gateway: 'g1', leaseSeconds: 30, formatVersion: FORMAT, nextSerial: () => 5 },
      );
      await f.publications.markManyReady(
        'g1',
        publications.map((publication) => ({
          publication,
          result: resultOf(publication),
          changes: { replaced: [], pages: [], journal: [] },
        })),
      );
      for (const zone of zones) expect(await usesOf(f, zone)).toEqual(['external 0']);
    });

    it('last until every peer of the view was seen with the next version, or with a later serial', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const first = await f.publish(zone);
      const [a, b] = [await peer(f, zone, first.serial), await peer(f, zone)];
      await f.keys.add(zone.name, [key(1)]);
      const second = await f.publish(zone);
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced', 'external 1']);
      await seen(f, a, second.serial);
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced', 'external 1']);
      await seen(f, b, second.serial + 7);
      const { uses } = await stateOf(f, zone);
      expect(uses[0]?.until).toBeGreaterThanOrEqual(uses[0]?.replacedAt as number);
      // a peer that comes later does not bring it back
      await peer(f, zone);
      expect((await stateOf(f, zone)).uses[0]?.until).toBe(uses[0]?.until);
      await f.keys.update((await f.keys.list(zone.name))[0]?.id as string, { parent: true });
      await f.publish(zone);
      expect((await usesOf(f, zone))[1]).toBe('external 1 replaced');
      await f.database.execute("delete from zoneseal.peers where name like 'p%-' || $1", [zone.id]);
      expect((await usesOf(f, zone))[1]).toBe('external 1 replaced gone');
    });

    it('end when the zone is taken from the view, and go with the zone', async () => {
      const f = open();
      const zone = await f.newZone();
      for (const view of ['external', 'internal']) await f.publish(zone, view);
      await f.database.execute("delete from zoneseal.zone_views where zone_id = $1 and view = 'internal'", [
        zone.id,
      ]);
      expect(await usesOf(f, zone)).toEqual(['external 0', 'internal 0 replaced gone']);
      await f.database.execute("insert into zoneseal.zone_views (zone_id, view) values ($1, 'internal')", [
        zone.id,
      ]);
      await f.publish(zone, 'internal');
      expect(await usesOf(f, zone)).toEqual(['external 0', 'internal 0 replaced gone', 'internal 0']);
      await f.database.execute('delete from zoneseal.zones where id = $1', [zone.id]);
      const left = await f.database.query(
        'select from zoneseal.key_set_uses where zone_id = $1 union all select from zoneseal.key_looks where zone_id = $1',
        [zone.id],
      );
      expect(left).toEqual([]);
    });

    it('keep the versions that they name, until caches are certainly without them', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.publish(zone);
      for (let i = 1; i < 4; i++) {
        await f.keys.add(zone.name, [key(i)]);
        await f.publish(zone);
      }
      const versions = async (): Promise<number[]> =>
        (
          await f.database.query<{ version: number }>(
            'select version from zoneseal.key_set_versions where zone_id = $1 order by version',
            [zone.id],
          )
        ).map(({ version }) => version);
      await prune(f.database, { holder: 'test', keep: 1, zones: 10_000 });
      expect(await versions()).toEqual([0, 1, 2, 3]);
      await f.database.execute(
        `update zoneseal.key_set_uses set gone_at = gone_at - interval '90 days' - make_interval(secs => dnskey_ttl + 1)
         where zone_id = $1 and version < 2`,
        [zone.id],
      );
      await f.database.execute('insert into zoneseal.prune_queue (zone_id) values ($1)', [zone.id]);
      await prune(f.database, { holder: 'test', keep: 1, zones: 10_000 });
      expect(await versions()).toEqual([2, 3]);
      expect(await usesOf(f, zone)).toEqual(['external 2 replaced gone', 'external 3']);
    });
  });

  describe('key sets', () => {
    it('that differ in what the parent is to have are due in every view', async () => {
      const f = open();
      const zone = await f.newZone();
      const [id] = await f.keys.add(zone.name, [key(1)]);
      const publish = async (): Promise<void> => {
        for (const view of ['external', 'internal']) await f.publish(zone, view);
      };
      await publish();
      const changes = [
        () => f.keys.update(id as string, { parent: true }),
        () => f.keys.update(id as string, { keySetsOnly: true }),
        () => f.database.execute('update zoneseal.zones set delete_sentinel = true where id = $1', [zone.id]),
      ];
      for (const [i, change] of changes.entries()) {
        expect(await f.due(zone)).toEqual([]);
        await change();
        expect(await f.due(zone)).toEqual(['external', 'internal']);
        await publish();
        expect(await f.publications.readKeySet(zone.id, i + 2)).toEqual(await f.keys.keySet(zone.name));
      }
      expect(await f.keys.keySet(zone.name)).toMatchObject({
        keys: [{ parent: true, keySetsOnly: true }],
        deleteSentinel: true,
      });
    });

    it('of before a field was there have its default, and are no change', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.keys.add(zone.name, [key(1)]);
      await f.publish(zone);
      await f.database.execute(
        `update zoneseal.key_set_versions
         set keys = (select jsonb_agg(k - 'parent' - 'keySetsOnly') from jsonb_array_elements(keys) k) where zone_id = $1 and version = 1`,
        [zone.id],
      );
      expect((await f.publications.readKeySet(zone.id, 1)).keys).toMatchObject([
        { parent: false, keySetsOnly: false },
      ]);
      await f.keys.add(zone.name, [key(2, { signs: false, published: false })]);
      expect(await f.due(zone)).toEqual([]);
    });
  });

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
      const [old] = await f.keys.add(zone.name, [key(1)]);
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
      expect(await store.apply(before, create, [], key(2))).toBe(true);
      expect(await store.apply(before, create, [], key(3))).toBe(false);
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

    it('take keys out, which stay as rows until they are destroyed', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [key(1)]);
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

    it('wait while the zone is held, and are asked for', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [key(1)]);
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
      storeOf(f).noteLooked((await load(f, zone)).look, nextAt);

    it('are new ones, those whose time has come, and those of which something has changed', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const policy = `r${zone.id}`;
      await f.zones.setPolicy(policy, {});
      const events: (() => Promise<unknown>)[] = [
        () => Promise.resolve(),
        () => f.keys.add(zone.name, [key(1)]),
        () => f.publish(zone),
        () => f.zones.assignPolicy(zone.name, policy),
        () => f.zones.setPolicy(policy, { zskLifetime: 86_400 }),
        () => store.recordDs(zone.name, ['192.0.2.1'], []),
        () => store.hold(zone.name, true, 'a test'),
        () => look(f, zone, 1_000_000_000),
      ];
      for (const event of events) {
        await event();
        expect(await isDue(f, zone), String(event)).toBe(true);
        await look(f, zone, 4_000_000_000);
        expect(await isDue(f, zone), String(event)).toBe(false);
      }
    });

    it('are so once more when something happens while they are looked at', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const { look: before } = await load(f, zone);
      await f.keys.add(zone.name, [key(1)]);
      await storeOf(f).noteLooked(before, null);
      expect(await isDue(f, zone)).toBe(true);
    });

    it('are none while a gateway runs that does not know of rolls', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      await f.database.execute(
        `insert into zoneseal.gateways (name, release, schema_level, format_version, page_format) values ('old', '0', 11, 2, 1)`,
      );
      expect(await isDue(f, zone)).toBe(false);
      await f.database.execute("delete from zoneseal.gateways where name = 'old'");
      expect(await isDue(f, zone)).toBe(true);
    });

    it('are not those of which nobody knows what was served before the database was set back', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [key(1)]);
      const { serial } = await f.publish(zone);
      const recovery = new PostgresRecoveryStore(f.database);
      await recovery.pushServed([{ zone: zone.name, view: 'external', serial: serial + 100 }]);
      expect(await isDue(f, zone)).toBe(false);
      const step: Step = { kind: 'change', keys: [{ id: id as string, goal: 'out' }], reason: 'a test' };
      expect(await storeOf(f).apply(await stateOf(f, zone), step, [])).toBe(false);
      await f.publish(zone);
      expect(await usesOf(f, zone)).toEqual(['external 1']);
      await f.database.execute(
        'update zoneseal.serial_lines set keys_unknown_until = clock_timestamp() where zone_id = $1',
        [zone.id],
      );
      expect(await storeOf(f).apply(await stateOf(f, zone), step, [])).toBe(true);
    });
  });

  describe('what the parent has', () => {
    it('is what each of its nameservers was last seen with, once all have answered', async () => {
      const f = open();
      const store = storeOf(f);
      const zone = await f.newZone(undefined, ['external']);
      const [id] = await f.keys.add(zone.name, [key(1)]);
      const ds = dsRdata(Name.parse(zone.name), dnskeyRdata(key(1)), 2);
      const foreign = dsRdata(Name.parse(zone.name), dnskeyRdata(key(9)), 2);
      const parentOf = async () => (await load(f, zone)).parent;
      expect(await parentOf()).toBeNull();
      const servers = ['192.0.2.1', '2001:db8::1'];
      await store.recordDs(zone.name, servers, [{ server: '192.0.2.1', ds: [ds, foreign], ttl: 3600 }]);
      expect(await parentOf()).toBeNull();
      await store.recordDs(zone.name, servers, [{ server: '2001:db8::1', ds: [], ttl: 300 }]);
      expect((await parentOf())?.sets).toEqual([
        { keys: [id, `unknown:${key(9).keyTag}`].sort(), algorithms: [13], ttl: 3600 },
        { keys: [], algorithms: [], ttl: 300 },
      ]);
      // the same again in another order and with another TTL; the other server is none of the parent's any more
      await store.recordDs(zone.name, ['192.0.2.1'], [{ server: '192.0.2.1', ds: [foreign, ds], ttl: 7200 }]);
      expect((await parentOf())?.sets).toEqual([
        { keys: [id, `unknown:${key(9).keyTag}`].sort(), algorithms: [13], ttl: 7200 },
      ]);
      const [count] = await f.database.query<{ count: number }>(
        'select count(*) from zoneseal.ds_sightings where zone_id = $1 and ds is not null',
        [zone.id],
      );
      expect(count?.count).toBe(2);
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
}
