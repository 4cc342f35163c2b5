/** Which validator judges which zone, and why others do not. */
import { VALIDATORS, type ValidatorName } from '../lib/validators.js';
import type { Edition } from './lab.js';
import { titleOf, type Variant } from './variants.js';

/** Zones, or ways of signing, that a validator cannot judge. `exclusions.ts` shows that it rejects what another signer made, too. */
export interface Exclusion {
  readonly validator: ValidatorName;
  readonly zones: readonly string[] | 'all';
  readonly when?: (variant: Pick<Variant, 'algorithm' | 'denial'>, hasZonemd: boolean) => boolean;
  readonly reason: string;
  /** One zone and way of signing in which another signer's work shows it. */
  readonly shown: { readonly zone: string; readonly variant: Variant; readonly view?: string };
}

const shown = (zone: string, variant: Partial<Variant> = {}): Exclusion['shown'] => ({
  zone,
  variant: { algorithm: 13, keys: 'split', denial: 'nsec', zonemd: false, ...variant },
});

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    validator: 'validns',
    zones: 'all',
    when: ({ algorithm }) => algorithm !== 8 && algorithm !== 10,
    reason: 'validns 0.8 rejects sound signatures of P-256, P-384, Ed25519 and Ed448',
    shown: shown('rfc4035'),
  },
  {
    validator: 'validns',
    zones: 'all',
    when: (_, hasZonemd) => hasZonemd,
    reason: 'validns 0.8 does not know ZONEMD',
    shown: shown('zonemd', { algorithm: 8, zonemd: true }),
  },
  {
    validator: 'validns',
    zones: ['quickstart', 'more-types'],
    reason:
      'validns 0.8 does not know CAA, HTTPS and other types, and lower-cases LP or SIG otherwise than RFC 6840 says',
    shown: shown('more-types', { algorithm: 8 }),
  },
  {
    validator: 'validns',
    zones: ['elsewhere'],
    reason: 'validns 0.8 does not know CDS and CDNSKEY',
    shown: shown('elsewhere', { algorithm: 8 }),
  },
  {
    validator: 'validns',
    zones: ['escapes', 'octets'],
    reason: 'validns 0.8 reads no escapes in names',
    shown: shown('escapes', { algorithm: 8 }),
  },
  {
    validator: 'validns',
    zones: ['rfc5155'],
    when: ({ denial }) => denial !== 'nsec',
    reason: 'validns 0.8 takes an NSEC3 record for data where its owner is a name of the zone too',
    shown: shown('rfc5155', { algorithm: 8, denial: 'nsec3' }),
  },
  {
    validator: 'validns',
    zones: ['odd-cuts'],
    reason: 'validns 0.8 reads no asterisk but in front, and wants data beside a delegation in the bitmap',
    shown: shown('odd-cuts', { algorithm: 8 }),
  },
  {
    validator: 'validns',
    zones: ['root'],
    reason: 'validns 0.8 takes no name to be below the root',
    shown: shown('root', { algorithm: 8 }),
  },
  {
    validator: 'validns',
    zones: ['large'],
    reason: 'validns 0.8 has no room for records this large',
    shown: shown('large', { algorithm: 8 }),
  },
  {
    validator: 'ldns-verify-zone',
    zones: ['octets'],
    reason:
      'ldns 1.8 reads no owner of more than 255 characters, and takes a lone @ for the origin, however escaped',
    shown: shown('octets'),
  },
  {
    validator: 'ldns-verify-zone',
    zones: ['root'],
    when: ({ denial }, hasZonemd) => hasZonemd && denial !== 'nsec',
    reason:
      'ldns 1.8 goes round in circles when it digests some zones with names below delegations and NSEC3',
    shown: shown('root', { denial: 'nsec3', zonemd: true }),
  },
  {
    validator: 'ldns-verify-zone',
    zones: ['quickstart'],
    when: ({ denial }, hasZonemd) => hasZonemd && denial === 'opt-out',
    reason:
      'ldns 1.8 goes round in circles when it digests some zones with names below delegations and NSEC3',
    shown: { ...shown('quickstart', { denial: 'opt-out', zonemd: true }), view: 'internal' },
  },
  {
    validator: 'kzonecheck',
    zones: ['octets'],
    when: ({ denial }) => denial === 'nsec',
    reason: 'Knot DNS 3.2 puts the label \\000\\000 before names below \\000',
    shown: shown('octets'),
  },
  {
    validator: 'kzonesign',
    zones: ['octets'],
    when: ({ denial }) => denial === 'nsec',
    reason: 'Knot DNS 3.2 puts the label \\000\\000 before names below \\000',
    shown: shown('octets'),
  },
  {
    validator: 'kzonecheck',
    zones: ['elsewhere'],
    reason: 'kzonecheck 3.2 compares CDS and CDNSKEY with the DNSKEY of the apex wherever they are',
    shown: shown('elsewhere'),
  },
];

/** Whether an exclusion is about a zone that is signed in one way. */
export function isExcluded(
  { zones, when }: Exclusion,
  zone: string,
  variant: Pick<Variant, 'algorithm' | 'denial'>,
  hasZonemd: boolean,
): boolean {
  return (zones === 'all' || zones.includes(zone)) && (when?.(variant, hasZonemd) ?? true);
}

/** The validators that judge an edition of a zone. */
export function judgesOf({
  zone,
  variant,
  hasZonemd,
}: Pick<Edition, 'zone' | 'variant' | 'hasZonemd'>): ValidatorName[] {
  return VALIDATORS.filter(
    (validator) =>
      !EXCLUSIONS.some((it) => it.validator === validator && isExcluded(it, zone.name, variant, hasZonemd)),
  );
}

/** What a test is called. */
export const editionTitle = (zone: string, variant: Variant): string => `${zone}, ${titleOf(variant)}`;
