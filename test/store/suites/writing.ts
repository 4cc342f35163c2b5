import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import type { NewRrset } from '../../../src/store/rrset-store.js';
import type { ZoneRow } from '../../../src/zone/row.js';
import { absolute, Fixture, type ShortRow } from '../fixture.js';

/** What the command line and the gateway write and read. */
export function writingSuite(open: () => Fixture): void {
  const rowsOf = (
    zone: string,
    rows: readonly ShortRow[],
    tag: readonly string[] | null = null,
  ): ZoneRow[][] => [
    rows
      .map(([owner, type, data, , ttl]): ZoneRow => {
        const name = absolute(owner, zone);
        return {
          owner: name,
          sortKey: Name.parse(name).sortKey(),
          type,
          ttl: ttl ?? 300,
          data: typeof data === 'string' ? [data] : data,
          views: tag,
        };
      })
      .sort((a, b) => Buffer.compare(a.sortKey, b.sortKey)),
  ];

  describe('zone import', () => {
    it('creates a zone, and replaces it touching only what differs', async () => {
      const f = open();
      const zone = Fixture.freshName();
      const first = rowsOf(zone, [
        ['@', 'SOA', 'ns. h. 1 1 1 1 1'],
        ['a', 'A', ['192.0.2.2', '192.0.2.1']],
        ['b', 'A', '192.0.2.1'],
        ['c', 'TXT', '"q\\"uo,te\\\\"'],
      ]);
      const created = await f.rrsets.import({
        zone,
        tag: null,
        rows: first,
        create: { views: ['internal', 'external'] },
      });
      expect(created).toMatchObject({
        created: true,
        added: 4,
        removed: 0,
        changed: 0,
        unchanged: 0,
        version: 1,
      });
      const second = rowsOf(zone, [
        ['@', 'SOA', 'ns. h. 1 1 1 1 1'],
        ['a', 'A', ['192.0.2.1', '192.0.2.2']],
        ['b', 'A', '192.0.2.1', undefined, 60],
        ['c', 'TXT', '"q\\"uo,te\\\\"'],
        ['d', 'A', '192.0.2.4'],
      ]);
      await expect(f.rrsets.import({ zone, tag: null, rows: second })).rejects.toMatchObject({
        code: 'ALREADY_HELD',
      });
      const tried = await f.rrsets.import({ zone, tag: null, rows: second, replace: true, dryRun: true });
      expect(tried).toMatchObject({ added: 1, changed: 1, removed: 0, unchanged: 3 });
      expect(await f.version(zone)).toBe(1);
      const replaced = await f.rrsets.import({ zone, tag: null, rows: second, replace: true });
      expect(replaced).toMatchObject({
        created: false,
        added: 1,
        changed: 1,
        removed: 0,
        unchanged: 3,
        version: 2,
      });
      expect(await f.changes(zone, 2)).toEqual(['2 b A * *', '2 d A - *']);
      expect((await f.rrsets.list(zone, { owner: `c.${zone}` }))[0]?.data).toEqual(['"q\\"uo,te\\\\"']);
      const third = await f.rrsets.import({
        zone,
        tag: null,
        rows: rowsOf(zone, [['@', 'SOA', 'ns. h. 1 1 1 1 1']]),
        replace: true,
      });
      expect(third).toMatchObject({ removed: 4, unchanged: 1, version: 3 });
    });

    it('for some views leaves the rows of other tags alone', async () => {
      const f = open();
      const zone = await f.newZone([
        ['@', 'SOA', 'ns. h. 1 1 1 1 1'],
        ['www', 'A', '192.0.2.1', ['external', 'internal']],
        ['x', 'A', '192.0.2.1', ['external']],
      ]);
      const result = await f.rrsets.import({
        zone: zone.name,
        tag: ['internal', 'external'],
        rows: rowsOf(
          zone.name,
          [
            ['www', 'A', '192.0.2.9'],
            ['new', 'A', '192.0.2.1'],
          ],
          ['internal', 'external'],
        ),
        replace: true,
      });
      expect(result).toMatchObject({ added: 1, changed: 1, removed: 0, unchanged: 0 });
      expect(await f.show(zone, 2)).toEqual(
        ['@', 'new', 'www', 'x'].map((owner) => expect.stringContaining(owner === '@' ? zone.name : owner)),
      );
    });

    it('that meets any error changes nothing', async () => {
      const f = open();
      const zone = Fixture.freshName();
      const good = rowsOf(zone, [['@', 'SOA', 'ns. h. 1 1 1 1 1']]);
      const failing = async function* () {
        yield* good;
        throw new Error('line 7: no such type');
      };
      await expect(f.rrsets.import({ zone, tag: null, rows: failing(), create: {} })).rejects.toThrow(
        'line 7',
      );
      const bad = [...good, [{ ...(good[0] as ZoneRow[])[0], owner: 'relative' } as ZoneRow]];
      await expect(f.rrsets.import({ zone, tag: null, rows: bad, create: {} })).rejects.toThrow(
        'owner "relative" is relative',
      );
      await expect(f.zones.findZone(zone)).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.rrsets.import({ zone, tag: null, rows: good })).rejects.toMatchObject({
        code: 'NOT_HELD',
      });
    });

    it('brings rows of many pages, which come back in canonical order', async () => {
      const f = open();
      const zone = Fixture.freshName();
      const rows = Array.from(
        { length: 5300 },
        (_, i): ShortRow => [`${'abc'[i % 3]}${i % 7}.h\\00${i % 10}-${i}`, i % 2 ? 'A' : 'TXT', `x${i}`],
      );
      const sorted = rowsOf(zone, rows)[0] as ZoneRow[];
      let progress = 0;
      const batches = [sorted.slice(0, 3000), sorted.slice(3000)];
      const { zoneId } = await f.rrsets.import({
        zone,
        tag: null,
        rows: batches,
        create: {},
        onProgress: (n) => (progress = n),
      });
      expect(progress).toBe(5300);
      const read = await f.read(zoneId, 1);
      expect(read.map((row) => row.owner)).toEqual(sorted.map((row) => row.owner));
      const again: ZoneRow[] = [];
      for await (const batch of f.rrsets.readAll(zone)) again.push(...batch);
      expect(again.every((row, i) => Buffer.compare(row.sortKey, (sorted[i] as ZoneRow).sortKey) === 0)).toBe(
        true,
      );
      expect(again).toMatchObject(read);
    });
  });

  describe('rrset set and delete', () => {
    const row = (zone: string, owner: string, data: string, views: readonly string[] | null): NewRrset => ({
      owner: absolute(owner, zone),
      type: 'A',
      ttl: 300,
      data: [data],
      views,
    });

    it('keep one row per owner, type and views, and refuse those that overlap', async () => {
      const f = open();
      const zone = await f.newZone();
      const set = (data: string, views: readonly string[] | null) =>
        f.rrsets.set(zone.name, row(zone.name, 'www', data, views));
      expect(await set('192.0.2.1', ['internal'])).toEqual({ outcome: 'added', version: 2 });
      expect(await set('192.0.2.1', ['internal'])).toEqual({ outcome: 'unchanged', version: 2 });
      expect(await set('192.0.2.2', ['internal'])).toEqual({ outcome: 'changed', version: 3 });
      expect(await set('192.0.2.3', ['external'])).toEqual({ outcome: 'added', version: 4 });
      await expect(set('192.0.2.4', null)).rejects.toMatchObject({
        code: 'VIEWS_OVERLAP',
        message: expect.stringContaining(`www.${zone.name} A`),
      });
      await expect(set('192.0.2.4', ['internal', 'external'])).rejects.toMatchObject({
        code: 'VIEWS_OVERLAP',
      });
      await expect(f.rrsets.set('none.test.', row(zone.name, 'www', 'x', null))).rejects.toMatchObject({
        code: 'NOT_HELD',
      });
      await expect(
        f.rrsets.set(zone.name, { ...row(zone.name, 'www', 'x', null), type: 'a' }),
      ).rejects.toMatchObject({ code: 'DATA_REFUSED' });
      expect((await f.rrsets.list(zone.name, { view: 'internal', type: 'A' })).map((r) => r.data[0])).toEqual(
        ['192.0.2.2'],
      );
      expect((await f.rrsets.list(zone.name, { tag: ['external'] })).map((r) => r.data[0])).toEqual([
        '192.0.2.3',
      ]);
      const { deleted, version } = await f.rrsets.delete(zone.name, {
        owner: `WWW.${zone.name}`,
        tag: ['internal'],
      });
      expect([deleted.length, version]).toEqual([1, 5]);
      expect((await f.rrsets.delete(zone.name, { owner: `www.${zone.name}` })).deleted).toHaveLength(1);
      expect((await f.rrsets.delete(zone.name, { owner: `www.${zone.name}` })).deleted).toHaveLength(0);
    });
  });

  describe('zones, views and policies', () => {
    it('are refused where they are there already, or are not', async () => {
      const f = open();
      const zone = await f.newZone();
      await expect(f.zones.createZone(zone.name)).rejects.toMatchObject({ code: 'ALREADY_HELD' });
      await expect(f.zones.createZone('Upper.test.')).rejects.toMatchObject({ code: 'DATA_REFUSED' });
      await expect(f.zones.createZone('x.test.', { policy: 'none' })).rejects.toMatchObject({
        code: 'NOT_HELD',
        message: expect.stringContaining('policy "none"'),
      });
      await expect(f.zones.createZone('x.test.', { views: ['none'] })).rejects.toMatchObject({
        code: 'NOT_HELD',
        message: expect.stringContaining('view "none"'),
      });
      await expect(f.zones.findZone('x.test.')).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.zones.addView('internal')).rejects.toMatchObject({ code: 'ALREADY_HELD' });
      await expect(f.zones.addView('In ternal')).rejects.toMatchObject({ code: 'DATA_REFUSED' });
      await expect(f.zones.deleteZone('none.test.')).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.zones.setPolicy('p', { algorithm: 99 })).rejects.toMatchObject({
        code: 'POLICY_INVALID',
      });
      await expect(f.zones.showPolicy('none')).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.zones.assignPolicy(zone.name, 'none')).rejects.toMatchObject({ code: 'NOT_HELD' });
    });

    it('are listed with where they stand', async () => {
      const f = open();
      const zone = await f.newZone(undefined, ['external']);
      expect((await f.zones.listZones()).find((it) => it.id === zone.id)).toEqual({
        id: zone.id,
        name: zone.name,
        version: 1,
        policy: 'default',
        keySetVersion: 0,
        frozenVersion: null,
        frozenAt: null,
        views: [
          { view: 'external', lastSerial: null, waiting: false, ready: null, building: null, failed: null },
        ],
      });
      const { serial } = await f.publish(zone);
      const shown = await f.zones.showZone(zone.name.toUpperCase());
      expect(shown).toMatchObject({
        rrsets: 1,
        writtenAt: expect.stringMatching(/Z$/),
        views: [{ lastSerial: serial, ready: { serial, records: 5, zoneVersion: 1 } }],
      });
      expect((await f.zones.listViews()).map((view) => view.name)).toEqual(['external', 'internal']);
      expect(await f.zones.showPolicy('default')).toMatchObject({ version: 1, document: {} });
    });

    it('cannot be renamed or truncated, nor views deleted that rows are tagged with', async () => {
      const f = open();
      await f.newZone([['a', 'A', '1', ['internal']]], []);
      for (const statement of [
        "update zoneseal.zones set name = 'renamed.'",
        "update zoneseal.views set name = 'renamed'",
        "update zoneseal.policies set name = 'renamed'",
        'truncate zoneseal.zones cascade',
        'truncate zoneseal.zone_keys',
        "delete from zoneseal.views where name = 'internal'",
      ]) {
        await expect(f.database.execute(statement), statement).rejects.toMatchObject({
          code: 'DATA_REFUSED',
        });
      }
    });
  });

  describe('key sets', () => {
    const key = (tag: number, view: string | null = null) => ({
      role: 'ZSK' as const,
      algorithm: 13,
      keyTag: tag,
      flags: 256,
      publicKey: Uint8Array.of(0, 0x5c, tag & 0xff),
      secretRef: `https://barbican/${tag}`,
      view,
      signs: true,
      published: false,
    });

    it('can be read at each version', async () => {
      const f = open();
      const zone = await f.newZone();
      const [first, second] = await f.keys.add(zone.name, [key(1), key(2)]);
      await f.keys.update(second as string, { published: true });
      await f.keys.update(first as string, { secretRef: 'https://barbican/moved' });
      // what is in use is neither taken out nor forgotten
      expect(await f.keys.takeOut(second as string)).toBe(false);
      await expect(f.keys.delete(second as string)).rejects.toMatchObject({ code: 'NOT_HELD' });
      await f.keys.update(second as string, { signs: false, published: false });
      expect(await f.keys.takeOut(second as string)).toBe(true);
      expect(await f.keys.takeOut(second as string)).toBe(true);
      await f.keys.delete(second as string);
      expect(await f.publications.readKeySet(zone.id, 0)).toEqual({ keys: [], deleteSentinel: false });
      const plain = { keySetsOnly: false, parent: false };
      expect((await f.publications.readKeySet(zone.id, 1)).keys).toEqual([
        { ...key(1), ...plain, id: first, zone: zone.name, secretRef: 'https://barbican/moved' },
        { ...key(2), ...plain, id: second, zone: zone.name },
      ]);
      const second2 = await f.publications.readKeySet(zone.id, 2);
      expect(second2.keys.map((it) => it.published)).toEqual([false, true]);
      expect(await f.publications.readKeySet(zone.id, 6)).toEqual(await f.keys.keySet(zone.name));
      await expect(f.publications.readKeySet(zone.id, 7)).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.keys.add(zone.name, [key(1)])).rejects.toMatchObject({ code: 'ALREADY_HELD' });
      await expect(f.keys.add(zone.name, [key(3, 'none')])).rejects.toMatchObject({ code: 'NOT_HELD' });
      await expect(f.keys.delete('999999')).rejects.toMatchObject({ code: 'NOT_HELD' });
      expect(await f.keys.takeOut('999999')).toBe(false);
    });

    it('take keys only as they were when it was decided which to add', async () => {
      const f = open();
      const zone = await f.newZone();
      await f.keys.add(zone.name, [key(1)], { keySetVersion: 0 });
      await expect(f.keys.add(zone.name, [key(2)], { keySetVersion: 0 })).rejects.toMatchObject({
        code: 'DATABASE_CONFLICT',
      });
      expect(await f.keys.list(zone.name)).toHaveLength(1);
      await f.keys.add(zone.name, [key(2)], { keySetVersion: 1 });
    });

    it('keep a key of which the parent may have a DS', async () => {
      const f = open();
      const zone = await f.newZone();
      const [id] = await f.keys.add(zone.name, [key(1)]);
      await f.keys.update(id as string, { signs: false, published: false });
      const insert = `insert into zoneseal.ds_uses (zone_id, keys, algorithms, since, until) values ($1, $2, '{13}', now(), $3)`;
      await f.database.execute(insert, [zone.id, [id], null]);
      expect(await f.keys.takeOut(id as string)).toBe(false);
      await f.database.execute('update zoneseal.ds_uses set until = now() where zone_id = $1', [zone.id]);
      expect(await f.keys.takeOut(id as string)).toBe(true);
    });

    it('make publications due in the views that see the change', async () => {
      const f = open();
      const zone = await f.newZone();
      const publishBoth = async () => {
        for (const view of await f.due(zone)) await f.publish(zone, view);
      };
      await publishBoth();
      const [own] = await f.keys.add(zone.name, [key(1, 'internal')]);
      expect(await f.due(zone)).toEqual(['internal']);
      await publishBoth();
      await f.keys.update(own as string, { secretRef: 'https://barbican/moved' });
      expect(await f.due(zone)).toEqual([]);
      await f.keys.update(own as string, { published: true });
      expect(await f.due(zone)).toEqual(['external', 'internal']);
    });
  });

  describe('TSIG keys', () => {
    it('come back with their grants', async () => {
      const f = open();
      const grants = [
        { view: 'internal', zones: ['A.test.', 'b\\.c.test.'], addresses: ['192.0.2.0/24', '2001:db8::1'] },
        { view: 'external', zones: null, addresses: null },
      ];
      await f.tsig.add({
        name: 'Pool-1.',
        algorithm: 'hmac-sha256',
        secretRef: 'https://barbican/t',
        grants,
      });
      await expect(
        f.tsig.add({ name: 'pool-1.', algorithm: 'hmac-sha256', secretRef: 'x', grants: [] }),
      ).rejects.toMatchObject({ code: 'ALREADY_HELD' });
      await expect(
        f.tsig.add({ name: 'other.', algorithm: 'hmac-md5', secretRef: 'x', grants: [] }),
      ).rejects.toMatchObject({ code: 'DATA_REFUSED' });
      await expect(
        f.tsig.add({
          name: 'other.',
          algorithm: 'hmac-sha256',
          secretRef: 'x',
          grants: [{ view: 'none', zones: null, addresses: null }],
        }),
      ).rejects.toMatchObject({ code: 'NOT_HELD' });
      await f.tsig.grant('pool-1.', { view: 'internal', zones: null, addresses: ['10.0.0.0/8'] });
      const [entry] = await f.tsig.read();
      expect(entry).toMatchObject({ algorithm: 'hmac-sha256', secretRef: 'https://barbican/t' });
      expect(entry?.name.key).toBe(Name.parse('pool-1.').key);
      expect(entry?.grants).toEqual([
        {
          view: 'internal',
          zones: new Set([Name.parse('a.test.').key, Name.parse('b\\.c.test.').key]),
          addresses: ['192.0.2.0/24', '2001:db8::1/128'],
        },
        { view: 'external', zones: null, addresses: null },
        { view: 'internal', zones: null, addresses: ['10.0.0.0/8'] },
      ]);
      await f.tsig.delete('pool-1.');
      expect(await f.tsig.list()).toEqual([]);
      await expect(f.tsig.delete('pool-1.')).rejects.toMatchObject({ code: 'NOT_HELD' });
    });
  });
}
