import { describe, expect, it } from 'vitest';
import { maxRdataOctets } from '../../src/dns/largest-record.js';
import { Name } from '../../src/dns/name.js';
import { RRType } from '../../src/dns/types.js';
import { ERROR_CODES } from '../../src/errors.js';
import { MessagePacker } from '../../src/transfer/packer.js';
import { loadNodes } from '../../src/zone/load.js';
import type { ZoneNode } from '../../src/zone/node.js';
import type { ZoneProblem } from '../../src/zone/problem.js';
import type { ZoneRow } from '../../src/zone/row.js';
import { APEX, collect, linesOf, nodesOf, rowsOf } from './zone-text.js';

const zone = Name.parse('example.');

const kindsOf = (nodes: readonly ZoneNode[]): Record<string, string> =>
  Object.fromEntries(nodes.map(({ name, kind }) => [name.toString(), kind]));

const textOf = (nodes: readonly ZoneNode[]): string[] =>
  nodes.flatMap(({ rrsets }) => rrsets.flatMap(linesOf));

describe('what a name is to its zone (RFC 4035 §2.2)', () => {
  it('tells apex, data, delegations and what lies below them', async () => {
    const nodes = await nodesOf(
      'example.',
      `${APEX}
      a 60 A 192.0.2.1
      a.b.c 60 A 192.0.2.1
      sub 60 NS ns.sub.example.
      sub 60 DS 1 13 2 ${'00'.repeat(32)}
      sub 60 A 192.0.2.1
      ns.sub 60 A 192.0.2.1
      nested.sub 60 NS ns.nested.sub.example.
      ns.nested.sub 60 A 192.0.2.1
      sub-a 60 A 192.0.2.1
      *.w 60 A 192.0.2.1
      x.*.w 60 A 192.0.2.1`,
    );
    expect(kindsOf(nodes)).toEqual({
      'example.': 'apex',
      'a.example.': 'authoritative',
      'a.b.c.example.': 'authoritative',
      'sub.example.': 'delegation',
      'ns.sub.example.': 'occluded',
      'nested.sub.example.': 'occluded',
      'ns.nested.sub.example.': 'occluded',
      'sub-a.example.': 'authoritative',
      '*.w.example.': 'authoritative',
      'x.*.w.example.': 'authoritative',
    });
  });

  it('knows the root as the apex of the root zone', async () => {
    const nodes = await nodesOf('.', `${APEX}\n test. 60 NS ns.test.\n ns.test. 60 A 192.0.2.1`);
    expect(kindsOf(nodes)).toEqual({ '.': 'apex', 'test.': 'delegation', 'ns.test.': 'occluded' });
  });

  it('sends all that lies below a cut, glue or not', async () => {
    const nodes = await nodesOf('example.', `${APEX}\n s 60 NS ns.s.example.\n x.s 60 TXT "kept"`);
    expect(textOf(nodes)).toContain('x.s.example. 60 TXT "kept"');
  });
});

describe('RRsets', () => {
  it('are in the order of types, rdata in canonical order, duplicates gone (RFC 4034 §6.3)', async () => {
    const nodes = await nodesOf(
      'example.',
      `${APEX}
      a 60 TXT "t"
      a 60 AAAA 2001:db8::1
      a 60 MX 10 b.example.
      a 60 MX 10 B.example.
      a 60 MX 5 z.example.
      a 60 A 192.0.2.10
      a 60 A 192.0.2.9
      a 60 A 192.0.2.10`,
    );
    expect(textOf(nodes.slice(1))).toEqual([
      'a.example. 60 A 192.0.2.9',
      'a.example. 60 A 192.0.2.10',
      'a.example. 60 MX 5 z.example.',
      'a.example. 60 MX 10 B.example.',
      'a.example. 60 TXT "t"',
      'a.example. 60 AAAA 2001:db8::1',
    ]);
  });

  it('of one owner share its name, whose case is that of its first row', async () => {
    const nodes = await nodesOf('example.', `${APEX}\n WWW 60 A 192.0.2.1\n www 60 TXT "t"`);
    expect(nodes).toHaveLength(2);
    expect(textOf(nodes.slice(1))).toEqual(['WWW.example. 60 A 192.0.2.1', 'WWW.example. 60 TXT "t"']);
  });

  it('come whole when their owner is split over batches, and in batches that stay small', async () => {
    const rows = rowsOf('example.', `${APEX}\n a 60 A 192.0.2.1\n a 60 TXT "t"\n b 60 A 192.0.2.1`);
    const nodes = await collect(
      loadNodes(
        rows.map((row) => [row]),
        { zone, view: null },
      ),
    );
    expect(nodes.map(({ rrsets }) => rrsets.length)).toEqual([2, 2, 1]);

    const many = Array.from({ length: 2000 }, (_, i) => `n${i} 60 A 192.0.2.1`).join('\n');
    const sizes: number[] = [];
    for await (const batch of loadNodes([rowsOf('example.', APEX + many)], { zone, view: null })) {
      sizes.push(batch.length);
    }
    expect(Math.max(...sizes)).toBeLessThan(600);
    expect(sizes.reduce((a, b) => a + b)).toBe(2001);
  });
});

