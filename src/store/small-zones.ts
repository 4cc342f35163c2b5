import { parsePolicy } from '../keys/policy.js';
import type {
  ChangedOwners,
  Publication,
  ServedZone,
  SmallZoneContent,
  StoredPage,
} from '../publication/ports.js';
import type { Standing } from '../publication/recovery-ports.js';
import type { RowContent, ZoneRow } from '../zone/row.js';
import { ABANDONED } from './abandoned-pages.js';
import {
  type AllocateRequest,
  causeOf,
  giveSerial,
  LINE_STATE,
  type LineState,
  policyOf,
} from './allocate.js';
import type { Database, Queryable, Transaction } from './database.js';
import { readKeySetVersions } from './key-set-reader.js';
import { PUBLICATION_COLUMNS, type PublicationRow, publicationOf } from './publication-record.js';
import { readFewPages } from './signed-page-store.js';

/** What a zone has at the most that is read whole. */
const SMALL_ROWS = 200;
const SMALL_CHANGES = 400;

const INSERT = `
  with t as (
    select * from jsonb_to_recordset($1::jsonb) as t (zone_id bigint, view text, serial bigint, zone_version bigint,
      policy text, policy_version bigint, key_set_version bigint, time bigint, not_before bigint, wanted bigint,
      cause text, previous bigint)
  ), p as (
    insert into zoneseal.publications (zone_id, view, serial, zone_version, policy_name, policy_version, key_set_version,
      time, format_version, state, gateway, not_before, wanted, cause, previous)
    select t.zone_id, t.view, t.serial, t.zone_version, t.policy, t.policy_version, t.key_set_version, t.time, $2,
      'building', $3, t.not_before, t.wanted, t.cause, t.previous from t
    returning *
  ), l as (
    update zoneseal.serial_lines l
    set last_serial = p.serial, building = p.id, building_until = clock_timestamp() + make_interval(secs => $4::float8)
    from p where l.zone_id = p.zone_id and l.view = p.view
  )
  select ${PUBLICATION_COLUMNS} from p join zoneseal.zones z on z.id = p.zone_id`;

/** See PublicationStore.allocateMany; to be called in a transaction. Takes no lock that it would have to wait for long. */
export async function allocateMany(
  transaction: Transaction,
  wanted: readonly ServedZone[],
  request: AllocateRequest,
  check: (standing: Standing) => void,
): Promise<Publication[]> {
  const distinct = [...new Map(wanted.map((served) => [served.zoneId, served])).values()];
  const zones = await transaction.query<{ id: number }>(
    `select z.id from zoneseal.zones z where z.id = any ($1::bigint[])
       and pg_try_advisory_xact_lock(hashtextextended('zoneseal zone ' || z.id::text, 0))
       and (select count(*) from (select from zoneseal.rrsets r where r.zone_id = z.id limit ${SMALL_ROWS + 1}) s) <= ${SMALL_ROWS}
     for key share of z skip locked`,
    [distinct.map(({ zoneId }) => zoneId)],
  );
  const ours = new Set(zones.map(({ id }) => String(id)));
  const served = distinct.filter(({ zoneId }) => ours.has(zoneId));
  const lines = await transaction.query<{ zone_id: number; view: string }>(
    `select l.zone_id, l.view from zoneseal.serial_lines l
       join unnest($1::bigint[], $2::text[]) t (zone_id, view) on t.zone_id = l.zone_id and t.view = l.view
     where not exists (
       select from zoneseal.serial_lines o
       where o.zone_id = l.zone_id and o.building is not null and o.building_until > clock_timestamp())
       and not exists (
         -- signatures of publications that died serve again
         select from (select * from zoneseal.serial_lines d where d.zone_id = l.zone_id) l, lateral (${ABANDONED}) a)
     for update of l skip locked`,
    [served.map(({ zoneId }) => zoneId), served.map(({ view }) => view)],
  );
  const states = await transaction.query<LineState>(
    `${LINE_STATE} join unnest($2::bigint[], $3::text[]) t (zone_id, view) on t.zone_id = z.id and t.view = l.view`,
    [request.formatVersion, lines.map((line) => line.zone_id), lines.map(({ view }) => view)],
  );
  const given = states.flatMap((state) => {
    check({ incarnation: state.incarnation, marker: state.marker, sameServer: state.same_server });
    const cause = state.settled ? causeOf(state) : undefined;
    const { problem } = policyOf(state);
    if (cause === undefined || state.building !== null || state.failed_same || problem !== undefined)
      return [];
    const zone = served.find(({ zoneId }) => zoneId === String(state.zone_id)) as ServedZone;
    return {
      zone_id: state.zone_id,
      view: state.view,
      serial: giveSerial(state, zone, request),
      zone_version: state.version,
      policy: state.policy,
      policy_version: state.policy_version,
      key_set_version: state.key_set_version,
      time: Math.max(state.now, state.ready_time ?? 0),
      not_before: state.resigned_at,
      wanted: state.wanted,
      cause,
      previous: state.ready,
    };
  });
  if (given.length === 0) return [];
  const { formatVersion, gateway, leaseSeconds } = request;
  const rows = await transaction.query<PublicationRow>(INSERT, [
    JSON.stringify(given),
    formatVersion,
    gateway,
    leaseSeconds,
  ]);
  return rows.map(publicationOf);
}

