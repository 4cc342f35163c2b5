/**
 * What a view's signed zone has to hold, worked out from the stored RRsets alone, so that whatever else is in it would show.
 */
import { Name } from '../../src/dns/name.js';
import { formatRdata, parseRdataText } from '../../src/dns/rdata/index.js';
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType, typeFromText, typeToText } from '../../src/dns/types.js';
import { nsec3Hash, nsec3Owner } from '../../src/dnssec/nsec3.js';
import {
  INTERNAL_ADDRESSES,
  INTERNAL_NAMES,
  INTERNAL_WORDS,
  type SplitZone,
  type StoredRRset,
} from './zones.js';

const NO_SALT = { iterations: 0, salt: new Uint8Array(0) };

const MADE_BY_SIGNER: ReadonlySet<number> = new Set([
  RRType.RRSIG,
  RRType.NSEC,
  RRType.NSEC3,
  RRType.NSEC3PARAM,
  RRType.DNSKEY,
  RRType.ZONEMD,
]);

/** RRsets as lines `owner TTL TYPE hex`, the SOA's serial left out. */
export function storedLines(rrsets: readonly Omit<StoredRRset, 'views'>[]): string[] {
  return rrsets
    .flatMap(({ owner, ttl, type, data }) => {
      const number = typeOf(type);
      return data.map((text) => line(Name.parse(owner), ttl, number, parseRdataText(number, text)));
    })
    .sort();
}

/** The same lines for the records of a transfer, but for those that a signer makes; the closing SOA counts once. */
export function servedLines(records: readonly ResourceRecord[]): string[] {
  const lines = records
    .filter((record) => !MADE_BY_SIGNER.has(record.type))
    .map(({ owner, ttl, type, rdata }) => line(owner, ttl, type, rdata));
  return [...new Set(lines)].sort();
}

function line(owner: Name, ttl: number, type: number, rdata: Uint8Array): string {
  const octets = Buffer.from(rdata);
  if (type === RRType.SOA) octets.writeUInt32BE(0, octets.length - 20);
  return `${textOf(owner)} ${ttl} ${typeToText(type)} ${octets.toString('hex')}`;
}

function textOf(name: Name): string {
  return name.toString().toLowerCase();
}

function typeOf(text: string): number {
  const type = typeFromText(text);
  if (type === undefined) throw new Error(`no type: ${text}`);
  return type;
}

/** The denial chain that RRsets have to get: owner of each NSEC or NSEC3 record, with the types it has to name. */
export function expectedChain(zone: SplitZone, rrsets: readonly StoredRRset[]): Map<string, string> {
  const types = new Map<string, Set<string>>();
  for (const { owner, type } of rrsets) types.set(owner, (types.get(owner) ?? new Set()).add(type));
  const cuts = [...types]
    .filter(([owner, set]) => owner !== zone.name && set.has('NS'))
    .map(([owner]) => owner);
  const isNsec = zone.policy.document['denial'] === 'nsec';
  const isZonemd = zone.policy.document['zonemd'] === true;
  const chain = new Map<string, string>();
  const add = (owner: string, set: Iterable<string>): void => {
    const name = Name.parse(owner);
    const key = textOf(isNsec ? name : nsec3Owner(nsec3Hash(name, NO_SALT), Name.parse(zone.name)));
    chain.set(key, sorted(set));
  };
  const names = [...types].filter(([owner]) => !cuts.some((cut) => owner.endsWith(`.${cut}`)));
  const chained = names.filter(([, set]) => !(zone.isOptOut && isInsecureCut(set)));
  if (!isNsec) {
    for (const [owner] of chained) for (const above of emptyAbove(owner, zone.name, types)) add(above, []);
  }
  for (const [owner, set] of chained) {
    if (owner === zone.name) {
      const made = isNsec ? ['DNSKEY', 'NSEC'] : ['DNSKEY', 'NSEC3PARAM'];
      add(owner, [...set, 'RRSIG', ...made, ...(isZonemd ? ['ZONEMD'] : [])]);
    } else if (cuts.includes(owner)) {
      const seen = set.has('DS') ? ['NS', 'DS'] : ['NS'];
      add(owner, isNsec ? [...seen, 'RRSIG', 'NSEC'] : set.has('DS') ? [...seen, 'RRSIG'] : seen);
    } else {
      add(owner, [...set, 'RRSIG', ...(isNsec ? ['NSEC'] : [])]);
    }
  }
  return chain;

  function isInsecureCut(set: ReadonlySet<string>): boolean {
    return set.has('NS') && !set.has('SOA') && !set.has('DS');
  }
}

/** Empty non-terminals between a name and the apex (RFC 5155 §7.1). */
function emptyAbove(owner: string, apex: string, types: ReadonlyMap<string, unknown>): string[] {
  const found: string[] = [];
  for (let at = above(owner); at !== apex && at.endsWith(`.${apex}`); at = above(at)) {
    if (!types.has(at)) found.push(at);
  }
  return found;
}

/** The names of this suite have no escaped dots. */
function above(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

/** The denial chain that is served, in the form of `expectedChain`; throws when it is not closed. */
export function servedChain(zone: SplitZone, records: readonly ResourceRecord[]): Map<string, string> {
  const apex = Name.parse(zone.name);
  const chain = new Map<string, string>();
  const successors = new Set<string>();
  for (const { owner, type, rdata } of records) {
    if (type !== RRType.NSEC && type !== RRType.NSEC3) continue;
    const words = formatRdata(type, rdata).split(' ');
    const isNsec = type === RRType.NSEC;
    const next = Name.parse(isNsec ? (words[0] as string) : `${words[4]}.${apex}`);
    successors.add(textOf(next));
    chain.set(textOf(owner), sorted(words.slice(isNsec ? 1 : 5).filter((word) => word !== '')));
  }
  for (const name of chain.keys()) {
    if (!successors.delete(name)) throw new Error(`${name} follows no name of the chain`);
  }
  if (successors.size > 0) throw new Error(`the chain leads to ${[...successors].join(', ')}`);
  return chain;
}

function sorted(types: Iterable<string>): string {
  return [...types].sort().join(' ');
}

/** What of the internal view is found in octets of any form: messages, master files, databases. */
export function tracesIn(octets: Uint8Array): string[] {
  // latin1 keeps one character an octet
  const text = Buffer.from(octets).toString('latin1');
  const lower = text.toLowerCase();
  return [...TRACES]
    .filter(([, trace]) => text.includes(trace) || lower.includes(trace))
    .map(([what]) => what);
}

/** What to look for, and what it is: words, addresses on the wire, NSEC3 hashes on the wire and as labels. */
const TRACES = new Map<string, string>(INTERNAL_WORDS.map((word) => [word, word]));

for (const address of INTERNAL_ADDRESSES) {
  const type = address.includes(':') ? RRType.AAAA : RRType.A;
  TRACES.set(`${address} on the wire`, Buffer.from(parseRdataText(type, address)).toString('latin1'));
}

/** Adds the NSEC3 hashes of a zone's internal names to what is looked for. */
export function watchHashes(zone: string): void {
  for (const label of INTERNAL_NAMES) {
    const hash = nsec3Hash(Name.parse(`${label}.${zone}`), NO_SALT);
    const [owner] = textOf(nsec3Owner(hash, Name.root)).split('.');
    TRACES.set(`hash of ${label}.${zone}`, Buffer.from(hash).toString('latin1'));
    TRACES.set(`hash of ${label}.${zone} as a label`, owner as string);
  }
}
