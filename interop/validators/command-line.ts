import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { judgeByCommand, type SignedFile } from '../lib/validators.js';
import { refusals } from './acceptance.js';
import { ALTERATION_NAMES, alterBy } from './alterations.js';
import { CORPUS, type CorpusZone, masterTextOf, VIEW, zoneCalled } from './corpus.js';
import { editionTitle, judgesOf } from './judges.js';
import type { ValidatorLab } from './lab.js';
import { shapeOf, shapeOfFile } from './shape.js';
import { hasZonemd, nsec3Of, SIGNED, type Variant, WITH_ZONEMD } from './variants.js';

/** Each zone in another way, so that every way comes once and more. */
const CASES = [
  ...CORPUS.map((zone, i) => ({ zone, variant: SIGNED[(i * 5) % SIGNED.length] as Variant })),
  ...WITH_ZONEMD.map((variant) => ({ zone: zoneCalled('cuts'), variant })),
].map(({ zone, variant }) => ({ title: editionTitle(zone.name, variant), zone, variant }));

/** `zoneseal sign` and `zoneseal verify` as an operator runs them, without database and gateway. */
export function describeCommandLine(lab: () => ValidatorLab): void {
  describe('zoneseal sign makes what the gateway sends, and every validator accepts it', () => {
    it.concurrent.each(CASES)('$title', async ({ zone, variant }) => {
      const signed = await signByCommand(lab(), zone, variant);
      const edition = (await lab().publish(zone, variant)).find(({ view }) => view === VIEW);
      expect(await shapeOfFile(signed.file, zone.apex)).toEqual(shapeOf(edition?.records ?? []));
      const subject = { zone, variant, view: VIEW, records: [], ...signed };
      expect(await refusals(subject, judgesOf(subject), 'accepted')).toEqual([]);
      expect(await judgeByCommand(signed)).toMatchObject({ outcome: 'accepted' });
    });
  });

  describe('zoneseal verify rejects one bit changed', () => {
    it.concurrent.each(ALTERATION_NAMES)('%s', async (kind) => {
      for (const variant of WITH_ZONEMD) {
        const [edition] = await lab().publish(zoneCalled('cuts'), variant);
        const copy = edition && alterBy(kind, edition.records, 1);
        if (edition === undefined || copy === undefined) continue;
        const file = edition.file.replace(/\.zone$/, `.${kind.replaceAll(' ', '_')}.zone`);
        writeFileSync(file, copy.text);
        const { outcome, said } = await judgeByCommand({ ...edition, file });
        expect(outcome, `${copy.what}\n${said}`).toBe('rejected');
      }
    });
  });
}

async function signByCommand(lab: ValidatorLab, zone: CorpusZone, variant: Variant): Promise<SignedFile> {
  const name = editionTitle(zone.name, variant).replaceAll(/\W+/g, '-');
  const folder = join(lab.folder, `sign-${name}`);
  mkdirSync(folder);
  lab.writeKeyFiles(join(folder, 'keys'), zone.apex, variant);
  const nsec3 = nsec3Of(zone, variant);
  const zonemd = hasZonemd(zone, variant);
  const input = join(folder, 'unsigned.zone');
  const file = join(folder, 'signed.zone');
  writeFileSync(input, masterTextOf(zone, VIEW), 'latin1');
  await lab.gateway.command([
    'sign',
    input,
    '--zone',
    zone.apex,
    '--keys',
    join(folder, 'keys'),
    '--output',
    file,
    ...(nsec3 === undefined ? ['--nsec'] : ['--nsec3', '--iterations', `${nsec3.iterations}`]),
    ...(nsec3?.salt ? ['--salt', nsec3.salt] : []),
    ...(nsec3?.optOut === true ? ['--opt-out'] : []),
    ...(zonemd ? ['--zonemd'] : []),
  ]);
  return { apex: zone.apex, file, isCsk: variant.keys === 'csk', hasZonemd: zonemd };
}
