import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalRdata, compareOctets, parseRdataText } from '../../../src/dns/rdata/index.js';
import { rdataParts } from '../../../src/dns/rdata/names.js';
import { parseType, typeToText } from '../../../src/dns/types.js';
import { fromHex, RDATA_VECTORS, toHex } from './vector-file.js';

const LOWERED: readonly (readonly [string, string])[] = [
  ['NS', 'A.B.'],
  ['TYPE3', '\\# 5 0141 0142 00'],
  ['TYPE4', '\\# 5 0141 0142 00'],
  ['CNAME', 'A.B.'],
  ['SOA', 'A.B. C.D. 1 2 3 4 5'],
  ['TYPE7', '\\# 5 0141 0142 00'],
  ['TYPE8', '\\# 5 0141 0142 00'],
  ['TYPE9', '\\# 5 0141 0142 00'],
  ['PTR', 'A.B.'],
  ['TYPE14', '\\# 10 0141 0142 00 0143 0144 00'],
  ['MX', '16706 A.B.'],
  ['RP', 'A.B. C.D.'],
  ['AFSDB', '16706 A.B.'],
  ['RT', '16706 A.B.'],
  ['SIG', 'MX 65 66 1094861636 1094861636 1094861636 16706 A.B. QUJD'],
  ['TYPE26', '\\# 12 4142 0141 0142 00 0143 0144 00'],
  ['TYPE30', '\\# 7 0141 0142 00 4142'],
  ['SRV', '16706 16706 16706 A.B.'],
  ['NAPTR', '16706 16706 "AB" "AB" "!A!B!" A.B.'],
  ['KX', '16706 A.B.'],
  ['TYPE38', '\\# 14 41 4142434445464748 0141 0142 00'],
  ['DNAME', 'A.B.'],
  ['RRSIG', 'MX 65 66 1094861636 1094861636 1094861636 16706 A.B. QUJD'],
];

describe('RFC 4034 §6.2 as amended by RFC 6840 §5.1: canonical rdata', () => {
  it.each(LOWERED)('%s: its names are lower-cased and nothing else', (mnemonic, text) => {
    const type = parseType(mnemonic);
    const plain = parseRdataText(type, text);
    const before = toHex(plain);
    const names = /01410142(00)/g;
    const expected = before.replaceAll(names, '0161016200').replaceAll('0143014400', '0163016400');
    expect(expected).not.toBe(before);
    expect(toHex(canonicalRdata(type, plain))).toBe(expected);
    expect(toHex(plain)).toBe(before);
  });

  it.each([
    ['NSEC', 'A.B. MX'],
    ['SVCB', '1 A.B. alpn=H2'],
    ['HTTPS', '1 A.B.'],
    ['LP', '10 A.B.'],
    ['IPSECKEY', '10 3 2 A.B. QUJD'],
    ['HIP', '2 ABCD QUJD A.B.'],
    ['HINFO', 'AB CD'],
    ['TXT', 'AB'],
    ['CAA', '0 ISSUE "AB"'],
    ['URI', '1 1 "A.B."'],
    ['TYPE65280', '\\# 5 0141 0142 00'],
    ['TYPE260', '\\# 7 0a03 0141 0142 00'],
  ])('%s keeps its case, the very same octets', (mnemonic, text) => {
    const type = parseType(mnemonic);
    const plain = parseRdataText(type, text);
    expect(canonicalRdata(type, plain)).toBe(plain);
  });

  it('lower-cases the types of the list and no others', () => {
    const listed = new Set(LOWERED.map(([mnemonic]) => parseType(mnemonic)));
    listed.delete(38); // A6, whose name has no fixed place
    const lowering = Array.from({ length: 300 }, (_, type) => type).filter((type) =>
      rdataParts(type)?.some((part) => part.kind === 'name' && part.lower),
    );
    expect(lowering).toEqual([...listed].sort((a, b) => a - b));
  });

  it('changes nothing where there is no upper case, and never copies a Buffer by reference', () => {
    const lower = parseRdataText(15, '10 a.b.');
    expect(canonicalRdata(15, lower)).toBe(lower);
    const shared = Buffer.from(parseRdataText(15, '10 A.B.'));
    expect(toHex(canonicalRdata(15, shared))).toBe('000a0161016200');
    expect(toHex(shared)).toBe('000a0141014200');
  });
});

describe('RFC 3597 §4: which names may be compressed', () => {
  const withNames = (rule: 'compress' | 'decompress') =>
    Array.from({ length: 300 }, (_, type) => type)
      .filter((type) => rdataParts(type)?.some((part) => part.kind === 'name' && part[rule]))
      .map(typeToText);

  it('when sent: those of RFC 1035 still in use', () => {
    expect(withNames('compress')).toEqual(['NS', 'CNAME', 'SOA', 'PTR', 'MX']);
  });

  it('when read: those of RFC 1035 and the types the RFC names', () => {
    expect(withNames('decompress')).toEqual(
      'NS TYPE3 TYPE4 CNAME SOA TYPE7 TYPE8 TYPE9 PTR TYPE14 MX RP AFSDB RT SIG TYPE26 TYPE30 SRV NAPTR'.split(
        ' ',
      ),
    );
  });

  it('parts add up to the rdata of every vector', () => {
    for (const { type, hex } of RDATA_VECTORS) {
      const rdata = fromHex(hex);
      let at = 0;
      for (const part of rdataParts(type) ?? []) {
        if (part.kind === 'octets') at += part.length;
        else if (part.kind === 'string') at += 1 + (rdata[at] as number);
        else {
          while (rdata[at] !== 0) at += 1 + (rdata[at] as number);
          at++;
        }
      }
      expect(at).toBeLessThanOrEqual(rdata.length);
    }
  });
});

describe('RFC 4034 §6.3: order within an RRset', () => {
  it.each([
    ['', '00', -1],
    ['00', '01', -1],
    ['7f', '80', -1],
    ['c0000201', 'c0000201', 0],
    ['c00002', 'c0000201', -1],
    ['ff', '0000', 1],
  ])('%s and %s: %i', (a, b, order) => {
    expect(Math.sign(compareOctets(fromHex(a), fromHex(b)))).toBe(order);
    expect(Math.sign(compareOctets(fromHex(b), fromHex(a)))).toBe(order === 0 ? 0 : -order);
  });

  it('is that of Buffer.compare', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
        expect(Math.sign(compareOctets(a, b))).toBe(Buffer.compare(a, b));
      }),
    );
  });
});
