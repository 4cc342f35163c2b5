import { parseRdataText } from '../dns/rdata/index.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { type Policy, parsePolicy } from '../keys/policy.js';
import type {
  Allocation,
  Cause,
  Publication,
  PublicationStore,
  SerialInput,
  ServedZone,
} from '../publication/ports.js';
import type { Standing } from '../publication/recovery-ports.js';
import { isAcceptable } from '../publication/serial.js';
import { noSerial } from '../publication/serial-move.js';
import { lineRecovering } from '../publication/set-back.js';
import { serialIn } from '../publication/soa-fields.js';
import { reachOf } from './abandoned-pages.js';
import type { Queryable, Transaction } from './database.js';
import { PAGES_KEPT, PUBLICATION_COLUMNS, type PublicationRow, publicationOf } from './publication-record.js';

/** How publications are allocated. */
export type AllocateRequest = Parameters<PublicationStore['allocate']>[1];

/** What allocation looks at, of one snapshot. */
export interface LineState {
  readonly zone_id: number;
  readonly view: string;
  readonly version: number;
  readonly newest_version: number;
  readonly frozen_version: number | null;
  readonly key_set_version: number;
  readonly policy: string;
  readonly policy_version: number;
  readonly document: unknown;
  readonly last_serial: number | null;
  readonly served_serial: number | null;
  readonly unseen: boolean;
  readonly now: number;
  readonly stored_soa: string | null;
  readonly resigned_at: number;
  readonly wanted: number;
  readonly building: number | null;
  readonly lease_held: boolean;
  readonly ready: number | null;
  readonly ready_time: number | null;
  readonly ready_tuple: {
    readonly version: number;
    readonly policy: string;
    readonly policy_version: number;
    readonly key_set_version: number;
    readonly resigned_at: number;
    readonly wanted: number;
  } | null;
  readonly ready_current: boolean;
  readonly content_current: boolean;
  readonly policy_current: boolean;
  readonly keys_current: boolean;
  readonly format_current: boolean;
  readonly wanted_current: boolean;
  readonly pages_lost: boolean;
  readonly failed: number | null;
  readonly failed_same: boolean;
  readonly incarnation: string;
  readonly marker: number;
  readonly same_server: boolean;
  readonly settled: boolean;
  readonly ready_barred: boolean;
}

/** The version a line has to show: that at which its zone was frozen, or the newest. */
const SHOWN = 'least(l.changed_version, coalesce(l.frozen_version, l.changed_version))';

/**
 * Whether the serial last given out was never seen by anyone: only of failed attempts (or of one whose lease ran out, which is
 * about to fail), none of them a first publication, and not of before a jump past what nameservers were found to serve.
 */
const UNSEEN = `
    coalesce((select bool_and(f.previous is not null and (f.state = 'failed'
          or (f.state = 'building' and f.id is not distinct from l.building and l.building_until <= clock_timestamp())))
      from zoneseal.publications f
      where f.zone_id = l.zone_id and f.view = l.view and f.id > greatest(l.ready, l.barred) and f.serial = l.last_serial), false)`;

/** Selects a LineState for each line that a condition on z and l admits; $1 is the output format. */
export const LINE_STATE = `
  select z.id as zone_id, l.view, coalesce(z.frozen_version, z.version) as version, z.version as newest_version, z.frozen_version,
    z.key_set_version, z.policy, p.version as policy_version,
    p.document, l.last_serial, r.serial as served_serial, ${UNSEEN} as unseen, z.resigned_at, l.wanted,
    floor(extract(epoch from clock_timestamp()))::bigint as now,
    (select r.data[1] from zoneseal.rrsets r
      where r.zone_id = z.id and r.sort_key = z.sort_key and r.type = 'SOA' and (r.views is null or l.view = any (r.views))
      limit 1) as stored_soa,
    l.building, coalesce(l.building_until > clock_timestamp(), false) as lease_held,
    l.ready, r.time as ready_time,
    case when r.id is not null then jsonb_build_object('version', r.zone_version, 'policy', r.policy_name,
      'policy_version', r.policy_version, 'key_set_version', r.key_set_version, 'resigned_at', r.not_before,
      'wanted', l.ready_wanted) end as ready_tuple,
    coalesce(l.ready_zone_version >= ${SHOWN}, false) as content_current,
    coalesce(l.ready_key_set_version >= l.keys_changed_version, false) as keys_current,
    coalesce(l.ready_policy = z.policy and l.ready_policy_version = p.version, false) as policy_current,
    coalesce(l.ready_format_version >= $1, false) as format_current,
    l.ready_wanted >= l.wanted as wanted_current,
    exists (select from zoneseal.publications p where p.id = l.ready and not ${PAGES_KEPT}) as pages_lost,
    coalesce(l.resign_at > clock_timestamp(), false) as ready_current,
    l.failed, coalesce(l.failed_zone_version >= ${SHOWN} and l.failed_key_set_version >= l.keys_changed_version
      and l.failed_policy = z.policy and l.failed_policy_version = p.version and l.failed_format_version >= $1
      and l.failed_wanted >= l.wanted and coalesce(l.retry_at, 'infinity') > clock_timestamp(), false) as failed_same,
    c.incarnation, c.marker, c.same_server, coalesce(l.incarnation = c.incarnation, false) as settled,
    coalesce(l.ready <= l.barred, false) as ready_barred
  from zoneseal.zones z
    join zoneseal.policies p on p.name = z.policy
    join zoneseal.serial_lines l on l.zone_id = z.id
    left join zoneseal.publications r on r.id = l.ready
    cross join zoneseal.standing() c
`;

