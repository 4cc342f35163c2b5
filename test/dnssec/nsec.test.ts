import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { RRType } from '../../src/dns/types.js';
import { NsecChain } from '../../src/dnssec/nsec.js';
import { APEX, nodesOf } from '../zone/zone-text.js';
import { denialLines, nsecOf } from './chain-lines.js';
import { RFC4035_ZONE } from './rfc-zones.js';

const apex = Name.parse('example.');

describe('RFC 4035 appendix A', () => {
  it('has the NSEC records of the RFC', async () => {
    const nodes = await nodesOf('example.', RFC4035_ZONE);
    expect(denialLines(nsecOf(nodes, apex, 3600))).toEqual([
      'example. 3600 NSEC a.example. NS SOA MX RRSIG NSEC DNSKEY',
      'a.example. 3600 NSEC ai.example. NS DS RRSIG NSEC',
      'ai.example. 3600 NSEC b.example. A HINFO AAAA RRSIG NSEC',
      'b.example. 3600 NSEC ns1.example. NS RRSIG NSEC',
      'ns1.example. 3600 NSEC ns2.example. A RRSIG NSEC',
      'ns2.example. 3600 NSEC *.w.example. A RRSIG NSEC',
      '*.w.example. 3600 NSEC x.w.example. MX RRSIG NSEC',
      'x.w.example. 3600 NSEC x.y.w.example. MX RRSIG NSEC',
      'x.y.w.example. 3600 NSEC xx.example. MX RRSIG NSEC',
      'xx.example. 3600 NSEC example. A HINFO AAAA RRSIG NSEC',
    ]);
  });
});

describe('RFC 4035 §2.3', () => {
  it('has one record that points to itself when the apex is alone', async () => {
    const nodes = await nodesOf('example.', APEX);
    expect(denialLines(nsecOf(nodes, apex, 60))).toEqual([
      'example. 60 NSEC example. NS SOA RRSIG NSEC DNSKEY',
    ]);
  });

  it('works for the root', async () => {
    const nodes = await nodesOf('.', `${APEX}\n test. 60 NS ns.test.\n ns.test. 60 A 192.0.2.1`);
    expect(denialLines(nsecOf(nodes, Name.root, 60))).toEqual([
      '. 60 NSEC test. NS SOA RRSIG NSEC DNSKEY',
      'test. 60 NSEC . NS RRSIG NSEC',
    ]);
  });

  it('takes types that are not among the RRsets yet, and writes next names in lower case', async () => {
    const nodes = await nodesOf('example.', `${APEX}\n WWW 60 A 192.0.2.1`);
    const chain = new NsecChain({ apex, ttl: 60 });
    expect(chain.push(nodes[0] as (typeof nodes)[0], [RRType.ZONEMD])).toBeUndefined();
    const first = chain.push(nodes[1] as (typeof nodes)[0]);
    expect(first && denialLines([first])).toEqual(['example. 60 NSEC www.example. NS SOA RRSIG NSEC ZONEMD']);
  });

  it('refuses nodes out of order, without the apex first, or none at all', async () => {
    const [first, second] = await nodesOf('example.', `${APEX}\n a 60 A 192.0.2.1`);
    const chain = new NsecChain({ apex, ttl: 60 });
    expect(() => chain.finish()).toThrow(/has no apex/);
    expect(() => chain.push(second as NonNullable<typeof second>)).toThrow(/begins at a\.example\./);
    chain.push(first as NonNullable<typeof first>);
    chain.push(second as NonNullable<typeof second>);
    expect(() => chain.push(second as NonNullable<typeof second>)).toThrow(/not the canonical order/);
  });
});
