import { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import { parsePolicy } from '../keys/policy.js';
import { isOtherDs } from '../keys/rollover/apply.js';
import { keySetFacts } from '../keys/rollover/facts.js';
import type { DsUse, FormerPolicy, KeySetUse } from '../keys/rollover/model.js';
import { type LastSighting, parentNow, silentServers } from '../keys/rollover/parent-now.js';
import type { LoadedRollover, Look } from '../keys/rollover/ports.js';
import type { Queryable } from './database.js';
import { type KeySetEntry, keysOfDocument } from './key-set-reader.js';
import { ROLL_FACTS_KEPT_DAYS } from './prune.js';
import { KEY_COLUMNS, type KeyRow, keyOf } from './zone-key-store.js';

interface UseRow {
  readonly view: string;
  readonly version: number;
  readonly keys: KeySetEntry[];
  readonly delete_sentinel: boolean;
  readonly since: number;
  readonly replaced_at: number | null;
  readonly until: number | null;
  readonly behind: readonly string[];
  readonly max_ttl: number;
  readonly dnskey_ttl: number;
}

interface DsUseRow extends Omit<DsUse, 'seenAt'> {
  readonly seen_at: number | null;
}

interface SightingRow {
  readonly server: string;
  /** Base64. */
  readonly ds: string[] | null;
  readonly ttl: number | null;
  readonly ttl_proved: boolean;
  readonly first_seen: number;
  readonly last_seen: number;
}

/** What the database holds of a zone for decisions on its keys. */
export interface StateRow {
  /** Place of the zone among those that were asked for. */
  readonly i: number;
  readonly id: number;
  readonly name: string;
  readonly key_set_version: number;
  readonly delete_sentinel: boolean;
  readonly held: boolean;
  readonly unknown_until: number | null;
  readonly policy: string;
  readonly policy_version: number;
  readonly policy_version_before: number;
  readonly due_at: number | null;
  readonly document: unknown;
  readonly views: string[];
  readonly keys: KeyRow[];
  readonly formerly: { readonly name: string; readonly document: unknown; readonly until: number }[];
  readonly asked: string[];
  readonly uses: UseRow[];
  readonly ds: DsUseRow[];
  readonly sightings: SightingRow[];
  readonly parent_set: boolean;
  readonly peered: string[];
  readonly events: number[];
  readonly now: number;
}

/** Peers that a use names. */
const PEERS_NAMED = 5;

/** Beginnings are rounded down, ends up: what is alive is so for no less than it is. */
const begin = (column: string): string => `floor(extract(epoch from ${column}))::bigint`;
const end = (column: string): string => `ceil(extract(epoch from ${column}))::bigint`;

/** An array out of rows, in order. */
const rowsOf = (order: string, rest: string): string =>
  `(select coalesce(jsonb_agg(to_jsonb(t) order by t.${order}), '[]') from (${rest}) t)`;

/** Those that keep a use from being over, as has_peer_behind() sees it. */
const BEHIND = `array(
  select p.name from zoneseal.peer_states s join zoneseal.peers p on p.id = s.peer_id
  where u.replaced_at is not null and u.gone_at is null and s.zone_id = u.zone_id and s.view = u.view
    and (s.serial_seen is null or s.serial_seen <> u.replaced_serial and not zoneseal.serial_after(s.serial_seen, u.replaced_serial))
  order by p.name limit ${PEERS_NAMED})`;

const USES = rowsOf(
  'id',
  `select u.id, u.view, u.version, v.keys, v.delete_sentinel, ${begin('u.since')} as since, ${end('u.replaced_at')} as replaced_at,
     case
       when u.gone_at is not null then ${end('u.gone_at')}
       -- two peers that caught up at the same time
       when u.replaced_at is not null and not zoneseal.has_peer_behind(u.zone_id, u.view, u.replaced_serial)
         then ${end('clock_timestamp()')}
     end as until, ${BEHIND} as behind, u.max_ttl, u.dnskey_ttl
   from zoneseal.key_set_uses u
     join zoneseal.key_set_versions v on v.zone_id = u.zone_id and v.version = u.version
   where u.zone_id = z.id`,
);

const SIGHTINGS = rowsOf(
  'server',
  `select distinct on (s.server) s.server, s.ttl, s.ttl_proved,
     extract(epoch from s.first_seen)::float8 as first_seen, extract(epoch from s.last_seen)::float8 as last_seen,
     case when s.ds is not null then array(
       select translate(encode(d, 'base64'), E'\\n', '') from unnest(s.ds) with ordinality e (d, i) order by i) end as ds
   from zoneseal.ds_sightings s
   where s.zone_id = z.id and s.listed
   order by s.server, s.id desc`,
);

/** Whether it is known where the nameservers of a zone above `z` are: the sort key of each begins with that of those above it. */
export const IS_PARENT_SET = `exists (
  select from zoneseal.parents a
  where a.sort_key = any (array(
    select substring(z.sort_key from 1 for i) from generate_series(0, length(z.sort_key) - 1) i
    -- each label of a sort key ends with a zero
    where i = 0 or get_byte(z.sort_key, i - 1) = 0)))`;

/** The versions that the zone's policies had until it had others, and when that was; those of before it had the policy as well, which waits too long at the most. */
const FORMERLY = rowsOf(
  'until',
  `select v.name, v.document, ${end('least(h.until, n.created_at)')} as until
   from (
     select z.policy as name, 'infinity'::timestamptz as until
     union all select f.policy, f.until from zoneseal.former_policies f where f.zone_id = z.id
   ) h
     join zoneseal.policy_versions v on v.name = h.name and v.created_at <= h.until
     left join zoneseal.policy_versions n on n.name = v.name and n.version = v.version + 1
   where least(h.until, n.created_at) between now() - interval '${ROLL_FACTS_KEPT_DAYS} days' and clock_timestamp()`,
);

const DS_USES = rowsOf(
  'id',
  `select u.id, u.keys, u.algorithms, ${begin('u.since')} as since, ${begin('u.seen_at')} as seen_at, ${end('u.until')} as until, u.ttl
   from zoneseal.ds_uses u where u.zone_id = z.id`,
);

/** When time brings the next step, to the microsecond, so that it can be told from any other time. */
const DUE_AT = '(extract(epoch from z.keys_due_at) * 1000000)::bigint';

/** Each zone is looked up by itself, however many are asked for: planning this costs more than running it for one. */
const STATES = `
  select t.i, z.id, z.name, z.key_set_version, z.delete_sentinel, z.keys_held_at is not null as held, z.policy,
    (select ${end('max(l.keys_unknown_until)')} from zoneseal.serial_lines l
      where l.zone_id = z.id and l.keys_unknown_until > clock_timestamp()) as unknown_until,
    p.version as policy_version, z.keys_policy_version as policy_version_before, ${DUE_AT} as due_at, p.document,
    array(select v.view from zoneseal.zone_views v where v.zone_id = z.id order by v.view) as views,
    ${rowsOf('id', `select ${KEY_COLUMNS} from zoneseal.zone_keys k where k.zone_id = z.id`)} as keys,
    array(select k.id::text from zoneseal.zone_keys k
      where k.zone_id = z.id and k.roll_asked_at is not null and k.removed_at is null order by k.id) as asked,
    ${FORMERLY} as formerly,
    ${USES} as uses,
    ${DS_USES} as ds,
    ${SIGHTINGS} as sightings,
    ${IS_PARENT_SET} as parent_set,
    array(select distinct s.view from zoneseal.peer_states s where s.zone_id = z.id) as peered,
    array(select l.id from zoneseal.key_looks l where l.zone_id = z.id) as events,
    ${begin('clock_timestamp()')} as now
  from unnest($1::text[]) with ordinality t (zone, i)
    cross join lateral (select * from zoneseal.zones where sort_key = zoneseal.sort_key(t.zone) limit 1) z
    join zoneseal.policies p on p.name = z.policy`;

/** Reads zones by name with one statement, and so one snapshot; undefined for those that there are not. */
export async function readStates(
  database: Queryable,
  zones: readonly string[],
): Promise<(StateRow | undefined)[]> {
  const states: (StateRow | undefined)[] = zones.map(() => undefined);
  for (const row of await database.query<StateRow>(STATES, [zones])) states[row.i - 1] = row;
  return states;
}

/** See RolloverStore.load. @throws ZonesealError POLICY_INVALID */
export function rolloverOf(row: StateRow): LoadedRollover {
  const keys = row.keys.map(keyOf);
  const { views } = row;
  const policy = parsePolicy(row.policy, row.document);
  const sightings = row.sightings.map((it) => sightingOf(it, policy.parentDsTtl));
  return {
    unknownUntil: row.unknown_until,
    state: {
      zone: row.name,
      views,
      policy,
      formerly: row.formerly.flatMap(formerOf),
      keySetVersion: row.key_set_version,
      keys,
      uses: row.uses.map((use) => useOf(row.name, use, views)),
      ds: row.ds.map(dsOf),
      ...(row.parent_set ? { silent: silentServers(sightings) } : {}),
      isHeld: row.held,
      asked: row.asked,
      deleteSentinel: row.delete_sentinel,
    },
    parent: parentNow(Name.parse(row.name), keys, sightings),
    peeredViews: row.peered,
    look: {
      zoneId: String(row.id),
      policyVersion: row.policy_version,
      policyVersionBefore: row.policy_version_before,
      dueAt: row.due_at,
      events: row.events,
    },
    now: row.now,
  };
}

/** Whether the DS sets of a zone are stored as they were looked at. Its row is to be locked by a statement before, or they may be of an older moment. */
export async function hasSameDs(
  database: Queryable,
  zoneId: number,
  looked: readonly DsUse[],
): Promise<boolean> {
  const [row] = await database.query<{ ds: DsUseRow[] }>(
    `select ${DS_USES} as ds from zoneseal.zones z where z.id = $1`,
    [zoneId],
  );
  return row !== undefined && !isOtherDs(row.ds.map(dsOf), looked);
}

/**
 * Notes a look where nobody has noted one since the zone was loaded: the zone's row is locked, and what it had when it was is compared.
 * Who took some of the events away has looked meanwhile, though it may have noted the same time. Else it is to be looked at again.
 */
const NOTE_LOOKED = `
  with zone as (
    select z.id, ${DUE_AT} is not distinct from $2::bigint and z.keys_policy_version = $3 as same
    from zoneseal.zones z where z.id = $1 for no key update of z
  ), taken as (
    delete from zoneseal.key_looks l using zone where l.id = any ($4::bigint[]) returning l.id
  ), verdict as (
    select id, same and (select count(*) from taken) = cardinality($4::bigint[]) as is_last from zone
  ), noted as (
    update zoneseal.zones z set keys_due_at = to_timestamp($5), keys_policy_version = $6
    from verdict v where z.id = v.id and v.is_last
  )
  insert into zoneseal.key_looks (zone_id) select id from verdict where not is_last`;

/** See RolloverStore.noteLooked: one statement, as every zone is noted of so often. */
export async function noteLook(
  database: Queryable,
  { zoneId, policyVersion, policyVersionBefore, dueAt, events }: Look,
  nextAt: number | null,
): Promise<void> {
  const values = [zoneId, dueAt, policyVersionBefore, events, nextAt, policyVersion];
  await database.execute(NOTE_LOOKED, values);
}

function dsOf({ keys, algorithms, since, seen_at: seenAt, until, ttl }: DsUseRow): DsUse {
  return { keys, algorithms, since, seenAt, until, ttl };
}

/** One that this release cannot read says nothing. */
function formerOf({ name, document, until }: StateRow['formerly'][number]): FormerPolicy[] {
  try {
    const { propagationDelay, publishSafety, parentPropagationDelay, parentDsTtl } = parsePolicy(
      name,
      document,
    );
    return [{ until, delays: { propagationDelay, publishSafety, parentPropagationDelay, parentDsTtl } }];
  } catch (error) {
    if (error instanceof ZonesealError) return [];
    throw error;
  }
}

function useOf(zone: string, use: UseRow, views: readonly string[]): KeySetUse {
  const keys = keysOfDocument(zone, use.keys);
  return {
    view: use.view,
    facts: keySetFacts(keys, [...new Set([...views, use.view])], use.version, use.delete_sentinel),
    since: use.since,
    until: use.until,
    replacedAt: use.replaced_at,
    ...(use.behind.length === 0 ? {} : { behind: use.behind }),
    maxTtl: use.max_ttl,
    dnskeyTtl: use.dnskey_ttl,
  };
}

/** A TTL that was not signed may be a lie, so that it makes no wait shorter than the policy does. */
function sightingOf(row: SightingRow, leastTtl: number): LastSighting {
  const { server, ds, ttl, first_seen: firstSeen, last_seen: lastSeen } = row;
  return {
    server,
    ds: ds?.map((octets) => new Uint8Array(Buffer.from(octets, 'base64'))) ?? null,
    ttl: ttl === null || row.ttl_proved ? ttl : Math.max(ttl, leastTtl),
    firstSeen,
    lastSeen,
  };
}
