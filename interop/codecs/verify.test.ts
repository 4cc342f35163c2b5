/**
 * The verifier beside other people's programs: it accepts what three signers make, and every fault it finds is shown to
 * ldns-verify-zone, dnssec-verify and kzonecheck as well. ACCEPTED_BY says which of them do not see it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Name } from '../../src/dns/name.js';
import { type VerifiableRecord, verifyZone } from '../../src/dnssec/verify/index.js';
import { show } from '../../test/dnssec/verify/resign.js';
import {
  buildCase,
  NSEC,
  NSEC3,
  OPT_OUT,
  type RuleCase,
  type Zone,
} from '../../test/dnssec/verify/rule-case.js';
import { DENIAL_CASES } from '../../test/dnssec/verify/rule-cases-denial.js';
import { ZONE_CASES } from '../../test/dnssec/verify/rule-cases-zone.js';
import { APEX, readRecords, VECTORS } from '../../test/dnssec/verify/vectors.js';
import { type Denial, SIGNERS, type SignerName, type SigningJob, signWith } from './signers.js';
import { CHECKERS, type CheckerName, checkFile, writeZone } from './zone-checkers.js';

const DAY = 86_400;
const now = systemClock.seconds();
const file = fileURLToPath(new URL('../../test/vectors/dnssec/tricky.zone', import.meta.url));
const job = { apex: 'example', file, inception: now - DAY, expiration: now + 30 * DAY };
const ZONEMD = 'knot-nsec-13';

const LDNS = 'ldns-verify-zone';
const BIND = 'dnssec-verify';
const KNOT = 'kzonecheck';

/** The programs that accept the zone of a case, by its title; for the others all three reject it. */
const ACCEPTED_BY: Readonly<Record<string, readonly CheckerName[]>> = {
  'a digest of GOST R 34.11-2012 that is too short': [LDNS, BIND],
  'an owner beside the zone': [BIND, KNOT],
  'a record twice': [LDNS, BIND, KNOT],
  'a record twice, in other letters': [LDNS, BIND, KNOT],
  'two TTLs in an RRset': [LDNS, BIND],
  'two TTLs in a delegation': [LDNS, BIND, KNOT],
  'an SOA below the apex': [LDNS, KNOT],
  'no NS': [LDNS],
  'a CNAME beside other data': [LDNS],
  'two CNAMEs': [LDNS],
  'two DNAMEs': [LDNS],
  'a DNAME at a delegation': [LDNS, BIND],
  'data below a DNAME': [LDNS, BIND],
  'a DS without a delegation': [LDNS],
  'a revoked key that does not sign': [LDNS],
  'the DNSKEY RRset signed by the ZSK alone': [LDNS],
  'two algorithms published, one that signs': [LDNS],
  'the NS of a delegation signed': [LDNS, BIND],
  'glue signed': [BIND],
  'an address at a cut signed': [LDNS, BIND],
  'a signed zone that is to be unsigned': [LDNS, BIND, KNOT],
  'a signature without its RRset': [LDNS],
  'another signer': [LDNS, KNOT],
  'too few labels': [KNOT],
  'a wildcard label counted': [LDNS, BIND, KNOT],
  'another original TTL': [LDNS],
  'another TTL': [LDNS, BIND, KNOT],
  'an expiration within the margin': [LDNS, BIND, KNOT],
  'a key that is not published': [LDNS, BIND, KNOT],
  'a key that is no zone key': [LDNS],
  'a revoked key that signs data': [LDNS, KNOT],
  'an NSEC3PARAM beside NSEC': [LDNS],
  'a type too many': [LDNS],
  'a type too few': [LDNS],
  'glue in the bitmap of a delegation': [LDNS],
  'another TTL than RFC 9077 says': [LDNS, BIND, KNOT],
  'the same with NSEC3': [LDNS, BIND, KNOT],
  'no NSEC3PARAM': [LDNS],
  'two NSEC3PARAMs': [LDNS],
  'NSEC3PARAM with a flag': [LDNS, BIND, KNOT],
  'another hash algorithm': [LDNS, BIND],
  'additional iterations beyond any bound': [LDNS],
  'an unknown flag': [LDNS, BIND, KNOT],
  'the record of a name that is gone': [KNOT],
  'a type too many, with NSEC3': [LDNS],
  'none where one is required': [LDNS, BIND, KNOT],
  'another serial': [BIND, KNOT],
  'glue that is gone': [BIND],
};

/** A program that says now one thing, now another of the same kind of zone. */
const UNSTEADY: Readonly<Record<string, CheckerName>> = { 'one record of another chain': LDNS };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'zoneseal-verify-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Variant {
  readonly signer: SignerName;
  readonly algorithms: readonly number[];
  readonly denial: Denial;
  readonly csk: boolean;
  readonly zonemd?: 'sha384' | 'sha512';
}

const signers = Object.keys(SIGNERS) as SignerName[];
/** Every algorithm, kind of denial and division of keys for every signer, though not all of their combinations. */
const variants: Variant[] = signers.flatMap((signer) => {
  const zonemd = signer === 'dnssec-signzone' ? {} : ({ zonemd: 'sha384' } as const);
  const denials: readonly Denial[] = ['nsec', 'nsec3', 'opt-out'];
  return [
    ...[8, 10, 13, 14, 15, 16].map((algorithm, i) => {
      const denial = denials[i % 3] as Denial;
      return { signer, algorithms: [algorithm], denial, csk: false };
    }),
    ...denials.map((denial) => ({ signer, algorithms: [13], denial, csk: false, ...zonemd })),
    ...denials.map((denial, i) => ({
      signer,
      algorithms: [[10, 15, 14][i] as number],
      denial,
      csk: true,
      ...zonemd,
    })),
    { signer, algorithms: [8, 13], denial: 'nsec' as const, csk: false },
  ];
});

