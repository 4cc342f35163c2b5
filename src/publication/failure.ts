import { type ErrorCode, ZonesealError } from '../errors.js';
import type { Allocation, Publication, ServedZone } from './ports.js';

/** Codes that only a change of the zone, its policy or its keys can mend: tried again when the inputs change. */
const LASTING = new Set<ErrorCode>([
  'ZONE_INVALID',
  'RDATA_INVALID',
  'NAME_INVALID',
  'TYPE_UNKNOWN',
  'MESSAGE_TOO_LARGE',
  'POLICY_INVALID',
  'KEY_SET_INVALID',
  'ALGORITHM_UNSUPPORTED',
]);

/** Seconds until a failed publication is tried again on the same inputs; null when only a change can help. */
export function retryAfter(error: unknown, attempt: number): number | null {
  if (error instanceof ZonesealError && LASTING.has(error.code)) return null;
  if (error instanceof ZonesealError && error.code === 'GATEWAY_STOPPING') return 0;
  return Math.min(300, 5 * 2 ** Math.min(attempt, 6));
}

/** What is given up because the gateway ends. */
export function stopping(): ZonesealError {
  return new ZonesealError('GATEWAY_STOPPING', 'the gateway is being stopped');
}

/** The lease on a publication is another gateway's. */
export function lost({ zone, view, serial }: Publication): ZonesealError {
  return new ZonesealError(
    'PUBLICATION_LOST',
    `zone ${zone} in view ${view}: the lease on serial ${serial} was lost, another gateway has taken over`,
    { zone, view, serial },
  );
}

/** Another gateway is making a publication of the zone. */
export class BuildingElsewhere extends ZonesealError {
  readonly publication: Publication;

  constructor(publication: Publication, where: string) {
    const { zone, view } = publication;
    super('PUBLICATION_NOT_READY', `${where}: another gateway is making its publication`, { zone, view });
    this.publication = publication;
  }
}

/** Why there is no new publication. */
export function notAllocated(
  { zone, view }: ServedZone,
  allocation: Exclude<Allocation, { kind: 'allocated' }>,
): ZonesealError {
  const where = `zone ${zone} in view ${view}`;
  switch (allocation.kind) {
    case 'failed': {
      const reason = allocation.publication.error ?? 'unknown';
      return new ZonesealError('PUBLICATION_FAILED', `${where}: its newest publication failed: ${reason}`, {
        zone,
        view,
      });
    }
    case 'not-served':
      return new ZonesealError('PUBLICATION_NOT_READY', `${where}: it is no longer served`, { zone, view });
    default:
      return new BuildingElsewhere(allocation.publication, where);
  }
}
