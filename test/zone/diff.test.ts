import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import type { RRset } from '../../src/dns/record.js';
import {
  compareRRsets,
  diffRRsets,
  type RRsetDifference,
  recordChanges,
  rrsetsOfNodes,
} from '../../src/zone/diff.js';
import { APEX, linesOf, nodesOf } from './zone-text.js';

async function diff(before: string, after: string): Promise<string[]> {
  const [old, young] = await Promise.all([
    nodesOf('example.', APEX + before),
    nodesOf('example.', APEX + after),
  ]);
  const changes: string[] = [];
  for await (const difference of diffRRsets(rrsetsOfNodes([old]), rrsetsOfNodes([young]))) {
    const { removed, added } = recordChanges(difference);
    const lines = (sign: string, rrset: RRset | undefined): string[] =>
      rrset === undefined ? [] : linesOf(rrset).map((line) => `${sign} ${line}`);
    changes.push(`${difference.kind}:`, ...lines('-', removed), ...lines('+', added));
  }
  return changes;
}

describe('differences of zones', () => {
  it('are none between equal ones, whatever the order and the case of owners', async () => {
    expect(
      await diff(
        'a 60 A 192.0.2.1\n a 60 A 192.0.2.2\n b 60 TXT "t"',
        'b 60 TXT "t"\n A 60 A 192.0.2.2\n A 60 A 192.0.2.1',
      ),
    ).toEqual([]);
  });

  it('are RRsets that leave, come and change, in canonical order', async () => {
    expect(
      await diff(
        'a 60 A 192.0.2.1\n b 60 A 192.0.2.1\n b 60 A 192.0.2.2\n d 60 MX 5 x.',
        'a.a 60 A 192.0.2.1\n b 60 A 192.0.2.2\n b 60 A 192.0.2.3\n b 60 TXT "t"\n d 60 MX 5 x.',
      ),
    ).toEqual([
      'removed:',
      '- a.example. 60 A 192.0.2.1',
      'added:',
      '+ a.a.example. 60 A 192.0.2.1',
      'changed:',
      '- b.example. 60 A 192.0.2.1',
      '+ b.example. 60 A 192.0.2.3',
      'added:',
      '+ b.example. 60 TXT "t"',
    ]);
  });

  it('are all records of an RRset whose TTL changes (RFC 2181 §5.2)', async () => {
    expect(await diff('a 60 A 192.0.2.1\n a 60 A 192.0.2.2', 'a 61 A 192.0.2.1\n a 61 A 192.0.2.2')).toEqual([
      'changed:',
      '- a.example. 60 A 192.0.2.1',
      '- a.example. 60 A 192.0.2.2',
      '+ a.example. 61 A 192.0.2.1',
      '+ a.example. 61 A 192.0.2.2',
    ]);
  });

  it('hold the case of names in rdata', async () => {
    expect(await diff('a 60 MX 5 x.', 'a 60 MX 5 X.')).toEqual([
      'changed:',
      '- a.example. 60 MX 5 x.',
      '+ a.example. 60 MX 5 X.',
    ]);
  });

  it('let their sources go when the reader stops', async () => {
    let closed = 0;
    async function* source(owner: string): AsyncGenerator<RRset[]> {
      try {
        yield [{ owner: Name.parse(owner), type: 1, ttl: 1, rdata: [Uint8Array.of(1, 2, 3, 4)] }];
        yield [];
        yield [{ owner: Name.parse(`z.${owner}`), type: 1, ttl: 1, rdata: [Uint8Array.of(1, 2, 3, 4)] }];
      } finally {
        closed++;
      }
    }
    for await (const difference of diffRRsets(source('a.'), source('b.'))) {
      expect(difference.kind).toBe('removed');
      break;
    }
    expect(closed).toBe(2);
  });
});

const rrsets = fc
  .uniqueArray(
    fc.record({
      owner: fc.constantFrom('a.', 'b.a.', 'c.', '*.c.', 'd.').map((text) => Name.parse(text)),
      type: fc.constantFrom(1, 16, 65280),
      ttl: fc.constantFrom(60, 120),
      rdata: fc
        .uniqueArray(fc.constantFrom(0, 1, 2), { minLength: 1 })
        .map((octets) => octets.sort((a, b) => a - b).map((octet) => Uint8Array.of(1, octet))),
    }),
    { selector: ({ owner, type }) => `${owner.toString()} ${type}` },
  )
  .map((list): RRset[] => list.sort(compareRRsets));

const recordsOf = (list: readonly RRset[]): string[] =>
  list.flatMap(({ owner, type, ttl, rdata }) =>
    rdata.map((octets) => `${owner.toString()} ${type} ${ttl} ${Buffer.from(octets).toString('hex')}`),
  );

describe('properties', () => {
  it('what is removed and added turns the one into the other', async () => {
    await fc.assert(
      fc.asyncProperty(rrsets, rrsets, fc.integer({ min: 1, max: 4 }), async (before, after, size) => {
        const batches = (list: RRset[]): RRset[][] =>
          Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
            list.slice(i * size, (i + 1) * size),
          );
        const records = new Set(recordsOf(before));
        const differences: RRsetDifference[] = [];
        for await (const difference of diffRRsets(batches(before), batches(after))) {
          differences.push(difference);
          const { removed, added } = recordChanges(difference);
          for (const record of recordsOf(removed === undefined ? [] : [removed])) {
            expect(records.delete(record)).toBe(true);
          }
          for (const record of recordsOf(added === undefined ? [] : [added])) {
            expect(records.has(record)).toBe(false);
            records.add(record);
          }
        }
        expect([...records].sort()).toEqual(recordsOf(after).sort());
        if (recordsOf(before).join() === recordsOf(after).join()) expect(differences).toEqual([]);
      }),
    );
  });
});
