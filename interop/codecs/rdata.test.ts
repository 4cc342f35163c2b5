/**
 * The rdata codecs beside BIND, ldns, NSD, Knot DNS and dnspython, for every type: what `formatRdata` writes they have to
 * read as the same octets, and what they write `parseRdata` has to.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { canonicalRdata, formatPortable, formatRdata, parseRdataText } from '../../src/dns/rdata/index.js';
import { parseType, RRType, typeToText } from '../../src/dns/types.js';
import { RDATA_ARBITRARIES } from '../../test/dns/rdata/arbitrary.js';
import { fromHex, RDATA_VECTORS, toHex } from '../../test/dns/rdata/vector-file.js';
import {
  complaints,
  octetsByBind,
  octetsByDnspython,
  octetsByLdns,
  PROLOGUE,
  textByBind,
  textByLdns,
  type ZoneOctets,
} from './rdata-programs.js';

/** Types that dnspython 2.3 reads in the form of RFC 3597 alone. */
const DNSPYTHON_LACKS: readonly string[] = ['KEY', 'SIG'];

/** What dnspython 2.3 misreads: \200 becomes two octets of UTF-8 outside TXT, and altitudes are rounded as floats. */
function isMisreadByDnspython({ type, rdata }: Entry): boolean {
  const asText: readonly number[] = [RRType.HINFO, RRType.ISDN, RRType.NAPTR, RRType.URI, RRType.CAA];
  return type === RRType.LOC || (asText.includes(type) && rdata.some((octet) => octet > 0x7f));
}

/** What ldns 1.8 misreads: a name in rdata whose first label is a lone @, however escaped, becomes the origin. */
function isMisreadByLdns({ type, rdata }: Entry): boolean {
  return /(?:^| )\\@\./.test(formatRdata(type, rdata));
}

/**
 * What ldns 1.8 writes wrongly among the vectors: commas and backslashes in protocol identifiers are escaped once, not
 * twice; an empty CAA value is left out; an unknown address family is described in words. Elsewhere it also pads base32hex,
 * and leaves quotation marks and closing parentheses in names and service parameters bare.
 */
function isMiswrittenByLdns({ type, rdata }: Entry): boolean {
  const text = formatRdata(type, rdata);
  if (type === RRType.CAA) return text.endsWith(' ""');
  return (type === RRType.SVCB || type === RRType.APL) && /^\\# [1-9]/.test(text);
}

const SEED = 20_261_101;
const SAMPLES = 12;

interface Entry {
  readonly owner: string;
  readonly type: number;
  readonly rdata: Uint8Array;
}

/** Every vector and some arbitrary rdata of each type, one record an owner. */
const rdata: readonly { readonly type: number; readonly rdata: Uint8Array }[] = [
  ...RDATA_VECTORS.map(({ type, hex }) => ({ type, rdata: fromHex(hex) })),
  ...[...RDATA_ARBITRARIES].flatMap(([type, wire]) =>
    fc.sample(wire, { numRuns: SAMPLES, seed: SEED }).map((each) => ({ type, rdata: each })),
  ),
];
const entries: readonly Entry[] = rdata
  .filter(({ type }) => type !== RRType.SOA)
  .map((each, i) => ({ ...each, owner: `r${i}.${typeToText(each.type).toLowerCase()}.example.` }));
const vectors = entries.slice(0, RDATA_VECTORS.filter(({ type }) => type !== RRType.SOA).length);
const soas = rdata.filter(({ type }) => type === RRType.SOA);

const line = ({ owner, type, rdata }: Entry, write: (type: number, rdata: Uint8Array) => string): string =>
  `${owner}\t300\tIN\t${write(type, rdata)}\n`;
const zoneOf = (records: readonly Entry[], write: (type: number, rdata: Uint8Array) => string): string =>
  PROLOGUE + records.map((entry) => line(entry, write)).join('');
const mnemonicForm = (type: number, octets: Uint8Array) =>
  `${typeToText(type)}\t${formatRdata(type, octets)}`;
const genericForm = (type: number, octets: Uint8Array) =>
  `TYPE${type}\t\\# ${octets.length} ${toHex(octets)}`;

