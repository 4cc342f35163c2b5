import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import {
  canonicalRdata,
  checkRdata,
  formatPortable,
  formatRdata,
  parseRdataText,
} from '../../../src/dns/rdata/index.js';
import { parseType, RRType } from '../../../src/dns/types.js';
import { fromHex, RDATA_VECTORS, toHex } from './vector-file.js';

const origin = Name.parse('example.');

describe('rdata as named-compilezone and dnspython have it', () => {
  it.each(RDATA_VECTORS)('$mnemonic $text', ({ type, text, hex }) => {
    expect(toHex(parseRdataText(type, text, origin))).toBe(hex);
  });

  it.each(RDATA_VECTORS)(
    'is written so that it is read back, on one line: $mnemonic $text',
    ({ type, hex }) => {
      const rdata = fromHex(hex);
      checkRdata(type, rdata);
      const text = formatRdata(type, rdata);
      expect(text).toMatch(/^[\x20-\x7e]+$/);
      expect(toHex(parseRdataText(type, text))).toBe(hex);
      expect(toHex(parseRdataText(type, `\\# ${rdata.length} ${hex}`))).toBe(hex);
      const [mnemonic, portable] = formatPortable(type, rdata).split('\t') as [string, string];
      expect(parseType(mnemonic)).toBe(type);
      expect(toHex(parseRdataText(type, portable))).toBe(hex);
      expect(canonicalRdata(type, canonicalRdata(type, rdata))).toEqual(canonicalRdata(type, rdata));
    },
  );

  it('has at least one line for every type a zone may hold', () => {
    const meta: readonly number[] = [RRType.OPT, 249, 250, 251, 252, 253, 254, 255];
    const missing = Object.values(RRType).filter(
      (type) => !meta.includes(type) && !RDATA_VECTORS.some((vector) => vector.type === type),
    );
    expect(missing).toEqual([]);
  });

  it('cut anywhere is another rdata or none, never an unexpected error', () => {
    for (const { type, hex } of RDATA_VECTORS) {
      for (let length = 0; length < hex.length / 2; length++) {
        const cut = fromHex(hex).subarray(0, length);
        try {
          checkRdata(type, cut);
        } catch (error) {
          expect(error).toMatchObject({ code: 'RDATA_INVALID' });
          expect(() => formatRdata(type, cut)).toThrow();
          continue;
        }
        expect(parseRdataText(type, formatRdata(type, cut))).toEqual(Uint8Array.from(cut));
      }
    }
  });
});

describe('RFC 2535 §7.1: flags and protocol of a KEY', () => {
  it('may be mnemonics', () => {
    expect(toHex(parseRdataText(RRType.KEY, 'ZONE|NOAUTH|SIG3 DNSSEC RSASHA1 AQID'))).toBe('81030305010203');
    expect(toHex(parseRdataText(RRType.KEY, 'nokey all 254'))).toBe('c000fffe');
  });
});

describe('presentation that one program or another would misread', () => {
  it.each([
    ['NS', '0161 0121 00', 'a.\\033.', 'Knot reads no punctuation but *-/_ in names'],
    [
      'RRSIG',
      '0013 08 02 0000012c 70dbd880 60000000 0001 00 01',
      'TYPE19 8 2 300 20300101000000 20210114082536 1 . AQ==',
      'Knot has no X25',
    ],
    ['CAA', '00 05 4953535545 3b', '\\# 8 000549535355453B', 'NSD wants tags in lower case'],
    ['CSYNC', '00000042 0003', '\\# 6 000000420003', 'ldns wants a type'],
    ['KEY', 'c000 03 08', '\\# 4 C0000308', 'ldns, NSD and Knot want a key'],
    ['APL', '', '\\# 0', 'rdata that is nothing at all'],
    ['APL', '0003 20 04 01020304', '\\# 8 0003200401020304', 'an address family without text'],
    ['LOC', '01 ff', '\\# 2 01FF', 'a version of which nothing is known'],
    ['TYPE3', '0161 00', '\\# 3 016100', 'an obsolete type'],
    ['SVCB', '0001 00 0007 0008 2f717b3f646e737d', '1 . key7="/q{?dns}"', 'dnspython'],
    ['SVCB', '0001 00 0008 0000', '1 . key8', 'BIND has no ohttp'],
  ])('%s %s is %s: %s', (mnemonic, hex, text) => {
    const type = parseType(mnemonic);
    const written = formatRdata(type, fromHex(hex));
    expect(written).toBe(text);
    expect(toHex(parseRdataText(type, written))).toBe(hex.replaceAll(' ', ''));
  });

  it('types whose mnemonic some lack are written as TYPEnnn in a portable line', () => {
    expect(formatPortable(RRType.X25, fromHex('0433313130'))).toBe('TYPE19\t\\# 5 0433313130');
    expect(formatPortable(RRType.MX, fromHex('000a00'))).toBe('MX\t10 .');
    expect(() => formatPortable(RRType.X25, fromHex('04'))).toThrow(/X25 rdata/);
  });
});
