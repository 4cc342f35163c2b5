import { parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { ZoneKey } from '../keys/key-set.js';
import { type Policy, parsePolicy } from '../keys/policy.js';
import type {
  Allocation,
  Publication,
  PublicationStore,
  PublishedSoa,
  SerialInput,
  ServedZone,
} from '../publication/ports.js';
import { isAfter } from '../publication/serial.js';
import type { SignaturePage } from '../signing/recorded.js';
import type { ZoneRow } from '../zone/row.js';
import type { Database, Queryable, Transaction } from './database.js';
import { readKeySetVersion } from './key-set-reader.js';
import { PUBLICATION_COLUMNS, type PublicationRow, publicationOf } from './publication-record.js';
import { readRows } from './row-reader.js';
import { DROP_OLD_PAGES, readPages, savePages } from './signature-pages.js';

type AllocateRequest = Parameters<PublicationStore['allocate']>[1];

/** What allocation looks at, of one snapshot. */
interface LineState {
  readonly version: number;
  readonly key_set_version: number;
  readonly policy: string;
  readonly policy_version: number;
  readonly document: unknown;
  readonly last_serial: number | null;
  readonly now: number;
  readonly stored_soa: string | null;
  readonly building: number | null;
  readonly lease_held: boolean;
  readonly ready: number | null;
  readonly ready_current: boolean;
  readonly failed: number | null;
  readonly failed_same: boolean;
}

const LINE_STATE = `
  select z.version, z.key_set_version, z.policy, p.version as policy_version, p.document, l.last_serial,
    floor(extract(epoch from clock_timestamp()))::bigint as now,
    (select r.data[1] from zoneseal.rrsets r
      where r.zone_id = z.id and r.sort_key = z.sort_key and r.type = 'SOA' and (r.views is null or l.view = any (r.views))
      limit 1) as stored_soa,
    l.building, coalesce(l.building_until > clock_timestamp(), false) as lease_held,
    l.ready, coalesce(l.ready_zone_version >= l.changed_version and l.ready_key_set_version >= l.keys_changed_version
      and l.ready_policy = z.policy and l.ready_policy_version = p.version and l.ready_format_version >= $3
      and l.resign_at > clock_timestamp(), false) as ready_current,
    l.failed, coalesce(l.failed_zone_version >= l.changed_version and l.failed_key_set_version >= l.keys_changed_version
      and l.failed_policy = z.policy and l.failed_policy_version = p.version and l.failed_format_version >= $3
      and coalesce(l.retry_at, 'infinity') > clock_timestamp(), false) as failed_same
  from zoneseal.zones z
    join zoneseal.policies p on p.name = z.policy
    join zoneseal.serial_lines l on l.zone_id = z.id
  where z.id = $1 and l.view = $2`;

/** The line on which publication $1 is being built, locked: before the publication, as allocation does. */
const BUILDING_LINE = `
  line as (
    select l.zone, l.view, l.building from zoneseal.serial_lines l
      join zoneseal.publications p on p.zone_id = l.zone_id and p.view = l.view and p.id = l.building
    where p.id = $1 and ($2::text is null or p.gateway = $2)
    for update of l
  )`;

/** Marks a publication as failed on its line, if it is the one being built there. */
const FAIL = `
  with ${BUILDING_LINE}, p as (
    update zoneseal.publications p set state = 'failed', error = $3, finished_at = clock_timestamp()
    from line where p.id = line.building and p.state = 'building'
    returning p.*
  ), l as (
    update zoneseal.serial_lines l
    set building = null, building_until = null, failed = p.id, failed_zone_version = p.zone_version,
      failed_policy = p.policy_name, failed_policy_version = p.policy_version, failed_key_set_version = p.key_set_version,
      failed_format_version = p.format_version, retry_at = clock_timestamp() + make_interval(secs => $4::float8)
    from p, line where l.zone = line.zone and l.view = line.view
    returning l.zone_id
  )
  insert into zoneseal.prune_queue (zone_id) select zone_id from l`;

/** Publications and serial lines in PostgreSQL. */
export class PostgresPublicationStore implements PublicationStore {
  readonly #database: Database;
  readonly #formatVersion: number;

  /**
   * @param formatVersion ready publications of an older output format are listed as due; 0: none is older
   */
  constructor(database: Database, options: { readonly formatVersion?: number } = {}) {
    this.#database = database;
    this.#formatVersion = options.formatVersion ?? 0;
  }

  async findServed(zone: string, view: string): Promise<ServedZone | undefined> {
    const [row] = await this.#database.query<ServedRow>(
      `select z.id as zone_id, z.name as zone, v.view from zoneseal.zones z join zoneseal.zone_views v on v.zone_id = z.id
       where z.name = $1 and v.view = $2`,
      [zone, view],
    );
    return row === undefined ? undefined : servedOf(row);
  }

  async listDue(limit: number): Promise<ServedZone[]> {
    const rows = await this.#database.query<ServedRow>(LIST_DUE, [limit, this.#formatVersion]);
    return rows.map(servedOf);
  }

  /** How the database finds what is due: its plan, with the times it took. */
  async explainDue(limit: number): Promise<string[]> {
    const rows = await this.#database.query<{ 'QUERY PLAN': string }>(
      `explain (analyze, buffers) ${LIST_DUE}`,
      [limit, this.#formatVersion],
    );
    return rows.map((row) => row['QUERY PLAN']);
  }

  async newestReady(zoneId: string, view: string): Promise<Publication | undefined> {
    const [row] = await this.#database.query<PublicationRow>(
      `select ${PUBLICATION_COLUMNS} from zoneseal.serial_lines l
         join zoneseal.publications p on p.id = l.ready join zoneseal.zones z on z.id = p.zone_id
       where l.zone_id = $1 and l.view = $2`,
      [zoneId, view],
    );
    return row === undefined ? undefined : publicationOf(row);
  }

  allocate(served: ServedZone, request: AllocateRequest): Promise<Allocation> {
    return this.#database.transaction((transaction) => allocate(transaction, served, request));
  }

  async renewLease(id: string, gateway: string, leaseSeconds: number): Promise<boolean> {
    const renewed = await this.#database.execute(
      `update zoneseal.serial_lines l set building_until = clock_timestamp() + make_interval(secs => $3::float8)
       from zoneseal.publications p
       where p.id = $1 and p.gateway = $2 and p.state = 'building'
         and l.zone_id = p.zone_id and l.view = p.view and l.building = p.id`,
      [id, gateway, leaseSeconds],
    );
    return renewed > 0;
  }

  async markReady(
    id: string,
    gateway: string,
    result: { readonly soa: PublishedSoa; readonly resignAt: number; readonly records: number },
  ): Promise<boolean> {
    const { soa, resignAt, records } = result;
    const [row] = await this.#database.query<{ lines: number }>(MARK_READY, [
      id,
      gateway,
      Math.floor(resignAt),
      soa.ttl,
      Buffer.from(soa.rdata),
      soa.signatures.map((octets) => Buffer.from(octets)),
      records,
    ]);
    const isReady = (row?.lines ?? 0) > 0;
    if (isReady) await this.#database.execute(DROP_OLD_PAGES, [id]);
    return isReady;
  }

  saveSignatures(id: string, gateway: string, pages: readonly SignaturePage[]): Promise<void> {
    return savePages(this.#database, id, gateway, pages);
  }

  readSignatures(id: string): AsyncIterable<SignaturePage> {
    return readPages(this.#database, id);
  }

  async markFailed(id: string, gateway: string, error: string, retrySeconds: number | null): Promise<void> {
    await this.#database.execute(FAIL, [id, gateway, error, retrySeconds]);
  }

  readRows(zoneId: string, zoneVersion: number): AsyncIterable<readonly ZoneRow[]> {
    return readRows(this.#database, zoneId, zoneVersion);
  }

  async readPolicy(name: string, version: number): Promise<Policy> {
    const [row] = await this.#database.query<{ document: unknown }>(
      'select document from zoneseal.policy_versions where name = $1 and version = $2',
      [name, version],
    );
    if (row === undefined) {
      throw new ZonesealError('NOT_HELD', `policy "${name}" has no version ${version}`, {
        policy: name,
        version,
      });
    }
    return parsePolicy(name, row.document);
  }

  readKeySet(zoneId: string, version: number): Promise<readonly ZoneKey[]> {
    return readKeySetVersion(this.#database, zoneId, version);
  }
}

interface ServedRow {
  readonly zone_id: number;
  readonly zone: string;
  readonly view: string;
}

function servedOf({ zone_id, zone, view }: ServedRow): ServedZone {
  return { zoneId: String(zone_id), zone, view };
}

/** Each part is a range of an index that is empty while nothing is due, however many zones there are. */
const LIST_DUE = `
  select zone_id, zone, view from (
    (select zone_id, zone, view, due_at from zoneseal.serial_lines
      where zone_id is not null and due_at <= now() order by due_at limit $1)
    union
    (select l.* from zoneseal.policies p, lateral (
        select zone_id, zone, view, due_at from zoneseal.serial_lines
        where policy = p.name and tried_policy_version < p.version and zone_id is not null
          and (building is null or building_until <= now())
        order by policy, tried_policy_version limit $1
      ) l limit $1)
    union
    (select zone_id, zone, view, due_at from zoneseal.serial_lines
      where tried_format_version < $2 and zone_id is not null and (building is null or building_until <= now())
      order by tried_format_version limit $1)
  ) due
  order by due_at limit $1`;

const MARK_READY = `
  with ${BUILDING_LINE}, p as (
    update zoneseal.publications p
    set state = 'ready', resign_at = $3, soa_ttl = $4, soa_rdata = $5, soa_signatures = $6, records = $7,
      finished_at = clock_timestamp()
    from line where p.id = line.building and p.state = 'building'
    returning p.*
  ), l as (
    update zoneseal.serial_lines l
    set building = null, building_until = null, ready = p.id, ready_zone_version = p.zone_version,
      ready_policy = p.policy_name, ready_policy_version = p.policy_version, ready_key_set_version = p.key_set_version,
      ready_format_version = p.format_version, resign_at = to_timestamp(p.resign_at),
      failed = null, failed_zone_version = null, failed_policy = null, failed_policy_version = null,
      failed_key_set_version = null, failed_format_version = null, retry_at = null
    from p, line where l.zone = line.zone and l.view = line.view
    returning l.zone_id
  ), q as (
    insert into zoneseal.prune_queue (zone_id) select zone_id from l
  )
  select count(*) as lines, min(pg_notify('zoneseal', zone_id::text)::text) from l`;

async function allocate(
  transaction: Transaction,
  served: ServedZone,
  request: AllocateRequest,
): Promise<Allocation> {
  const { gateway, leaseSeconds, formatVersion, nextSerial, force } = request;
  // the zone before its line, as everyone else does; a zone's writers are not in the way of this lock
  await transaction.query('select from zoneseal.zones where id = $1 for key share', [served.zoneId]);
  await transaction.query('select from zoneseal.serial_lines where zone_id = $1 and view = $2 for update', [
    served.zoneId,
    served.view,
  ]);
  const [state] = await transaction.query<LineState>(LINE_STATE, [served.zoneId, served.view, formatVersion]);
  if (state === undefined) return { kind: 'not-served' };
  if (state.building !== null) {
    if (state.lease_held)
      return { kind: 'building-elsewhere', publication: await find(transaction, state.building) };
    await transaction.execute(FAIL, [
      state.building,
      null,
      'the gateway that built it stopped: its lease ran out',
      0,
    ]);
  } else if (force !== true) {
    if (state.ready_current) return { kind: 'current', publication: await find(transaction, state.ready) };
    if (state.failed_same) return { kind: 'failed', publication: await find(transaction, state.failed) };
  }
  const { policy, problem } = policyOf(state);
  const { now, last_serial: last } = state;
  const serial = nextSerial({ last, stored: storedSerial(state.stored_soa), now, policy });
  checkSerial(serial, last, served);
  const [inserted] = await transaction.query<{ id: number }>(INSERT, [
    served.zoneId,
    served.view,
    serial,
    state.version,
    state.policy,
    state.policy_version,
    state.key_set_version,
    now,
    formatVersion,
    gateway,
    leaseSeconds,
  ]);
  const id = inserted?.id ?? null;
  if (problem === undefined) return { kind: 'allocated', publication: await find(transaction, id) };
  await transaction.execute(FAIL, [id, null, problem, null]);
  return { kind: 'failed', publication: await find(transaction, id) };
}

const INSERT = `
  with p as (
    insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version,
      time, format_version, state, gateway)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'building', $10)
    returning id
  ), l as (
    update zoneseal.serial_lines
    set last_serial = $3, building = p.id, building_until = clock_timestamp() + make_interval(secs => $11::float8)
    from p where zone_id = $1 and view = $2
  )
  select id from p`;

async function find(transaction: Queryable, id: number | null): Promise<Publication> {
  const [row] = await transaction.query<PublicationRow>(
    `select ${PUBLICATION_COLUMNS} from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id where p.id = $1`,
    [id],
  );
  if (row === undefined) throw new ZonesealError('DATABASE_FAILED', `database: publication ${id} is gone`);
  return publicationOf(row);
}

/** The policy; where the stored one does not parse, the defaults, by which a serial is given to the attempt that fails. */
function policyOf({ policy, document }: LineState): { policy: Policy; problem?: string } {
  try {
    return { policy: parsePolicy(policy, document) };
  } catch (error) {
    return { policy: parsePolicy(policy, {}), problem: errorMessage(error) };
  }
}

/** The serial of a stored SOA; null where there is none or it does not parse, which is for the publication to say. */
function storedSerial(soa: string | null): number | null {
  if (soa === null) return null;
  try {
    const rdata = parseRdataText(RRType.SOA, soa);
    return Buffer.from(rdata.buffer, rdata.byteOffset, rdata.length).readUInt32BE(rdata.length - 20);
  } catch {
    return null;
  }
}

/** A serial line only moves forward (RFC 1982 §3.2). */
function checkSerial(serial: number, last: SerialInput['last'], { zone, view }: ServedZone): void {
  const valid = Number.isInteger(serial) && serial >= 0 && serial <= 0xffff_ffff;
  if (valid && (last === null || isAfter(serial, last))) return;
  throw new ZonesealError(
    'DATA_REFUSED',
    `zone ${zone} (view ${view}): serial ${serial} does not come after ${last}`,
    {
      zone,
      view,
    },
  );
}
