import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MasterRecord } from '../../src/dns/master-file.js';
import { Name } from '../../src/dns/name.js';
import { PackedRecords } from '../../src/zone/packed-records.js';

/** Labels that come close to one another: in case, with the octets that the sort key escapes, one the beginning of another. */
const label = fc.oneof(
  fc.constantFrom(
    'a',
    'A',
    'aa',
    'b',
    '-',
    '*',
    '\\000',
    '\\001',
    '\\002',
    '\\000\\000',
    '\\001a',
    '\\255',
    'abcdefgh',
    'abcdefgi',
  ),
  fc
    .uint8Array({ minLength: 1, maxLength: 63 })
    .map((octets) => Name.fromLabels([octets]).toString().slice(0, -1)),
);
const zones = fc.constantFrom('.', 'example.', 'a.example.', '\\000.\\001.').map((text) => Name.parse(text));
const relative = fc.array(label, { maxLength: 3 });

interface Written {
  readonly labels: readonly string[];
  readonly outside: boolean;
  readonly records: readonly Omit<MasterRecord, 'owner'>[];
}
const written: fc.Arbitrary<Written> = fc.record({
  labels: relative,
  outside: fc.boolean(),
  records: fc.array(
    fc.record({
      type: fc.constantFrom(1, 2, 28, 65_535),
      ttl: fc.constantFrom(0, 300, 0x7fff_ffff),
      rdata: fc.uint8Array({ maxLength: 40 }),
      file: fc.constantFrom('f', 'g'),
      line: fc.constantFrom(1, 70_000, 0xffff_ffff),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

const show = ({ owner, rdata, ...rest }: MasterRecord): object => ({
  owner: owner.toString(),
  rdata: Buffer.from(rdata).toString('hex'),
  ...rest,
});

/** What records make by the plainest means: owners of a map, sorted by Name.compare. */
function plainly(records: readonly MasterRecord[]): [string, object[]][] {
  const owners = new Map<string, { name: Name; records: MasterRecord[] }>();
  for (const record of records) {
    const known = owners.get(record.owner.key);
    if (known === undefined) owners.set(record.owner.key, { name: record.owner, records: [record] });
    else known.records.push({ ...record, owner: known.name });
  }
  return [...owners.values()]
    .sort((a, b) => a.name.compare(b.name))
    .map(({ name, records: own }) => [name.toString(), own.map(show)]);
}

describe('packed records', () => {
  it('come out by owner in canonical order (RFC 4034 §6.1), whatever owners and zone are, as they went in', () =>
    fc.assert(
      fc.property(zones, fc.array(written, { maxLength: 40 }), (zone, all) => {
        const records = all.flatMap(({ labels, outside, records: own }) => {
          const text = labels.join('.');
          const origin = outside ? Name.root : zone;
          const owner = text === '' ? origin : Name.parse(text, origin);
          return own.map((record) => ({ owner, ...record }));
        });
        const packed = new PackedRecords(zone);
        for (const record of records) packed.add(record);
        const expected = plainly(records);
        const found = [...packed.inOrder()];
        expect(found.map(({ name, records: own }) => [name.toString(), own.map(show)])).toEqual(expected);
        expect(packed.owners).toBe(expected.length);
        for (const { name, sortKey, records: own } of found) {
          expect(Buffer.from(sortKey)).toEqual(Buffer.from(name.sortKey()));
          expect(packed.find(name.toLower()).map(show)).toEqual(own.map(show));
        }
        const severalTtls = found.filter(({ records: own }) => own.some(({ ttl }) => ttl !== own[0]?.ttl));
        expect([...packed.inOrder(true)].map(({ name }) => name.toString())).toEqual(
          severalTtls.map(({ name }) => name.toString()),
        );
        expect(packed.find(Name.parse('nowhere', zone))).toEqual([]);
      }),
    ));

  it('are taken in after they were read, too', () => {
    const zone = Name.parse('example.');
    const packed = new PackedRecords(zone);
    const record = { type: 1, ttl: 1, rdata: Uint8Array.of(1, 2, 3, 4), file: 'f', line: 1 };
    packed.add({ ...record, owner: Name.parse('b', zone) });
    expect(packed.owners).toBe(1);
    packed.add({ ...record, owner: Name.parse('a', zone) });
    expect([...packed.inOrder()].map(({ name }) => name.toString())).toEqual(['a.example.', 'b.example.']);
  });

  it('fill as many blocks as they need, the largest ones too', () => {
    const zone = Name.parse('example.');
    const packed = new PackedRecords(zone);
    const owners = ['b', 'a', 'c'].map((text) => Name.parse(text, zone));
    const count = 150;
    for (let i = 0; i < count; i++) {
      const rdata = new Uint8Array(0xffff).fill(i);
      packed.add({ owner: owners[Math.floor(i / 50)] as Name, type: 16, ttl: i, rdata, file: 'f', line: i });
    }
    const found = [...packed.inOrder()];
    expect(found.map(({ name, records }) => `${name} ${records.length}`)).toEqual([
      'a.example. 50',
      'b.example. 50',
      'c.example. 50',
    ]);
    expect(found[1]?.records.map(({ ttl }) => ttl)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(
      found[2]?.records.every(({ rdata, line }) => rdata.length === 0xffff && rdata[65_534] === line),
    ).toBe(true);
  });
});
