import { ZonesealError } from '../errors.js';
import type { Cause, PublicationState, ServedZone } from '../publication/ports.js';
import { isAfter, nextSerial } from '../publication/serial.js';
import { serialRefused } from '../publication/serial-move.js';
import { serialInput } from './allocate.js';
import type { Database, Queryable } from './database.js';
import { findZone, type HeldZone, notHeld } from './held.js';
import { type Preview, readLineState, readPreview } from './preview.js';

/** A serial line as operators see it. */
export interface SerialLine {
  readonly view: string;
  /** Whether the zone is served in the view now. */
  readonly isAssigned: boolean;
  /** The serial that is served; null: none is. */
  readonly served: number | null;
  /** The serial last given out, that of failed attempts too, or what the line was moved to; null: none yet. */
  readonly last: number | null;
  /** What a publication made now would get; null where the zone is not served. */
  readonly next: number | null;
}

/** One publication as it is listed. Times are ISO 8601. */
export interface HistoryEntry {
  readonly view: string;
  readonly serial: number;
  readonly state: PublicationState;
  readonly cause: Cause;
  /** Whether an operator wanted all signatures made anew. */
  readonly resigned: boolean;
  /** What slots follow from. */
  readonly time: string;
  readonly finishedAt: string | null;
  readonly zoneVersion: number;
  readonly policy: string;
  readonly policyVersion: number;
  readonly keySetVersion: number;
  readonly records: number | null;
  /** Records that it took away and put in, RRSIGs among them; null: for the first, a failed one, or a difference larger than the zone. */
  readonly removed: number | null;
  readonly added: number | null;
  readonly journalOctets: number | null;
  /** Signatures made, and those that served again. */
  readonly signatures: number | null;
  readonly reused: number | null;
  readonly error: string | null;
  readonly gateway: string;
}

/** A publication that was asked for. */
export interface Asked {
  readonly view: string;
  /** The number that tells it from those asked for before. */
  readonly wanted: number;
}

/** How far a line has come with what was asked of it. */
export interface LineProgress {
  readonly view: string;
  readonly readyWanted: number;
  readonly failedWanted: number;
  readonly serial: number | null;
  readonly removed: number | null;
  readonly added: number | null;
  /** Of the newest attempt, where it failed. */
  readonly error: string | null;
  readonly retryAt: string | null;
  /** Who builds one now. */
  readonly gateway: string | null;
}

