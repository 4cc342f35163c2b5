import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeZone } from '../../bench/zone.js';
import type { ValidatorName } from '../lib/validators.js';
import { refusals } from './acceptance.js';
import { type AlterationName, alterBy } from './alterations.js';
import { type CorpusZone, VIEW } from './corpus.js';
import { editionTitle } from './judges.js';
import type { ValidatorLab } from './lab.js';
import { SIGNED, type Variant } from './variants.js';

const APEX = 'names.example.';
const NAMES = 100_000;
/** Of one program with one zone, on a busy machine. */
const PATIENCE = 300_000;

/** Each takes a quarter of a minute and more; kzonesign would do what kzonecheck does once more. */
const JUDGES: readonly ValidatorName[] = ['ldns-verify-zone', 'dnssec-verify', 'kzonecheck', 'zoneseal'];

/** Another change in each, shown to Zoneseal's verifier and to one of the others. */
const CHANGES: Readonly<
  Record<Variant['denial'], { readonly kind: AlterationName; readonly judges: readonly ValidatorName[] }>
> = {
  nsec: { kind: 'next', judges: ['zoneseal', 'ldns-verify-zone'] },
  nsec3: { kind: 'data', judges: ['zoneseal', 'dnssec-verify'] },
  'opt-out': { kind: 'missing denial', judges: ['zoneseal', 'kzonecheck'] },
};

const VARIANTS = SIGNED.filter(({ algorithm, keys }) => algorithm === 13 && keys === 'split');

/** The zone of the benchmark. */
export function describeHundredThousand(lab: () => ValidatorLab): void {
  describe('100,000 names', () => {
    let zone: CorpusZone;

    beforeAll(async () => {
      const file = join(lab().folder, 'names.master');
      await writeZone(file, APEX, NAMES);
      zone = { name: 'names', apex: APEX, content: { file }, views: [VIEW] };
      await lab().add(zone);
    }, PATIENCE);

    it.each(VARIANTS.map((variant) => ({ title: editionTitle('names', variant), variant })))(
      '$title',
      async ({ variant }) => {
        const [edition] = await lab().publish(zone, variant);
        if (edition === undefined) throw new Error('nothing was published');
        expect(await refusals(edition, JUDGES, 'accepted', PATIENCE)).toEqual([]);
        const { kind, judges } = CHANGES[variant.denial];
        const copy = alterBy(kind, edition.records, NAMES);
        if (copy === undefined) throw new Error('nothing can be changed');
        const file = edition.file.replace(/\.zone$/, '.altered.zone');
        writeFileSync(file, copy.text);
        expect(await refusals({ ...edition, file }, judges, 'rejected', PATIENCE), copy.what).toEqual([]);
        lab().forget(zone);
      },
      PATIENCE * JUDGES.length,
    );
  });
}
