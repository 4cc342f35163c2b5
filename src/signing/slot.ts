import { lowerOctet, type Name } from '../dns/name.js';

/** What slots follow from; all in seconds. */
export interface SlotPolicy {
  /** Lifetime of a signature from the start of its slot. */
  readonly validity: number;
  /** Validity that is left when a slot ends. */
  readonly refresh: number;
  /** How far inception lies before the start of the slot. */
  readonly inceptionOffset: number;
}

/** The signing period of one RRset at one time; seconds since 1970. */
export interface Slot {
  readonly inception: number;
  readonly expiration: number;
  /** From here on the RRset is in its next slot and wants a new signature. */
  readonly end: number;
}

/**
 * Slot boundaries fall on this many instants of a period (every six hours of the default policy's week): enough to spread
 * expiries evenly, few enough that what falls due together makes one publication.
 */
const STEPS = 28;

/**
 * The slot of an RRset: the period is validity less refresh, and begins for each owner and type at an offset of its own,
 * so that expiries are spread. A function of its arguments alone, so that every gateway comes to the same.
 * @param time seconds since 1970, the publication's
 * @param notBefore a slot that began before this instant begins there: an operator wanted all signatures made anew
 */
export function slotOf(owner: Name, type: number, time: number, policy: SlotPolicy, notBefore = 0): Slot {
  const period = policy.validity - policy.refresh;
  const step = Math.max(1, Math.floor(period / STEPS));
  const offset = (spread(owner, type) % Math.max(1, Math.floor(period / step))) * step;
  const start = Math.floor((time - offset) / period) * period + offset;
  return {
    inception: Math.max(start, notBefore) - policy.inceptionOffset,
    expiration: start + policy.validity,
    end: start + period,
  };
}

/** FNV-1a over the lower-cased owner and the type: 32 bits, the same on every machine. */
function spread(owner: Name, type: number): number {
  let hash = 0x811c9dc5;
  const { wire } = owner;
  for (let i = 0; i < wire.length; i++) hash = Math.imul(hash ^ lowerOctet(wire[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (type >> 8), 0x01000193);
  hash = Math.imul(hash ^ (type & 0xff), 0x01000193);
  // FNV's low bits are weak on short input that differs at its end alone
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}
