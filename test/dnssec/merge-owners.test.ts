import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { mergeOwners } from '../../src/dnssec/merge-owners.js';
import type { OwnerRecords } from '../../src/dnssec/zonemd.js';
import { collect } from '../zone/zone-text.js';

const owner = (text: string, type: number): OwnerRecords => {
  const name = Name.parse(text);
  return { name, rrsets: [{ owner: name, type, ttl: 1, rdata: [] }] };
};

const names = fc
  .uniqueArray(fc.integer({ min: 0, max: 600 }), { maxLength: 400 })
  .map((numbers) => numbers.sort((a, b) => a - b).map((number) => `n${String(number).padStart(3, '0')}.`));

describe('two streams of owners as one', () => {
  it('is in canonical order, with each owner once and the RRsets of both', async () => {
    await fc.assert(
      fc.asyncProperty(names, names, fc.integer({ min: 1, max: 50 }), async (first, second, size) => {
        const batches = (list: readonly string[], type: number): OwnerRecords[][] =>
          Array.from({ length: Math.ceil(list.length / size) + 1 }, (_, i) =>
            list.slice(i * size, (i + 1) * size).map((text) => owner(text, type)),
          );
        const merged = await collect(mergeOwners(batches(first, 1), batches(second, 2)));
        const expected = [...new Set([...first, ...second])].sort();
        expect(merged.map(({ name }) => name.toString())).toEqual(expected);
        for (const { name, rrsets } of merged) {
          const types = [
            ...(first.includes(name.toString()) ? [1] : []),
            ...(second.includes(name.toString()) ? [2] : []),
          ];
          expect(rrsets.map(({ type }) => type)).toEqual(types);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('hands a failure of a stream on, and lets the other go', async () => {
    let closed = false;
    async function* failing(): AsyncGenerator<OwnerRecords[]> {
      yield [owner('a.', 1)];
      throw new Error('the source is gone');
    }
    async function* endless(): AsyncGenerator<OwnerRecords[]> {
      try {
        for (;;) yield [owner('b.', 1)];
      } finally {
        closed = true;
      }
    }
    await expect(collect(mergeOwners(failing(), endless()))).rejects.toThrow('the source is gone');
    expect(closed).toBe(true);
  });
});