/** ldns-verify-zone 1.8.3 runs for ever where a zone has a ZONEMD and opt-out left delegations out. */
const neverEnds = ({ signer, denial, zonemd }: Variant) =>
  signer !== 'ldns-signzone' && denial === 'opt-out' && zonemd !== undefined;

describe('what other signers make', () => {
  it.each(variants)('$signer: algorithms $algorithms, $denial, CSK $csk, ZONEMD $zonemd', async (variant) => {
    const { text } = await signWith(variant.signer, folder, { ...job, ...variant } satisfies SigningJob);
    const report = await verifyZone(await readRecords(text, variant.signer), {
      apex: APEX,
      now,
      margin: 20 * DAY,
      zonemd: variant.zonemd === undefined ? 'if-present' : 'required',
    });
    expect(report.faults).toEqual([]);
    const signed = path.join(folder, 'other.zone');
    await writeFile(signed, text);
    for (const checker of CHECKERS) {
      if (checker === LDNS && neverEnds(variant)) continue;
      expect(await checkFile(checker, { apex: 'example', csk: variant.csk }, signed)).toBeUndefined();
    }
  });
});

describe('zones of other shapes', () => {
  const SOA = '$TTL 3600\n@ SOA ns1.test. h.test. 1 7200 3600 1209600 300\n@ NS ns1.test.\n';
  const shapes = [
    {
      apex: '.',
      text: `${SOA}a.root-servers.net. A 192.0.2.1\ncom. NS ns.com.\nns.com. A 192.0.2.2\norg. NS ns.org.
org. DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\nns.org. A 192.0.2.3\n`,
    },
    {
      apex: '8.b.d.0.1.0.0.2.ip6.arpa',
      text: `${SOA}1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR a.test.\n1.0.0 NS ns.test.
a.b.1.0.0 PTR below.test.\n2.0.0.0 NS ns.2.0.0.0\nns.2.0.0.0 A 192.0.2.1\n*.f.f PTR b.test.\n`,
    },
  ];
  it.each(shapes)('$apex', async ({ apex, text }) => {
    const name = Name.parse(apex === '.' ? apex : `${apex}.`);
    const source = path.join(folder, 'shape.zone');
    await writeFile(source, `$ORIGIN ${name.toString()}\n${text}`);
    for (const signer of ['dnssec-signzone', 'ldns-signzone'] as const) {
      for (const denial of ['nsec', 'nsec3', 'opt-out'] as const) {
        const signed = await signWith(signer, folder, {
          ...job,
          apex,
          file: source,
          algorithms: [13],
          denial,
        });
        const report = await verifyZone(await readRecords(signed.text, apex, name), { apex: name, now });
        expect(report.faults, `${signer} ${denial}`).toEqual([]);
      }
    }
  });
});

describe('a fault', () => {
  const sound = new Map<string, Zone>();

  beforeAll(async () => {
    for (const name of [NSEC, NSEC3, OPT_OUT, ZONEMD]) {
      const vector = VECTORS.find((entry) => entry.name === name) as (typeof VECTORS)[number];
      const { text } = await signWith(vector.signer, folder, { ...job, ...vector });
      sound.set(name, await readRecords(text, name));
    }
  });

  async function accepting(zone: Zone, csk: boolean): Promise<CheckerName[]> {
    const written = await writeZone(folder, 'fault', zone);
    const verdicts = await Promise.all(
      CHECKERS.map((checker) => checkFile(checker, { apex: 'example', csk }, written)),
    );
    return CHECKERS.filter((_, i) => verdicts[i] === undefined);
  }

  const cases: readonly RuleCase[] = [...ZONE_CASES, ...DENIAL_CASES];
  it.each(cases)('$rule: $title', async (entry) => {
    const zone = await buildCase(entry, sound.get(entry.vector ?? NSEC) as Zone, now);
    const report = await verifyZone(zone, { apex: APEX, now, ...entry.options });
    expect(report.faults.map((fault) => fault.rule)).toContain(entry.rule);
    const csk = entry.resign !== false && (entry.resign?.keys?.length ?? 1) === 1;
    const unsteady = UNSTEADY[entry.title];
    const accepted = (await accepting(zone, csk)).filter((checker) => checker !== unsteady);
    expect(accepted).toEqual(ACCEPTED_BY[entry.title] ?? []);
  });

  it.each([NSEC, NSEC3])('of one bit in signed data or a signature is seen by all (%s)', async (name) => {
    const zone = sound.get(name) as Zone;
    // the DNSKEY RRset may have two signatures, of which one would do
    const isChosen = (record: VerifiableRecord) =>
      / IN RRSIG (?!DNSKEY)/.test(show(record)) || / IN (A|AAAA|TXT|CAA) /.test(show(record));
    const isOccluded = (record: VerifiableRecord) => /^([^ ]*\.)?sub\.example\. /.test(show(record));
    const chosen = zone.filter((record) => isChosen(record) && !isOccluded(record));
    for (const [i, record] of chosen.entries()) {
      if (i % 4 !== 0) continue;
      const rdata = record.rdata.slice();
      const at = rdata.length - 1; // the end of the signature or of the data
      rdata[at] = (rdata[at] as number) ^ (1 << (i % 8));
      const changed = zone.map((other) => (other === record ? { ...record, rdata } : other));
      expect((await verifyZone(changed, { apex: APEX, now })).ok, show(record)).toBe(false);
      expect(await accepting(changed, false), show(record)).toEqual([]);
    }
  });
});
