import { Name } from '../../../src/dns/name.js';
import { RRType } from '../../../src/dns/types.js';
import type { VerifiableRecord } from '../../../src/dnssec/verify/index.js';
import { makeKey } from './resign.js';
import { edit, ksk, octets, other, type RuleCase, zsk } from './rule-case.js';
import { APEX } from './vectors.js';

/** Single records, RRsets, keys and signatures. */
export const ZONE_CASES: readonly RuleCase[] = [
  {
    rule: 'signed-record',
    title: 'a signed zone that is to be unsigned',
    options: { signed: false },
    change: (z) => z,
    at: 'example. DNSKEY',
    resign: false,
  },
  { rule: 'out-of-zone', title: 'an owner beside the zone', add: 'a.test. A 192.0.2.1', at: 'a.test. A' },
  {
    rule: 'class',
    title: 'a record of class CH',
    change: (z) => [...z, { ...(z[0] as VerifiableRecord), type: 16, rdata: Uint8Array.of(0), class: 3 }],
    at: 'example. TXT',
  },
  {
    rule: 'meta-type',
    title: 'a TSIG record',
    change: (z) => [...z, { owner: APEX, type: 250, ttl: 0, rdata: new Uint8Array() }],
    at: 'example. TSIG',
  },
  {
    rule: 'rdata-malformed',
    title: 'an address of three octets',
    change: (z) => [...z, { owner: APEX, type: 1, ttl: 0, rdata: new Uint8Array(3) }],
    at: 'example. A',
  },
  { rule: 'duplicate-record', title: 'a record twice', add: 'ns1 A 192.0.2.1', at: 'ns1.example. A' },
  {
    rule: 'duplicate-record',
    title: 'a record twice, in other letters',
    add: 'alias CNAME NS1',
    at: 'alias.example. CNAME',
  },
  {
    rule: 'rrset-ttl',
    title: 'two TTLs in an RRset',
    change: edit(/^mail.* IN A 192.0.2.3/, (r) => ({ ...r, ttl: 61 })),
    at: 'mail.example. A',
  },
  {
    rule: 'rrset-ttl',
    title: 'two TTLs in a delegation',
    change: edit(/^sub\..* IN NS sub/, (r) => ({ ...r, ttl: 61 })),
    at: 'sub.example. NS',
    severity: 'warning',
  },
  { rule: 'soa-missing', title: 'no SOA', drop: / SOA ns1/, at: 'example. SOA', also: ['nsec-bitmap'] },
  {
    rule: 'soa-multiple',
    title: 'two SOAs',
    add: '@ SOA ns1 hostmaster 2 7200 3600 1209600 300',
    at: 'example. SOA',
  },
  {
    rule: 'soa-misplaced',
    title: 'an SOA below the apex',
    add: 'suba SOA ns1 hostmaster 2 7200 3600 1209600 300',
    resign: { also: ['suba/6'] },
    at: 'suba.example. SOA',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'ns-missing',
    title: 'no NS',
    drop: /^example. \d+ IN NS /,
    at: 'example. NS',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'cname-other-data',
    title: 'a CNAME beside other data',
    add: 'alias A 192.0.2.1',
    resign: { also: ['alias/1'] },
    at: 'alias.example. CNAME',
    also: ['nsec-bitmap'],
  },
  { rule: 'cname-multiple', title: 'two CNAMEs', add: 'alias CNAME ns2', at: 'alias.example. CNAME' },
  { rule: 'dname-multiple', title: 'two DNAMEs', add: 'dn DNAME ns2', at: 'dn.example. DNAME' },
  {
    rule: 'dname-with-ns',
    title: 'a DNAME at a delegation',
    add: 'insecure.ent3 DNAME ns2',
    at: 'insecure.ent3.example. DNAME',
  },
  { rule: 'below-dname', title: 'data below a DNAME', add: 'a.dn A 192.0.2.1', at: 'a.dn.example.' },
  {
    rule: 'ds-misplaced',
    title: 'a DS without a delegation',
    add: 'suba DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    resign: { also: ['suba/43'] },
    at: 'suba.example. DS',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'ds-digest',
    title: 'a digest of GOST R 34.11-2012 that is too short',
    add: 'sub DS 1 23 5 0123456789abcdef0123456789abcdef',
    at: 'sub.example. DS',
  },
  {
    rule: 'dnskey-missing',
    title: 'no DNSKEY',
    resign: { keys: [] },
    at: 'example. DNSKEY',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'dnskey-misplaced',
    title: 'a DNSKEY below the apex',
    add: 'suba DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=',
    at: 'suba.example. DNSKEY',
    change: (z) => z,
    resign: false,
    also: ['rrsig-missing', 'nsec-bitmap'],
  },
  {
    rule: 'dnskey-malformed',
    title: 'a point that is not on its curve',
    add: `@ DNSKEY 257 3 13 ${Buffer.alloc(64, 1).toString('base64')}`,
    resign: false,
    at: 'example. DNSKEY',
    also: ['rrsig-bogus'],
  },
  {
    rule: 'dnskey-flags',
    title: 'a DNSKEY that is no zone key',
    add: '@ DNSKEY 0 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=',
    resign: false,
    at: 'example. DNSKEY',
    severity: 'warning',
  },
  {
    rule: 'dnskey-algorithm',
    title: 'an unknown algorithm',
    add: '@ DNSKEY 257 3 253 AAAA',
    resign: false,
    at: 'example. DNSKEY',
    also: ['rrsig-missing-algorithm'],
  },
  {
    rule: 'dnskey-revoked',
    title: 'a revoked key that does not sign',
    resign: { keys: [ksk, makeKey(15, 385)], signers: () => [ksk] },
    at: 'example. DNSKEY',
  },
  {
    rule: 'dnskey-not-signed-by-sep',
    title: 'the DNSKEY RRset signed by the ZSK alone',
    resign: { keys: [ksk, zsk], signers: () => [zsk] },
    at: 'example. DNSKEY',
  },
  {
    rule: 'rrsig-missing',
    title: 'an RRset without a signature',
    drop: /^suba.* IN RRSIG A/,
    resign: false,
    at: 'suba.example. A',
  },
  {
    rule: 'rrsig-missing',
    title: 'a name nobody signed',
    add: 'suba MX 1 ns1',
    at: 'suba.example. MX',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'rrsig-missing-algorithm',
    title: 'two algorithms published, one that signs',
    resign: { keys: [ksk, other], signers: (_, type, keys) => (type === RRType.DNSKEY ? keys : [ksk]) },
    at: 'suba.example. A',
  },
  {
    rule: 'rrsig-unexpected',
    title: 'the NS of a delegation signed',
    resign: { also: ['sub/2'] },
    at: 'sub.example. NS',
  },
  { rule: 'rrsig-unexpected', title: 'glue signed', resign: { also: ['ns.sub/1'] }, at: 'ns.sub.example. A' },
  {
    rule: 'rrsig-unexpected',
    title: 'an address at a cut signed',
    resign: { also: ['sub/1'] },
    at: 'sub.example. A',
  },
  {
    rule: 'rrsig-covers-nothing',
    title: 'a signature without its RRset',
    drop: /^mail.* IN AAAA /,
    resign: false,
    at: 'mail.example. AAAA',
    also: ['nsec-bitmap'],
  },
  {
    rule: 'rrsig-signer',
    title: 'another signer',
    resign: {
      fields: (f) => {
        if (f.typeCovered === RRType.MX) f.signer = Name.parse('test.');
      },
    },
    at: 'example. MX',
    also: ['rrsig-missing'],
  },
  {
    rule: 'rrsig-labels',
    title: 'too few labels',
    resign: {
      fields: (f, owner) => {
        if (owner.key.startsWith('\x04suba')) f.labels--;
      },
    },
    at: 'suba.example. A',
  },
  {
    rule: 'rrsig-labels',
    title: 'a wildcard label counted',
    resign: {
      fields: (f, owner) => {
        if (owner.isWildcard) f.labels++;
      },
    },
    at: '*.wild.example. A',
  },
  {
    rule: 'rrsig-original-ttl',
    title: 'another original TTL',
    resign: {
      fields: (f) => {
        if (f.typeCovered === RRType.MX) f.originalTtl++;
      },
    },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-ttl',
    title: 'another TTL',
    resign: {
      fields: (f) => {
        if (f.typeCovered === RRType.MX) f.ttl++;
      },
    },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-not-yet-valid',
    title: 'an inception to come',
    resign: {
      fields: (f, _, now) => {
        if (f.typeCovered === RRType.MX) f.inception = now + 3600;
      },
    },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-expired',
    title: 'an expiration gone by',
    resign: {
      fields: (f, _, now) => {
        if (f.typeCovered === RRType.MX) f.expiration = now - 3600;
      },
    },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-expires-soon',
    title: 'an expiration within the margin',
    resign: {
      fields: (f, _, now) => {
        if (f.typeCovered === RRType.MX) f.expiration = now + 3599;
      },
    },
    options: { margin: 3600 },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-period',
    title: 'an expiration before the inception',
    resign: {
      fields: (f) => {
        if (f.typeCovered === RRType.MX) f.expiration = f.inception;
      },
    },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-unknown-key',
    title: 'a key that is not published',
    resign: { keys: [ksk], signers: (_, type) => (type === RRType.MX ? [ksk, zsk] : [ksk]) },
    at: 'example. MX',
    severity: 'warning',
  },
  {
    rule: 'rrsig-unknown-key',
    title: 'a key that is no zone key',
    resign: { keys: [ksk, makeKey(15, 1)] },
    at: 'example. MX',
    also: ['dnskey-flags'],
  },
  {
    rule: 'rrsig-revoked-key',
    title: 'a revoked key that signs data',
    resign: { keys: [ksk, makeKey(15, 385)] },
    at: 'example. MX',
  },
  {
    rule: 'rrsig-bogus',
    title: 'a signature with one bit changed',
    change: octets(/^suba.* IN RRSIG A/, (o) => {
      o[o.length - 1] = (o.at(-1) ?? 0) ^ 1;
    }),
    resign: false,
    at: 'suba.example. A',
  },
  {
    rule: 'rrsig-bogus',
    title: 'a signature that is cut off',
    change: edit(/^suba.* IN RRSIG A/, (r) => ({ ...r, rdata: r.rdata.slice(0, -1) })),
    resign: false,
    at: 'suba.example. A',
  },
  {
    rule: 'rrsig-bogus',
    title: 'data with one bit changed',
    change: octets(/^suba.* IN A /, (o) => {
      o[3] = (o[3] ?? 0) ^ 1;
    }),
    resign: false,
    at: 'suba.example. A',
  },
];
