import type {
  Cause,
  JournalSize,
  Publication,
  PublicationState,
  PublishedRRset,
} from '../publication/ports.js';

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
  readonly expires_at: number | null;
  readonly soa_ttl: number | null;
  readonly soa_rdata: Buffer | null;
  readonly soa_signatures: Buffer[] | null;
  readonly not_before: number;
  readonly cause: Cause | null;
  readonly previous: number | null;
  readonly generation: number | null;
  readonly zonemd_rdata: Buffer | null;
  readonly zonemd_signatures: Buffer[] | null;
  readonly max_ttl: number | null;
  readonly records: number | null;
  readonly octets: number | null;
  readonly removed: number | null;
  readonly added: number | null;
  readonly journal_octets: number | null;
}

/** Selects a PublicationRow from `publications p join zones z`. */
export const PUBLICATION_COLUMNS = `p.id, p.zone_id, z.name as zone, p.view, p.serial, p.zone_version, p.policy_name,
  p.policy_version, p.key_set_version, p.time, p.format_version, p.state, p.error, p.resign_at, p.expires_at, p.soa_ttl, p.soa_rdata,
  p.soa_signatures, p.not_before, p.cause, p.previous, p.generation, p.zonemd_rdata, p.zonemd_signatures, p.max_ttl,
  p.records, p.octets, p.removed, p.added, p.journal_octets`;

/** Whether anything is left of the pages of publication `p`: a backup may be without them. */
export const PAGES_KEPT =
  'exists (select from zoneseal.signed_pages kept where kept.generation = p.generation)';

/**
 * Whether the zone can still be read at the version of publication `p`: it is not over, or journals lead from it to the newest of its
 * line. Replaced rows are kept for no other.
 */
export const VERSION_KEPT = `(p.state <> 'ready' or p.id >= (
  select coalesce(max(q.id), 0) from zoneseal.publications q
  where q.zone_id = p.zone_id and q.view = p.view and q.state = 'ready' and q.journal_octets is null))`;

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
    expiresAt: row.expires_at,
    soa: rrsetOf(row.soa_ttl, row.soa_rdata, row.soa_signatures),
    // RFC 8976 §2.1: the TTL of the SOA
    zonemd: rrsetOf(row.soa_ttl, row.zonemd_rdata, row.zonemd_signatures),
    notBefore: row.not_before,
    cause: row.cause ?? 'first',
    previous: textOf(row.previous),
    generation: textOf(row.generation),
    maxTtl: row.max_ttl,
    records: row.records,
    octets: row.octets,
    journal: journalOf(row),
  };
}

function journalOf({ removed, added, journal_octets: octets }: PublicationRow): JournalSize | null {
  return removed === null || added === null || octets === null ? null : { removed, added, octets };
}

function textOf(id: number | null): string | null {
  return id === null ? null : String(id);
}

function rrsetOf(
  ttl: number | null,
  rdata: Buffer | null,
  signatures: readonly Buffer[] | null,
): PublishedRRset | null {
  if (ttl === null || rdata === null) return null;
  return { ttl, rdata: plain(rdata), signatures: (signatures ?? []).map(plain) };
}

/** A Uint8Array that is no Buffer, so that `slice` copies everywhere alike. */
function plain(octets: Buffer): Uint8Array {
  return new Uint8Array(octets);
}
