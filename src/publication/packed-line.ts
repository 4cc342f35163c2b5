import type { Publication, PublishedRRset, ServedZone } from './ports.js';
import type { ServedSerial } from './recovery-ports.js';

/** What is known of one (zone, view): good for a while, and better than nothing when the database is away. */
export interface KnownLine {
  readonly served: ServedZone;
  readonly publication: Publication | undefined;
}

/** What is kept of a line that nobody asks for now: one flat text, a third of what its objects take. */
export type PackedLine = string;

type PackedRRset = readonly [ttl: number, rdata: string, signatures: readonly string[]];

/** The fields of a publication by their place, as their names would be most of it; of a line without one, what is served alone. */
type Packed = readonly [
  zoneId: string,
  zone: string,
  view: string,
  publication?: readonly [
    serial: number,
    id: string,
    zoneVersion: number,
    policyName: string,
    policyVersion: number,
    keySetVersion: number,
    time: number,
    formatVersion: number,
    notBefore: number,
    state: Publication['state'],
    cause: Publication['cause'],
    error: string | null,
    previous: string | null,
    generation: string | null,
    resignAt: number | null,
    expiresAt: number | null,
    soa: PackedRRset | null,
    zonemd: PackedRRset | null,
    maxTtl: number | null,
    records: number | null,
    octets: number | null,
    journal: Publication['journal'],
  ],
];

/** Packs what is known of a line. */
export function packLine({ served: { zoneId, zone, view }, publication: it }: KnownLine): PackedLine {
  const packed: Packed =
    it === undefined
      ? [zoneId, zone, view]
      : [
          zoneId,
          zone,
          view,
          [
            it.serial,
            it.id,
            it.zoneVersion,
            it.policyName,
            it.policyVersion,
            it.keySetVersion,
            it.time,
            it.formatVersion,
            it.notBefore,
            it.state,
            it.cause,
            it.error,
            it.previous,
            it.generation,
            it.resignAt,
            it.expiresAt,
            packRRset(it.soa),
            packRRset(it.zonemd),
            it.maxTtl,
            it.records,
            it.octets,
            it.journal,
          ],
        ];
  return flat(JSON.stringify(packed));
}

/** What was packed. */
export function unpackLine(line: PackedLine): KnownLine {
  const [zoneId, zone, view, packed] = JSON.parse(line) as Packed;
  const served = { zoneId, zone, view };
  if (packed === undefined) return { served, publication: undefined };
  const [serial, id, zoneVersion, policyName, policyVersion, keySetVersion, time, ...later] = packed;
  const [formatVersion, notBefore, state, cause, error, previous, generation, ...last] = later;
  const [resignAt, expiresAt, soa, zonemd, maxTtl, records, octets, journal] = last;
  const publication: Publication = {
    id,
    zoneId,
    zone,
    view,
    zoneVersion,
    policyName,
    policyVersion,
    keySetVersion,
    time,
    formatVersion,
    notBefore,
    serial,
    state,
    cause,
    error,
    previous,
    generation,
    resignAt,
    expiresAt,
    soa: unpackRRset(soa),
    zonemd: unpackRRset(zonemd),
    maxTtl,
    records,
    octets,
    journal,
  };
  return { served, publication };
}

/** The serial that a line was served under; undefined where it had none. */
export function unpackServed(line: PackedLine): ServedSerial | undefined {
  const [, zone, view, publication] = JSON.parse(line) as Packed;
  return publication && { zone, view, serial: publication[0] };
}

function packRRset(rrset: PublishedRRset | null): PackedRRset | null {
  return rrset && [rrset.ttl, packOctets(rrset.rdata), rrset.signatures.map(packOctets)];
}

function unpackRRset(packed: PackedRRset | null): PublishedRRset | null {
  if (packed === null) return null;
  const [ttl, rdata, signatures] = packed;
  return { ttl, rdata: unpackOctets(rdata), signatures: signatures.map(unpackOctets) };
}

function packOctets(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');
}

/** No Buffer, so that `slice` copies everywhere alike. */
function unpackOctets(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** The same text in one piece: one that was joined keeps its pieces, which take more than it. */
export function flat(text: string): string {
  return Buffer.from(text).toString();
}
