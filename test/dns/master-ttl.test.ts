import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSeconds, parseTtl, secondsFromText } from '../../src/dns/ttl.js';

describe('seconds in presentation format', () => {
  it.each([
    ['0', 0],
    ['3600', 3600],
    ['4294967295', 4_294_967_295],
    ['1h30m', 5400],
    ['1H30M', 5400],
    ['1w', 604_800],
    ['1d1h1m1s', 90_061],
    ['30m1h', 5400],
    ['007', 7],
  ])('%s is %d', (text, seconds) => expect(secondsFromText(text)).toBe(seconds));

  it.each([
    '',
    'h',
    '1h30',
    '1x',
    '-1',
    '1.5h',
    ' 1',
    '1 h',
    '4294967296',
    '7102w',
    '99999999999999999999',
    '1hh',
    '\u0131',
  ])('"%s" is none', (text) => {
    expect(secondsFromText(text)).toBeUndefined();
    expect(() => parseSeconds(text)).toThrow(expect.objectContaining({ code: 'RDATA_INVALID' }));
  });

  it('is the sum of its parts', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1000), fc.constantFrom('w', 'd', 'h', 'm', 's')), {
          minLength: 1,
          maxLength: 5,
        }),
        (parts) => {
          const unit = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 };
          const sum = parts.reduce((total, [count, letter]) => total + count * unit[letter], 0);
          expect(secondsFromText(parts.map(([count, letter]) => `${count}${letter}`).join(''))).toBe(sum);
        },
      ),
    ));

  it('a TTL ends at 2^31-1 (RFC 2181 §8)', () => {
    expect(parseTtl('2147483647')).toBe(2_147_483_647);
    expect(() => parseTtl('2147483648')).toThrow(expect.objectContaining({ code: 'RDATA_INVALID' }));
  });
});
