import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import type { RRset } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { decodeBitmap } from '../../src/dnssec/bitmap.js';
import { nsec3Hash } from '../../src/dnssec/nsec3.js';
import type { NodeKind, ZoneNode } from '../../src/zone/node.js';
import { nodesOf } from '../zone/zone-text.js';
import { nsec3Of, nsecOf } from './chain-lines.js';

const apex = Name.parse('example.');
const { A, DS, NS, RRSIG, NSEC, SOA, TXT } = RRType;

/** Owners out of few labels, so that ancestors, cuts and wildcards meet often. */
const label = fc.constantFrom('a', 'b', '*', 'a-', 'B', '\\000', '\\001', '\\255');
const ownerText = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map((labels) => `${labels.join('.')}.example.`);
const content = fc.constantFrom<readonly number[]>([A], [TXT], [A, TXT], [NS], [NS, DS], [NS, A]);

/** A zone as a map from owners to types: what the models below look at, without any order or streaming. */
type Model = ReadonlyMap<string, { readonly name: Name; readonly types: readonly number[] }>;

const model = fc.array(fc.tuple(ownerText, content), { maxLength: 25 }).map((entries): Model => {
  const owners = new Map([[apex.key, { name: apex, types: [NS, SOA] as readonly number[] }]]);
  for (const [text, types] of entries) {
    const name = Name.parse(text);
    owners.set(name.key, { name, types });
  }
  return owners;
});

const DATA = new Map<number, string>([
  [A, '192.0.2.1'],
  [TXT, '"t"'],
  [NS, 'ns.other.test.'],
  [DS, `1 13 2 ${'00'.repeat(32)}`],
  [SOA, 'a. b. 1 2 3 4 5'],
]);
const MNEMONICS = new Map<number, string>(
  [A, TXT, NS, DS, SOA].map((type, i) => [type, ['A', 'TXT', 'NS', 'DS', 'SOA'][i] as string]),
);

function textOf(zone: Model): string {
  return [...zone.values()]
    .flatMap(({ name, types }) =>
      types.map((type) => `${name.toString()} 60 ${MNEMONICS.get(type)} ${DATA.get(type)}`),
    )
    .join('\n');
}

/** A name is occluded when any proper ancestor below the apex has an NS. */
function naiveKind(zone: Model, name: Name): NodeKind {
  if (name.equals(apex)) return 'apex';
  for (let above = name.parent(); !above.equals(apex); above = above.parent()) {
    if (zone.get(above.key)?.types.includes(NS)) return 'occluded';
  }
  return zone.get(name.key)?.types.includes(NS) ? 'delegation' : 'authoritative';
}

/** Whom a denial record stands for, by the letter of the RFCs: names and their types. */
function naiveDenial(
  zone: Model,
  { optOut, empty }: { optOut: boolean; empty: boolean },
): Map<string, number[]> {
  const owners = new Map<string, number[]>();
  for (const { name, types } of zone.values()) {
    const kind = naiveKind(zone, name);
    const isInsecure = kind === 'delegation' && !types.includes(DS);
    if (kind === 'occluded' || (optOut && isInsecure)) continue;
    owners.set(
      name.key,
      kind === 'delegation' ? types.filter((type) => type === NS || type === DS) : [...types],
    );
    if (!empty) continue;
    for (let above = name.parent(); above.labelCount > apex.labelCount; above = above.parent()) {
      if (!owners.has(above.key)) owners.set(above.key, []);
    }
  }
  return owners;
}

const key = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

/** Each record's next is the following record's owner, and the last one's is the first. */
function expectCircle(
  chain: readonly RRset[],
  nextOf: (rdata: Uint8Array) => string,
  ownerOf: (rrset: RRset) => string,
): void {
  for (const [i, rrset] of chain.entries()) {
    const successor = chain[(i + 1) % chain.length] as RRset;
    expect(nextOf(rrset.rdata[0] as Uint8Array)).toBe(ownerOf(successor));
    if (i > 0) expect((chain[i - 1] as RRset).owner.compare(rrset.owner)).toBeLessThan(0);
  }
}

const sorted = (types: Iterable<number>): number[] => [...new Set(types)].sort((a, b) => a - b);

describe('zone cuts', () => {
  it('are those of a model that looks at every ancestor', async () => {
    await fc.assert(
      fc.asyncProperty(model, async (zone) => {
        const nodes = await nodesOf('example.', textOf(zone));
        expect(nodes).toHaveLength(zone.size);
        for (const { name, kind } of nodes)
          expect([name.toString(), kind]).toEqual([name.toString(), naiveKind(zone, name)]);
      }),
    );
  });
});

describe('the NSEC chain', () => {
  it('is a closed circle in canonical order over the names of the model, with its types', async () => {
    await fc.assert(
      fc.asyncProperty(model, async (zone) => {
        const chain = nsecOf(await nodesOf('example.', textOf(zone)), apex, 60);
        expectCircle(
          chain,
          (rdata) => Name.readWire(rdata, 0).key,
          ({ owner }) => owner.key,
        );
        const expected = naiveDenial(zone, { optOut: false, empty: false });
        const found = new Map(
          chain.map(({ owner, rdata }) => {
            const octets = rdata[0] as Uint8Array;
            return [owner.key, decodeBitmap(octets.subarray(Name.wireLength(octets, 0)))];
          }),
        );
        expect(found.size).toBe(expected.size);
        for (const [name, types] of expected) {
          const extra = name === apex.key ? [RRType.DNSKEY] : [];
          expect(found.get(name)).toEqual(sorted([...types, ...extra, RRSIG, NSEC]));
        }
      }),
    );
  });
});

describe.each([false, true])('the NSEC3 chain (opt-out %s)', (optOut) => {
  const options = { apex, iterations: 1, salt: Uint8Array.of(0xab), optOut, ttl: 60 };

  it('is a closed circle in hash order over the names of the model and their empty non-terminals', async () => {
    await fc.assert(
      fc.asyncProperty(model, async (zone) => {
        const nodes: ZoneNode[] = await nodesOf('example.', textOf(zone));
        const chain = nsec3Of(nodes, options);
        const hashes = new Map<string, number[]>();
        for (const [name, types] of naiveDenial(zone, { optOut, empty: true })) {
          const isInsecure = types.length === 1 && types[0] === NS;
          const extra = name === apex.key ? [RRType.DNSKEY, RRType.NSEC3PARAM] : [];
          const signed = types.length === 0 || isInsecure ? [] : [RRSIG];
          const wire = Name.fromWire(Uint8Array.from(name, (char) => char.charCodeAt(0)));
          hashes.set(key(nsec3Hash(wire, options)), sorted([...types, ...extra, ...signed]));
        }
        const order = [...hashes.keys()].sort();
        expect(chain).toHaveLength(order.length);
        // the RRset at index i is that of the i-th hash; its rdata ends in the next hash and the bitmap
        for (const [i, { rdata }] of chain.entries()) {
          const octets = rdata[0] as Uint8Array;
          expect(key(octets.subarray(7, 27))).toBe(order[(i + 1) % order.length]);
          expect(decodeBitmap(octets.subarray(27))).toEqual(hashes.get(order[i] as string));
        }
        const hashByOwner = new Map(chain.map(({ owner }, i) => [owner.key, order[i] as string]));
        expectCircle(
          chain,
          (rdata) => key(rdata.subarray(7, 27)),
          ({ owner }) => hashByOwner.get(owner.key) as string,
        );
      }),
    );
  });
});
