import { ZonesealError } from '../errors.js';
import type { DatabaseState, Finding, LineName, Remembered } from './recovery-ports.js';

/**
 * Whether the database was set back, by what a gateway remembers of it and by what it has stored of its server. Undefined: it was
 * not, or a gateway that had lost as much has noticed already.
 */
export function findSetBack(state: DatabaseState, remembered: Remembered | undefined): Finding | undefined {
  const { incarnations, hasPublications, hasOthers } = state;
  const current = incarnations.at(-1);
  if (current === undefined) return undefined;
  if (remembered !== undefined) {
    const at = incarnations.findIndex(({ incarnation }) => incarnation === remembered.incarnation);
    const known = incarnations[at];
    if (known === undefined) {
      return certain('it does not know what this gateway saw of it: it was restored, or is another one');
    }
    const isNoticed = incarnations.slice(at + 1).some(({ isCertain }) => isCertain);
    if (known.marker < remembered.marker && !isNoticed) {
      return certain(
        `its marker is ${known.marker}, and was ${remembered.marker}: what came between is lost`,
      );
    }
  }
  if (current.systemIdentifier !== state.systemIdentifier) {
    return certain('its system identifier is another: it was restored into another server');
  }
  if (current.timeline !== state.timeline) {
    const { timeline: before } = current;
    return certain(
      `its timeline was ${before}, and is ${state.timeline}: a standby was promoted, or a backup restored`,
    );
  }
  if (remembered === undefined && hasPublications && !hasOthers) {
    return { reason: 'no gateway is there that remembers it', isCertain: false };
  }
  return undefined;
}

function certain(reason: string): Finding {
  return { reason, isCertain: true };
}

/** Why a line is not served for now: whether it is past what nameservers serve is being found out. */
export function lineRecovering({ zone, view }: LineName): ZonesealError {
  return new ZonesealError(
    'DATABASE_SET_BACK',
    `zone ${zone} in view ${view}: its serial line is being moved past what its peers serve; it is served again when that is done`,
    { zone, view },
  );
}

/** What a statement saw was not the database that this gateway trusts: it has to be looked at first. */
export function untrusted(): ZonesealError {
  return new ZonesealError(
    'DATABASE_SET_BACK',
    'the database is not as this gateway remembers it; whether it was set back is being found out',
    { untrusted: true },
  );
}
