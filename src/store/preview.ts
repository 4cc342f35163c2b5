import type { Publication, ServedZone } from '../publication/ports.js';
import { nextSerial } from '../publication/serial.js';
import { causeOf, LINE_STATE, type LineState, serialInput } from './allocate.js';
import type { Queryable } from './database.js';

/** A publication that nobody is building: what one of the present state would be made from. */
export interface Preview {
  /** Of the newest version, also where the zone is frozen at another. Its id is that of no stored one. */
  readonly publication: Publication;
  /** The version at which the zone is frozen; null: it is not. */
  readonly frozenVersion: number | null;
  /** Whether a gateway would make one by itself. */
  readonly isDue: boolean;
}

/** The id of a publication that is not stored. */
const NO_ID = '0';

/** What a publication of the present state would be made from; nothing is written. Undefined: the zone is not served in the view. */
export async function readPreview(
  database: Queryable,
  served: ServedZone,
  formatVersion: number,
): Promise<Preview | undefined> {
  const state = await readLineState(database, served, formatVersion);
  if (state === undefined) return undefined;
  const cause = causeOf(state);
  const isWaiting = state.frozen_version !== null && state.frozen_version < state.newest_version;
  return {
    frozenVersion: state.frozen_version,
    isDue: cause !== undefined,
    publication: {
      ...served,
      id: NO_ID,
      serial: nextSerial(serialInput(state)),
      zoneVersion: state.newest_version,
      policyName: state.policy,
      policyVersion: state.policy_version,
      keySetVersion: state.key_set_version,
      time: Math.max(state.now, state.ready_time ?? 0),
      formatVersion,
      notBefore: state.resigned_at,
      state: 'building',
      cause: cause ?? (isWaiting ? 'change' : 'asked'),
      error: null,
      previous: state.ready === null ? null : String(state.ready),
      generation: null,
      resignAt: null,
      expiresAt: null,
      soa: null,
      zonemd: null,
      maxTtl: null,
      records: null,
      octets: null,
      journal: null,
    },
  };
}

/** Where a line stands; undefined: the zone is not served in the view. */
export async function readLineState(
  database: Queryable,
  { zoneId, view }: Pick<ServedZone, 'zoneId' | 'view'>,
  formatVersion: number,
): Promise<LineState | undefined> {
  const [state] = await database.query<LineState>(`${LINE_STATE} where z.id = $2 and l.view = $3`, [
    formatVersion,
    zoneId,
    view,
  ]);
  return state;
}
