import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { Nsec3Chain, nsec3Hash, nsec3Owner, nsec3ParamRdata } from '../../src/dnssec/nsec3.js';
import { APEX, nodesOf } from '../zone/zone-text.js';
import { denialLines, nsec3Of } from './chain-lines.js';
import { RFC5155_ZONE } from './rfc-zones.js';

const apex = Name.parse('example.');
const RFC5155 = { iterations: 12, salt: Buffer.from('aabbccdd', 'hex') };
const PLAIN = { apex, iterations: 0, salt: new Uint8Array(0), ttl: 60, optOut: false };

describe('RFC 5155 appendix A', () => {
  it.each([
    ['example.', '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom'],
    ['a.example.', '35mthgpgcu1qg68fab165klnsnk3dpvl'],
    ['ai.example.', 'gjeqe526plbf1g8mklp59enfd789njgi'],
    ['ns1.example.', '2t7b4g4vsa5smi47k61mv5bv1a22bojr'],
    ['ns2.example.', 'q04jkcevqvmu85r014c7dkba38o0ji5r'],
    ['w.example.', 'k8udemvp1j2f7eg6jebps17vp3n8i58h'],
    ['*.w.example.', 'r53bq7cc2uvmubfu5ocmm6pers9tk9en'],
    ['x.w.example.', 'b4um86eghhds6nea196smvmlo4ors995'],
    ['y.w.example.', 'ji6neoaepv8b5o6k4ev33abha8ht9fgc'],
    ['x.y.w.example.', '2vptu5timamqttgl4luu9kg21e0aor3s'],
    ['xx.example.', 't644ebqk9bibcna874givr6joj62mlhv'],
    ['2t7b4g4vsa5smi47k61mv5bv1a22bojr.example.', 'kohar7mbb8dc2ce8a9qvl8hon4k53uhi'],
    ['X.W.Example.', 'b4um86eghhds6nea196smvmlo4ors995'],
  ])('hashes %s', (name, hash) => {
    expect(nsec3Owner(nsec3Hash(Name.parse(name), RFC5155), apex).toString()).toBe(`${hash}.example.`);
  });

  it('has the NSEC3 records of the RFC: opt-out leaves c.example. out, w and y.w.example. are empty non-terminals', async () => {
    const nodes = await nodesOf('example.', RFC5155_ZONE);
    const denial = nsec3Of(nodes, { apex, ...RFC5155, optOut: true, ttl: 3600 });
    const lines = [
      '0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY NSEC3PARAM',
      '2t7b4g4vsa5smi47k61mv5bv1a22bojr 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG',
      '2vptu5timamqttgl4luu9kg21e0aor3s 35mthgpgcu1qg68fab165klnsnk3dpvl MX RRSIG',
      '35mthgpgcu1qg68fab165klnsnk3dpvl b4um86eghhds6nea196smvmlo4ors995 NS DS RRSIG',
      'b4um86eghhds6nea196smvmlo4ors995 gjeqe526plbf1g8mklp59enfd789njgi MX RRSIG',
      'gjeqe526plbf1g8mklp59enfd789njgi ji6neoaepv8b5o6k4ev33abha8ht9fgc A HINFO AAAA RRSIG',
      'ji6neoaepv8b5o6k4ev33abha8ht9fgc k8udemvp1j2f7eg6jebps17vp3n8i58h',
      'k8udemvp1j2f7eg6jebps17vp3n8i58h kohar7mbb8dc2ce8a9qvl8hon4k53uhi',
      'kohar7mbb8dc2ce8a9qvl8hon4k53uhi q04jkcevqvmu85r014c7dkba38o0ji5r A RRSIG',
      'q04jkcevqvmu85r014c7dkba38o0ji5r r53bq7cc2uvmubfu5ocmm6pers9tk9en A RRSIG',
      'r53bq7cc2uvmubfu5ocmm6pers9tk9en t644ebqk9bibcna874givr6joj62mlhv MX RRSIG',
      't644ebqk9bibcna874givr6joj62mlhv 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A HINFO AAAA RRSIG',
    ];
    const expected = lines.map((line) => {
      const [owner, next, ...types] = line.split(' ') as [string, string];
      return [`${owner}.example. 3600 NSEC3 1 1 12 AABBCCDD ${next.toUpperCase()}`, ...types].join(' ');
    });
    const found = denialLines(denial).map((line) =>
      line.replace(/aabbccdd (\S+)/i, (text) => text.toUpperCase()),
    );
    expect(found).toEqual(expected);
  });
});

