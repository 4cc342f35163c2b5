import { NEVER } from '../publication/ports.js';
import type { Queryable } from './database.js';

/** What a (zone, view) serves, as operators read it. Times are ISO 8601. */
export interface LineDescription {
  readonly view: string;
  /** The serial last given out, failed attempts included. */
  readonly lastSerial: number | null;
  /** Whether the zone is frozen, and something that the view sees has changed since. */
  readonly waiting: boolean;
  /** The publication that is served; null while there is none. */
  readonly ready: {
    readonly id: string;
    readonly serial: number;
    readonly zoneVersion: number;
    readonly time: string;
    readonly records: number | null;
    /** When its signatures are next made anew; null: it is unsigned. */
    readonly resignAt: string | null;
  } | null;
  /** The one being built. */
  readonly building: { readonly id: string; readonly serial: number; readonly gateway: string } | null;
  /** The newest attempt, where it failed: what has to be put right before anything newer is served. */
  readonly failed: {
    readonly id: string;
    readonly serial: number;
    readonly zoneVersion: number;
    readonly error: string;
    readonly time: string;
    readonly retryAt: string | null;
  } | null;
}

interface LineRow {
  readonly zone_id: number;
  readonly view: string;
  readonly last_serial: number | null;
  readonly waiting: boolean;
  readonly ready: LineDescription['ready'];
  readonly building: LineDescription['building'];
  readonly failed: LineDescription['failed'];
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`;

/**
 * The serial lines of zones by zone id, views in order.
 * @param where a condition on `zones z`, with `where`; or nothing
 */
export async function describeLines(
  database: Queryable,
  where: string,
  values: readonly unknown[],
): Promise<ReadonlyMap<number, readonly LineDescription[]>> {
  const rows = await database.query<LineRow>(
    `select l.zone_id, l.view, l.last_serial, coalesce(l.changed_version > l.frozen_version, false) as waiting,
       case when r.id is not null then jsonb_build_object('id', r.id::text, 'serial', r.serial, 'zoneVersion', r.zone_version,
         'time', to_char(to_timestamp(r.time) at time zone 'UTC', ${ISO}), 'records', r.records,
         'resignAt', case when r.resign_at < ${NEVER} then to_char(to_timestamp(r.resign_at) at time zone 'UTC', ${ISO}) end) end as ready,
       case when b.id is not null then jsonb_build_object('id', b.id::text, 'serial', b.serial, 'gateway', b.gateway) end as building,
       case when f.id is not null then jsonb_build_object('id', f.id::text, 'serial', f.serial, 'zoneVersion', f.zone_version,
         'error', f.error, 'time', to_char(f.finished_at at time zone 'UTC', ${ISO}),
         'retryAt', to_char(l.retry_at at time zone 'UTC', ${ISO})) end as failed
     from zoneseal.zones z join zoneseal.serial_lines l on l.zone_id = z.id
       left join zoneseal.publications r on r.id = l.ready
       left join zoneseal.publications b on b.id = l.building
       left join zoneseal.publications f on f.id = l.failed
     ${where}
     order by l.zone_id, l.view`,
    values,
  );
  const lines = new Map<number, LineDescription[]>();
  for (const { zone_id: id, last_serial: lastSerial, ...line } of rows) {
    const list = lines.get(id) ?? [];
    lines.set(id, list);
    list.push({ ...line, lastSerial });
  }
  return lines;
}
