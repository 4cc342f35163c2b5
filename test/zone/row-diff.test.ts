import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ZoneRow } from '../../src/zone/row.js';
import { diffRows, mergeRows, type RowChange, sameViews } from '../../src/zone/row-diff.js';
import { collect, rowsOf } from './zone-text.js';

async function changesOf(
  before: readonly ZoneRow[],
  after: readonly ZoneRow[],
): Promise<{ changes: RowChange[]; unchanged: number }> {
  const changes: RowChange[] = [];
  const diff = diffRows([before], [after]);
  for (;;) {
    const next = await diff.next();
    if (next.done === true) return { changes, unchanged: next.value };
    changes.push(next.value);
  }
}

function shown(change: RowChange): string {
  const row = change.kind === 'removed' ? change.before : change.after;
  return `${change.kind} ${row.owner} ${row.type}`;
}

describe('what changes when rows take the place of others', () => {
  const before = rowsOf(
    'example.',
    `a 60 A 192.0.2.1
     b 60 A 192.0.2.1
     b 60 TXT "x"
     c 60 A 192.0.2.1`,
  );

  it('is told by owner and type', async () => {
    const after = rowsOf(
      'example.',
      `a 60 A 192.0.2.1
       b 60 A 192.0.2.2
       b 60 MX 1 a.example.
       c 90 A 192.0.2.1
       d 60 A 192.0.2.1`,
    );
    const { changes, unchanged } = await changesOf(before, after);
    expect(changes.map(shown)).toEqual([
      'changed b.example. A',
      'added b.example. MX',
      'removed b.example. TXT',
      'changed c.example. A',
      'added d.example. A',
    ]);
    expect(unchanged).toBe(1);
  });

  it('is nothing where records are written in another way or order', async () => {
    const old = rowsOf('example.', 'a 60 AAAA 2001:DB8:0::1\na 60 AAAA 2001:db8::2\na 60 TXT one');
    const young = rowsOf('example.', 'a 60 AAAA 2001:db8::2\na 60 AAAA 2001:db8::1\na 60 TXT "one"');
    expect(await changesOf(old, young)).toEqual({ changes: [], unchanged: 2 });
    expect(
      (await changesOf(rowsOf('example.', 'a 60 TYPE1 \\# 4 c0000201'), [before[0] as ZoneRow])).changes,
    ).toEqual([]);
  });

  it('is a change where the old row cannot be parsed', async () => {
    const { changes } = await changesOf(rowsOf('example.', 'a 60 A nonsense'), [before[0] as ZoneRow]);
    expect(changes.map(shown)).toEqual(['changed a.example. A']);
  });
});

it('merged rows are in canonical order, whatever batches they came in', async () => {
  const labels = fc.uniqueArray(fc.stringMatching(/^[a-c]{1,2}(\.[a-c]{1,2})?$/), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(labels, labels, fc.integer({ min: 1, max: 4 }), async (first, second, size) => {
      const rows = [first, second].map((owners) =>
        rowsOf('example.', owners.map((owner) => `${owner} 60 A 192.0.2.1`).join('\n')),
      ) as [ZoneRow[], ZoneRow[]];
      const batches = (of: ZoneRow[]): ZoneRow[][] =>
        Array.from({ length: Math.ceil(of.length / size) }, (_, i) => of.slice(i * size, (i + 1) * size));
      const merged = await collect(mergeRows(batches(rows[0]), batches(rows[1])));
      const keys = merged.map((row) => Buffer.from(row.sortKey).toString('latin1'));
      expect(keys).toEqual(
        rows
          .flat()
          .map((row) => Buffer.from(row.sortKey).toString('latin1'))
          .sort((a, b) => (a < b ? -1 : Number(a > b))),
      );
    }),
    { numRuns: 100 },
  );
});

it('views are the same in whatever order', () => {
  expect(sameViews(['a', 'b'], ['b', 'a'])).toBe(true);
  expect(sameViews(['a'], ['a', 'b'])).toBe(false);
  expect(sameViews(null, null)).toBe(true);
  expect(sameViews(null, ['a'])).toBe(false);
});