/** The records whose octets are not what they should be, as one reads them best. */
function differences(
  records: readonly Entry[],
  found: ZoneOctets,
  expected = (entry: Entry) => entry.rdata,
): string[] {
  return records
    .filter((entry) => found.get(`${entry.owner} ${entry.type}`) !== toHex(expected(entry)))
    .map((entry) => {
      const octets = found.get(`${entry.owner} ${entry.type}`);
      return `${typeToText(entry.type)} ${toHex(expected(entry))} is ${octets} :: ${formatRdata(entry.type, entry.rdata)}`;
    });
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'zoneseal-rdata-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('every type, as we write it', () => {
  it('is in the zone', () => {
    const meta: readonly number[] = [RRType.OPT, 249, 250, 251, 252, 253, 254, 255];
    const types = new Set(rdata.map(({ type }) => type));
    expect(Object.values(RRType).filter((type) => !meta.includes(type) && !types.has(type))).toEqual([]);
  });

  it('named-compilezone reads the same octets from each form', () => {
    for (const form of [mnemonicForm, formatPortable, genericForm]) {
      expect(differences(entries, octetsByBind(folder, zoneOf(entries, form)))).toEqual([]);
    }
  });

  it('ldns-read-zone reads the same octets from the portable form', () => {
    const right = entries.filter((entry) => !isMisreadByLdns(entry));
    expect(right.length).toBeGreaterThan(entries.length * 0.95);
    expect(differences(right, octetsByLdns(folder, zoneOf(entries, formatPortable)))).toEqual([]);
  });

  it.each(['nsd', 'knot'] as const)('%s reads the portable form', (program) => {
    expect(complaints(folder, program, zoneOf(entries, formatPortable))).toBe('');
    expect(complaints(folder, program, `${PROLOGUE}x.example. 300 IN MX 10\n`)).not.toBe('');
  });

  it('dnspython reads the same octets', () => {
    const lines = entries.map(({ type, rdata }) => `${typeToText(type)} ${formatRdata(type, rdata)}`);
    const found = octetsByDnspython(lines);
    const unread = new Set(
      entries.filter((_, i) => found[i] === undefined).map(({ type }) => typeToText(type)),
    );
    expect([...unread].sort()).toEqual(DNSPYTHON_LACKS);
    const wrong = entries.filter(({ rdata }, i) => found[i] !== undefined && found[i] !== toHex(rdata));
    expect(
      wrong
        .filter((entry) => !isMisreadByDnspython(entry))
        .map(({ type, rdata }) => mnemonicForm(type, rdata)),
    ).toEqual([]);
  });

  it('SOA, which needs a zone each', () => {
    for (const soa of soas) {
      const zone = PROLOGUE.replace(/SOA\t.*/, () => mnemonicForm(RRType.SOA, soa.rdata));
      expect(octetsByBind(folder, zone).get('example. 6')).toBe(toHex(soa.rdata));
      expect(octetsByLdns(folder, zone).get('example. 6')).toBe(toHex(soa.rdata));
      expect(complaints(folder, 'nsd', zone)).toBe('');
      expect(complaints(folder, 'knot', zone)).toBe('');
    }
  });
});

describe('every type, as others write it', () => {
  const read = (text: string): ZoneOctets => {
    const found = new Map<string, string>();
    for (const each of text.split('\n')) {
      const match = /^([^;\s]+)\s+\d+\s+IN\s+(\S+)\s*(.*)$/.exec(each);
      if (match === null) continue;
      const type = parseType(match[2] as string);
      found.set(
        `${Name.parse(match[1] as string).toLower()} ${type}`,
        toHex(parseRdataText(type, match[3] as string)),
      );
    }
    return found;
  };

  it('BIND', () => {
    expect(differences(entries, read(textByBind(folder, zoneOf(entries, genericForm))))).toEqual([]);
  });

  it('ldns, as far as it writes vectors rightly', () => {
    const right = vectors.filter((entry) => !isMiswrittenByLdns(entry));
    expect(right).toHaveLength(vectors.length - 4);
    expect(differences(right, read(textByLdns(folder, zoneOf(right, genericForm))))).toEqual([]);
  });
});

describe('RFC 4034 §6.2: the canonical form', () => {
  it('is that of ldns', () => {
    const right = entries.filter((entry) => !isMisreadByLdns(entry));
    const found = octetsByLdns(folder, zoneOf(right, formatPortable), ['-c']);
    expect(differences(right, found, ({ type, rdata }) => canonicalRdata(type, rdata))).toEqual([]);
  });
});