describe('views', () => {
  const text = `${APEX}
    [internal] secret 60 A 192.0.2.1
    [internal] www 60 A 192.0.2.2
    [external] www 60 A 192.0.2.3
    [internal,external] both 60 A 192.0.2.4
    all 60 A 192.0.2.5`;

  it('see untagged rows and those that name them', async () => {
    expect(textOf(await nodesOf('example.', text, 'external')).slice(2)).toEqual([
      'all.example. 60 A 192.0.2.5',
      'both.example. 60 A 192.0.2.4',
      'www.example. 60 A 192.0.2.3',
    ]);
    expect(textOf(await nodesOf('example.', text, 'internal')).slice(2)).toHaveLength(4);
    expect(textOf(await nodesOf('example.', text, 'other')).slice(2)).toEqual([
      'all.example. 60 A 192.0.2.5',
    ]);
  });

  it('have cuts of their own', async () => {
    const split = `${APEX}
      [external] sub 60 NS ns.other.test.
      [internal] sub 60 A 192.0.2.1
      host.sub 60 A 192.0.2.2`;
    expect(kindsOf(await nodesOf('example.', split, 'internal'))['host.sub.example.']).toBe('authoritative');
    expect(kindsOf(await nodesOf('example.', split, 'external'))['host.sub.example.']).toBe('occluded');
  });

  it('are not stopped by a row they do not see', async () => {
    const broken = `${APEX}\n [internal] www 60 A 300.0.2.1`;
    expect(await nodesOf('example.', broken, 'external')).toHaveLength(1);
    await expect(nodesOf('example.', broken, 'internal')).rejects.toThrow(/view internal.*www\.example\. A/);
  });
});

const row = (owner: string, type: string, data: readonly string[], rest: Partial<ZoneRow> = {}): ZoneRow => ({
  owner,
  sortKey: Name.parse('x.example.').sortKey(),
  type,
  ttl: 60,
  data,
  views: null,
  ...rest,
});

