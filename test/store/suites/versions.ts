import { describe, expect, it } from 'vitest';
import { Fixture } from '../fixture.js';

/** What triggers do by themselves when any program writes rows. */
export function versionsSuite(open: () => Fixture): void {
  describe('zone versions', () => {
    it('grow by one with each transaction, however many statements it has', async () => {
      const f = open();
      const zone = await f.newZone([]);
      await f.database.transaction(async (t) => {
        await f.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
        await f.insert(zone.name, [['b', 'A', '192.0.2.1']], t);
        await t.execute('update zoneseal.rrsets set ttl = 5 where zone_id = $1', [zone.id]);
      });
      expect(await f.version(zone.name)).toBe(1);
      expect(await f.changes(zone.name)).toEqual(['1 a A - *', '1 b A - *']);
      await f.insert(zone.name, [['c', 'A', '192.0.2.1']]);
      expect(await f.version(zone.name)).toBe(2);
    });

    it('stay when nothing is written, or what is there already', async () => {
      const f = open();
      const zone = await f.newZone();
      await f.database.execute('update zoneseal.rrsets set ttl = ttl where zone_id = $1', [zone.id]);
      await f.database.execute("delete from zoneseal.rrsets where zone_id = $1 and owner = 'none.'", [
        zone.id,
      ]);
      await f.database.execute(
        "insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) select 1, 'a.', 'A', 1, '{x}' where false",
      );
      expect(await f.version(zone.name)).toBe(1);
    });

    it('are one also where constraints are checked at once', async () => {
      const f = open();
      const zone = await f.newZone([]);
      await f.database.transaction(async (t) => {
        await t.execute('set constraints all immediate');
        await f.insert(zone.name, [['a', 'A', '192.0.2.1']], t);
        await f.insert(zone.name, [['b', 'A', '192.0.2.1', ['internal']]], t);
      });
      expect(await f.version(zone.name)).toBe(1);
      expect(await f.changes(zone.name)).toEqual(['1 a A - *', '1 b A - internal']);
    });

    it('of several zones are made by one statement', async () => {
      const f = open();
      const [a, b] = [await f.newZone(), await f.newZone()];
      await f.database.execute('update zoneseal.rrsets set ttl = 9 where zone_id in ($1, $2)', [a.id, b.id]);
      expect([await f.version(a.name), await f.version(b.name)]).toEqual([2, 2]);
    });

    it('of both zones grow when a row is moved', async () => {
      const f = open();
      const [a, b] = [await f.newZone([['x', 'A', '192.0.2.1']]), await f.newZone([])];
      await f.publish(a);
      await f.database.execute('update zoneseal.rrsets set zone_id = $2 where zone_id = $1', [a.id, b.id]);
      expect([await f.version(a.name), await f.version(b.name)]).toEqual([2, 1]);
      expect(await f.show(a, 1)).toEqual(['x A 192.0.2.1']);
      expect(await f.show(a, 2)).toEqual([]);
      expect(await f.read(b.id, 1)).toHaveLength(1);
    });

    it('are refused for zones and views that are not there', async () => {
      const f = open();
      const zone = await f.newZone();
      const insert =
        "insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views) values ($1, 'a.', 'A', 1, '{x}', $2)";
      await expect(f.database.execute(insert, [999_999, null])).rejects.toMatchObject({
        code: 'DATA_REFUSED',
      });
      await expect(f.database.execute(insert, [zone.id, ['intrenal']])).rejects.toThrow(
        'there is no view "intrenal"',
      );
      await expect(f.insert('nowhere.test.', [['a', 'A', 'x']])).rejects.toThrow(
        'zone "nowhere.test." is not held',
      );
    });
  });

  describe('change rows', () => {
    it('leave out what nets to nothing within a transaction', async () => {
      const f = open();
      const zone = await f.newZone([
        ['a', 'A', '192.0.2.1'],
        ['b', 'A', '192.0.2.2'],
      ]);
      await f.database.transaction(async (t) => {
        await t.execute('delete from zoneseal.rrsets where zone_id = $1', [zone.id]);
        await f.insert(
          zone.name,
          [
            ['a', 'A', '192.0.2.1'],
            ['b', 'A', '192.0.2.3'],
            ['c', 'A', '192.0.2.1'],
          ],
          t,
        );
        await t.execute("delete from zoneseal.rrsets where zone_id = $1 and owner like 'c.%'", [zone.id]);
      });
      expect(await f.changes(zone.name, 2)).toEqual(['2 b A * *']);
    });

    it('hold the views that see a difference, before and after', async () => {
      const f = open();
      const zone = await f.newZone([
        ['split', 'A', '192.0.2.1', ['internal']],
        ['split', 'A', '192.0.2.2', ['external']],
        ['widened', 'A', '192.0.2.1', ['internal']],
        ['narrowed', 'A', '192.0.2.1'],
        ['both', 'A', '192.0.2.1'],
      ]);
      const set = (what: string, owner: string) =>
        f.database.execute(`update zoneseal.rrsets set ${what} where zone_id = $1 and owner = $2`, [
          zone.id,
          `${owner}.${zone.name}`,
        ]);
      await f.database.execute(
        "update zoneseal.rrsets set data = '{192.0.2.9}' where zone_id = $1 and owner like 'split.%' and 'internal' = any (views)",
        [zone.id],
      );
      await set("views = '{internal,external}'", 'widened');
      await set("views = '{internal}'", 'narrowed');
      await set('ttl = 77', 'both');
      expect(await f.changes(zone.name, 2)).toEqual([
        '2 split A internal internal',
        '3 widened A - external',
        '4 narrowed A external -',
        '5 both A * *',
      ]);
    });

    it('past a threshold are one, with the views that see a difference', async () => {
      const f = open();
      const zone = await f.newZone([]);
      const many = `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
        select $1, 'h' || i || '.${zone.name}', 'A', 60, '{192.0.2.1}', $2 from generate_series(1, 1500) i`;
      await f.database.execute(many, [zone.id, ['internal']]);
      await f.database.execute("update zoneseal.rrsets set data = '{192.0.2.2}' where zone_id = $1", [
        zone.id,
      ]);
      await f.database.execute('delete from zoneseal.rrsets where zone_id = $1', [zone.id]);
      await f.database.execute(many, [zone.id, null]);
      expect(await f.changes(zone.name)).toEqual([
        // of the first ones it is not asked who sees them
        '1 all all * *',
        '2 all all internal internal',
        '3 all all internal -',
        '4 all all - *',
      ]);
    });

    it('of a zone replaced by itself are none, of many rows too', async () => {
      const f = open();
      const zone = await f.newZone([]);
      const fill = `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
        select $1, 'h' || i || '.${zone.name}', 'A', 60, '{192.0.2.1}' from generate_series(1, 1500) i`;
      await f.database.execute(fill, [zone.id]);
      await f.database.transaction(async (t) => {
        await t.execute('delete from zoneseal.rrsets where zone_id = $1', [zone.id]);
        await t.execute(fill, [zone.id]);
      });
      expect(await f.changes(zone.name, 2)).toEqual([]);
    });
  });

  describe('history', () => {
    it('gives a zone at every version that a publication names', async () => {
      const f = open();
      const zone = await f.newZone([
        ['a', 'A', '1'],
        ['b', 'A', '1'],
        ['c', 'A', '1', ['internal']],
      ]);
      const expected: string[][] = [];
      const steps = [
        `update zoneseal.rrsets set data = '{2}' where zone_id = $1 and owner like 'a.%'`,
        `delete from zoneseal.rrsets where zone_id = $1 and owner like 'b.%'`,
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data) values ($1, 'b.${zone.name}', 'A', 5, '{3}')`,
        `update zoneseal.rrsets set data = '{4}' where zone_id = $1`,
        `delete from zoneseal.rrsets where zone_id = $1`,
      ];
      for (const step of ['', ...steps]) {
        if (step !== '') await f.database.execute(step, [zone.id]);
        const version = await f.version(zone.name);
        expected[version] = await f.show(zone, version);
        await f.database.execute(
          `insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version, time,
             format_version, state, gateway) values ($1, 'internal', $2, $2, 'default', 1, 0, 0, 1, 'failed', 'test')`,
          [zone.id, version],
        );
      }
      expect(expected.slice(1)).toEqual([
        ['a A 1', 'b A 1', 'c A 1 internal'],
        ['a A 2', 'b A 1', 'c A 1 internal'],
        ['a A 2', 'c A 1 internal'],
        ['a A 2', 'b A 3', 'c A 1 internal'],
        ['a A 4', 'b A 4', 'c A 4 internal'],
        [],
      ]);
      for (let version = 1; version < expected.length; version++) {
        expect(await f.show(zone, version)).toEqual(expected[version]);
      }
    });

    it('begins with the many rows that a zone is filled with first, which have no births', async () => {
      const f = open();
      const zone = await f.newZone([]);
      await f.database.execute(
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data)
         select $1, 'h' || i || '.${zone.name}', 'A', 60, '{1}' from generate_series(1, 1001) i`,
        [zone.id],
      );
      const births = async (): Promise<unknown> =>
        (
          await f.database.query('select count(*) as n from zoneseal.rrset_births where zone_id = $1', [
            zone.id,
          ])
        )[0];
      expect(await births()).toEqual({ n: 0 });
      const first = await f.show(zone, 1);
      expect(first).toHaveLength(1001);
      await f.database.execute(
        `insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version, time,
           format_version, state, gateway) values ($1, 'internal', 1, 1, 'default', 1, 0, 0, 1, 'failed', 'test')`,
        [zone.id],
      );
      await f.database.execute(`delete from zoneseal.rrsets where zone_id = $1 and owner like 'h1.%'`, [
        zone.id,
      ]);
      await f.database.execute(
        `update zoneseal.rrsets set data = '{2}' where zone_id = $1 and owner like 'h2.%'`,
        [zone.id],
      );
      await f.insert(zone.name, [['new', 'A', '1']]);
      expect(await births()).toEqual({ n: 2 });
      expect(await f.show(zone, 1)).toEqual(first);
      const now = await f.show(zone, 4);
      expect(now).toHaveLength(1001);
      expect(now.filter((row) => !first.includes(row))).toEqual(['h2 A 2', 'new A 1']);
      expect(await f.changes(zone.name)).toEqual([
        '1 all all * *',
        '2 h1 A * -',
        '3 h2 A * *',
        '4 new A - *',
      ]);
    });

    it('ends where no publication names a version', async () => {
      const f = open();
      const zone = await f.newZone();
      await f.insert(zone.name, [['a', 'A', '192.0.2.1']]);
      await expect(f.read(zone.id, 1)).rejects.toMatchObject({ code: 'VERSION_NOT_RETAINED' });
      await expect(f.read('999999', 1)).rejects.toMatchObject({ code: 'NOT_HELD' });
    });

    it('ends at zone_recheck, which says that anything may have changed', async () => {
      const f = open();
      const zone = await f.newZone([['a', 'A', '192.0.2.1', ['internal']]]);
      await f.publish(zone);
      await f.publish(zone, 'internal');
      const [row] = await f.database.query<{ version: number }>(
        'select zoneseal.zone_recheck($1) as version',
        [zone.name],
      );
      expect(row).toEqual({ version: 2 });
      expect(await f.changes(zone.name, 2)).toEqual(['2 all all * *']);
      expect(await f.due(zone)).toEqual(['external', 'internal']);
      await expect(f.read(zone.id, 1)).rejects.toMatchObject({ code: 'VERSION_NOT_RETAINED' });
      expect(await f.read(zone.id, 2)).toHaveLength(1);
    });

    it('gives the owners that views may see differently by themselves, whole, but for the apex', async () => {
      const f = open();
      const zone = await f.newZone([
        ['@', 'TXT', '"to some"', ['internal']],
        ['a', 'A', '192.0.2.1', ['internal']],
        ['a', 'AAAA', '2001:db8::1'],
        ['b', 'A', '192.0.2.2'],
        ['x.b', 'A', '192.0.2.3', ['external']],
        ['x.b', 'A', '192.0.2.4', ['internal']],
        ['c', 'A', '192.0.2.5'],
        // what lies outside is an error to be told of, before the apex in the order or behind it
        ['before.arpa.', 'A', '192.0.2.6', ['external']],
        ['behind.zz.', 'A', '192.0.2.7', ['external']],
      ]);
      await f.publish(zone);
      await f.publish(zone, 'internal');
      const tagged = [
        'before.arpa. A 192.0.2.6 external',
        'a A 192.0.2.1 internal',
        'a AAAA 2001:db8::1',
        'x.b A 192.0.2.3 external',
        'x.b A 192.0.2.4 internal',
        'behind.zz. A 192.0.2.7 external',
      ];
      const byText = (rows: readonly string[]): string[] => rows.toSorted();
      expect(byText(await f.showTagged(zone, 1))).toEqual(byText(tagged));
      const change = (to: string, owner: string): Promise<unknown> =>
        f.database.execute(
          `update zoneseal.rrsets set views = ${to} where zone_id = $1 and type = 'A' and owner like '${owner}.%'`,
          [zone.id],
        );
      await change('null', 'a');
      await change("'{external}'", 'c');
      // as it was, an owner that is tagged by now among them; and as it is, one that was tagged among them
      expect(byText(await f.showTagged(zone, 1))).toEqual(byText([...tagged, 'c A 192.0.2.5']));
      expect(await f.showTagged(zone, await f.version(zone.name))).toEqual([
        'before.arpa. A 192.0.2.6 external',
        'a A 192.0.2.1',
        'a AAAA 2001:db8::1',
        expect.stringMatching(/^x\.b A /),
        expect.stringMatching(/^x\.b A /),
        'c A 192.0.2.5 external',
        'behind.zz. A 192.0.2.7 external',
      ]);
    });

    it('gives as much of a zone in which many owners are tagged', async () => {
      const f = open();
      const zone = await f.newZone([]);
      await f.database.execute(
        `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
         select $1, 'h' || i || '.' || $2, 'A', 300, '{192.0.2.1}', case when i % 2 = 0 then '{internal}'::text[] end
         from generate_series(1, 13000) i`,
        [zone.id, zone.name],
      );
      const all = await f.show(zone, await f.version(zone.name));
      expect(await f.showTagged(zone, await f.version(zone.name))).toEqual(
        all.filter((row) => row.endsWith(' internal')),
      );
    });
  });
}
