import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge } from '../lib/validators.js';
import { ALTERATION_NAMES, alterBy, blindTo } from './alterations.js';
import { VIEW, zoneCalled } from './corpus.js';
import { EXCLUSIONS, editionTitle, isExcluded } from './judges.js';
import type { ValidatorLab } from './lab.js';
import { signByOther } from './other-signers.js';
import { hasZonemd, SIGNED } from './variants.js';

/** Short, since one of them never ends. */
const TIMEOUT = 8000;

/** Who is not asked about a zone would reject it from any signer; once one does not, it can be asked. */
export function describeExclusions(lab: () => ValidatorLab): void {
  describe('a validator that is not asked rejects what other signers make of the same zone', () => {
    it.concurrent.each(
      EXCLUSIONS.map((exclusion) => ({
        title: `${exclusion.validator}: ${editionTitle(exclusion.shown.zone, exclusion.shown.variant)}`,
        exclusion,
      })),
    )('$title', async ({ exclusion }) => {
      const { zone: name, variant } = exclusion.shown;
      const zone = zoneCalled(name);
      const digested = hasZonemd(zone, variant);
      expect(isExcluded(exclusion, name, variant, digested)).toBe(true);
      // dnssec-signzone makes no ZONEMD, and kzonesign puts names with octet 0 in another order
      const signer = digested ? 'kzonesign' : 'dnssec-signzone';
      const signed = await signByOther(signer, lab(), zone, exclusion.shown.view ?? VIEW, variant);
      const { outcome, said } = await judge(exclusion.validator, signed, TIMEOUT);
      expect(outcome, said).not.toBe('accepted');
    });
  });

  describe('a validator that is not shown a change does not look at it', () => {
    const blind = ALTERATION_NAMES.flatMap((kind) =>
      blindTo(kind).map((validator) => ({ title: `${validator}: ${kind}`, kind, validator })),
    );
    it.concurrent.each(blind)('$title', async ({ kind, validator }) => {
      // of an algorithm that all validators know; glue needs a digest to be seen by any
      const zone = zoneCalled(kind === 'glue' ? 'zonemd' : 'rfc4035');
      const variant = SIGNED.find(({ algorithm, denial }) => algorithm === 8 && denial === 'nsec');
      const [edition] = variant === undefined ? [] : await lab().publish(zone, variant);
      const copy = edition && alterBy(kind, edition.records, 0);
      if (edition === undefined || copy === undefined) throw new Error(`nothing to change: ${kind}`);
      const file = edition.file.replace(/\.zone$/, `.${validator}.zone`);
      writeFileSync(file, copy.text);
      expect(await judge(validator, { ...edition, file })).toMatchObject({ outcome: 'accepted' });
    });
  });
}
