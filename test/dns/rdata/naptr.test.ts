import { describe, expect, it } from 'vitest';
import { checkRdata } from '../../../src/dns/rdata/index.js';
import { RRType } from '../../../src/dns/types.js';

const isAccepted = (expression: string): boolean => {
  const octets = Buffer.from(expression, 'latin1');
  try {
    checkRdata(RRType.NAPTR, Uint8Array.from([0, 1, 0, 1, 0, 0, octets.length, ...octets, 0]));
    return true;
  } catch {
    return false;
  }
};

/** What named-compilezone 9.18.49 says of each as the regular expression of a `TYPE35 \# …` record. */
describe('RFC 3402 §3.2: the substitution of a NAPTR, as BIND judges it', () => {
  it.each([
    '',
    '!a!b!',
    '!a!!',
    '!a!b!i',
    '!a!b!ii',
    'abaca',
    '|a|b|',
    '!(a)!\\1!',
    '!(a)(b)!\\2\\1!i',
    '!(((a)))!\\3!',
    '!()!x!',
    '!a)!b!',
    '!\\(a)!b!',
    '!a!\\\\1!',
    '!^.*$!\\n!',
    '!a\\!b!c!',
    '!a!b\\!c!',
    '![()]!b!',
    '![]a]!b!',
    '![^]a](x)!\\1!',
    '![a-z]+$!x!',
    '![a-]!x!',
    '![[:alpha:]_]!x!',
    '![[.a.][=b=]]!x!',
    '!a{1,2}!b!',
    '!a{1}!b!',
    '!a{1,}!b!',
    '!a{!b!',
    '!{!b!',
    '!a}!b!',
    '!a|b!c!',
    '!(a|b)*!c!',
    '!(a)\\1!c!',
    '!\xe9!x!',
  ])('accepts %j', (expression) => {
    expect(isAccepted(expression)).toBe(true);
  });

  it.each([
    '!',
    '!a',
    '!a!b',
    'a!b!',
    '!a!b!i!',
    '!a!b!I',
    '!a!b!\\',
    '0a0b0',
    'iaibi',
    '\\a\\b\\',
    '\0a\0b\0',
    '!a\0!b!',
    '!!b!',
    '!!!',
    '!a!\\0!',
    '!a!\\1!',
    '!(a)!\\2!',
    '!\\1!b!',
    '![()]!\\1!',
    '!a\\!b!',
    '!a!b\\',
    '!a(!b!',
    '!(|a)!b!',
    '!(a|)!b!',
    '!|a!b!',
    '!a|!b!',
    '!*a!b!',
    '!a**!b!',
    '!a+?!b!',
    '!^*!b!',
    '!$?!b!',
    '!{1}a!b!',
    '!a{2,1}!b!',
    '!a{256}!b!',
    '!a{1!b!',
    '!(+a)!b!',
    '![a!b!',
    '![]!b!',
    '![z-a]!b!',
    '![a-!b!',
    '![!-[:alpha:]]!b!',
    '![[:foo:]]!x!',
    '![[:alpha]!x!',
    '![[..]]!x!',
  ])('refuses %j', (expression) => {
    expect(isAccepted(expression)).toBe(false);
  });
});
