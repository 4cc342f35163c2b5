import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { formatRdata, parseRdataText } from '../../src/dns/rdata/index.js';
import { RRType } from '../../src/dns/types.js';
import { ALGORITHMS, algorithmFromText, algorithmToText } from '../../src/dnssec/algorithm.js';
import {
  CDNSKEY_DELETE,
  CDS_DELETE,
  DNSKEY_SEP,
  DNSKEY_ZONE,
  dnskeyRdata,
  dsMatches,
  dsRdata,
  keyTag,
  parseDnskey,
  parseDs,
} from '../../src/dnssec/dnskey.js';

interface Vector {
  readonly source: string;
  readonly owner: string;
  readonly dnskey: string;
  readonly tag: number;
  readonly ds: readonly string[];
}

const DSKEY =
  '256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd' +
  '/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==';

const VECTORS: readonly Vector[] = [
  {
    source: 'RFC 4034 §5.4 and RFC 4509 §2.3',
    owner: 'dskey.example.com.',
    dnskey: DSKEY,
    tag: 60485,
    ds: [
      '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
      '60485 5 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A',
    ],
  },
  {
    source: 'RFC 6605 §6.1',
    owner: 'example.net.',
    dnskey:
      '257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==',
    tag: 55648,
    ds: ['55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17'],
  },
  {
    source: 'RFC 6605 §6.2',
    owner: 'example.net.',
    dnskey:
      '257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6' +
      'Glur8I/mlVNgF6W/qTI37m40',
    tag: 10771,
    ds: [
      '10771 14 4 72D7B62976CE06438E9C0BF319013CF801F09ECC84B8D7E9495F27E305C6A9B0563A9B5F4D288405C3008A946DF983D6',
    ],
  },
  {
    source: 'RFC 8080 §6.1, first key',
    owner: 'example.com.',
    dnskey: '257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=',
    tag: 3613,
    ds: ['3613 15 2 3AA5AB37EFCE57F737FC1627013FEE07BDF241BD10F3B1964AB55C78E79A304B'],
  },
  {
    source: 'RFC 8080 §6.1, second key',
    owner: 'example.com.',
    dnskey: '257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=',
    tag: 35217,
    ds: ['35217 15 2 401781B934E392DE492EC77AE2E15D70F6575A1C0BC59C5275C04EBE80C6614C'],
  },
  {
    source: 'RFC 8080 §6.2, first key',
    owner: 'example.com.',
    dnskey: '257 3 16 3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA',
    tag: 9713,
    ds: ['9713 16 2 6CCF18D5BC5D7FC2FCEB1D59D17321402F2AA8D368048DB93DD811F5CB2B19C7'],
  },
  {
    source: 'RFC 8080 §6.2, second key',
    owner: 'example.com.',
    dnskey: '257 3 16 kkreGWoccSDmUBGAe7+zsbG6ZAFQp+syPmYUurBRQc3tDjeMCJcVMRDmgcNLp5HlHAMy12VoISsA',
    tag: 38353,
    ds: [],
  },
  {
    source: 'RFC 4035 appendix A, zone-signing key',
    owner: 'example.',
    dnskey:
      '256 3 5 AQOy1bZVvpPqhg4j7EJoM9rI3ZmyEx2OzDBVrZy/lvI5CQePxXHZS4i8dANH4DX3tbHol61ek8EFMcsGXxKciJFHyhl94C+NwILQdzsU' +
      'lSFovBZsyl/NX6yEbtw/xN9ZNcrbYvgjjZ/UVPZIySFNsgEYvh0z2542lzMKR4Dh8uZffQ==',
    tag: 38519,
    ds: [],
  },
];

