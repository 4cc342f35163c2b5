import { describe, expect, it } from 'vitest';
import { CORPUS, type CorpusZone } from './corpus.js';
import { editionTitle } from './judges.js';
import type { ValidatorLab } from './lab.js';
import { type SignerName, signByOther } from './other-signers.js';
import { shapeOf, shapeOfFile } from './shape.js';
import { SIGNED, type Variant, WITH_ZONEMD } from './variants.js';

/** What another signer does otherwise, and is not compared with. */
interface Unlike {
  readonly signer: SignerName;
  readonly zones: readonly string[] | 'all';
  readonly when?: (variant: Variant) => boolean;
  readonly reason: string;
}

const UNLIKE: readonly Unlike[] = [
  {
    signer: 'ldns-signzone',
    zones: 'all',
    when: ({ denial }) => denial === 'opt-out',
    reason: 'ldns-signzone 1.8 sets the opt-out flag and leaves nothing out',
  },
  {
    signer: 'ldns-signzone',
    zones: ['elsewhere'],
    reason: 'ldns-signzone 1.8 signs CDS and CDNSKEY with the KSK, wherever they are',
  },
  {
    signer: 'ldns-signzone',
    zones: ['escapes', 'octets'],
    reason: 'ldns 1.8 writes names with a quotation mark, or reads a lone @, as something else',
  },
  {
    signer: 'dnssec-signzone',
    zones: ['escapes'],
    when: ({ denial }) => denial !== 'nsec',
    reason: 'dnssec-signzone 9.18 wants room for a wildcard below a name of 255 octets',
  },
  {
    signer: 'kzonesign',
    zones: ['octets'],
    when: ({ denial }) => denial === 'nsec',
    reason: 'Knot DNS 3.2 puts the label \\000\\000 before names below \\000',
  },
];

/** All zones with one algorithm, ZONEMD too, and one zone with all. */
const CASES: readonly { readonly zone: CorpusZone; readonly variant: Variant }[] = [
  ...CORPUS.flatMap((zone) =>
    SIGNED.filter(
      ({ algorithm, keys }) => (algorithm === 13 && keys === 'split') || zone.name === 'cuts',
    ).map((variant) => ({ zone, variant })),
  ),
  ...WITH_ZONEMD.map((variant) => ({ zone: CORPUS[0] as CorpusZone, variant })),
];

/** The records beside those that other signers make of the same zone with the same keys. */
export function describeComparison(lab: () => ValidatorLab): void {
  describe('the records are those of ldns-signzone, kzonesign and dnssec-signzone', () => {
    it.concurrent.each(
      CASES.map(({ zone, variant }) => ({ title: editionTitle(zone.name, variant), zone, variant })),
    )('$title', async ({ zone, variant }) => {
      for (const edition of await lab().publish(zone, variant)) {
        const ours = shapeOf(edition.records);
        for (const signer of signersFor(zone, variant)) {
          const { file } = await signByOther(signer, lab(), zone, edition.view, variant);
          const theirs = await shapeOfFile(file, zone.apex);
          expect(difference(ours, theirs), `Zoneseal (+) and ${signer} (-)`).toEqual([]);
        }
      }
    });
  });
}

function signersFor(zone: CorpusZone, variant: Variant): SignerName[] {
  const zonemd = zone.zonemd === true || variant.zonemd;
  const able: SignerName[] = zonemd
    ? ['ldns-signzone', 'kzonesign']
    : ['ldns-signzone', 'kzonesign', 'dnssec-signzone'];
  return able.filter(
    (signer) =>
      !UNLIKE.some(
        (it) =>
          it.signer === signer &&
          (it.zones === 'all' || it.zones.includes(zone.name)) &&
          (it.when?.(variant) ?? true),
      ),
  );
}

function difference(ours: readonly string[], theirs: readonly string[]): string[] {
  const [own, other] = [new Set(ours), new Set(theirs)];
  return [
    ...ours.filter((line) => !other.has(line)).map((line) => `+ ${line}`),
    ...theirs.filter((line) => !own.has(line)).map((line) => `- ${line}`),
  ];
}
