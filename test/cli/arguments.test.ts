import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import {
  algorithmArgument,
  durationArgument,
  nameArgument,
  numberArgument,
  rangesArgument,
  roleArgument,
  timeArgument,
  tsigAlgorithmArgument,
  ttlArgument,
  typeArgument,
  viewArgument,
  viewsArgument,
} from '../../src/cli/arguments.js';

describe('arguments are read', () => {
  it.each<[(text: string) => unknown, string, unknown]>([
    [(text) => nameArgument(text).toString(), 'example', 'example.'],
    [(text) => nameArgument(text).toString(), '.', '.'],
    [(text) => nameArgument(text).toString(), 'a\\.b.example.', 'a\\.b.example.'],
    [durationArgument, '1h30m', 5400],
    [ttlArgument, '300', 300],
    [timeArgument, '2026-11-23T12:00:00Z', 1795435200],
    [timeArgument, '2026-11-23T13:00:00+01:00', 1795435200],
    [timeArgument, '20261123120000', 1795435200],
    [timeArgument, '1795435200', 1795435200],
    [timeArgument, '2026-11-23', 1795392000],
    [numberArgument(1, 5), '5', 5],
    [algorithmArgument, 'ed25519', 15],
    [algorithmArgument, '13', 13],
    [roleArgument, 'ksk', 'KSK'],
    [typeArgument, 'aaaa', 28],
    [typeArgument, 'TYPE65280', 65280],
    [viewArgument, 'internal-2', 'internal-2'],
    [tsigAlgorithmArgument, 'HMAC-SHA512', 'hmac-sha512'],
    [(text) => rangesArgument(text, undefined), '192.0.2.1', ['192.0.2.1/32']],
    [(text) => rangesArgument(text, ['::/0']), '2001:db8::/32', ['::/0', '2001:db8::/32']],
    [(text) => viewsArgument(text, ['a']), 'a', ['a']],
  ])('%o %s', (read, text, value) => {
    expect(read(text)).toEqual(value);
  });

  it.each<[(text: string) => unknown, string]>([
    [nameArgument, 'a..b'],
    [durationArgument, 'soon'],
    [durationArgument, '-1'],
    [ttlArgument, '4294967296'],
    [timeArgument, 'tomorrow'],
    [timeArgument, '20261323120000'],
    [timeArgument, '2026-11-23T12:00:00'],
    [numberArgument(1, 5), '6'],
    [numberArgument(1, 5), '1.5'],
    [algorithmArgument, '5'],
    [roleArgument, 'ABC'],
    [typeArgument, 'NOSUCH'],
    [typeArgument, 'AXFR'],
    [viewArgument, 'Internal'],
    [viewArgument, '-x'],
    [tsigAlgorithmArgument, 'hmac-md5'],
    [(text) => rangesArgument(text, undefined), '192.0.2.0/33'],
  ])('or refused: %o %s', (read, text) => {
    expect(() => read(text)).toThrow(InvalidArgumentError);
  });
});
