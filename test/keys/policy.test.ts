import { describe, expect, it } from 'vitest';
import { parsePolicy, SIGNING_ALGORITHMS } from '../../src/keys/policy.js';

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
