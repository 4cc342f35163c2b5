import { timeText } from './words.js';

/** Why gateways take no step at all with the keys of a zone, whatever is decided. */
export interface Standstill {
  /** What stands, why, and what to do, for an operator. */
  readonly message: string;
  /** Seconds since 1970; null: until something has happened. */
  readonly until: number | null;
}

/** The database was set back, so that nobody knows what caches hold (`LoadedRollover.unknownUntil`). */
export function setBack(zone: string, until: number): Standstill {
  return {
    message: `no key of zone ${zone} rolls until ${timeText(until)}: the database was set back, and caches may hold until then what it knows nothing of; where a key has to go before: zoneseal keys roll ${zone} TAG --emergency`,
    until,
  };
}

/** Gateways run that would go on signing by the key sets of before. @param gateways their names and releases, one or more */
export function heldByOlder(gateways: readonly string[]): Standstill {
  return {
    message: `no key of any zone rolls: ${gateways.join(', ')} would not sign by what comes of it, being of a release without key rolls; upgrade, or stop it`,
    until: null,
  };
}
