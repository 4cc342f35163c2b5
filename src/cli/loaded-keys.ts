import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { RolloverState } from '../keys/rollover/model.js';
import type { LoadedRollover } from '../keys/rollover/ports.js';
import type { DatabaseParts } from './database.js';

/** A zone's keys with everything that decisions look at. */
export interface LoadedKeys extends LoadedRollover {
  /** As it is stored: without what the parent was seen with since. */
  readonly stored: RolloverState;
}

/** A zone's keys with everything that decisions look at, and what the parent was last seen with. @throws ZonesealError NOT_HELD */
export async function loadKeys({ rollovers }: DatabaseParts, zone: Name): Promise<LoadedKeys> {
  const loaded = await rollovers.load(zone.toString());
  if (loaded !== undefined) {
    const { state, parent } = loaded;
    if (parent === null) return { ...loaded, stored: state };
    const { observeParent } = await import('../keys/rollover/apply.js');
    return { ...loaded, stored: state, state: { ...state, ds: observeParent(state, parent) } };
  }
  throw new ZonesealError('NOT_HELD', `zone ${zone} is not held; see: zoneseal zone list`, {
    zone: zone.toString(),
  });
}