describe('RFC 5155 §7.1', () => {
  it('has one record that points to itself when the apex is alone', async () => {
    const [record] = nsec3Of(await nodesOf('example.', APEX), PLAIN);
    const rdata = record?.rdata[0] as Uint8Array;
    expect(Uint8Array.from(rdata.subarray(6, 26))).toEqual(nsec3Hash(apex, PLAIN));
    expect(record?.owner.equals(nsec3Owner(nsec3Hash(apex, PLAIN), apex))).toBe(true);
  });

  it('works for the root', async () => {
    const nodes = await nodesOf('.', `${APEX}\n a.b.test. 60 A 192.0.2.1`);
    expect(nsec3Of(nodes, { ...PLAIN, apex: Name.root })).toHaveLength(4);
  });

  it('has the flags of opt-out in every NSEC3, never in NSEC3PARAM (§4.1.2)', async () => {
    const nodes = await nodesOf('example.', `${APEX}\n a 60 A 192.0.2.1`);
    for (const { rdata } of nsec3Of(nodes, { ...PLAIN, optOut: true })) expect(rdata[0]?.[1]).toBe(1);
    for (const { rdata } of nsec3Of(nodes, PLAIN)) expect(rdata[0]?.[1]).toBe(0);
    expect(formatRdata(RRType.NSEC3PARAM, nsec3ParamRdata(RFC5155)).toLowerCase()).toBe('1 0 12 aabbccdd');
    expect(formatRdata(RRType.NSEC3PARAM, nsec3ParamRdata(PLAIN))).toBe('1 0 0 -');
  });

  it('stops at two names with the same hash', async () => {
    const nodes = await nodesOf('example.', `${APEX}\n a 60 A 192.0.2.1\n b 60 A 192.0.2.1`);
    const hash = (name: Name): Uint8Array => new Uint8Array(20).fill(name.equals(apex) ? 1 : 2);
    expect(() => nsec3Of(nodes, { ...PLAIN, hash })).toThrow(
      /zone example\.: .* two names with the same hash/,
    );
  });

  it('keeps the order when hashes are crafted to fall close together', async () => {
    const text = Array.from({ length: 2000 }, (_, i) => `n${i} 60 A 192.0.2.1`).join('\n');
    const nodes = await nodesOf('example.', `${APEX}\n${text}`);
    const hash = (name: Name): Uint8Array => {
      const octets = nsec3Hash(name, PLAIN);
      return octets.fill(0x55, 0, 17);
    };
    const denial = nsec3Of(nodes, { ...PLAIN, hash });
    expect(denial).toHaveLength(2001);
    for (const [i, { owner }] of denial.entries()) {
      if (i > 0) expect((denial[i - 1] as (typeof denial)[0]).owner.compare(owner)).toBeLessThan(0);
    }
  });

  it('refuses parameters out of range, nodes out of order, and no nodes', async () => {
    expect(() => new Nsec3Chain({ ...PLAIN, iterations: 65_536 })).toThrow(/0 to 65,535 iterations/);
    expect(() => new Nsec3Chain({ ...PLAIN, salt: new Uint8Array(256) })).toThrow(
      /salt of at most 255 octets/,
    );
    const [first, second] = await nodesOf('example.', `${APEX}\n a 60 A 192.0.2.1`);
    const chain = new Nsec3Chain(PLAIN);
    expect(() => [...chain.finish()]).toThrow(/has no apex/);
    expect(() => chain.add(second as NonNullable<typeof second>)).toThrow(/begins at a\.example\./);
    chain.add(first as NonNullable<typeof first>);
    chain.add(second as NonNullable<typeof second>);
    expect(() => chain.add(second as NonNullable<typeof second>)).toThrow(/not the canonical order/);
  });
});