/** What operators do to zones beside changing them: holding, signing anew, serials, publications asked for, what was published. */
export class OperatorStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Holds a zone at its present version.
   * @returns the version it is held at, and whether it was not held before
   * @throws ZonesealError NOT_HELD
   */
  freeze(zone: string): Promise<{ readonly version: number; readonly isNew: boolean }> {
    return this.#database.transaction(async (transaction) => {
      const { name } = await findZone(transaction, zone);
      const [row] = await transaction.query<{ held_version: number; is_new: boolean }>(
        'select held_version, is_new from zoneseal.zone_freeze($1)',
        [name],
      );
      return { version: row?.held_version ?? 0, isNew: row?.is_new ?? false };
    });
  }

  /** Lets a zone go on. @returns the version it was held at; null: it was not @throws ZonesealError NOT_HELD */
  thaw(zone: string): Promise<number | null> {
    return this.#database.transaction(async (transaction) => {
      const { name } = await findZone(transaction, zone);
      const [row] = await transaction.query<{ version: number | null }>(
        'select zoneseal.zone_thaw($1) as version',
        [name],
      );
      return row?.version ?? null;
    });
  }

  /** Has all signatures of a zone made anew. @throws ZonesealError NOT_HELD */
  resign(zone: string): Promise<void> {
    return this.#database.transaction(async (transaction) => {
      const { name } = await findZone(transaction, zone);
      await transaction.query('select zoneseal.zone_resign($1)', [name]);
    });
  }

  /** Wants a publication in a view, or in all views of a zone. @throws ZonesealError NOT_HELD where it is not served there */
  ask(zone: string, view: string | undefined): Promise<Asked[]> {
    return this.#database.transaction(async (transaction) => {
      const { name } = await findZone(transaction, zone);
      const asked = await transaction.query<Asked>(
        'select asked_view as view, asked as wanted from zoneseal.ask_publication($1, $2) order by 1',
        [name, view ?? null],
      );
      if (asked.length === 0) throw notServed(name, view);
      return asked;
    });
  }

  /** How far the lines of a zone have come. @throws ZonesealError NOT_HELD */
  async progress(zone: string): Promise<LineProgress[]> {
    const { id } = await findZone(this.#database, zone);
    return this.#database.query<LineProgress>(
      `select l.view, l.ready_wanted as "readyWanted", l.failed_wanted as "failedWanted", r.serial, r.removed, r.added,
         f.error, ${iso('l.retry_at')} as "retryAt", b.gateway
       from zoneseal.serial_lines l
         left join zoneseal.publications r on r.id = l.ready
         left join zoneseal.publications f on f.id = l.failed
         left join zoneseal.publications b on b.id = l.building
       where l.zone_id = $1`,
      [id],
    );
  }

  /** The lines of a zone, also those of views it was served in before. @throws ZonesealError NOT_HELD */
  async lines(zone: string): Promise<SerialLine[]> {
    const held = await findZone(this.#database, zone);
    return readLines(this.#database, held);
  }

  /**
   * Moves lines of a zone past a serial, all or none.
   * @param views those it is served in where left out
   * @returns the lines as they are then
   * @throws ZonesealError NOT_HELD; DATA_REFUSED where the serial does not come after what a line has given out
   */
  moveSerials(zone: string, views: readonly string[] | undefined, serial: number): Promise<SerialLine[]> {
    return this.#database.transaction(async (transaction) => {
      const held = await findZone(transaction, zone);
      for (const view of await chosenViews(transaction, held, views)) {
        const moved = await move(transaction, held, view, serial);
        if (!moved.isMoved) throw serialRefused({ ...moved, zone: held.name, view }, serial);
      }
      return readLines(transaction, held);
    });
  }

  /**
   * Has lines that have published nothing begin after a serial; those that are past it stay.
   * @returns the lines as they are then
   * @throws ZonesealError NOT_HELD; DATA_REFUSED where something was published
   */
  startSerials(zone: string, views: readonly string[] | undefined, serial: number): Promise<SerialLine[]> {
    return this.#database.transaction(async (transaction) => {
      const held = await findZone(transaction, zone);
      const lines = await readLines(transaction, held);
      for (const view of await chosenViews(transaction, held, views)) {
        const published = lines.find((line) => line.view === view)?.served ?? null;
        if (published !== null) throw hasBegun(held.name, view, published, serial);
        const { isMoved, last } = await move(transaction, held, view, serial);
        const isPast = isMoved || last === serial || (last !== null && isAfter(last, serial));
        if (!isPast) throw serialRefused({ zone: held.name, view, last, served: null }, serial);
      }
      return readLines(transaction, held);
    });
  }

  /**
   * The publications that are kept, the newest first.
   * @throws ZonesealError NOT_HELD
   */
  async history(zone: string, view: string | undefined, limit: number): Promise<HistoryEntry[]> {
    const { id } = await findZone(this.#database, zone);
    return this.#database.query<HistoryEntry>(HISTORY, [id, view ?? null, limit]);
  }

  /** What a publication of the present state would be made from. @throws ZonesealError NOT_HELD where it is not served there */
  async preview(zone: string, view: string, formatVersion: number): Promise<Preview> {
    const { id, name } = await findZone(this.#database, zone);
    const served: ServedZone = { zoneId: String(id), zone: name, view };
    const preview = await readPreview(this.#database, served, formatVersion);
    if (preview === undefined) throw notServed(name, view);
    return preview;
  }
}

function iso(expression: string): string {
  return `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
}

const HISTORY = `
  select p.view, p.serial, p.state, coalesce(p.cause, 'first') as cause, coalesce(p.not_before > q.not_before, false) as resigned,
    ${iso('to_timestamp(p.time)')} as time, ${iso('p.finished_at')} as "finishedAt", p.zone_version as "zoneVersion",
    p.policy_name as policy, p.policy_version as "policyVersion", p.key_set_version as "keySetVersion", p.records, p.removed,
    p.added, p.journal_octets as "journalOctets", p.signatures, p.reused, p.error, p.gateway
  from zoneseal.publications p left join zoneseal.publications q on q.id = p.previous
  where p.zone_id = $1 and ($2::text is null or p.view = $2)
  order by p.id desc limit $3`;

async function readLines(database: Queryable, { id, name }: HeldZone): Promise<SerialLine[]> {
  const rows = await database.query<Omit<SerialLine, 'next'>>(
    `select l.view, l.zone_id is not null as "isAssigned", p.serial as served, l.last_serial as last
     from zoneseal.serial_lines l left join zoneseal.publications p on p.id = l.ready
     where l.zone = $1 and (l.zone_id is not null or l.last_serial is not null) order by l.view`,
    [name],
  );
  const lines: SerialLine[] = [];
  for (const row of rows) {
    const state = await readLineState(database, { zoneId: String(id), view: row.view }, 0);
    lines.push({ ...row, next: state === undefined ? null : nextSerial(serialInput(state)) });
  }
  return lines;
}

async function chosenViews(
  database: Queryable,
  { id, name }: HeldZone,
  views: readonly string[] | undefined,
): Promise<readonly string[]> {
  if (views !== undefined) return views;
  const assigned = await database.query<{ view: string }>(
    'select view from zoneseal.zone_views where zone_id = $1 order by view',
    [id],
  );
  if (assigned.length === 0) throw notServed(name, undefined);
  return assigned.map(({ view }) => view);
}

async function move(
  transaction: Queryable,
  { name }: HeldZone,
  view: string,
  serial: number,
): Promise<{ readonly isMoved: boolean; readonly last: number | null; readonly served: number | null }> {
  const [row] = await transaction.query<{ was_moved: boolean; last: number | null; served: number | null }>(
    'select was_moved, last, served from zoneseal.move_serial($1, $2, $3)',
    [name, view, serial],
  );
  return { isMoved: row?.was_moved ?? false, last: row?.last ?? null, served: row?.served ?? null };
}

function notServed(zone: string, view: string | undefined): Error {
  if (view === undefined)
    return notHeld('view of zone', zone, `serve it with: zoneseal view assign ${zone} VIEW`);
  return notHeld(`view of zone ${zone}`, view, `serve it there with: zoneseal view assign ${zone} ${view}`);
}

function hasBegun(zone: string, view: string, served: number, serial: number): Error {
  return new ZonesealError(
    'DATA_REFUSED',
    `zone ${zone} in view ${view}: serial ${served} is published, so its line has begun; to move it: zoneseal zone serial ${zone} --view ${view} --past ${serial}`,
    { zone, view, served, serial },
  );
}
