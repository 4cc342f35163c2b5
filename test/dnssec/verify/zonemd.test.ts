import { describe, expect, it } from 'vitest';
import { Name } from '../../../src/dns/name.js';
import { verifyZone } from '../../../src/dnssec/verify/index.js';
import { readRecords, VECTOR_NOW } from './vectors.js';

const APEX = `
example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400
example. 86400 IN NS ns1.example.
example. 86400 IN NS ns2.example.
`;

const SIMPLE = `${APEX}
example. 86400 IN ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 3600 IN AAAA 2001:db8::63
`;

const COMPLEX = `${APEX}
example. 86400 IN ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe
ns1.example. 3600 IN A 203.0.113.63
NS2.example. 3600 IN AAAA 2001:db8::63
occluded.sub.example. 7200 IN TXT "I'm occluded but must be digested"
sub.example. 7200 IN NS ns1.example.
duplicate.example. 300 IN TXT "I must be digested just once"
duplicate.example. 300 IN TXT "I must be digested just once"
foo.test. 555 IN TXT "out-of-zone data must be excluded"
UPPERCASE.example. 3600 IN TXT "canonicalize uppercase owner names"
*.example. 777 IN PTR dont-forget-about-wildcards.example.
mail.example. 3600 IN MX 20 MAIL1.example.
mail.example. 3600 IN MX 10 Mail2.Example.
sortme.example. 3600 IN AAAA 2001:db8::5:61
sortme.example. 3600 IN AAAA 2001:db8::3:62
sortme.example. 3600 IN AAAA 2001:db8::4:63
sortme.example. 3600 IN AAAA 2001:db8::1:65
sortme.example. 3600 IN AAAA 2001:db8::2:64
non-apex.example. 900 IN ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c6f776564206275742069676e6f7265642e20616c6c6f7765
`;

// without the RFC's digest of a private scheme, which dns/ refuses for its length
const SEVERAL = `${APEX}
example. 86400 IN ZONEMD 2018031900 1 1 62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c279dd10f0edb1c56f8080211f8480ee306
example. 86400 IN ZONEMD 2018031900 1 2 08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27
example. 86400 IN ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee
ns1.example. 3600 IN A 203.0.113.63
ns2.example. 86400 IN TXT "This example has multiple digests"
NS2.EXAMPLE. 3600 IN AAAA 2001:db8::63
`;

async function zonemdFaults(text: string): Promise<string[]> {
  const apex = Name.parse('example.');
  const records = await readRecords(text, 'rfc8976');
  const report = await verifyZone(records, { apex, now: VECTOR_NOW, zonemd: 'required' });
  return report.faults.filter(({ rule }) => rule.startsWith('zonemd')).map(({ rule }) => rule);
}

describe('RFC 8976 Appendix A', () => {
  it.each([
    ['A.1: a simple zone', SIMPLE],
    ['A.2: occluded data, duplicates, upper case, what is out of the zone', COMPLEX],
    ['A.3: several digests, of which two are known', SEVERAL],
  ])('%s', async (_, text) => {
    expect(await zonemdFaults(text)).toEqual([]);
  });

  it.each([
    ['a TTL', SIMPLE.replace('ns1.example. 3600', 'ns1.example. 3601'), ['zonemd-digest']],
    ['an address', SIMPLE.replace('::63', '::64'), ['zonemd-digest']],
    ['the serial', SIMPLE.replace('ZONEMD 2018031900', 'ZONEMD 2018031901'), ['zonemd-serial']],
    [
      'both digests',
      SEVERAL.replace('ns2.example. 86400', 'ns2.example. 86401'),
      ['zonemd-digest', 'zonemd-digest'],
    ],
    ['the scheme', SIMPLE.replace(' 1 1 c68', ' 2 1 c68'), ['zonemd-unsupported']],
  ])('with %s changed', async (_, text, rules) => {
    expect(await zonemdFaults(text)).toEqual(rules);
  });
});
