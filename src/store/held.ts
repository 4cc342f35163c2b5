import { ZonesealError } from '../errors.js';
import type { Queryable } from './database.js';

/** A zone as statements need it. */
export interface HeldZone {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly policy: string;
}

/** What a transaction keeps others from doing to the zone meanwhile. */
export type ZoneLock = 'none' | 'write' | 'delete';

const LOCKS: Readonly<Record<ZoneLock, string>> = {
  none: '',
  write: 'for no key update',
  delete: 'for update',
};

/**
 * The zone of a name, in any spelling.
 * @throws ZonesealError NOT_HELD
 */
export async function findZone(
  database: Queryable,
  name: string,
  lock: ZoneLock = 'none',
): Promise<HeldZone> {
  const [zone] = await database.query<HeldZone>(
    `select id, name, version, policy from zoneseal.zones where sort_key = zoneseal.sort_key($1) ${LOCKS[lock]}`,
    [name],
  );
  if (zone === undefined) throw notHeld('zone', name, 'see: zoneseal zone list');
  return zone;
}

/** The error for what the database does not hold. */
export function notHeld(kind: string, name: string, next: string): ZonesealError {
  return new ZonesealError('NOT_HELD', `there is no ${kind} "${name}"; ${next}`, { kind, name });
}

/** The error for what the database holds already. */
export function alreadyHeld(kind: string, name: string, next: string): ZonesealError {
  return new ZonesealError('ALREADY_HELD', `there is a ${kind} "${name}" already; ${next}`, { kind, name });
}

/** Whether an error is a breach of the named constraint. */
export function breaks(error: unknown, constraint: string): boolean {
  return error instanceof ZonesealError && error.fields['constraint'] === constraint;
}
