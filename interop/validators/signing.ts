/** How a zone is signed, as its records show it: that the gateway sent what was asked for, and not an edition before. */
import type { ResourceRecord } from '../../src/dns/record.js';
import { RRType } from '../../src/dns/types.js';
import { keyTag } from '../../src/dnssec/dnskey.js';
import { keySetName, type SuiteKeys } from './keys.js';
import type { Edition } from './lab.js';
import { hasZonemd, nsec3Of } from './variants.js';

export interface Signing {
  /** `flags tag` of the DNSKEY records, sorted. */
  readonly keys: readonly string[];
  /** Algorithms of the signatures. */
  readonly algorithms: readonly string[];
  readonly denial: 'nsec' | 'nsec3' | 'both' | 'none';
  /** `flags iterations salt` of the NSEC3 records. */
  readonly parameters: readonly string[];
  readonly hasZonemd: boolean;
}

const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

export function describeSigning(records: readonly ResourceRecord[]): Signing {
  const of = (type: number): ResourceRecord[] => records.filter((it) => it.type === type);
  const apex = of(RRType.SOA)[0]?.owner;
  const nsec = of(RRType.NSEC).length > 0;
  const nsec3 = of(RRType.NSEC3);
  return {
    keys: sorted(
      of(RRType.DNSKEY).map(({ rdata }) => `${Buffer.from(rdata).readUInt16BE(0)} ${keyTag(rdata)}`),
    ),
    algorithms: sorted(of(RRType.RRSIG).map(({ rdata }) => `${rdata[2]}`)),
    denial: nsec3.length > 0 ? (nsec ? 'both' : 'nsec3') : nsec ? 'nsec' : 'none',
    parameters: sorted(
      nsec3.map(({ rdata }) => {
        const octets = Buffer.from(rdata);
        const salt = octets.subarray(5, 5 + octets.readUInt8(4)).toString('hex');
        return `${octets.readUInt8(1)} ${octets.readUInt16BE(2)} ${salt}`;
      }),
    ),
    hasZonemd: of(RRType.ZONEMD).some(({ owner }) => apex !== undefined && owner.equals(apex)),
  };
}

export function wantedSigning(
  { zone, variant }: Pick<Edition, 'zone' | 'variant'>,
  keys: SuiteKeys,
): Signing {
  const nsec3 = nsec3Of(zone, variant);
  const set = keys.get(keySetName(variant.algorithm, variant.keys)) ?? [];
  return {
    keys: sorted(set.map(({ dnskey, tag }) => `${dnskey.split(' ')[0]} ${tag}`)),
    algorithms: [`${variant.algorithm}`],
    denial: nsec3 === undefined ? 'nsec' : 'nsec3',
    parameters: nsec3 === undefined ? [] : [`${nsec3.optOut ? 1 : 0} ${nsec3.iterations} ${nsec3.salt}`],
    hasZonemd: hasZonemd(zone, variant),
  };
}
