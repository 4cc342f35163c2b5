import type { Policy } from '../keys/policy.js';
import { isAfter } from './serial.js';

const MODULUS = 0x1_0000_0000;
const HALF = 0x8000_0000;

/**
 * How far a line moves where nothing tells how far is enough: more publications than a backup is old. A date of the policy
 * `date` catches up within weeks.
 */
export const SAFE_JUMP = 100_000;

/** What a peer was found to serve. */
export interface SeenPeer {
  readonly peer: string;
  /** Undefined: it gave no serial in time. */
  readonly serial: number | undefined;
}

/** What is known of a line whose database may have been set back. */
export interface JumpInput {
  /** The serial last given out as the database has it; null: none was. */
  readonly last: number | null;
  /** The serial that is published. */
  readonly ready: number | null;
  readonly seen: readonly SeenPeer[];
  /** Whether to move by a margin where not all, or none, could be asked. */
  readonly isSafe: boolean;
  readonly policy: Policy['serial'];
  /** Seconds since 1970 by the database's clock. */
  readonly now: number;
}

export interface Jump {
  readonly kind: 'clear' | 'jumped' | 'safe' | 'apart';
  /** The serial that the next one has to come after; null where there is none, or it stays as it is. */
  readonly past: number | null;
  /** A serial that no automatic jump gets past. */
  readonly apart: number | undefined;
}

/**
 * How far a line has to move (RFC 1982). Nothing is to be done where no peer serves more than what is published; a peer that
 * serves a serial which was given out but is not published has content that was lost.
 */
export function jumpOf({ last, ready, seen, isSafe, policy, now }: JumpInput): Jump {
  const serials = seen.map(({ serial }) => serial).filter((serial) => serial !== undefined);
  const base = last ?? serials[0];
  const apart =
    base === undefined ? undefined : serials.find((serial) => (serial - base + MODULUS) % MODULUS === HALF);
  let past = base;
  for (const serial of serials) if (past !== undefined && isAfter(serial, past)) past = serial;
  const isAhead = serials.some((serial) => ready === null || isAfter(serial, ready));
  const isUnknown = isSafe && (seen.length === 0 || serials.length < seen.length);
  if (isUnknown && past !== undefined) {
    return { kind: 'safe', past: safePast(past, policy, now), apart };
  }
  if (isAhead) return { kind: 'jumped', past: past ?? null, apart };
  return { kind: apart === undefined ? 'clear' : 'apart', past: null, apart };
}

/** With `unixtime` the clock has gone past what was given out; a line that is ahead of the clock counts. */
function safePast(past: number, policy: Policy['serial'], now: number): number {
  const clock = now % MODULUS;
  if (policy === 'unixtime' && isAfter(clock, past)) return clock;
  return (past + SAFE_JUMP) % MODULUS;
}