/** The line on which publication $1 is being built, locked: before the publication, as allocation does. */
export const BUILDING_LINE = `
  line as (
    select l.zone, l.view, l.building, l.failed from zoneseal.serial_lines l
      join zoneseal.publications p on p.zone_id = l.zone_id and p.view = l.view and p.id = l.building
    where p.id = $1 and ($2::text is null or p.gateway = $2)
    for update of l
  )`;

/**
 * Marks a publication as failed on its line, if it is the one being built there. Those that failed before it go, however often it is tried, and
 * what they stored unless it reaches further.
 */
export const FAIL = `
  with ${BUILDING_LINE}, p as (
    update zoneseal.publications p set state = 'failed', error = $3, finished_at = clock_timestamp()
    from line where p.id = line.building and p.state = 'building'
    returning p.*
  ), l as (
    update zoneseal.serial_lines l
    set building = null, building_until = null, failed = p.id, failed_zone_version = p.zone_version,
      failed_policy = p.policy_name, failed_policy_version = p.policy_version, failed_key_set_version = p.key_set_version,
      failed_format_version = p.format_version, failed_wanted = p.wanted, retry_at = clock_timestamp() + make_interval(secs => $4::float8)
    from p, line where l.zone = line.zone and l.view = line.view and not p.stopgap
    returning l.zone_id
  ), s as (
    -- what failed before it stays the newest failure; the renewal is tried again
    update zoneseal.serial_lines l
    set building = null, building_until = null, resign_at = clock_timestamp() + make_interval(secs => coalesce($4::float8, 300))
    from p, line where l.zone = line.zone and l.view = line.view and p.stopgap
  ), gone as (
    delete from zoneseal.publications q using p, line
    where q.zone_id = p.zone_id and q.view = p.view and q.state = 'failed' and q.id <> p.id and not (p.stopgap and q.id = line.failed)
    returning q.id
  ), g as (
    delete from zoneseal.signed_generations g using gone, p where g.id = gone.id and ${reachOf('g.id')} <= ${reachOf('p.id')}
  )
  insert into zoneseal.prune_queue (zone_id) select zone_id from l`;

/**
 * See PublicationStore.allocate; to be called in a transaction.
 * @param check throws where the database is not the one that is trusted
 */
