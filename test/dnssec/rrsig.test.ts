import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { parseRdataText } from '../../src/dns/rdata/index.js';
import type { RRset } from '../../src/dns/record.js';
import { parseType, RRType } from '../../src/dns/types.js';
import {
  parseRrsig,
  type RrsigFields,
  rrsigHeaderOctets,
  rrsigLabels,
  signedOctets,
  writeRrsigHeader,
} from '../../src/dnssec/rrsig.js';

function rrsigHeader(fields: RrsigFields): Uint8Array {
  const header = new Uint8Array(rrsigHeaderOctets(fields.signer));
  expect(writeRrsigHeader(header, 0, fields)).toBe(header.length);
  return header;
}

const rrset = (owner: string, type: string, ...data: string[]): RRset => ({
  owner: Name.parse(owner),
  type: parseType(type),
  ttl: 3600,
  rdata: data.map((text) => parseRdataText(parseType(type), text)),
});

const base64url = (octets: Uint8Array): string => Buffer.from(octets).toString('base64url');

function rsaKey(text: string): KeyObject {
  // RFC 3110: one octet of exponent length, the exponent, the modulus
  const key = Buffer.from(text, 'base64');
  const exponentEnd = 1 + (key[0] as number);
  return createPublicKey({
    key: { kty: 'RSA', e: base64url(key.subarray(1, exponentEnd)), n: base64url(key.subarray(exponentEnd)) },
    format: 'jwk',
  });
}