/** Each error with the text that brings it about and what its message has to name. */
const ERRORS: readonly (readonly [string, string, string, RegExp])[] = [
  ['rdata-invalid', APEX, 'a 60 A 192.0.2.256', /a\.example\. A: .*; correct the record/],
  ['rdata-invalid', APEX, 'a 60 TXT "open', /a\.example\. TXT: /],
  ['type-unknown', APEX, 'a 60 NONSENSE x', /a\.example\. NONSENSE: is no known type; .*TYPEnnn/],
  ['type-meta', APEX, 'a 60 TYPE255 \\# 0', /a\.example\. TYPE255: is a meta or query type/],
  ['type-generated', APEX, 'a 60 RRSIG x', /a\.example\. RRSIG: .*--strip-dnssec/],
  ['type-generated', APEX, 'a 60 NSEC x', /a\.example\. NSEC: .*--strip-dnssec/],
  ['type-generated', APEX, 'a 60 NSEC3 x', /a\.example\. NSEC3: .*--strip-dnssec/],
  ['type-generated', APEX, '@ 60 DNSKEY x', /example\. DNSKEY: .*--strip-dnssec/],
  ['type-generated', APEX, '@ 60 NSEC3PARAM x', /example\. NSEC3PARAM: .*--strip-dnssec/],
  ['type-generated', APEX, '@ 60 ZONEMD x', /example\. ZONEMD: .*--strip-dnssec/],
  [
    'ttl-invalid',
    APEX,
    'a 2147483648 A 192.0.2.1',
    /a\.example\. A: has the TTL 2147483648; set one of 0 to 2147483647/,
  ],
  ['ttl-invalid', APEX, 'a -1 A 192.0.2.1', /has the TTL -1/],
  ['ttl-invalid', APEX, 'a 1.5 A 192.0.2.1', /has the TTL 1\.5/],
  ['views-empty', APEX, '[] a 60 A 192.0.2.1', /a\.example\. A: its list of views is empty/],
  ['out-of-zone', APEX, 'a.example.test. 60 A 192.0.2.1', /a\.example\.test\. A: does not lie in example\.;/],
  ['out-of-zone', APEX, 'aexample. 60 A 192.0.2.1', /does not lie in example\./],
  ['views-overlap', APEX, 'a 60 A 192.0.2.1\n[internal] a 60 A 192.0.2.2', /a\.example\. A: several rows/],
  ['soa-missing', '', '@ 60 NS ns.other.test.', /example\. SOA: is missing at the apex/],
  ['ns-missing', '', '@ 60 SOA a. b. 1 2 3 4 5', /example\. NS: is missing at the apex/],
  ['soa-several', APEX, '@ 3600 SOA a. b. 1 2 3 4 5', /example\. SOA: has 2 records; leave one/],
  ['soa-misplaced', APEX, 'a 60 SOA a. b. 1 2 3 4 5', /a\.example\. SOA: is not at the apex/],
  ['cname-several', APEX, 'a 60 CNAME b.\na 60 CNAME c.', /a\.example\. CNAME: has 2 records/],
  [
    'cname-beside-data',
    APEX,
    'a 60 CNAME b.\na 60 A 192.0.2.1',
    /a\.example\. CNAME: stands beside other data \(A\)/,
  ],
  ['cname-beside-data', APEX, '@ 60 CNAME b.', /example\. CNAME: stands beside other data \(NS, SOA\)/],
  ['dname-several', APEX, 'a 60 DNAME b.\na 60 DNAME c.', /a\.example\. DNAME: has 2 records/],
  ['dname-beside-ns', APEX, 'a 60 DNAME b.\na 60 NS c.', /a\.example\. DNAME: stands beside the NS/],
  [
    'below-dname',
    APEX,
    'a 60 DNAME b.\nx.y.a 60 A 192.0.2.1',
    /x\.y\.a\.example\. A: lies below the DNAME of a\.example\./,
  ],
  ['below-dname', APEX, '@ 60 DNAME b.\nx 60 NS c.', /x\.example\. NS: lies below the DNAME of example\./],
  ['ds-at-apex', APEX, `@ 60 DS 1 13 2 ${'00'.repeat(32)}`, /example\. DS: stands at the apex/],
];

describe('errors stop a zone, naming zone, view, owner, type, reason and next step', () => {
  it.each(ERRORS)('%s (case %#)', async (rule, apex, text, message) => {
    const error: unknown = await nodesOf('example.', `${apex}\n${text}`, 'internal').then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: rule === 'rdata-invalid' ? 'RDATA_INVALID' : 'ZONE_INVALID',
      fields: { zone: 'example.', view: 'internal', rule },
      message: expect.stringMatching(message) as string,
    });
    expect((error as Error).message).toMatch(/^zone example\. \(view internal\): [^;]+; \S/);
  });

  it.each([
    ['owner-invalid', row('a..example.', 'A', ['192.0.2.1']), /a label is empty/],
    ['owner-invalid', row('a', 'A', ['192.0.2.1']), /relative/],
    ['row-empty', row('x.example.', 'A', []), /x\.example\. A: has no records/],
    ['order', row('0.example.', 'A', ['192.0.2.1']), /0\.example\.: comes after a\.example\./],
  ])('%s in a row', async (rule, faulty, message) => {
    const rows = [
      ...rowsOf('example.', `${APEX}\n a 60 A 192.0.2.1`),
      faulty,
      row('z.example.', 'A', ['192.0.2.1']),
    ];
    await expect(collect(loadNodes([rows], { zone, view: null }))).rejects.toMatchObject({
      fields: { rule, view: null },
      message: expect.stringMatching(message) as string,
    });
  });

  it('lets an empty zone lack both SOA and NS', async () => {
    const problems: ZoneProblem[] = [];
    await collect(loadNodes([], { zone, view: 'internal', onProblem: (problem) => problems.push(problem) }));
    expect(problems.map(({ rule }) => rule)).toEqual(['soa-missing', 'ns-missing']);
  });

  it('refuses an RRset that no message can hold, and warns of one that leaves no room for signatures', async () => {
    const record = (octets: number): string => `a 60 TYPE65280 \\# ${octets} ${'00'.repeat(octets)}`;
    // header 12, question 11 + 4, two records of 12 and their data
    const room = 65_535 - 12 - 15 - 24 - 30_000;
    const both = (octets: number): string => `${APEX}\n${record(30_000)}\n${record(octets)}`;
    await expect(nodesOf('example.', both(room + 1))).rejects.toMatchObject({
      fields: { rule: 'rrset-too-large' },
      message: expect.stringContaining('needs a message of 65536 octets') as string,
    });
    expect(await rulesOf(both(room))).toEqual(['rrset-near-limit']);
    expect(await rulesOf(both(room - 1024))).toEqual([]);
  });

  it.each(['a', 'a.long.owner.with.many.labels', `${'x'.repeat(63)}.${'y'.repeat(63)}`])(
    'refuses a record that no message of a transfer can hold, and none that one can: %s',
    async (owner) => {
      const name = Name.parse(owner, zone);
      const packs = (octets: number): boolean => {
        const packer = new MessagePacker({ zone });
        packer.addRecord(zone, RRType.A, 60, Uint8Array.of(192, 0, 2, 1));
        try {
          return packer.addRecord(name, 65_280, 60, new Uint8Array(octets));
        } catch (error) {
          expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
          return false;
        }
      };
      const room = maxRdataOctets(name);
      expect([packs(room), packs(room + 1)]).toEqual([true, false]);
      const record = (octets: number): string =>
        `${APEX}\n${owner} 60 TYPE65280 \\# ${octets} ${'00'.repeat(octets)}`;
      expect(await rulesOf(record(room))).toEqual(['rrset-near-limit']);
      await expect(
        collect(loadNodes([rowsOf('example.', record(room + 1))], { zone, view: 'internal' })),
      ).rejects.toMatchObject({
        code: 'ZONE_INVALID',
        fields: { rule: 'record-too-large', view: 'internal' },
        message: `zone example. (view internal): ${name} TYPE65280: has a record with ${room + 1} octets of data, and a message of a transfer has room for ${room} beside its TSIG; make it smaller`,
      });
    },
  );

  it('uses codes of the table', () => {
    expect(ERROR_CODES).toHaveProperty('ZONE_INVALID');
    expect(ERROR_CODES).toHaveProperty('RDATA_INVALID');
  });
});

