import { describe, expect, test } from 'vitest';
import { Name } from '../../src/dns/name.js';
import { AccessRules, type OpenRange } from '../../src/transfer/access.js';
import { AddressRange, parseAddress } from '../../src/transfer/address-range.js';
import { BoundedLog } from '../../src/transfer/bounded-log.js';
import type { TsigKeyEntry } from '../../src/transfer/ports.js';
import { FixedClock, grant, ListLog, ZONE } from './fixture.js';

function rules(open: readonly OpenRange[] = [], log = new ListLog()): AccessRules {
  return new AccessRules(open, new BoundedLog(log, new FixedClock()));
}

describe('address ranges', () => {
  test.each([
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.0/24', '::ffff:192.0.2.7', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['::ffff:192.0.2.0/120', '192.0.2.9', true],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '203.0.113.1', false],
    ['::/0', '2001:db8::1', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/33', '2001:db8:ffff::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::1', '::1', true],
  ])('%s and %s: %s', (range, address, expected) => {
    const peer = parseAddress(address);
    expect(peer !== undefined && AddressRange.parse(range).contains(peer)).toBe(expected);
  });

  test.each([
    '',
    '10.1/16',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '010.0.0.1/8',
    '::1/129',
    'fe80::1%eth0/64',
    'any',
    '10.0.0.0/8/8',
  ])('"%s" is none', (text) => {
    expect(() => AddressRange.parse(text)).toThrow(/is no address range/);
  });

  test('addresses that are none', () => {
    for (const text of ['', '10.1', 'localhost', '300.0.0.1', '::g'])
      expect(parseAddress(text)).toBeUndefined();
  });
});

describe('open ranges', () => {
  test('the longest prefix decides', () => {
    const access = rules([
      { range: '10.0.0.0/8', view: 'internal' },
      { range: '0.0.0.0/0', view: 'external' },
      { range: '10.1.2.0/24', view: 'lab' },
      { range: '2001:db8::/32', view: 'internal' },
    ]);
    expect(access.viewOfAddress('10.1.2.3')).toBe('lab');
    expect(access.viewOfAddress('10.1.3.3')).toBe('internal');
    expect(access.viewOfAddress('::ffff:10.1.3.3')).toBe('internal');
    expect(access.viewOfAddress('192.0.2.1')).toBe('external');
    expect(access.viewOfAddress('2001:db8::1')).toBe('internal');
    expect(access.viewOfAddress('2001:db9::1')).toBeUndefined();
    expect(access.viewOfAddress('nonsense')).toBeUndefined();
    expect(rules().viewOfAddress('127.0.0.1')).toBeUndefined();
  });

  test('one range for two views is an error, however it is written', () => {
    const twice = (range: string): OpenRange[] => [
      { range: '10.0.0.0/8', view: 'internal' },
      { range, view: 'external' },
    ];
    expect(() => rules(twice('10.255.0.1/8'))).toThrow(/internal and external/);
    expect(() => rules(twice('::ffff:10.0.0.0/104'))).toThrow(/internal and external/);
    expect(() => rules(twice('10.0.0.0/9'))).not.toThrow();
  });
});

test('a grant whose range cannot be read matches nobody, and is told of once', () => {
  const log = new ListLog();
  const access = rules([], log);
  const entry: TsigKeyEntry = {
    name: Name.parse('k.'),
    algorithm: 'hmac-sha256',
    secretRef: 'r',
    grants: [grant('internal', { addresses: ['10.0.0.0/99'] })],
  };
  for (let i = 0; i < 3; i++) expect(access.viewOfKey(entry, ZONE, '10.0.0.1')).toBeUndefined();
  expect(log.lines).toHaveLength(1);
});

describe('the bounded log', () => {
  test('a message is written so many times a minute; how many were left out is said', () => {
    const log = new ListLog();
    const clock = new FixedClock();
    const bounded = new BoundedLog(log, clock, 3);
    for (let i = 0; i < 10; i++) bounded.write('info', { i }, 'a');
    bounded.write('info', {}, 'b');
    expect(log.messages()).toEqual(['a', 'a', 'a', 'b']);
    clock.now += 60;
    bounded.write('info', { i: 10 }, 'a');
    expect(log.lines.at(-1)?.fields).toEqual({ i: 10, suppressed: 7 });
    bounded.write('info', { i: 11 }, 'a');
    expect(log.lines.at(-1)?.fields).toEqual({ i: 11 });
  });

  test('what was said once is remembered for a bounded number of keys', () => {
    const log = new ListLog();
    const bounded = new BoundedLog(log, new FixedClock(), 10_000);
    for (let i = 0; i < 1001; i++) bounded.once(`k${i}`, 'warn', {}, 'once');
    bounded.once('k1000', 'warn', {}, 'once');
    expect(log.lines).toHaveLength(1001);
    bounded.once('k0', 'warn', {}, 'once');
    expect(log.lines).toHaveLength(1002);
  });
});
