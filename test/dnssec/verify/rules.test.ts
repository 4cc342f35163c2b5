/** One zone a rule, with nothing else wrong: what a change breaks is signed anew, so that no signature gives it away. */
import { describe, expect, it } from 'vitest';
import { RRType, typeToText } from '../../../src/dns/types.js';
import { VERIFY_RULES, type VerifyRule, verifyZone } from '../../../src/dnssec/verify/index.js';
import { covered, makeKey, resign } from './resign.js';
import { buildCase, ksk, NSEC, NSEC3, OPT_OUT, other, type RuleCase, zsk } from './rule-case.js';
import { DENIAL_CASES } from './rule-cases-denial.js';
import { ZONE_CASES } from './rule-cases-zone.js';
import { APEX, readVector, VECTOR_NOW } from './vectors.js';

const cases: readonly RuleCase[] = [...ZONE_CASES, ...DENIAL_CASES];

describe.each(cases)('$rule: $title', (entry) => {
  it(`is found at ${entry.at}`, async () => {
    const zone = await buildCase(entry, await readVector(entry.vector ?? NSEC), VECTOR_NOW);
    const report = await verifyZone(zone, { apex: APEX, now: VECTOR_NOW, ...entry.options });
    const found = report.faults.filter((fault) => fault.rule === entry.rule);
    const shown = report.faults
      .map((f) => `${f.severity} ${f.owner} ${f.type} ${f.rule}: ${f.message}`)
      .join('\n');
    expect(
      found.map((fault) => `${fault.owner} ${fault.type ?? ''}`.trim()),
      shown,
    ).toContainEqual(
      entry.at === 'NSEC3' ? expect.stringMatching(/^[0-9a-v]{32}\.example\. NSEC3$/) : entry.at,
    );
    expect(found.map((fault) => fault.severity)).toContain(entry.severity ?? 'error');
    expect(report.ok, shown).toBe(!report.faults.some((fault) => fault.severity === 'error'));
    // what else is found has been foreseen, or follows from a signature that the change broke
    const allowed = new Set<VerifyRule>([
      entry.rule,
      ...(entry.also ?? []),
      ...(entry.resign === false ? ['rrsig-bogus' as const] : []),
    ]);
    expect(
      [...new Set(report.faults.map((fault) => fault.rule))].filter((rule) => !allowed.has(rule)),
      shown,
    ).toEqual([]);
    for (const rule of entry.also ?? [])
      expect(
        report.faults.map((fault) => fault.rule),
        shown,
      ).toContain(rule);
  });
});

describe('the rules', () => {
  it('have a case each, but for what cannot be made', () => {
    // two names of one SHA-1 hash are nowhere to be had
    const unmade: VerifyRule[] = ['nsec3-collision'];
    const made = new Set(cases.map((entry) => entry.rule));
    expect(
      Object.keys(VERIFY_RULES)
        .filter((rule) => !made.has(rule as VerifyRule))
        .sort(),
    ).toEqual(unmade.sort());
  });

  it('find nothing in a zone that was signed anew', async () => {
    for (const vector of [NSEC, NSEC3, OPT_OUT]) {
      const zone = resign(await readVector(vector), { keys: [ksk, zsk, other, makeKey(13, 256)] });
      const report = await verifyZone(zone, { apex: APEX, now: VECTOR_NOW });
      expect(report.faults).toEqual([]);
      const types = new Set(zone.filter((r) => r.type === RRType.RRSIG).map((r) => typeToText(covered(r))));
      expect(types).toContain('DNSKEY');
    }
  });
});
