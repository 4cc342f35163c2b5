import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agreedFormat } from '../../../src/publication/formats.js';
import type { Database } from '../../../src/store/database.js';
import { type GatewayFacts, GatewayRegistry } from '../../../src/store/gateway-registry.js';
import { type Migration, migrate, readMigrations } from '../../../src/store/migrate.js';
import { PostgresPublicationStore } from '../../../src/store/publication-store.js';
import { PostgresRolloverStore } from '../../../src/store/rollover-store.js';
import { Fixture, FORMAT } from '../fixture.js';

/** Releases side by side. @param open an empty database of the suite's own, another one for each name */
export function upgradingSuite(open: (name: string) => Promise<Database>): void {
  const openOlder = async (migrations: readonly Migration[]): Promise<Database> => {
    const database = await open('older');
    // what grants the rights of this release comes with its last migration
    await expect(migrate(database, migrations)).rejects.toMatchObject({
      message: expect.stringContaining('grant_rollover_roles'),
    });
    return database;
  };

  describe('releases side by side', () => {
    let database: Database;
    let old: Migration[];
    let f: Fixture;

    beforeAll(async () => {
      database = await open('upgrading');
      old = await readMigrations();
      await migrate(database, old);
      f = new Fixture(database);
      await f.prepare();
    });

    afterAll(() => database?.close());

    const level = (): number => old.at(-1)?.id ?? 0;

    /** A migration of the next release. */
    const next = (id: number, compatibleFrom: number | null, sql = 'select 1'): Migration => ({
      id,
      name: `${id}-next`,
      sql,
      checksum: String(id),
      compatibleFrom,
    });

    const announced = (name: string, more: Partial<GatewayFacts> = {}) =>
      new GatewayRegistry(database).announce({
        name,
        release: '1.0.0',
        schemaLevel: level(),
        formatVersion: FORMAT,
        pageFormat: 1,
        ...more,
      });

    const silence = (name: string): Promise<number> =>
      database.execute("update zoneseal.gateways set seen_at = seen_at - interval '31 s' where name = $1", [
        name,
      ]);

    it('what was published before rolls were known is taken for what caches may have', async () => {
      const before = await openOlder(old.filter(({ id }) => id < 12));
      try {
        await before.execute(`
          with v as (insert into zoneseal.views (name) values ('external') returning name),
            z as (insert into zoneseal.zones (name) values ('old.test.') returning id)
          select 1`);
        await before.execute(
          "insert into zoneseal.zone_views (zone_id, view) values (zoneseal.zone_id('old.test.'), 'external')",
        );
        await before.execute(
          `insert into zoneseal.zone_keys (zone_id, role, algorithm, flags, key_tag, public_key, secret_ref)
           values (zoneseal.zone_id('old.test.'), 'CSK', 13, 257, 1, '\\x01', 'x')`,
        );
        for (const [serial, version, ttl] of [
          [7, 0, 300],
          [8, 0, 900],
          [9, 1, 60],
        ]) {
          await before.execute(
            `with p as (
               insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version, time,
                 format_version, state, gateway, resign_at, soa_rdata, max_ttl, finished_at)
               values (zoneseal.zone_id('old.test.'), 'external', $1::bigint, 0, 'default', 1, $2::bigint, 0, 2, 'ready', 'g', 0, '', $3::bigint,
                 to_timestamp(1790000000 + $1::bigint)) returning id
             ) update zoneseal.serial_lines set ready = p.id, ready_key_set_version = $2::bigint from p where zone = 'old.test.'`,
            [serial, version, ttl],
          );
        }
        await migrate(before, old);
        const loaded = await new PostgresRolloverStore(before).load('old.test.');
        expect(loaded?.state.uses).toMatchObject([
          {
            since: 1_790_000_007,
            replacedAt: 1_790_000_009,
            maxTtl: 900,
            dnskeyTtl: 900,
            facts: { published: [] },
          },
          { since: 1_790_000_009, replacedAt: null, until: null, maxTtl: 60, facts: { version: 1 } },
        ]);
        const [key] = loaded?.state.keys ?? [];
        expect(key).toMatchObject({ goal: 'in', parent: false, activeAt: key?.createdAt });
        expect(loaded?.state.keySetVersion).toBe(1);
        // as the release before marks one ready, which knows no TTL of the DNSKEY RRset
        await before.execute('update zoneseal.publications set max_ttl = 5000 where serial = 9');
        await before.execute(
          "update zoneseal.serial_lines set ready_key_set_version = 2 where zone = 'old.test.'",
        );
        expect((await new PostgresRolloverStore(before).listDue(10)).map(({ zone }) => zone)).toEqual([
          'old.test.',
        ]);
        const rows = await before.query(
          'select version, replaced_serial, max_ttl, dnskey_ttl from zoneseal.key_set_uses where version > 0 order by version',
        );
        expect(rows).toEqual([
          { version: 1, replaced_serial: 9, max_ttl: 60, dnskey_ttl: 60 },
          { version: 2, replaced_serial: null, max_ttl: 5000, dnskey_ttl: 5000 },
        ]);
      } finally {
        await before.close();
      }
    });

    it('an old one goes on with a schema that the newer one widened', async () => {
      const widened = [...old, next(901, level(), 'alter table zoneseal.zones add column wider text')];
      expect(await migrate(database, widened)).toMatchObject({ applied: ['901-next'], newer: [] });
      expect(await migrate(database, old)).toEqual({ applied: [], version: level(), newer: ['901-next'] });
      const zone = await f.newZone(undefined, ['external']);
      expect(await f.publish(zone)).toMatchObject({ zoneVersion: 1 });
    });

    it('a step that takes something away waits for gateways that use it, and then old ones do not start', async () => {
      const narrowed = [
        ...old,
        next(901, level()),
        next(902, 901, 'alter table zoneseal.zones drop column wider'),
      ];
      await announced('old gateway');
      await expect(migrate(database, narrowed)).rejects.toMatchObject({
        code: 'MIGRATION_FAILED',
        message: expect.stringMatching(/^migration 902-next: gateway old gateway of release 1\.0\.0 runs/),
      });
      // a gateway of the release between is no hindrance
      await announced('newer gateway', { release: '1.1.0', schemaLevel: 901 });
      await silence('old gateway');
      expect((await migrate(database, narrowed)).applied).toEqual(['902-next']);
      expect((await migrate(database, narrowed.slice(0, -1))).newer).toEqual(['902-next']);
      await expect(migrate(database, old)).rejects.toMatchObject({
        code: 'DATABASE_NEWER',
        message: expect.stringContaining('902-next'),
      });
      await new GatewayRegistry(database).leave('newer gateway');
    });

    it('a step that says nothing is for its own release alone', async () => {
      const closed = [...old, next(901, level()), next(902, 901), next(903, null)];
      await announced('old gateway');
      await expect(migrate(database, closed)).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
      await silence('old gateway');
      await migrate(database, closed);
      await expect(migrate(database, closed.slice(0, -1))).rejects.toMatchObject({ code: 'DATABASE_NEWER' });
    });

    it('gateways are known while they give signs of life, and their rows go some time after', async () => {
      await database.execute('delete from zoneseal.gateways');
      await announced('a');
      const both = await announced('b', { release: '2.0.0', formatVersion: 9 });
      expect(both).toMatchObject([
        { name: 'a', release: '1.0.0', formatVersion: FORMAT, pageFormat: 1 },
        { name: 'b', release: '2.0.0', formatVersion: 9 },
      ]);
      await silence('a');
      expect((await announced('b')).map(({ name }) => name)).toEqual(['b']);
      await database.execute(
        "update zoneseal.gateways set seen_at = seen_at - interval '1 h' where name = 'a'",
      );
      await announced('b');
      expect(await database.query('select name from zoneseal.gateways')).toEqual([{ name: 'b' }]);
    });

    it('a newer output format waits until every gateway reads it', async () => {
      await database.execute('delete from zoneseal.gateways');
      const zone = await f.newZone(undefined, ['external']);
      await f.publish(zone);
      const own = { formatVersion: FORMAT + 1, pageFormat: 2 };
      const newer = { ...own, release: '2.0.0' };
      let gateways = await announced('new gateway', newer);
      const format = (): number => agreedFormat(own, gateways, (version) => (version > FORMAT ? 2 : 1));
      const store = new PostgresPublicationStore(database, { formatVersion: format });
      const isDue = async (): Promise<boolean> =>
        (await store.listDue(1000)).some(({ zoneId }) => zoneId === zone.id);
      const allocate = () =>
        store.allocate(
          { zoneId: zone.id, zone: zone.name, view: 'external' },
          {
            gateway: 'g',
            leaseSeconds: 30,
            formatVersion: format(),
            nextSerial: ({ last }) => (last ?? 0) + 1,
          },
        );

      await announced('old gateway');
      gateways = await announced('new gateway', newer);
      expect(format()).toBe(FORMAT);
      expect(await isDue()).toBe(false);
      expect((await allocate()).kind).toBe('current');

      await silence('old gateway');
      gateways = await announced('new gateway', newer);
      expect(format()).toBe(FORMAT + 1);
      expect(await isDue()).toBe(true);
      const allocation = await allocate();
      expect(allocation).toMatchObject({
        kind: 'allocated',
        publication: { cause: 'format', formatVersion: FORMAT + 1 },
      });
    });

    it('an old one does not start where publications are of a format that it cannot read', async () => {
      const registry = new GatewayRegistry(database);
      await f.publish(await f.newZone(undefined, ['external']));
      await registry.checkReadable({ formatVersion: FORMAT, pageFormat: 1 });
      await expect(
        registry.checkReadable({ formatVersion: FORMAT - 1, pageFormat: 1 }),
      ).rejects.toMatchObject({
        code: 'DATABASE_NEWER',
        message: expect.stringContaining(`made in format ${FORMAT}, this release reads up to ${FORMAT - 1}`),
      });
    });
  });

  describe('the output format', () => {
    const own = { formatVersion: 5, pageFormat: 3 };

    it.each([
      { title: 'is the own one where no other gateway runs', others: [], format: 5 },
      { title: 'is not held back by newer ones', others: [{ formatVersion: 7, pageFormat: 4 }], format: 5 },
      { title: 'is that of the oldest', others: [own, { formatVersion: 4, pageFormat: 3 }], format: 4 },
      { title: 'is one whose pages all can read', others: [{ formatVersion: 5, pageFormat: 1 }], format: 2 },
    ])('$title', ({ others, format }) => {
      expect(agreedFormat(own, others, (version) => (version < 3 ? 1 : 3))).toBe(format);
    });
  });
}
