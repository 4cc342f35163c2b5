import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata, parseRdataText } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { type OwnerRecords, ZonemdDigest, zonemdRdata } from '../../src/dnssec/zonemd.js';
import { ownersOf, readVector } from './vector-files.js';

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');

function digestOf(apex: string, owners: readonly OwnerRecords[]): string {
  const digest = new ZonemdDigest(Name.parse(apex));
  for (const owner of owners) digest.addOwner(owner);
  return hex(digest.digest());
}

const SIMPLE = `
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
example. 86400 IN ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 3600 IN AAAA 2001:db8::63
`;

// the out-of-zone record of the RFC's example is left to the loader
const COMPLEX = `
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
example. 86400 IN ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe
ns1.example. 3600 IN A 203.0.113.63
NS2.example. 3600 IN AAAA 2001:db8::63
occluded.sub.example. 7200 IN TXT "I'm occluded but must be digested"
sub.example. 7200 IN NS ns1.example.
duplicate.example. 300 IN TXT "I must be digested just once"
duplicate.example. 300 IN TXT "I must be digested just once"
UPPERCASE.example. 3600 IN TXT "canonicalize uppercase owner names"
*.example. 777 IN PTR dont-forget-about-wildcards.example.
mail.example. 3600 IN MX 20 MAIL1.example.
mail.example. 3600 IN MX 10 Mail2.Example.
sortme.example. 3600 IN AAAA 2001:db8::5:61
sortme.example. 3600 IN AAAA 2001:db8::3:62
sortme.example. 3600 IN AAAA 2001:db8::4:63
sortme.example. 3600 IN AAAA 2001:db8::1:65
sortme.example. 3600 IN AAAA 2001:db8::2:64
non-apex.example. 900 IN ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c6f776564206275742069676e6f7265642e20616c6c6f7765
`;

// without the RFC's ZONEMD of a private scheme, whose rdata only that scheme can judge
const SEVERAL = `
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
example. 86400 IN ZONEMD 2018031900 1 1 62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c279dd10f0edb1c56f8080211f8480ee306
example. 86400 IN ZONEMD 2018031900 1 2 08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27
example. 86400 IN ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 86400 IN TXT "This example has multiple digests"
NS2.EXAMPLE. 3600 IN AAAA 2001:db8::63
`;

const ROOT_SERVERS: readonly (readonly [string, string, string])[] = [
  ['a', '2001:503:ba3e::2:30', '198.41.0.4'],
  ['b', '2001:500:200::b', '199.9.14.201'],
  ['c', '2001:500:2::c', '192.33.4.12'],
  ['d', '2001:500:2d::d', '199.7.91.13'],
  ['e', '2001:500:a8::e', '192.203.230.10'],
  ['f', '2001:500:2f::f', '192.5.5.241'],
  ['g', '2001:500:12::d0d', '192.112.36.4'],
  ['h', '2001:500:1::53', '198.97.190.53'],
  ['i', '2001:7fe::53', '192.36.148.17'],
  ['j', '2001:503:c27::2:30', '192.58.128.30'],
  ['k', '2001:7fd::1', '193.0.14.129'],
  ['l', '2001:500:9f::42', '199.7.83.42'],
  ['m', '2001:dc3::35', '202.12.27.33'],
];

const ROOT_SERVERS_NET = [
  'root-servers.net. 3600000 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2018091100 14400 7200 1209600 3600000',
  ...ROOT_SERVERS.flatMap(([letter, aaaa, a]) => [
    `root-servers.net. 3600000 IN NS ${letter}.root-servers.net.`,
    `${letter}.root-servers.net. 3600000 IN AAAA ${aaaa}`,
    `${letter}.root-servers.net. 3600000 IN A ${a}`,
  ]),
  'b.root-servers.net. 3600000 IN MX 20 mail.isi.edu.',
  'i.root-servers.net. 3600000 IN MX 10 mx.i.root-servers.org.',
  'root-servers.net. 3600000 IN ZONEMD 2018091100 1 1 f1ca0ccd91bd5573d9f431c00ee0101b2545c97602be0a978a3b11dbfc1c776d5b3e86ae3d973d6b5349ba7f04340f79',
].join('\n');

describe.each([
  ['RFC 8976 A.1, simple', 'example.', SIMPLE],
  ['RFC 8976 A.2, complex', 'example.', COMPLEX],
  ['RFC 8976 A.3, several digests', 'example.', SEVERAL],
  ['RFC 8976 A.5, root-servers.net', 'root-servers.net.', ROOT_SERVERS_NET],
  ['ldns-signzone -z, NSEC', 'example.', readVector('tricky.zonemd-nsec')],
  ['ldns-signzone -z, NSEC3', 'example.', readVector('tricky.zonemd-nsec3')],
])('%s', (_, apex, text) => {
  const owners = ownersOf(text);
  const apexRecords = (owners[0] as OwnerRecords).rrsets;
  const zonemd = apexRecords.find(
    ({ type, rdata }) => type === RRType.ZONEMD && rdata[0]?.[4] === 1 && rdata[0][5] === 1,
  );
  const stated = hex(zonemd?.rdata[0]?.subarray(6) ?? new Uint8Array(0));

  it('has the digest that is stated', () => {
    expect(digestOf(apex, owners)).toBe(stated);
  });

  it('has another one when a TTL differs', () => {
    const [first, ...others] = owners as [OwnerRecords, ...OwnerRecords[]];
    const altered = { ...first, rrsets: first.rrsets.map((rrset) => ({ ...rrset, ttl: rrset.ttl + 1 })) };
    expect(digestOf(apex, [altered, ...others])).not.toBe(stated);
  });
});

describe('RFC 8976 §3.3', () => {
  it('takes RRsets of an owner in any order, and records larger than the buffer', () => {
    const large = { type: 65280, ttl: 1, rdata: [new Uint8Array(65_535).fill(7)] };
    const small = { type: 1, ttl: 1, rdata: [Uint8Array.of(192, 0, 2, 1)] };
    const name = Name.parse('example.');
    const forwards = digestOf('example.', [
      {
        name,
        rrsets: [
          { owner: name, ...small },
          { owner: name, ...large },
        ],
      },
    ]);
    const backwards = digestOf('example.', [
      {
        name,
        rrsets: [
          { owner: name, ...large },
          { owner: name, ...small },
        ],
      },
    ]);
    expect(forwards).toBe(backwards);
  });

  it('refuses owners out of order', () => {
    const owners = ownersOf(SIMPLE).reverse();
    expect(() => digestOf('example.', owners)).toThrow(expect.objectContaining({ code: 'ZONE_INVALID' }));
  });

  it('has rdata of serial, scheme, hash and digest (§2.2)', () => {
    const rdata = zonemdRdata(4_000_000_000, new Uint8Array(48).fill(0xab));
    expect(formatRdata(RRType.ZONEMD, rdata).toLowerCase()).toBe(`4000000000 1 1 ${'ab'.repeat(48)}`);
    expect(hex(parseRdataText(RRType.ZONEMD, formatRdata(RRType.ZONEMD, rdata)))).toBe(hex(rdata));
  });
});