/** Rows of zones $1 at versions $2, numbered by their place in the arrays; one more than is small at the most. */
const ROWS = `
  select t.i, r.owner, r.sort_key, r.type, r.ttl, r.data, r.views
  from unnest($1::bigint[], $2::bigint[]) with ordinality t (zone_id, version, i), lateral (
    select * from (
      select owner, sort_key, type, ttl, data, views from zoneseal.rrsets r
      where r.zone_id = t.zone_id
        and coalesce((select b.version from zoneseal.rrset_births b where b.row_id = r.id), 0) <= t.version
      union all
      select owner, sort_key, type, ttl, data, views from zoneseal.rrset_history h
      where h.zone_id = t.zone_id and h.valid_from <= t.version and h.valid_to > t.version
    ) u limit ${SMALL_ROWS + 1}
  ) r
  order by t.i, r.sort_key, r.type`;

/** Newest ready publications of zones $1; each is looked up by itself (see TransactionOptions.byIndex). */
const READY = `
  select ${PUBLICATION_COLUMNS}
  from unnest($1::bigint[]) t (zone_id)
    cross join lateral (select l.ready from zoneseal.serial_lines l where l.zone_id = t.zone_id offset 0) l
    cross join lateral (select * from zoneseal.publications p where p.id = l.ready offset 0) p
    cross join lateral (select name from zoneseal.zones z where z.id = t.zone_id offset 0) z
  order by p.zone_id, p.view`;

const CHANGES = `
  select t.i, c.sort_key
  from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) with ordinality t (zone_id, view, after, up_to, i), lateral (
    select distinct c.sort_key from zoneseal.changes c
    where c.zone_id = t.zone_id and c.version > t.after and c.version <= t.up_to
      and (c.views_before is null or t.view = any (c.views_before) or c.views_after is null or t.view = any (c.views_after))
    order by c.sort_key nulls first limit ${SMALL_CHANGES + 1}
  ) c
  order by t.i, c.sort_key`;