describe.each(VECTORS)('$source', ({ owner, dnskey, tag, ds }) => {
  const rdata = parseRdataText(RRType.DNSKEY, dnskey);

  it('has its key tag (RFC 4034 appendix B)', () => {
    expect(keyTag(rdata)).toBe(tag);
  });

  it.each(ds)('has the DS %s, whatever the case of the owner', (text) => {
    const expected = parseRdataText(RRType.DS, text);
    const { digestType } = parseDs(expected);
    for (const name of [owner, owner.toUpperCase()]) {
      const made = dsRdata(Name.parse(name), rdata, digestType);
      expect(formatRdata(RRType.DS, made)).toBe(formatRdata(RRType.DS, expected));
    }
    expect(dsMatches(Name.parse(owner), expected, rdata)).toBe(true);
  });
});

describe('RFC 4034 §2.1 DNSKEY rdata', () => {
  it('is built and taken apart', () => {
    const publicKey = Uint8Array.of(1, 2, 3);
    const rdata = dnskeyRdata({ flags: DNSKEY_ZONE | DNSKEY_SEP, algorithm: 13, publicKey });
    expect([...rdata]).toEqual([1, 1, 3, 13, 1, 2, 3]);
    expect(parseDnskey(rdata)).toEqual({ flags: 257, protocol: 3, algorithm: 13, publicKey });
  });

  it('takes the tag of the retired algorithm 1 from the modulus (appendix B.1)', () => {
    expect(keyTag(Uint8Array.of(1, 0, 3, 1, 9, 9, 0xab, 0xcd, 0xef))).toBe(0xabcd);
  });

  it('folds the carry of the sum once', () => {
    expect(keyTag(Uint8Array.of(0xff, 0xff, 0xff, 8, 0xff, 0xff))).toBe(
      (0xffff + 0xff08 + 0xffff + ((0xffff + 0xff08 + 0xffff) >> 16)) & 0xffff,
    );
  });

  it.each([
    ['DNSKEY', parseDnskey],
    ['DS', parseDs],
  ])('refuses %s rdata that is cut off', (_, parse) => {
    expect(() => parse(new Uint8Array(4))).toThrow(expect.objectContaining({ code: 'RDATA_INVALID' }));
  });

  it('refuses a DS digest that is unknown', () => {
    expect(() => dsRdata(Name.root, Uint8Array.of(1, 0, 3, 8, 1), 3)).toThrow(
      /digest type 3 is unknown; use 2 or 4/,
    );
  });

  it('does not take a DS of another key or digest for its own', () => {
    const key = dnskeyRdata({ flags: 257, algorithm: 15, publicKey: new Uint8Array(32) });
    const other = dnskeyRdata({ flags: 257, algorithm: 15, publicKey: new Uint8Array(32).fill(1) });
    const ds = dsRdata(Name.root, key, 2);
    expect(dsMatches(Name.root, ds, other)).toBe(false);
    expect(dsMatches(Name.root, Uint8Array.of(...ds.subarray(0, 3), 3, ...ds.subarray(4)), key)).toBe(false);
  });

  it('has the CDS and CDNSKEY that ask for removal (RFC 8078 §4)', () => {
    expect(formatRdata(RRType.CDS, CDS_DELETE)).toMatch(/^0 0 0 00$/);
    expect(formatRdata(RRType.CDNSKEY, CDNSKEY_DELETE)).toMatch(/^0 3 0 AA==$/);
  });
});

describe('the algorithm table', () => {
  it('has the algorithms Zoneseal signs with, found by number and mnemonic', () => {
    expect([...ALGORITHMS.keys()]).toEqual([8, 10, 13, 14, 15, 16]);
    for (const [number, algorithm] of ALGORITHMS) {
      expect(algorithm.number).toBe(number);
      expect(algorithmFromText(String(number))).toBe(algorithm);
      expect(algorithmFromText(algorithm.mnemonic.toLowerCase())).toBe(algorithm);
      expect(algorithmToText(number)).toBe(algorithm.mnemonic);
    }
  });

  it('does not know others', () => {
    expect(algorithmFromText('5')).toBeUndefined();
    expect(algorithmFromText('RSASHA1')).toBeUndefined();
    expect(algorithmToText(5)).toBe('5');
  });
});
