/** The ways in which the zones of this suite are signed. */
import type { CorpusZone } from './corpus.js';

export const ALGORITHMS = [8, 10, 13, 14, 15, 16] as const;
export const KEY_KINDS = ['split', 'csk'] as const;
export const DENIALS = ['nsec', 'nsec3', 'opt-out'] as const;

export type AlgorithmNumber = (typeof ALGORITHMS)[number];
export type KeyKind = (typeof KEY_KINDS)[number];
export type Denial = (typeof DENIALS)[number];

export interface Variant {
  readonly algorithm: AlgorithmNumber;
  readonly keys: KeyKind;
  readonly denial: Denial;
  /** Whether a ZONEMD record is asked for of zones that do not have one always. */
  readonly zonemd: boolean;
}

/** Every algorithm with split keys and a CSK, with NSEC, NSEC3 and NSEC3 with opt-out. */
export const SIGNED: readonly Variant[] = ALGORITHMS.flatMap((algorithm) =>
  KEY_KINDS.flatMap((keys) => DENIALS.map((denial) => ({ algorithm, keys, denial, zonemd: false }))),
);

/** The same with ZONEMD for one algorithm. */
export const WITH_ZONEMD: readonly Variant[] = DENIALS.map((denial) => ({
  algorithm: 13,
  keys: 'split',
  denial,
  zonemd: true,
}));

/** Such as `13 split nsec3 zonemd`. */
export function titleOf({ algorithm, keys, denial, zonemd }: Variant): string {
  return `${algorithm} ${keys} ${denial}${zonemd ? ' zonemd' : ''}`;
}

export const hasZonemd = (zone: CorpusZone, variant: Variant): boolean =>
  zone.zonemd === true || variant.zonemd;

/** Parameters of NSEC3, none with NSEC. */
export function nsec3Of(
  zone: CorpusZone,
  { denial }: Variant,
): { readonly salt: string; readonly iterations: number; readonly optOut: boolean } | undefined {
  if (denial === 'nsec') return undefined;
  return { salt: '', iterations: 0, ...zone.nsec3, optOut: denial === 'opt-out' };
}

/** The policy by which a zone is signed so: its name, and what `zoneseal policy set` is given. */
export function policyOf(
  zone: CorpusZone,
  variant: Variant,
): { readonly name: string; readonly document: Readonly<Record<string, unknown>> } {
  const zonemd = hasZonemd(zone, variant);
  const nsec3 = nsec3Of(zone, variant);
  const words = [
    variant.denial,
    ...(nsec3?.salt ? [nsec3.salt, `${nsec3.iterations}`] : []),
    ...(zonemd ? ['zonemd'] : []),
  ];
  const denial = nsec3 === undefined ? { denial: 'nsec' } : { denial: 'nsec3', nsec3 };
  return { name: words.join('-'), document: { ...denial, zonemd, serial: 'unixtime' } };
}
