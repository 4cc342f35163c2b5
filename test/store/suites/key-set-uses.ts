import { describe, expect, it } from 'vitest';
import { prune } from '../../../src/store/prune.js';
import { type Fixture, FORMAT, resultOf } from '../fixture.js';
import { csk, stateOf, usesOf } from '../rollover-fixture.js';

type Zone = { name: string; id: string };

/** What was served with which keys, and what of a key set shows. */
export function keySetUsesSuite(open: () => Fixture): void {
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
      const [id] = await f.keys.add(zone.name, [csk(1)]);
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

    it('are looked at by the policies of their time', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const policy = (name: string, seconds: number) =>
        f.database.execute(
          `insert into zoneseal.policies as p (name, document) values ($1, jsonb_build_object('propagationDelay', $2::bigint))
           on conflict (name) do update set document = excluded.document`,
          [`${name}-${zone.id}`, seconds],
        );
      const assign = (name: string) =>
        f.database.execute('update zoneseal.zones set policy = $2 where id = $1', [
          zone.id,
          `${name}-${zone.id}`,
        ]);
      const formerly = async () =>
        (await stateOf(f, zone)).formerly
          .map(({ until, delays }) => {
            expect(Math.abs(until - Date.now() / 1000)).toBeLessThan(60);
            return delays.propagationDelay;
          })
          .sort((a, b) => a - b);
      await policy('slow', 7200);
      await policy('quick', 60);
      await policy('quick', 61);
      await assign('slow');
      await f.database.execute('delete from zoneseal.former_policies where zone_id = $1', [zone.id]);
      expect(await formerly()).toEqual([]);
      await policy('slow', 7100);
      expect(await formerly()).toEqual([7200]);
      await assign('quick');
      expect((await stateOf(f, zone)).policy.propagationDelay).toBe(61);
      expect(await formerly()).toEqual([60, 7100, 7200]);
      // another policy's new version is none that the zone had
      await policy('slow', 9000);
      expect(await formerly()).toEqual([60, 7100, 7200]);
      await f.database.execute(
        'update zoneseal.policy_versions set document = \'{"propagationDelay":"no such"}\' where name = $1 and version = 1',
        [`slow-${zone.id}`],
      );
      expect(await formerly()).toEqual([60, 7100]);
      await f.database.execute(
        "update zoneseal.former_policies set until = now() - interval '91 days' where zone_id = $1",
        [zone.id],
      );
      expect(await formerly()).toEqual([60]);
      await f.database.execute('update zoneseal.zones set policy = $2 where id = $1', [zone.id, 'default']);
      expect(
        await f.database.query('select policy from zoneseal.former_policies where zone_id = $1', [zone.id]),
      ).toEqual([{ policy: `quick-${zone.id}` }]);
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
      await f.keys.add(zone.name, [csk(1)]);
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
      await f.keys.add(zone.name, [csk(1)]);
      const second = await f.publish(zone);
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced', 'external 1']);
      await seen(f, a, second.serial);
      expect(await usesOf(f, zone)).toEqual(['external 0 replaced', 'external 1']);
      const [name] = await f.database.query<{ name: string }>(
        'select name from zoneseal.peers where id = $1',
        [b],
      );
      expect((await stateOf(f, zone)).uses.map((use) => use.behind)).toEqual([[name?.name], undefined]);
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

    it.each<[text: string, document: Record<string, unknown>, isKept: boolean]>([
      ['until caches are certainly without them', {}, false],
      ['for as long as their policy looks back', { zskLifetime: 0, publishSafety: '200d' }, true],
    ])('keep the versions that they name, %s', async (text, document, isKept) => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      const policy = text.replaceAll(' ', '-');
      await f.zones.setPolicy(policy, { ...document, validity: 1_209_600 });
      await f.zones.assignPolicy(zone.name, policy);
      await f.publish(zone);
      for (let i = 1; i < 4; i++) {
        await f.keys.add(zone.name, [csk(i)]);
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
      if (isKept) {
        expect(await versions()).toEqual([0, 1, 2, 3]);
        return;
      }
      expect(await versions()).toEqual([2, 3]);
      expect(await usesOf(f, zone)).toEqual(['external 2 replaced gone', 'external 3']);
    });
  });

  describe('key sets', () => {
    it('that differ in what the parent is to have are due in every view', async () => {
      const f = open();
      const zone = await f.newZone();
      const [id] = await f.keys.add(zone.name, [csk(1)]);
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
      await f.keys.add(zone.name, [csk(1)]);
      await f.publish(zone);
      await f.database.execute(
        `update zoneseal.key_set_versions
         set keys = (select jsonb_agg(k - 'parent' - 'keySetsOnly') from jsonb_array_elements(keys) k) where zone_id = $1 and version = 1`,
        [zone.id],
      );
      expect((await f.publications.readKeySet(zone.id, 1)).keys).toMatchObject([
        { parent: false, keySetsOnly: false },
      ]);
      await f.keys.add(zone.name, [csk(2, { signs: false, published: false })]);
      expect(await f.due(zone)).toEqual([]);
    });
  });
}
