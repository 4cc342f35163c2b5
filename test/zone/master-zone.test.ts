import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { type FileProblem, type MasterZone, readMasterZone } from '../../src/zone/master-zone.js';
import type { ZoneRow } from '../../src/zone/row.js';

const zone = Name.parse('example.');

async function read(
  text: string,
  options: { stripDnssec?: boolean; views?: readonly string[] } = {},
): Promise<{ master: MasterZone; problems: FileProblem[]; rows: ZoneRow[] }> {
  const problems: FileProblem[] = [];
  const master = await readMasterZone(
    [text],
    { zone, file: 'zone.db', views: options.views ?? null, stripDnssec: options.stripDnssec ?? false },
    (problem) => problems.push(problem),
  );
  return { master, problems, rows: [...master.rows()].flat() };
}

describe('a master file becomes rows', () => {
  it('in canonical order (RFC 4034 §6.1), types ascending, one row for an owner and type', async () => {
    const { rows } = await read(`$TTL 60
z.a A 192.0.2.1
Z A 192.0.2.2
@ NS ns
*.z TXT "x"
@ SOA ns h 1 2 3 4 5
a AAAA 2001:db8::1
a A 192.0.2.4
@ NS a
`);
    expect(rows.map((row) => `${row.owner} ${row.type} ${row.data.join(',')}`)).toEqual([
      'example. NS a.example.,ns.example.',
      'example. SOA ns.example. h.example. 1 2 3 4 5',
      'a.example. A 192.0.2.4',
      'a.example. AAAA 2001:db8::1',
      'z.a.example. A 192.0.2.1',
      'Z.example. A 192.0.2.2',
      '*.z.example. TXT "x"',
    ]);
    const keys = rows.map((row) => Buffer.from(row.sortKey));
    expect(keys).toEqual([...keys].sort((a, b) => Buffer.compare(a, b)));
  });

  it('without duplicates, owners compared without case', async () => {
    const { master, rows } = await read('$TTL 60\nwww A 192.0.2.1\nWWW A 192.0.2.1\nwww A 192.0.2.2\n');
    expect(rows.map(({ owner, data }) => ({ owner, data }))).toEqual([
      { owner: 'www.example.', data: ['192.0.2.1', '192.0.2.2'] },
    ]);
    expect([master.records, master.names]).toEqual([3, 1]);
  });

  it('tagged with views', async () => {
    const { rows } = await read('www 60 A 192.0.2.1\n', { views: ['internal'] });
    expect(rows[0]?.views).toEqual(['internal']);
  });

  it('with one TTL an RRset (RFC 2181 §5.2), the first; another one is a warning at its line', async () => {
    const { master, rows } = await read('www 60 A 192.0.2.1\nwww 90 A 192.0.2.2\n');
    expect(rows[0]?.ttl).toBe(60);
    expect(master.problems()).toMatchObject([
      { severity: 'warning', rule: 'ttl-differs', line: 2, owner: 'www.example.', type: 'A' },
    ]);
  });
});

describe('DNSSEC records in a master file', () => {
  const signed = `$TTL 60
@ SOA ns h 1 2 3 4 5
@ RRSIG SOA 13 1 60 20261207104500 20261123094500 25178 @ AAAA
@ DNSKEY 256 3 13 AAAA
www A 192.0.2.1
www RRSIG A 13 2 60 20261207104500 20261123094500 25178 @ AAAA
www NSEC @ A RRSIG NSEC
sub DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
sub CDS 0 0 0 00
`;

  it('are an error for each type, at the first of its lines', async () => {
    const { master } = await read(signed);
    expect(master.problems().map(({ rule, line, type }) => `${rule} ${line} ${type}`)).toEqual([
      'dnssec-record 3 RRSIG',
      'dnssec-record 4 DNSKEY',
      'dnssec-record 7 NSEC',
    ]);
    expect(master.problems()[0]?.message).toBe(
      'zone.db:3: zone example.: example. RRSIG (and 1 more record of this type): is a DNSSEC record that Zoneseal makes itself; leave them out with --strip-dnssec',
    );
  });

  it('are CDS and CDNSKEY at the apex only when the file is of another signer', async () => {
    const asking = '$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ CDS 0 0 0 00\n@ CDNSKEY 0 3 0 AA==\n';
    const kept = await read(asking);
    expect(kept.master.problems()).toEqual([]);
    expect(kept.rows.map((row) => row.type)).toEqual(['SOA', 'CDS', 'CDNSKEY']);
    const left = await read(asking, { stripDnssec: true });
    expect(left.rows.map((row) => row.type)).toEqual(['SOA']);
    expect(Object.fromEntries(left.master.dnssecRecords)).toEqual({ CDS: 1, CDNSKEY: 1 });
  });

  it('are left out when asked; DS, and CDS below the apex, are data', async () => {
    const { master, rows } = await read(signed, { stripDnssec: true });
    expect(master.problems()).toEqual([]);
    expect(rows.map((row) => row.type)).toEqual(['SOA', 'DS', 'CDS', 'A']);
    expect(Object.fromEntries(master.dnssecRecords)).toEqual({ RRSIG: 2, DNSKEY: 1, NSEC: 1 });
  });
});

it('names the line that a problem of the zone comes from', async () => {
  const { master } = await read('$TTL 60\n@ SOA ns h 1 2 3 4 5\nwww A 192.0.2.1\nwww CNAME a\n');
  const problem = {
    severity: 'error',
    zone: 'example.',
    view: null,
    rule: 'cname-beside-data',
    message: 'no',
  } as const;
  expect(master.locate({ ...problem, owner: 'www.example.', type: 'CNAME' })).toMatchObject({
    line: 4,
    message: 'zone.db:4: no',
  });
  expect(master.locate({ ...problem, owner: 'www.example.' }).line).toBe(3);
  expect(master.locate({ ...problem, owner: 'example.', type: 'NS' })).toMatchObject({
    file: 'zone.db',
    message: 'zone.db: no',
  });
});

it('gathers every entry that cannot be read', async () => {
  const { problems, rows } = await read('$TTL 60\na A 1.2.3\nb A 192.0.2.1\nc MX 1\n');
  expect(problems.map(({ rule, line }) => `${rule} ${line}`)).toEqual(['syntax 2', 'syntax 4']);
  expect(rows).toHaveLength(1);
});
