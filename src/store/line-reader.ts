import type { LineState } from '../publication/ports.js';
import type { Standing } from '../publication/recovery-ports.js';
import type { Queryable } from './database.js';
import { type PublicationRow, publicationOf } from './publication-record.js';

/** What tells whether the database is the one that is trusted (DatabaseWatch). */
export interface TrustRule {
  /** The incarnation of the database that is trusted; undefined: none is yet. */
  readonly incarnation: string | undefined;
  /** @throws ZonesealError DATABASE_SET_BACK */
  check(standing: Standing): void;
  /** Runs what checks, a second time where that has to find out first. */
  trusting<T>(work: () => Promise<T>): Promise<T>;
}

/** A zone, lower-case absolute text, and a view. */
export interface LineName {
  readonly zone: string;
  readonly view: string;
}

/** What a statement saw of the database itself. */
export interface StandingRow {
  readonly incarnation: string;
  readonly marker: number;
  readonly same_server: boolean;
}

type LineRow = Omit<PublicationRow, 'id' | 'zone' | 'view'> &
  StandingRow & {
    readonly i: number;
    /** Null: nothing is ready. */
    readonly id: number | null;
    readonly line_zone_id: number;
    readonly last_serial: number | null;
    readonly recovering: boolean;
  };

export function standingOf({ incarnation, marker, same_server: sameServer }: StandingRow): Standing {
  return { incarnation, marker, sameServer };
}

const LINES = 'select * from zoneseal.find_lines($1, $2)';

/**
 * Where lines stand, in the order of their names; undefined for those that are not served.
 * @throws ZonesealError DATABASE_SET_BACK
 */
export function readLines(
  database: Queryable,
  trust: TrustRule,
  names: readonly LineName[],
): Promise<(LineState | undefined)[]> {
  return trust.trusting(async () => {
    const rows = await database.query<LineRow>(LINES, [
      names.map(({ zone }) => zone),
      names.map(({ view }) => view),
    ]);
    const states: (LineState | undefined)[] = names.map(() => undefined);
    for (const row of rows) {
      trust.check(standingOf(row));
      const { zone, view } = names[row.i - 1] as LineName;
      const { line_zone_id: zoneId, last_serial: last, recovering: isRecovering } = row;
      states[row.i - 1] = {
        served: { zoneId: String(zoneId), zone, view },
        publication: row.id === null ? undefined : publicationOf({ ...row, zone, view } as PublicationRow),
        lastSerial: last ?? undefined,
        isRecovering,
      };
    }
    return states;
  });
}
