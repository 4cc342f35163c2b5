import type { Publication, PublicationState, PublishedSoa } from '../publication/ports.js';

/** A row of publications joined with its zone, as PUBLICATION_COLUMNS selects it. */
export interface PublicationRow {
  readonly id: number;
  readonly zone_id: number;
  readonly zone: string;
  readonly view: string;
  readonly serial: number;
  readonly zone_version: number;
  readonly policy_name: string;
  readonly policy_version: number;
  readonly key_set_version: number;
  readonly time: number;
  readonly format_version: number;
  readonly state: PublicationState;
  readonly error: string | null;
  readonly resign_at: number | null;
  readonly soa_ttl: number | null;
  readonly soa_rdata: Buffer | null;
  readonly soa_signatures: Buffer[] | null;
}

/** Selects a PublicationRow from `publications p join zones z`. */
export const PUBLICATION_COLUMNS = `p.id, p.zone_id, z.name as zone, p.view, p.serial, p.zone_version, p.policy_name,
  p.policy_version, p.key_set_version, p.time, p.format_version, p.state, p.error, p.resign_at, p.soa_ttl, p.soa_rdata,
  p.soa_signatures`;

/** The publication that a row is. */
export function publicationOf(row: PublicationRow): Publication {
  return {
    id: String(row.id),
    zoneId: String(row.zone_id),
    zone: row.zone,
    view: row.view,
    serial: row.serial,
    zoneVersion: row.zone_version,
    policyName: row.policy_name,
    policyVersion: row.policy_version,
    keySetVersion: row.key_set_version,
    time: row.time,
    formatVersion: row.format_version,
    state: row.state,
    error: row.error,
    resignAt: row.resign_at,
    soa: soaOf(row),
  };
}

function soaOf({
  soa_ttl: ttl,
  soa_rdata: rdata,
  soa_signatures: signatures,
}: PublicationRow): PublishedSoa | null {
  if (ttl === null || rdata === null) return null;
  return { ttl, rdata: plain(rdata), signatures: (signatures ?? []).map(plain) };
}

/** A Uint8Array that is no Buffer, so that `slice` copies everywhere alike. */
function plain(octets: Buffer): Uint8Array {
  return new Uint8Array(octets);
}
