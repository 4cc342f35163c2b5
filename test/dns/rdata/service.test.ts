import { describe, expect, it } from 'vitest';
import { formatRdata, parseRdataText } from '../../../src/dns/rdata/index.js';
import { RRType } from '../../../src/dns/types.js';
import { fromHex, toHex } from './vector-file.js';

const parse = (text: string): string => toHex(parseRdataText(RRType.SVCB, text));

describe('RFC 9460 Appendix D: service parameters', () => {
  const foo = '03666f6f076578616d706c65';
  it.each([
    ['0 foo.example.com.', `0000${foo}03636f6d00`],
    ['1 .', '000100'],
    ['16 foo.example.com. port=53', `0010${foo}03636f6d00000300020035`],
    ['1 foo.example.com. key667=hello', `0001${foo}03636f6d00029b000568656c6c6f`],
    ['1 foo.example.com. key667="hello\\210qoo"', `0001${foo}03636f6d00029b000968656c6c6fd2716f6f`],
    [
      '1 foo.example.com. ( ipv6hint="2001:db8::1,2001:db8::53:1" )',
      `0001${foo}03636f6d000006002020010db800000000000000000000000120010db8000000000000000000530001`,
    ],
    [
      '1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33"',
      '0001076578616d706c6503636f6d000006001020010db8012203440000 0000c0000221'.replace(' ', ''),
    ],
    [
      '16 foo.example.org. (alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1)',
      `0010${foo}036f7267000000000400010004000100090268320568332d313900040004c0000201`,
    ],
    [
      '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
      `0010${foo}036f72670000 01000c08665c6f6f2c626172026832`,
    ],
    [
      '16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
      `0010${foo}036f72670000 01000c08665c6f6f2c626172026832`,
    ],
  ])('%s', (text, hex) => {
    expect(parse(text)).toBe(hex.replaceAll(' ', ''));
    expect(parse(formatRdata(RRType.SVCB, parseRdataText(RRType.SVCB, text)))).toBe(hex.replaceAll(' ', ''));
  });

  it.each([
    ['1 foo.example.com. key123=abc key123=def', /there before/],
    ['1 foo.example.com. mandatory', /no value of mandatory/],
    ['1 foo.example.com. alpn', /no value of alpn|protocol/],
    ['1 foo.example.com. port', /no value of port/],
    ['1 foo.example.com. ipv4hint', /no value of ipv4hint/],
    ['1 foo.example.com. ipv6hint', /no value of ipv6hint/],
    ['1 foo.example.com. no-default-alpn=abc', /no value/],
    ['1 foo.example.com. mandatory=key123', /mandatory lists key123/],
    ['1 foo.example.com. mandatory=mandatory', /mandatory/],
    ['1 foo.example.com. mandatory=key123,key123 key123=abc', /mandatory/],
  ])('refuses %s', (text, reason) => {
    expect(() => parse(text)).toThrow(reason);
  });
});

describe('RFC 9460 §2.1: keys and values', () => {
  it.each([
    ['1 . ohttp', '00010000080000'],
    ['1 . KEY8', '00010000080000'],
    ['1 . tls-supported-groups=29,23', '00010000090004001d0017'],
    ['1 . dohpath=/q{?dns}', '000100000700082f717b3f646e737d'],
    ['1 . dohpath=/q{?x,dns}', '0001000007000a2f717b3f782c646e737d'],
    ['1 . key1="\\002h2"', '00010000010003026832'],
    ['1 . ech=AQID alpn=h2', '0001000001000302683200050003010203'],
  ])('%s', (text, hex) => {
    expect(parse(text)).toBe(hex);
    expect(parse(formatRdata(RRType.SVCB, fromHex(hex)))).toBe(hex);
  });

  it.each([
    ['1 . key01=a', /no service parameter/],
    ['1 . key65535=a', /no service parameter/],
    ['1 . key=a', /no service parameter/],
    ['1 . nosuch=a', /no service parameter/],
    ['1 . =a', /no service parameter/],
    ['1 . "port=53"', /must not be quoted/],
    ['1 . key7=a="b"', /quotation mark inside its value/],
    ['1 . port=65536', /no value of port/],
    ['1 . mandatory=nosuch', /no value of mandatory/],
    ['1 . alpn=', /no value of alpn/],
    ['1 . alpn=h2,,h3', /no value of alpn/],
    ['1 . alpn="h2\\\\x"', /no value of alpn/],
    [`1 . alpn=${'a'.repeat(256)}`, /no value of alpn/],
    ['1 . ipv4hint=192.0.2.1,', /no value of ipv4hint/],
    ['1 . ipv6hint=192.0.2.1', /no value of ipv6hint/],
    ['1 . ech=A', /no value of ech/],
    ['1 . dohpath=q{?dns}', /dohpath/],
    ['1 . dohpath=/q', /dohpath/],
    ['1 . tls-supported-groups=29,29', /tls-supported-groups/],
    ['1 . tls-supported-groups=x', /tls-supported-groups/],
    ['1 . no-default-alpn', /needs alpn/],
    ['1', /domain name is missing/],
    ['x .', /no priority/],
  ])('refuses %s', (text, reason) => {
    expect(() => parse(text)).toThrow(reason);
  });
});
