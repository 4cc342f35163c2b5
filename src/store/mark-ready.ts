import type { FinishedPublication, PublicationResult, PublishedRRset } from '../publication/ports.js';
import { BUILDING_LINE } from './allocate.js';
import type { Transaction } from './database.js';
import { changePages } from './signed-page-store.js';

/** Locks the line on which a publication is being built; false when it is not (any more) by this gateway. */
export async function holdsLine(transaction: Transaction, id: string, gateway: string): Promise<boolean> {
  const lines = await transaction.query(`with ${BUILDING_LINE} select view from line`, [id, gateway]);
  return lines.length > 0;
}

/**
 * Those of publications that a gateway still builds, their lines locked; lines that others are at are left out, so that no two
 * wait for one another.
 */
export async function lockBuilding(
  transaction: Transaction,
  gateway: string,
  finished: readonly FinishedPublication[],
): Promise<FinishedPublication[]> {
  const rows = await transaction.query<{ id: number }>(
    `select p.id from zoneseal.publications p
       join zoneseal.serial_lines l on l.zone_id = p.zone_id and l.view = p.view and l.building = p.id
     where p.id = any ($1::bigint[]) and p.gateway = $2 and p.state = 'building'
     for update of l skip locked`,
    [finished.map(({ publication }) => publication.id), gateway],
  );
  const ours = new Set(rows.map(({ id }) => String(id)));
  return finished.filter(({ publication }) => ours.has(publication.id));
}

/** Stores what publications change and marks them ready; their lines are locked. */
export async function commitReady(
  transaction: Transaction,
  finished: readonly FinishedPublication[],
): Promise<void> {
  if (
    finished.some(
      ({ changes }) => changes.pages.length + changes.replaced.length + changes.journal.length > 0,
    )
  ) {
    await changePages(transaction, finished);
  }
  await transaction.query(MARK_READY, [
    JSON.stringify(finished.map(({ publication, result }) => readyRecord(publication.id, result))),
  ]);
}

/** What of a line says how far its ready publication has come, from publication `p`. */
const READY_STATE = `
  building = null, building_until = null, ready_zone_version = p.zone_version,
  ready_policy = p.policy_name, ready_policy_version = p.policy_version, ready_key_set_version = p.key_set_version,
  ready_format_version = p.format_version, ready_wanted = p.wanted,
  ${[
    'failed',
    'failed_zone_version',
    'failed_policy',
    'failed_policy_version',
    'failed_key_set_version',
    'failed_format_version',
    'retry_at',
  ]
    // a stopgap mends nothing of what failed
    .map((column) => `${column} = case when p.stopgap then l.${column} end`)
    .join(', ')},
  failed_wanted = case when p.stopgap then l.failed_wanted else 0 end`;

const MARK_READY = `
  with t as (
    select * from jsonb_to_recordset($1::jsonb) as t (id bigint, generation bigint, resign_at bigint, expires_at bigint,
      safe_until bigint, soa_ttl bigint, soa_rdata text, soa_signatures jsonb, zonemd_rdata text, zonemd_signatures jsonb,
      max_ttl bigint, dnskey_ttl bigint, records bigint, octets bigint, signatures bigint, reused bigint, removed bigint, added bigint,
      journal_octets bigint)
  ), p as (
    update zoneseal.publications q
    set state = 'ready', generation = t.generation, resign_at = t.resign_at, expires_at = t.expires_at, soa_ttl = t.soa_ttl,
      soa_rdata = decode(t.soa_rdata, 'base64'), soa_signatures = ${decoded('t.soa_signatures')},
      zonemd_rdata = decode(t.zonemd_rdata, 'base64'),
      zonemd_signatures = case when t.zonemd_rdata is not null then ${decoded('t.zonemd_signatures')} end,
      max_ttl = t.max_ttl, dnskey_ttl = t.dnskey_ttl, records = t.records, octets = t.octets, signatures = t.signatures, reused = t.reused,
      removed = t.removed, added = t.added, journal_octets = t.journal_octets, finished_at = clock_timestamp()
    from t where q.id = t.id
    returning q.*, t.safe_until
  ), l as (
    update zoneseal.serial_lines l
    set ${READY_STATE}, ready = p.id, resign_at = to_timestamp(p.resign_at), safe_until = to_timestamp(p.safe_until)
    from p where l.building = p.id and l.zone_id = p.zone_id and l.view = p.view
    returning l.zone_id
  ), q as (
    insert into zoneseal.prune_queue (zone_id) select zone_id from l
  )
  select pg_notify('zoneseal', zone_id::text)::text from l`;

/** An array of octets out of an array of base64. */
function decoded(column: string): string {
  return `array(select decode(e, 'base64') from jsonb_array_elements_text(${column}) with ordinality a (e, i) order by i)`;
}

const base64 = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');

function readyRecord(id: string, result: PublicationResult): object {
  const { soa, zonemd, journal } = result;
  const signatures = (rrset: PublishedRRset | undefined): string[] | null =>
    rrset?.signatures.map(base64) ?? null;
  return {
    id,
    generation: result.generation,
    resign_at: Math.floor(result.resignAt),
    expires_at: Math.floor(result.expiresAt),
    safe_until: Math.floor(result.safeUntil),
    soa_ttl: soa.ttl,
    soa_rdata: base64(soa.rdata),
    soa_signatures: signatures(soa),
    zonemd_rdata: zonemd === undefined ? null : base64(zonemd.rdata),
    zonemd_signatures: signatures(zonemd),
    max_ttl: result.maxTtl,
    dnskey_ttl: result.dnskeyTtl,
    records: result.records,
    octets: result.octets,
    signatures: result.signatures,
    reused: result.reused,
    removed: journal?.removed ?? null,
    added: journal?.added ?? null,
    journal_octets: journal?.octets ?? null,
  };
}

/** The line goes on with the publication that it has; the one that said nothing new is gone, its serial stays burned. */
export const MARK_UNCHANGED = `
  with p as (select * from zoneseal.publications where id = $1), l as (
    update zoneseal.serial_lines l set ${READY_STATE}
    from p where l.building = p.id and l.zone_id = p.zone_id and l.view = p.view
  )
  delete from zoneseal.publications where id = $1`;