export async function allocate(
  transaction: Transaction,
  served: ServedZone,
  request: AllocateRequest,
  check: (standing: Standing) => void,
): Promise<Allocation> {
  const { gateway, leaseSeconds, formatVersion, force } = request;
  // the zone before its lines, as everyone else does; a zone's writers are not in the way of this lock
  await transaction.query('select from zoneseal.zones where id = $1 for key share', [served.zoneId]);
  // views share signatures, so one gateway at a time makes publications of a zone; not by locking all its lines, which
  // writers of the zone lock in an order of their own
  await transaction.query("select pg_advisory_xact_lock(hashtextextended('zoneseal zone ' || $1::text, 0))", [
    served.zoneId,
  ]);
  await transaction.query('select from zoneseal.serial_lines where zone_id = $1 and view = $2 for update', [
    served.zoneId,
    served.view,
  ]);
  const [other] = await transaction.query<{ building: number }>(
    `select building from zoneseal.serial_lines
     where zone_id = $1 and view <> $2 and building is not null and building_until > clock_timestamp() limit 1`,
    [served.zoneId, served.view],
  );
  if (other !== undefined) {
    return { kind: 'building-elsewhere', publication: await find(transaction, other.building) };
  }
  const [state] = await transaction.query<LineState>(`${LINE_STATE} where z.id = $2 and l.view = $3`, [
    formatVersion,
    served.zoneId,
    served.view,
  ]);
  if (state === undefined) return { kind: 'not-served' };
  check({ incarnation: state.incarnation, marker: state.marker, sameServer: state.same_server });
  if (!state.settled) throw lineRecovering(served);
  // a change cannot be published, and the signatures of what is served leave their slots: they are renewed
  let isStopgap = false;
  if (state.building !== null) {
    if (state.lease_held)
      return { kind: 'building-elsewhere', publication: await find(transaction, state.building) };
    await transaction.execute(FAIL, [
      state.building,
      null,
      'the gateway that built it stopped: its lease ran out',
      0,
    ]);
  } else if (force === undefined) {
    if (causeOf(state) === undefined)
      return { kind: 'current', publication: await find(transaction, state.ready) };
    isStopgap = state.failed_same && state.ready_tuple !== null && !state.ready_current;
    if (state.failed_same && !isStopgap)
      return { kind: 'failed', publication: await find(transaction, state.failed) };
  }
  const tuple = isStopgap ? { ...state, ...state.ready_tuple } : state;
  const { problem } = policyOf(state);
  const serial = giveSerial(state, served, request);
  const [inserted] = await transaction.query<{ id: number }>(INSERT, [
    served.zoneId,
    served.view,
    serial,
    tuple.version,
    tuple.policy,
    tuple.policy_version,
    tuple.key_set_version,
    // a clock that was set back does not take signatures back to an earlier slot
    Math.max(state.now, state.ready_time ?? 0),
    formatVersion,
    gateway,
    leaseSeconds,
    tuple.resigned_at,
    tuple.wanted,
    isStopgap ? 'refresh' : (force ?? causeOf(state) ?? 'asked'),
    state.ready,
    isStopgap,
  ]);
  const id = inserted?.id ?? null;
  if (problem === undefined || isStopgap)
    return { kind: 'allocated', publication: await find(transaction, id) };
  await transaction.execute(FAIL, [id, null, problem, null]);
  return { kind: 'failed', publication: await find(transaction, id) };
}

/** What a line's next serial follows from. */
export function serialInput(state: LineState): SerialInput {
  const { last_serial: last, served_serial: served, unseen: isUnseen, stored_soa: soa, now } = state;
  return { last, served, isUnseen, stored: storedSerial(soa), now, policy: policyOf(state).policy };
}

/** Why a line needs a new publication; undefined when it does not. */
export function causeOf(state: LineState): Cause | undefined {
  if (state.ready === null) return 'first';
  if (state.ready_barred) return 'recovery';
  if (!state.format_current) return 'format';
  // before those for which a publication that says nothing new is dropped: an operator wants a serial
  if (!state.wanted_current) return state.pages_lost ? 'pages' : 'asked';
  if (!state.policy_current) return 'policy';
  if (!state.keys_current) return 'keys';
  if (!state.content_current) return 'change';
  return state.ready_current ? undefined : 'refresh';
}

const INSERT = `
  with p as (
    insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version,
      time, format_version, state, gateway, not_before, wanted, cause, previous, stopgap)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'building', $10, $12, $13, $14, $15, $16)
    returning id
  ), l as (
    update zoneseal.serial_lines
    set last_serial = $3, building = p.id, building_until = clock_timestamp() + make_interval(secs => $11::float8)
    from p where zone_id = $1 and view = $2
  )
  select id from p`;

async function find(transaction: Queryable, id: number | null): Promise<Publication> {
  const found = await findPublication(transaction, id);
  if (found === undefined) throw new ZonesealError('DATABASE_FAILED', `database: publication ${id} is gone`);
  return found;
}

/** A publication by its id. */
export async function findPublication(
  database: Queryable,
  id: string | number | null,
): Promise<Publication | undefined> {
  const [row] = await database.query<PublicationRow>(
    `select ${PUBLICATION_COLUMNS} from zoneseal.publications p join zoneseal.zones z on z.id = p.zone_id where p.id = $1`,
    [id],
  );
  return row === undefined ? undefined : publicationOf(row);
}

/**
 * The serial that a line gives out next.
 * @throws ZonesealError DATA_REFUSED when it does not come after the last one and the one that is served
 */
export function giveSerial(state: LineState, served: ServedZone, { nextSerial }: AllocateRequest): number {
  const input = serialInput(state);
  const serial = nextSerial(input);
  const isValid = Number.isInteger(serial) && serial >= 0 && serial <= 0xffff_ffff;
  // what a jump has left behind is not served any more
  const line = state.ready_barred ? { ...input, served: null } : input;
  if (isValid && isAcceptable(serial, line)) return serial;
  throw noSerial(served, { ...line, serial });
}

/** The policy; where the stored one does not parse, the defaults, by which a serial is given to the attempt that fails. */
export function policyOf({ policy, document }: LineState): { policy: Policy; problem?: string } {
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
    return serialIn(rdata);
  } catch {
    return null;
  }
}
