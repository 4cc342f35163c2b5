import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import type { SigningResult } from '../signing/sign-zone.js';
import type { Publication } from './ports.js';

/** What the gate looks at, gathered while the publication was made. */
export interface GateInput {
  readonly publication: Publication;
  readonly result: SigningResult;
  /** RRsets that were packed into the image, RRSIGs not counted, by type; the closing SOA not among them. */
  readonly packed: ReadonlyMap<number, number>;
  /** Records packed into the image. */
  readonly packedRecords: number;
  readonly dnskeys: RRset;
}

/**
 * The checks that a publication passes before a nameserver can have it. They hold what was packed against what was
 * signed and frozen, so that a fault between the two cannot reach a nameserver.
 * @throws ZonesealError PUBLICATION_REFUSED_BY_GATE
 */
export function passGate({ publication, result, packed, packedRecords, dnskeys }: GateInput): void {
  const refuse = (reason: string): never => {
    throw new ZonesealError(
      'PUBLICATION_REFUSED_BY_GATE',
      `zone ${publication.zone} in view ${publication.view}, serial ${publication.serial}: ${reason}; the publication before it goes on being served`,
      { zone: publication.zone, view: publication.view, serial: publication.serial, reason },
    );
  };
  const count = (type: number): number => packed.get(type) ?? 0;
  const { rrset, signatures } = result.soa;
  const soa = rrset.rdata[0] as Uint8Array;
  const serial = new DataView(soa.buffer, soa.byteOffset + soa.length - 20).getUint32(0);
  if (serial !== publication.serial) refuse(`the SOA says serial ${serial}`);
  if (count(RRType.SOA) !== 1) refuse(`it has ${count(RRType.SOA)} SOA RRsets and not one`);
  if (signatures.length === 0) refuse('its SOA has no signature');
  if (count(RRType.DNSKEY) !== 1 || dnskeys.rdata.length === 0) refuse('it has no DNSKEY RRset');
  if (packedRecords !== result.records)
    refuse(`${packedRecords} records were packed of ${result.records} made`);
  if (count(RRType.NSEC) > 0 && count(RRType.NSEC3) > 0) refuse('it has NSEC and NSEC3 records');
  if (count(RRType.NSEC) + count(RRType.NSEC3) === 0) refuse('it has no denial of existence');
  if (!(result.resignAt > publication.time)) refuse('its signatures are too old already');
}