/** See PublicationStore.readSmallZones. */
export async function readSmallZones(
  database: Database,
  publications: readonly Publication[],
): Promise<SmallZoneContent[]> {
  const zoneIds = publications.map(({ zoneId }) => zoneId);
  const [rows, ready, policies, keySets] = await Promise.all([
    database.query<{ i: number; sort_key: Buffer } & RowContent>(ROWS, [
      zoneIds,
      publications.map(({ zoneVersion }) => zoneVersion),
    ]),
    database.query<PublicationRow>(READY, [zoneIds]),
    readPolicies(database, publications),
    readKeySetVersions(
      database,
      publications.map(({ zoneId, keySetVersion }) => ({ zoneId, version: keySetVersion })),
    ),
  ]);
  const readyOnes = ready.map(publicationOf);
  const [pages, changes] = await Promise.all([
    readFewPages(
      database,
      readyOnes.map(({ id, generation }) => ({ id, generation: generation ?? id })),
    ),
    readChangesOf(database, publications, readyOnes),
  ]);
  const rowsOf = groups(
    rows,
    ({ i }) => i - 1,
    ({ owner, sort_key: sortKey, type, ttl, data, views }): ZoneRow => ({
      owner,
      sortKey,
      type,
      ttl,
      data,
      views,
    }),
  );
  return publications.flatMap((publication, i): SmallZoneContent[] => {
    const own = rowsOf.get(i) ?? [];
    const policy = policies.get(`${publication.policyName} ${publication.policyVersion}`);
    const keySet = keySets.get(`${publication.zoneId} ${publication.keySetVersion}`);
    const views = readyOnes.flatMap((it, at) =>
      it.zoneId === publication.zoneId ? [{ publication: it, pages: pages[at] }] : [],
    );
    const small = views.filter(hasPages);
    if (
      own.length > SMALL_ROWS ||
      small.length < views.length ||
      policy === undefined ||
      keySet === undefined
    )
      return [];
    return [
      {
        publication,
        rows: own,
        policy: parsePolicy(publication.policyName, policy),
        keySet,
        ready: small,
        changes: changes.get(i) ?? { kind: 'owners', keys: [] },
      },
    ];
  });
}

async function readPolicies(
  database: Queryable,
  publications: readonly Publication[],
): Promise<ReadonlyMap<string, unknown>> {
  const rows = await database.query<{ name: string; version: number; document: unknown }>(
    `select v.name, v.version, v.document from zoneseal.policy_versions v
       join (select distinct * from unnest($1::text[], $2::bigint[])) t (name, version) using (name, version)`,
    [
      publications.map(({ policyName }) => policyName),
      publications.map(({ policyVersion }) => policyVersion),
    ],
  );
  return new Map(rows.map(({ name, version, document }) => [`${name} ${version}`, document]));
}

async function readChangesOf(
  database: Queryable,
  publications: readonly Publication[],
  ready: readonly Publication[],
): Promise<ReadonlyMap<number, ChangedOwners>> {
  const before = publications.map(
    ({ previous }) => ready.find(({ id }) => id === previous)?.zoneVersion ?? null,
  );
  const rows = await database.query<{ i: number; sort_key: Buffer | null }>(CHANGES, [
    publications.map(({ zoneId }) => zoneId),
    publications.map(({ view }) => view),
    before,
    publications.map(({ zoneVersion }) => zoneVersion),
  ]);
  const keys = groups(
    rows,
    ({ i }) => i - 1,
    (row) => row.sort_key,
  );
  return new Map(
    [...keys].map(([i, all]): [number, ChangedOwners] => {
      if (all.length > SMALL_CHANGES || all.includes(null)) return [i, { kind: 'all' }];
      return [i, { kind: 'owners', keys: all.filter((key) => key !== null) }];
    }),
  );
}

function hasPages<Ready extends { readonly pages: StoredPage[] | undefined }>(
  it: Ready,
): it is Ready & { readonly pages: StoredPage[] } {
  return it.pages !== undefined;
}

function groups<Row, Value>(
  rows: readonly Row[],
  place: (row: Row) => number,
  value: (row: Row) => Value,
): Map<number, Value[]> {
  const found = new Map<number, Value[]>();
  for (const row of rows) {
    const at = place(row);
    const there = found.get(at);
    if (there === undefined) found.set(at, [value(row)]);
    else there.push(value(row));
  }
  return found;
}
