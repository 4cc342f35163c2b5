import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge, type SignedFile, type ValidatorName, type Verdict } from '../lib/validators.js';
import { alter } from './alterations.js';
import { CORPUS, type CorpusZone } from './corpus.js';
import { editionTitle, judgesOf } from './judges.js';
import type { ValidatorLab } from './lab.js';
import { describeSigning, wantedSigning } from './signing.js';
import { SIGNED, type Variant, WITH_ZONEMD } from './variants.js';

interface Case {
  readonly title: string;
  readonly zone: CorpusZone;
  readonly variant: Variant;
  /** Its place in the list, so that each copy is changed in another way. */
  readonly turn: number;
}

/** Neighbours are of different zones, since each zone is signed in one way at a time; the second zone of an apex comes last. */
function casesOf(variants: readonly Variant[]): Case[] {
  const second = CORPUS.filter((zone, i) => CORPUS.findIndex(({ apex }) => apex === zone.apex) < i);
  const first = CORPUS.filter((zone) => !second.includes(zone));
  return [first, second]
    .flatMap((zones) =>
      variants.flatMap((variant) =>
        zones
          .filter((zone) => !(variant.zonemd && zone.zonemd === true))
          .map((zone) => ({ title: editionTitle(zone.name, variant), zone, variant })),
      ),
    )
    .map((each, turn) => ({ ...each, turn }));
}

/** Every zone in every way of signing, and a copy of each with one bit changed. */
export function describeAcceptance(lab: () => ValidatorLab): void {
  describe('every validator that can judge it accepts, and rejects when one bit is changed', () => {
    it.concurrent.each(casesOf([...SIGNED, ...WITH_ZONEMD]))('$title', async ({ zone, variant, turn }) => {
      for (const edition of await lab().publish(zone, variant)) {
        expect(describeSigning(edition.records)).toEqual(wantedSigning(edition, lab().keys));
        const judges = judgesOf(edition);
        expect(await refusals(edition, judges, 'accepted')).toEqual([]);
        const { text, what, blind } = alter(edition, turn);
        const file = edition.file.replace(/\.zone$/, '.altered.zone');
        writeFileSync(file, text);
        const seeing = judges.filter((it) => !blind.includes(it));
        expect(await refusals({ ...edition, file }, seeing, 'rejected'), what).toEqual([]);
      }
    });
  });
}

/** What those said whose verdict is not the one that is wanted. */
export async function refusals(
  edition: SignedFile,
  judges: readonly ValidatorName[],
  wanted: Verdict['outcome'],
  timeoutMilliseconds?: number,
): Promise<string[]> {
  const verdicts = await Promise.all(judges.map((it) => judge(it, edition, timeoutMilliseconds)));
  return verdicts.flatMap(({ outcome, said }, i) =>
    outcome === wanted ? [] : [`${judges[i]} ${outcome} ${edition.file}: ${said}`],
  );
}
