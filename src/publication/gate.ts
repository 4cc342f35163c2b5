import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import type { SigningResult } from '../signing/sign-zone.js';
import type { Publication } from './ports.js';
import { serialIn } from './soa-fields.js';

/** What was written for a publication. */
export interface Counted {
  /** RRsets by type, RRSIGs not counted. */
  readonly rrsets: Map<number, number>;
  /** Records, RRSIGs among them. */
  records: number;
}

/** What the gate looks at, gathered while the publication was made. */
export interface GateInput {
  readonly publication: Publication;
  readonly result: SigningResult;
  readonly counted: Counted;
  readonly isSigned: boolean;
}

/** Refuses a publication for a reason. @throws ZonesealError PUBLICATION_REFUSED_BY_GATE */
export type Refuse = (reason: string) => never;

/** How a publication is refused; its error names zone, view and serial. */
export function refuser({ zone, view, serial }: Publication): Refuse {
  return (reason) => {
    throw new ZonesealError(
      'PUBLICATION_REFUSED_BY_GATE',
      `zone ${zone} in view ${view}, serial ${serial}: ${reason}; the publication before it goes on being served`,
      { zone, view, serial, reason },
    );
  };
}

/**
 * The checks that a publication made as a whole passes before a nameserver can have it. They hold what was written against
 * what was signed and frozen, so that a fault between the two cannot reach a nameserver.
 * @throws ZonesealError PUBLICATION_REFUSED_BY_GATE
 */
export function passGate({ publication, result, counted, isSigned }: GateInput): void {
  const refuse = refuser(publication);
  const count = (type: number): number => counted.rrsets.get(type) ?? 0;
  const { rrset, signatures } = result.soa;
  const serial = serialIn(rrset.rdata[0] as Uint8Array);
  if (serial !== publication.serial) refuse(`the SOA says serial ${serial}`);
  if (count(RRType.SOA) !== 1) refuse(`it has ${count(RRType.SOA)} SOA RRsets and not one`);
  const { zonemd } = result;
  const records = counted.records + (zonemd === undefined ? 0 : 1 + zonemd.signatures.length);
  if (records !== result.records) refuse(`${records} records were written of ${result.records} made`);
  const denials = count(RRType.NSEC) + count(RRType.NSEC3);
  if (isSigned) {
    if (signatures.length === 0) refuse('its SOA has no signature');
    if (count(RRType.DNSKEY) !== 1) refuse('it has no DNSKEY RRset');
    if (count(RRType.NSEC) > 0 && count(RRType.NSEC3) > 0) refuse('it has NSEC and NSEC3 records');
    if (denials === 0) refuse('it has no denial of existence');
  } else if (
    result.signatures + result.reused + denials + count(RRType.DNSKEY) + count(RRType.NSEC3PARAM) >
    0
  ) {
    refuse('it is to be unsigned, and has records of a signed zone');
  }
  if (!(result.resignAt > publication.time)) refuse('its signatures are too old already');
}
