import { describe, expect, test } from 'vitest';
import { Name } from '../../src/dns/name.js';
import {
  parseTsigAlgorithm,
  parseTsigKeyFile,
  tsigAlgorithmInfo,
  tsigAlgorithmOf,
} from '../../src/dns/tsig.js';
import { ZonesealError } from '../../src/errors.js';

const SECRET = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=';

describe('parseTsigKeyFile', () => {
  const forms: [string, string][] = [
    ['tsig-keygen', `key "transfer.example" {\n\talgorithm hmac-sha256;\n\tsecret "${SECRET}";\n};\n`],
    ['one line, nothing quoted', `key transfer.example. { secret ${SECRET}; algorithm HMAC-SHA256; };`],
    [
      'comments of each kind',
      `# made by hand\nkey "transfer.example" { // name\n algorithm "hmac-sha256"; /* not\n md5 */ secret "${SECRET}"; }`,
    ],
    ['dig -y', `hmac-sha256:transfer.example:${SECRET}\n`],
    ['kdig -y', `hmac-sha256:transfer.example.:${SECRET}`],
  ];
  test.each(forms)('reads the form of %s', (_, text) => {
    const key = parseTsigKeyFile(text);
    expect(key.name.toString()).toBe('transfer.example.');
    expect(key.algorithm).toBe('hmac-sha256');
    expect(Buffer.from(key.secret).toString('base64')).toBe(SECRET);
  });

  const bad: [string, RegExp][] = [
    ['', /"key" is missing/],
    ['hmac-md5:a:QUJD', /algorithm is not spoken/],
    ['hmac-sha256-128:a:QUJD', /algorithm is not spoken/],
    ['hmac-sha256:a..b:QUJD', /no domain name/],
    ['hmac-sha256:a:', /not base64/],
    ['hmac-sha256:a:QUJ', /not base64/],
    ['hmac-sha256:a:QUJ!', /not base64/],
    ['hmac-sha256:a:QU=JD', /not base64/],
    ['a:QUJD', /"key" is missing/],
    ['key "a" { algorithm hmac-sha256; };', /secret clause is missing/],
    ['key "a" { secret "QUJD"; };', /algorithm clause is missing/],
    ['key "a" { algorithm hmac-sha256; algorithm hmac-sha1; secret "QUJD"; };', /two algorithm clauses/],
    ['key "a" { algorithm hmac-sha256; secret "QUJD"; keytype x; };', /neither algorithm nor secret/],
    ['key "a" { algorithm hmac-sha256; secret "QUJD" };', /";" is missing/],
    ['key "a" { algorithm hmac-sha256; secret "QUJD;', /not closed/],
    ['key "a" { algorithm hmac-sha256; secret "QUJD"; ', /"}" is missing/],
    ['key { algorithm hmac-sha256; secret "QUJD"; };', /name is missing/],
    ['key "a" { algorithm hmac-sha256; secret "QUJD"; }; key "b" { };', /one file holds one key/],
  ];
  test.each(bad)('refuses %j', (text, reason) => {
    expect(() => parseTsigKeyFile(text)).toThrow(reason);
  });

  test('no error says any of the secret', () => {
    const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ=';
    for (const text of [
      `hmac-sha256:a:${secret}!`,
      `hmac-sha256:${secret}..:a`,
      `${secret}:a:hmac-sha256`,
      `key "a" { algorithm ${secret}; secret "${secret}"; };`,
      `key "a" { ${secret} hmac-sha256; };`,
      `key "a" { algorithm hmac-sha256; secret "${secret}"`,
    ]) {
      try {
        parseTsigKeyFile(text);
        expect.unreachable(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ZonesealError);
        const { code, message, fields } = error as ZonesealError;
        expect(code).toBe('TSIG_KEY_INVALID');
        expect(`${message} ${JSON.stringify(fields)}`).not.toContain(secret.slice(0, 8));
      }
    }
  });
});

describe('TSIG algorithms', () => {
  test('RFC 8945 §6: names on the wire are compared without case', () => {
    expect(tsigAlgorithmOf(Name.parse('HMAC-SHA512.'))).toBe('hmac-sha512');
    expect(tsigAlgorithmOf(Name.parse('hmac-md5.sig-alg.reg.int.'))).toBeUndefined();
    expect(parseTsigAlgorithm('HMAC-sha1.')).toBe('hmac-sha1');
    expect(parseTsigAlgorithm('sha1')).toBeUndefined();
    expect(tsigAlgorithmInfo('hmac-sha384').octets).toBe(48);
  });
});
