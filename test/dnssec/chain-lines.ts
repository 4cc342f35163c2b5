import type { Name } from '../../src/dns/name.js';
import { formatRdata } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { RRType, typeToText } from '../../src/dns/types.js';
import { NsecChain } from '../../src/dnssec/nsec.js';
import { Nsec3Chain, type Nsec3Options } from '../../src/dnssec/nsec3.js';
import { rrsigLabels } from '../../src/dnssec/rrsig.js';
import { isSigned, type ZoneNode } from '../../src/zone/node.js';

/** The NSEC RRsets of nodes; the apex also has a DNSKEY. */
export function nsecOf(nodes: readonly ZoneNode[], apex: Name, ttl: number): RRset[] {
  const chain = new NsecChain({ apex, ttl });
  const rrsets: RRset[] = [];
  for (const node of nodes) {
    const previous = chain.push(node, node.kind === 'apex' ? [RRType.DNSKEY] : []);
    if (previous !== undefined) rrsets.push(previous);
  }
  return [...rrsets, chain.finish()];
}

/** The NSEC3 RRsets of nodes; the apex also has a DNSKEY and an NSEC3PARAM. */
export function nsec3Of(nodes: readonly ZoneNode[], options: Nsec3Options): RRset[] {
  const chain = new Nsec3Chain(options);
  for (const node of nodes) chain.add(node, node.kind === 'apex' ? [RRType.DNSKEY, RRType.NSEC3PARAM] : []);
  return [...chain.finish()].map(({ rrset }) => rrset);
}

/** Denial records as lines of `owner ttl TYPE rdata`, lower-case but for the types. */
export function denialLines(rrsets: readonly RRset[]): string[] {
  return rrsets.flatMap(({ owner, ttl, type, rdata }) =>
    rdata.map(
      (octets) => `${owner.toLower().toString()} ${ttl} ${typeToText(type)} ${formatRdata(type, octets)}`,
    ),
  );
}

/** What is signed, as lines of `owner ttl RRSIG type labels ttl`: the RRsets of nodes and the denial records. */
export function signedLines(nodes: readonly ZoneNode[], denial: readonly RRset[]): string[] {
  const signed = nodes.flatMap(({ kind, rrsets }) => rrsets.filter(({ type }) => isSigned(kind, type)));
  return [...signed, ...denial].map(
    ({ owner, ttl, type }) =>
      `${owner.toLower().toString()} ${ttl} RRSIG ${typeToText(type)} ${rrsigLabels(owner)} ${ttl}`,
  );
}
