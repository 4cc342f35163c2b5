import { describe, expect, it } from 'vitest';
import { parsePolicy, SIGNING_ALGORITHMS } from '../../src/keys/policy.js';
import { doubtfulSettings, refuseSettings } from '../../src/keys/policy-settings.js';

describe('a policy with a wrong setting', () => {
  it.each<[setting: string, document: object, reason: string]>([
    [
      'algorithm',
      { algorithm: 5 },
      'must be one of 8 (RSASHA256), 10 (RSASHA512), 13 (ECDSAP256SHA256), 14 (ECDSAP384SHA384), 15 (ED25519), 16 (ED448)',
    ],
    ['algorithm', { algorithm: 'ED25519' }, 'must be one of 8 (RSASHA256), '],
    ['keys', { keys: 'zsk' }, '"ksk+zsk"|"csk"'],
    ['denial', { denial: 'nsec5' }, '"nsec"|"nsec3"'],
    ['serial', { serial: 'random' }, '"unixtime"|"increment"|"date"'],
  ])('is told of the choices: %s', (setting, document, reason) => {
    expect(() => parsePolicy('p', document)).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        message: expect.stringMatching(new RegExp(`^policy "p": ${setting}: `)) as string,
      }) as Error,
    );
    expect(() => parsePolicy('p', document)).toThrow(reason);
  });

  it('each of the choices is taken', () => {
    for (const algorithm of SIGNING_ALGORITHMS)
      expect(parsePolicy('p', { algorithm }).algorithm).toBe(algorithm);
  });
});

describe('a setting that cannot work', () => {
  it.each<[document: object, reason: string]>([
    [{ algorithm: 8, rsaBits: 2049 }, 'rsaBits: must be a multiple of 8'],
    [{ nsec3: { iterations: 2500 } }, 'nsec3.iterations: must be 50 or less, it is 2500: validators take'],
    [{ nsec3: { iterations: 51 } }, 'RFC 9276 §3.2'],
    [{ cdsDigests: [2, 2] }, 'cdsDigests: names digest type 2 twice'],
    [{ viewZsks: ['a', 'a'] }, 'viewZsks: names view a twice'],
    [
      { viewZsks: ['a', 'nosuch'] },
      'viewZsks: there is no view "nosuch"; create it with: zoneseal view add nosuch',
    ],
  ])('is refused when it is written, not when it is read: %j', (document, reason) => {
    const policy = parsePolicy('p', document);
    expect(() => refuseSettings('p', policy, ['a', 'b'])).toThrow(
      expect.objectContaining({
        code: 'POLICY_INVALID',
        message: expect.stringContaining(reason) as string,
      }) as Error,
    );
  });

  it.each([
    {},
    { algorithm: 10, rsaBits: 3072 },
    { nsec3: { iterations: 50 } },
    { cdsDigests: [4, 2] },
    { cdsDigests: [] },
    { viewZsks: ['b', 'a'] },
  ])('and one that can is not: %j', (document) => {
    refuseSettings('p', parsePolicy('p', document), ['a', 'b']);
  });

  it('is doubted where NSEC3 has iterations', () => {
    const doubts = (document: object): string[] =>
      doubtfulSettings(parsePolicy('p', document)).map((it) => it.setting);
    expect(doubts({ denial: 'nsec3', nsec3: { iterations: 1 } })).toEqual(['nsec3.iterations']);
    expect(doubts({ denial: 'nsec3' })).toEqual([]);
    expect(doubts({ nsec3: { iterations: 1 } })).toEqual([]);
  });
});