async function rulesOf(text: string): Promise<string[]> {
  const rules: string[] = [];
  const onProblem = ({ rule }: ZoneProblem): number => rules.push(rule);
  await collect(loadNodes([rowsOf('example.', text)], { zone, view: null, onProblem }));
  return rules;
}

describe('with onProblem all errors are told, and warnings', () => {
  it('goes on after each: faults of rows when they are read, those of an owner when it is complete', async () => {
    expect(
      await rulesOf(`
        @ 60 NS ns.other.test.
        a 60 A nonsense
        a 60 AAAA nonsense
        b 60 MX 10 ok.
        b 60 MX 10
        b 60 MX x y.
        c 60 CNAME d.
        c 60 TXT "t"`),
    ).toEqual([...Array<string>(4).fill('rdata-invalid'), 'soa-missing', 'cname-beside-data']);
  });

  it('warns of what BIND refuses by default', async () => {
    const records = Array.from({ length: 101 }, (_, i) => `a 60 A 192.0.2.${i}`).join('\n');
    expect(await rulesOf(`${APEX}\n${records}`)).toEqual(['many-records']);
    const types = Array.from({ length: 50 }, (_, i) => `a 60 TYPE${65_280 + i} \\# 0`).join('\n');
    expect(await rulesOf(`${APEX}\n${types}`)).toEqual(['many-types']);
  });

  it('warns of a DS without a delegation, and of servers that look like addresses', async () => {
    expect(await rulesOf(`${APEX}\n a 60 DS 1 13 2 ${'00'.repeat(32)}`)).toEqual(['ds-without-ns']);
    expect(await rulesOf(`${APEX}\n a 60 NS 192.0.2.1.\n a 60 NS ns1.1a.`)).toEqual(['ns-is-address']);
  });

  it('warns of a wildcard that is delegated (RFC 4592 §4.2)', async () => {
    expect(await rulesOf(`${APEX}\n *.a 60 NS ns.other.test.`)).toEqual(['ns-at-wildcard']);
  });

  it('does not throw on warnings alone', async () => {
    expect(await nodesOf('example.', `${APEX}\n a 60 NS 192.0.2.1.`)).toHaveLength(2);
  });

  it('lets types of the apex be data elsewhere, but warns', async () => {
    const data = `${APEX}
      a 60 CDS 1 13 2 ${'00'.repeat(32)}
      a 60 CDNSKEY 257 3 13 AA==
      a 60 DNSKEY 257 3 13 AA==
      a 60 NSEC3PARAM 1 0 0 -
      a 60 KEY 256 3 13 AA==`;
    expect(await rulesOf(data)).toEqual(Array<string>(4).fill('apex-type-elsewhere'));
    expect(textOf(await nodesOf('example.', data))).toHaveLength(7);
  });
});
