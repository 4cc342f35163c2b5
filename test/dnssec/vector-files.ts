import { readFileSync } from 'node:fs';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import { parseType } from '../../src/dns/types.js';
import type { OwnerRecords } from '../../src/dnssec/zonemd.js';

/** A file of test/vectors/dnssec/. */
export function readVector(name: string): string {
  return readFileSync(new URL(`../vectors/dnssec/${name}`, import.meta.url), 'utf8');
}

const DIRECTIVE = /^\$(?:ORIGIN|TTL)\s/;

/**
 * The records of a simple master file as lines of `owner ttl TYPE rdata` with absolute names: one record a line, every line
 * with an owner, comments on lines of their own.
 */
export function masterLines(text: string, origin: string, defaultTtl: number): string {
  const zone = Name.parse(origin);
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith(';') || DIRECTIVE.test(line)) continue;
    const fields = /^(\S+)\s+(?:([0-9]+)\s+)?(?:IN\s+)?([A-Z0-9]+)\s+(.*)$/.exec(line);
    if (fields === null) throw new Error(`cannot read "${line}"`);
    const [, owner, ttl, type, rdata] = fields as unknown as [
      string,
      string,
      string | undefined,
      string,
      string,
    ];
    lines.push(
      `${Name.parse(owner, zone).toString()} ${ttl ?? defaultTtl} ${type} ${absolute(type, rdata, zone)}`,
    );
  }
  return lines.join('\n');
}

/** Types of the test zones whose rdata ends in names, and how many fields stand before them. */
const NAMES = new Map([
  ['NS', 0],
  ['CNAME', 0],
  ['DNAME', 0],
  ['PTR', 0],
  ['MX', 1],
]);

function absolute(type: string, rdata: string, zone: Name): string {
  if (type === 'SOA') {
    const [mname, rname, ...numbers] = rdata.split(/\s+/) as [string, string];
    return [Name.parse(mname, zone), Name.parse(rname, zone), ...numbers].join(' ');
  }
  const before = NAMES.get(type);
  if (before === undefined) return rdata;
  const fields = rdata.split(/\s+/);
  return fields.map((field, i) => (i < before ? field : Name.parse(field, zone).toString())).join(' ');
}

/** The owners of a signed master file with absolute names, in canonical order; each record an RRset of its own. */
export function ownersOf(text: string): OwnerRecords[] {
  const owners = new Map<string, { name: Name; rrsets: OwnerRecords['rrsets'][number][] }>();
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith(';')) continue;
    const [, ownerText, ttl, typeText, data] = /^(\S+)\s+([0-9]+)\s+(?:IN\s+)?(\S+)\s+(.*)$/.exec(
      line,
    ) as unknown as [string, string, string, string, string];
    const name = Name.parse(ownerText);
    const type = parseType(typeText);
    const owner = owners.get(name.key) ?? { name, rrsets: [] };
    owner.rrsets.push({ owner: name, type, ttl: Number(ttl), rdata: [parseRdataText(type, data)] });
    owners.set(name.key, owner);
  }
  return [...owners.values()].sort((a, b) => a.name.compare(b.name));
}