function isSigned(set: RRset, rrsig: string, key: KeyObject, digest: string | null): boolean {
  const rdata = parseRdataText(RRType.RRSIG, rrsig);
  const { signature, ...fields } = parseRrsig(rdata);
  const header = rrsigHeader(fields);
  expect(Buffer.concat([header, signature])).toEqual(Buffer.from(rdata));
  return verify(digest, signedOctets(header, set), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

describe('RFC 4035 appendix A: its signatures verify over the octets made here', () => {
  const zsk = rsaKey(
    'AQOy1bZVvpPqhg4j7EJoM9rI3ZmyEx2OzDBVrZy/lvI5CQePxXHZS4i8dANH4DX3tbHol61ek8EFMcsGXxKciJFHyhl94C+NwILQdzsUlSFovBZs' +
      'yl/NX6yEbtw/xN9ZNcrbYvgjjZ/UVPZIySFNsgEYvh0z2542lzMKR4Dh8uZffQ==',
  );
  const rrsig = (type: string, labels: number, signature: string): string =>
    `${type} 5 ${labels} 3600 20040509183619 20040409183619 38519 example. ${signature}`;

  const soa = rrset('example.', 'SOA', 'ns1.example. bugs.x.w.example. 1081539377 3600 300 3600000 3600');
  const ns = rrset('example.', 'NS', 'ns2.example.', 'ns1.example.');
  const nsSignature = rrsig(
    'NS',
    1,
    'gl13F00f2U0R+SWiXXLHwsMY+qStYy5k6zfdEuivWc+wd1fmbNCyql0Tk7lHTX6UOxc8AgNf4ISFve8XqF4q+o9qlnqIzmppU3LiNeKT4FZ8RO5u' +
      'rFOvoMRTbQxW3U0hXWuggE4g3ZpsHv480HjMeRaZB/FRPGfJPajngcq6Kwg=',
  );
  const mxSignature = rrsig(
    'MX',
    2,
    'OMK8rAZlepfzLWW75Dxd63jy2wswESzxDKG2f9AMN1CytCd10cYISAxfAdvXSZ7xujKAtPbctvOQ2ofO7AZJ+d01EeeQTVBPq4/6KCWhqe2XTjnk' +
      'VLNvvhnc0u28aoSsG0+4InvkkOHknKxw4kX18MMR34i8lC36SR5xBni8vHI=',
  );

  it.each([
    [
      'SOA',
      soa,
      rrsig(
        'SOA',
        1,
        'ONx0k36rcjaxYtcNgq6iQnpNV5+drqYAsC9h7TSJaHCqbhE67Sr6aH2xDUGcqQWu/n0UVzrFvkgO9ebarZ0GWDKcuwlM6eNB5SiX2K74l5LW' +
          'DA7S/Un/IbtDq4Ay8NMNLQI7Dw7n4p8/rjkBjV7j86HyQgM5e7+miRAz8V01b0I=',
      ),
    ],
    ['NS, out of order', ns, nsSignature],
    [
      'NS, case and duplicates apart',
      rrset('EXAMPLE.', 'NS', 'NS1.Example.', 'ns1.example.', 'ns2.example.'),
      nsSignature,
    ],
    [
      'NSEC',
      rrset('example.', 'NSEC', 'a.example. NS SOA MX RRSIG NSEC DNSKEY'),
      rrsig(
        'NSEC',
        1,
        'O0k558jHhyrC97ISHnislm4kLMW48C7U7cBmFTfhke5iVqNRVTB1STLMpgpbDIC9hcryoO0VZ9ME5xPzUEhbvGnHd5sfzgFVeGxr5Nyyq4tW' +
          'SDBgIBiLQUv1ivy29vhXy7WgR62dPrZ0PWvmjfFJ5arXf4nPxp/kEowGgBRzY/U=',
      ),
    ],
    ['MX of a wildcard', rrset('*.w.example.', 'MX', '1 ai.example.'), mxSignature],
    [
      'MX made from the wildcard (RFC 4035 §5.3.2)',
      rrset('a.z.w.example.', 'MX', '1 ai.example.'),
      mxSignature,
    ],
  ])('%s', (_, set, signature) => {
    expect(isSigned(set, signature, zsk, 'sha1')).toBe(true);
    const [first, ...others] = set.rdata;
    const altered = Uint8Array.from(first as Uint8Array);
    altered[0] = (altered[0] as number) ^ 1;
    expect(isSigned({ ...set, rdata: [altered, ...others] }, signature, zsk, 'sha1')).toBe(false);
  });
});

describe('signatures of other RFCs', () => {
  const x = 'GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==';
  const point = Buffer.from(x, 'base64');

  it('RFC 6605 §6.1, P-256', () => {
    const key = createPublicKey({
      key: { kty: 'EC', crv: 'P-256', x: base64url(point.subarray(0, 32)), y: base64url(point.subarray(32)) },
      format: 'jwk',
    });
    const signature =
      'A 13 3 3600 20100909100439 20100812100439 55648 example.net. ' +
      'qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==';
    expect(isSigned(rrset('www.example.net.', 'A', '192.0.2.1'), signature, key, 'sha256')).toBe(true);
  });

  it('RFC 8080 §6.1, Ed25519 (erratum 4935)', () => {
    const key = createPublicKey({
      key: {
        kty: 'OKP',
        crv: 'Ed25519',
        x: base64url(Buffer.from('l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=', 'base64')),
      },
      format: 'jwk',
    });
    const signature =
      'MX 15 2 3600 1440021600 1438207200 3613 example.com. ' +
      'oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==';
    expect(isSigned(rrset('example.com.', 'MX', '10 mail.example.com.'), signature, key, null)).toBe(true);
  });
});

describe('RFC 4034 §3.1.3 labels', () => {
  it.each([
    ['.', 0],
    ['*.', 0],
    ['example.', 1],
    ['*.example.', 1],
    ['a.*.example.', 3],
    ['www.example.', 2],
  ])('%s has %i', (owner, labels) => {
    expect(rrsigLabels(Name.parse(owner))).toBe(labels);
  });

  it('refuses a header that counts more labels than its owner has', () => {
    const fields = {
      typeCovered: 1,
      algorithm: 13,
      labels: 3,
      originalTtl: 1,
      expiration: 2,
      inception: 1,
      keyTag: 1,
    };
    const header = rrsigHeader({ ...fields, signer: Name.parse('example.') });
    expect(() => signedOctets(header, rrset('a.example.', 'A', '192.0.2.1'))).toThrow(/counts more labels/);
  });
});

describe('RFC 4034 §3.1 RRSIG rdata', () => {
  const u16 = fc.integer({ min: 0, max: 0xffff });
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

  it('gives back its fields', () => {
    fc.assert(
      fc.property(
        fc.record({
          typeCovered: u16,
          algorithm: fc.integer({ min: 0, max: 255 }),
          labels: fc.integer({ min: 0, max: 127 }),
          originalTtl: u32,
          expiration: u32,
          inception: u32,
          keyTag: u16,
        }),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        (fields, signature) => {
          const signer = Name.parse('Example.');
          const parsed = parseRrsig(Uint8Array.of(...rrsigHeader({ ...fields, signer }), ...signature));
          expect({ ...parsed, signer: parsed.signer.toString() }).toEqual({
            ...fields,
            signature,
            signer: 'example.',
          });
        },
      ),
    );
  });

  it('is refused when cut off', () => {
    expect(() => parseRrsig(new Uint8Array(18))).toThrow(expect.objectContaining({ code: 'RDATA_INVALID' }));
    expect(() => parseRrsig(Uint8Array.of(...new Uint8Array(18), 3, 97))).toThrow(
      expect.objectContaining({ code: 'NAME_INVALID' }),
    );
  });
});
