import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import type { Fixture } from '../fixture.js';

/** The database's own names: sort keys and what it refuses. */
export function namesSuite(open: () => Fixture): void {
  const keysOf = async (names: readonly string[]): Promise<Buffer[]> =>
    (
      await open().database.query<{ key: Buffer }>(
        'select zoneseal.sort_key(n) as key from unnest($1::text[]) with ordinality u (n, i) order by i',
        [names],
      )
    ).map((row) => row.key);

  describe('zoneseal.sort_key', () => {
    it('is Name.sortKey of any name', async () => {
      const label = fc.oneof(
        fc.stringMatching(/^[A-Za-z0-9_*-]{1,63}$/),
        // names of these alone are put together by the expression, the longest but one that has room for them included
        { arbitrary: fc.stringMatching(/^[a-z0-9_*/-]{1,14}$/), weight: 8 },
        fc
          .uint8Array({ minLength: 1, maxLength: 63 })
          .map((octets) => Name.fromLabels([octets]).toString().slice(0, -1)),
      );
      const name = fc
        .array(label, { maxLength: 9 })
        .map((labels) => (labels.length === 0 ? '.' : `${labels.join('.')}.`));
      const valid = name.filter((text) => {
        try {
          Name.parse(text);
          return true;
        } catch {
          return false;
        }
      });
      await fc.assert(
        fc.asyncProperty(fc.array(valid, { minLength: 100, maxLength: 200 }), async (names) => {
          const keys = await keysOf(names);
          for (const [i, text] of names.entries())
            expect(keys[i], text).toEqual(Buffer.from(Name.parse(text).sortKey()));
        }),
        { numRuns: 3 },
      );
    });

    it('is so where names are just short enough for the expression, and just too long', async () => {
      const names = [
        ...[1, 2, 3, 4, 5, 6, 7].map((labels) => 'a.'.repeat(labels)),
        ...[60, 61, 62, 63].flatMap((length) =>
          ['', 'b.', 'b.c.'].map((rest) => `${'a'.repeat(length)}.${rest}`),
        ),
        ...[61, 62, 63, 64].map((octets) => `${'a'.repeat(octets - 32)}.${'b'.repeat(30)}.`),
        'A.b.',
        '*.a.',
        '_x/y-z.a.',
        '\\000\\001.a.',
        '\\..a.',
        '.',
      ];
      const keys = await keysOf(names);
      for (const [i, text] of names.entries())
        expect(keys[i], text).toEqual(Buffer.from(Name.parse(text).sortKey()));
      const [row] = await open().database.query('select zoneseal.sort_key(null) as key');
      expect(row).toEqual({ key: null });
      await expect(keysOf(['a.b.\n'])).rejects.toThrow('no domain name');
    });

    it.each([
      ['', 'no domain name'],
      ['www', 'relative'],
      ['www.example', 'relative'],
      ['.example.', 'empty'],
      ['a..example.', 'empty'],
      ['..', 'empty'],
      [`${'a'.repeat(64)}.`, 'longer than 63'],
      [`${'\\065'.repeat(64)}.`, 'longer than 63'],
      [`${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(62)}.`, 'longer than 255'],
      ['a b.', 'escaped'],
      ['a;b.', 'escaped'],
      ['a"b.', 'escaped'],
      ['a\\256.', 'three digits'],
      ['a\\25.', 'three digits'],
      ['a\\', 'three digits'],
      ['mü.', 'ASCII'],
      ['a\tb.', 'ASCII'],
    ])('refuses %j as Name.parse does', async (text, reason) => {
      await expect(keysOf([text])).rejects.toThrow(reason);
      expect(() => Name.parse(text)).toThrow();
    });
  });

  describe('rows that no program should write', () => {
    it.each([
      ['owner', "'www'", 'is relative'],
      ['type', "'a'", 'rrsets_type_check'],
      ['type', "''", 'rrsets_type_check'],
      ['ttl', '-1', 'rrsets_ttl_check'],
      ['ttl', '2147483648', 'out of range'],
      ['data', "'{}'", 'rrsets_data_check'],
      ['data', "'{null}'", 'rrsets_data_check'],
      ['data', "'{{a},{b}}'", 'rrsets_data_check'],
      ['views', "'{}'", 'rrsets_views_check'],
      ['views', "'{null}'", 'rrsets_views_check'],
      // PostgreSQL 13 words it otherwise
      ['sort_key', "'x'", 'insert'],
    ])('are refused: %s = %s', async (column, value, reason) => {
      const f = open();
      const zone = await f.newZone();
      await expect(
        f.database.execute(
          `insert into zoneseal.rrsets (zone_id, owner, type, ttl, data, views)
          values ($1, 'www.example.', 'A', 300, '{192.0.2.1}', null)
          `.replace(...replacement(column, value)),
          [zone.id],
        ),
      ).rejects.toThrow(reason);
    });

    it('but rdata that does not parse is for the publication to say', async () => {
      const f = open();
      const zone = await f.newZone([
        ['www', 'A', 'not an address'],
        ['www', 'TYPE65280', ''],
        ['www', 'NONSENSE', 'x'],
        ['www', 'A', 'overlap', ['internal']],
      ]);
      expect(await f.show(zone, 1)).toHaveLength(4);
    });
  });

  function replacement(column: string, value: string): [string, string] {
    const values: Readonly<Record<string, string>> = {
      owner: "'www.example.'",
      type: "'A'",
      ttl: '300',
      data: "'{192.0.2.1}'",
      views: 'null',
    };
    if (column === 'sort_key')
      return [
        "data, views)\n          values ($1, 'www.example.', 'A', 300, '{192.0.2.1}', null)",
        "data, sort_key)\n          values ($1, 'www.example.', 'A', 300, '{192.0.2.1}', 'x')",
      ];
    return [values[column] as string, value];
  }
}
