import { describe, expect, it } from 'vitest';
import { zoneCalled } from './corpus.js';
import type { ValidatorLab } from './lab.js';
import { shapeOf } from './shape.js';
import { SIGNED } from './variants.js';

/** The NSEC records of RFC 4035 appendix A, next name and types, by owner. */
const RFC4035: Readonly<Record<string, string>> = {
  'example.': 'a.example. NS SOA MX RRSIG NSEC DNSKEY',
  'a.example.': 'ai.example. NS DS RRSIG NSEC',
  'ai.example.': 'b.example. A HINFO AAAA RRSIG NSEC',
  'b.example.': 'ns1.example. NS RRSIG NSEC',
  'ns1.example.': 'ns2.example. A RRSIG NSEC',
  'ns2.example.': '*.w.example. A RRSIG NSEC',
  '*.w.example.': 'x.w.example. MX RRSIG NSEC',
  'x.w.example.': 'x.y.w.example. MX RRSIG NSEC',
  'x.y.w.example.': 'xx.example. MX RRSIG NSEC',
  'xx.example.': 'example. A HINFO AAAA RRSIG NSEC',
};

/** The NSEC3 records of RFC 5155 appendix A in hash order; the last one's next hash is the first. */
const RFC5155: readonly (readonly [hash: string, types: string])[] = [
  ['0p9mhaveqvm6t7vbl5lop2u3t2rp3tom', 'NS SOA MX RRSIG DNSKEY NSEC3PARAM'],
  ['2t7b4g4vsa5smi47k61mv5bv1a22bojr', 'A RRSIG'],
  ['2vptu5timamqttgl4luu9kg21e0aor3s', 'MX RRSIG'],
  ['35mthgpgcu1qg68fab165klnsnk3dpvl', 'NS DS RRSIG'],
  ['b4um86eghhds6nea196smvmlo4ors995', 'MX RRSIG'],
  ['gjeqe526plbf1g8mklp59enfd789njgi', 'A HINFO AAAA RRSIG'],
  ['ji6neoaepv8b5o6k4ev33abha8ht9fgc', ''],
  ['k8udemvp1j2f7eg6jebps17vp3n8i58h', ''],
  ['kohar7mbb8dc2ce8a9qvl8hon4k53uhi', 'A RRSIG'],
  ['q04jkcevqvmu85r014c7dkba38o0ji5r', 'A RRSIG'],
  ['r53bq7cc2uvmubfu5ocmm6pers9tk9en', 'MX RRSIG'],
  ['t644ebqk9bibcna874givr6joj62mlhv', 'A HINFO AAAA RRSIG'],
];

/** The chains that the RFCs print of their own zones. */
export function describeRfcChains(lab: () => ValidatorLab): void {
  const denialOf = async (zone: string, denial: string): Promise<string[]> => {
    const variant = SIGNED.find((it) => it.algorithm === 13 && it.keys === 'split' && it.denial === denial);
    if (variant === undefined) throw new Error(`no variant for ${denial}`);
    const [edition] = await lab().publish(zoneCalled(zone), variant);
    return shapeOf(edition?.records ?? []).filter(
      (line) => / NSEC3? /.test(line) && !/ RRSIG NSEC3? \d/.test(line),
    );
  };

  describe('the chain that the RFC prints', () => {
    it('RFC 4035 appendix A', async () => {
      const wanted = Object.entries(RFC4035).map(([owner, rdata]) => `${owner} 3600 NSEC ${rdata}`);
      expect(await denialOf('rfc4035', 'nsec')).toEqual(wanted.sort());
    });

    it('RFC 5155 appendix A, with its salt, iterations and opt-out', async () => {
      const wanted = RFC5155.map(([hash, types], i) => {
        const [next] = RFC5155[(i + 1) % RFC5155.length] ?? [];
        return `${hash}.example. 3600 NSEC3 1 1 12 AABBCCDD ${next?.toUpperCase()} ${types}`.trimEnd();
      });
      expect(await denialOf('rfc5155', 'opt-out')).toEqual(wanted.sort());
    });
  });
}
