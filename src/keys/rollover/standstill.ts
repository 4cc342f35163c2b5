import type { Decision } from './model.js';
import { isTakenOver, lacksFirstKeys } from './next-step.js';
import type { LoadedRollover } from './ports.js';
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

/** What is known of a zone whose keys may stand still. */
export interface Standing extends Pick<LoadedRollover, 'state' | 'unknownUntil'> {
  /** As gateways carry it out. */
  readonly decision: Decision;
  /** Whether anything became of the zone's keys before. */
  readonly hasEvents: boolean;
  /** Gateways that run and know nothing of rolls, by name. */
  readonly olderGateways: readonly string[];
}

/** Why gateways take no step, or none but the destruction of keys, with the keys of a zone as it is now. */
export function standstillsOf(standing: Standing): Standstill[] {
  const { state, unknownUntil, olderGateways } = standing;
  return [
    ...ownStandstills(standing),
    ...(unknownUntil === null ? [] : [setBack(state.zone, unknownUntil)]),
    ...(olderGateways.length === 0 ? [] : [heldByOlder(olderGateways)]),
  ];
}

function ownStandstills({ state, decision, hasEvents }: Standing): Standstill[] {
  const { zone, views, policy } = state;
  const messages: string[] = [];
  if (views.length === 0)
    messages.push(
      `no key of zone ${zone} rolls: it is served in no view; have it served with: zoneseal view assign ${zone} VIEW`,
    );
  if (lacksFirstKeys(state) && policy.signed)
    messages.push(`zone ${zone} has no keys, and gets its first ones by: zoneseal keys generate ${zone}`);
  if (isTakenOver(state, decision, hasEvents))
    messages.push(
      `gateways will hold the keys of zone ${zone} at their next look, for they are not those that its policy wants; then let them roll with: zoneseal keys hold ${zone} --release`,
    );
  return messages.map((message) => ({ message, until: null }));
}
