/** A view of a zone as another signer makes it from the stored rows alone, and as Zoneseal's own command does. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceRecord } from '../../src/dns/record.js';
import type { CorpusZone } from '../validators/corpus.js';
import { type SuiteKeys, writeKeys } from '../validators/keys.js';
import { writeMasterFile, writeUnsigned } from '../validators/lab.js';
import { type SignerName, signByOther } from '../validators/other-signers.js';
import { shapeOf, shapeOfFile } from '../validators/shape.js';
import { nsec3Of, type Variant } from '../validators/variants.js';
import type { GatewayProcess } from './gateway.js';
import type { StoredRow } from './random-zone.js';
import { judge, type ValidatorName } from './validators.js';

/** A zone that is judged: how it is signed, with keys that other signers have too. */
export interface JudgedZone {
  readonly apex: string;
  readonly variant: Variant;
  readonly keys: SuiteKeys;
  /** Where files may be put. */
  readonly folder: string;
}

/** Who signs a zone as we do; ldns-signzone 1.8 leaves nothing out with opt-out (interop/validators/comparison.ts). */
export const signersOf = ({ denial }: Variant): readonly SignerName[] =>
  denial === 'opt-out' ? ['dnssec-signzone', 'kzonesign'] : ['ldns-signzone', 'dnssec-signzone'];

/** What another signer makes of rows, as lines without what time and chance decide. */
export async function shapeFromScratch(
  zone: JudgedZone,
  view: string,
  rows: readonly StoredRow[],
  signer: SignerName,
): Promise<string[]> {
  const place = {
    folder: zone.folder,
    writeKeyFiles: (folder: string, apex: string): string[] => writeKeys(folder, apex, keysOf(zone)),
  };
  const signed = await signByOther(signer, place, corpusZone(zone, rows), view, zone.variant);
  return shapeOfFile(signed.file, zone.apex);
}

/** The same by `zoneseal sign`, which knows neither database nor publications. */
export async function shapeByCommand(
  zone: JudgedZone,
  view: string,
  rows: readonly StoredRow[],
  gateway: GatewayProcess,
): Promise<string[]> {
  const folder = mkdtempSync(join(zone.folder, 'zoneseal-'));
  const unsigned = join(folder, 'unsigned.zone');
  const out = join(folder, 'signed.zone');
  await writeUnsigned(unsigned, corpusZone(zone, rows), view);
  writeKeys(join(folder, 'keys'), zone.apex, keysOf(zone));
  const { denial } = zone.variant;
  const options = denial === 'nsec' ? [] : ['--nsec3', ...(denial === 'opt-out' ? ['--opt-out'] : [])];
  await gateway.command([
    'sign',
    unsigned,
    '--zone',
    zone.apex,
    '--keys',
    join(folder, 'keys'),
    '--output',
    out,
    ...options,
  ]);
  return shapeOfFile(out, zone.apex);
}

/** What records have and other lines do not, and the other way round; nothing when they are the same. */
export function differences(records: readonly ResourceRecord[], others: readonly string[]): string[] {
  const ours = shapeOf(records);
  const [own, other] = [new Set(ours), new Set(others)];
  return [
    ...ours.filter((line) => !other.has(line)).map((line) => `+ ${line}`),
    ...others.filter((line) => !own.has(line)).map((line) => `- ${line}`),
  ];
}

/** What validators have against records; nothing when all accept them. */
export async function objections(
  zone: JudgedZone,
  title: string,
  records: readonly ResourceRecord[],
  validators: readonly ValidatorName[] = ['ldns-verify-zone', 'dnssec-verify'],
): Promise<string[]> {
  const file = join(mkdtempSync(join(zone.folder, 'dump-')), 'dump.zone');
  await writeMasterFile(file, records);
  const signed = {
    apex: zone.apex,
    file,
    isCsk: zone.variant.keys === 'csk',
    hasZonemd: zone.variant.zonemd,
  };
  const verdicts = await Promise.all(
    validators.map(async (validator) => ({ validator, ...(await judge(validator, signed)) })),
  );
  return verdicts
    .filter(({ outcome }) => outcome !== 'accepted')
    .map(({ validator, outcome, said }) => `${title}: ${validator} ${outcome}: ${said}\n${file}`);
}

/** The policy that signs a zone so, as `zoneseal policy set` takes it. */
export function policyDocument(apex: string, variant: Variant): Record<string, unknown> {
  const { iterations, salt, optOut } = nsec3Of(corpusZone({ apex }, []), variant) ?? {};
  return {
    denial: variant.denial === 'nsec' ? 'nsec' : 'nsec3',
    ...(variant.denial === 'nsec' ? {} : { nsec3: { iterations, salt, optOut } }),
    zonemd: variant.zonemd,
  };
}

function keysOf({ keys, variant }: JudgedZone): NonNullable<ReturnType<SuiteKeys['get']>> {
  return keys.get(`${variant.algorithm} ${variant.keys}`) ?? [];
}

function corpusZone({ apex }: { readonly apex: string }, rows: readonly StoredRow[]): CorpusZone {
  // a master file begins with the apex
  const ordered = [...rows].sort((a, b) => Number(b.owner === apex) - Number(a.owner === apex));
  return { name: apex, apex, content: { rows: ordered }, views: ['internal', 'external'] };
}
