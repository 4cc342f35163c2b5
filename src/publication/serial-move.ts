import { ZonesealError } from '../errors.js';
import type { SerialInput, ServedZone } from './ports.js';
import { isAfter } from './serial.js';

const MODULUS = 0x1_0000_0000;
const HALF = 0x8000_0000;

/**
 * By how much what is served may fall behind at once, and a serial move past the last one: a little less than RFC 1982 §3.1
 * allows, so that the next serial comes after the one that is served even when some attempts fail.
 */
const MAX_STEP = HALF - 1000;

/** How far before the served serial a line is put that has got lost; move_serial (migrations/010) takes up to 1000. */
const STEP_BACK = 500;

/** Where a line stands that was not moved. */
export interface StandingLine extends Pick<ServedZone, 'zone' | 'view'> {
  /** The serial last given out. */
  readonly last: number | null;
  /** The one that is served; null: none is. */
  readonly served: number | null;
}

/** How far a serial lies after another one, round the circle of 2^32. */
export function serialDistance(from: number, to: number): number {
  return (to - from + MODULUS) % MODULUS;
}

/** Serials by which a line comes to one that does not come after it, that one the last: each step goes forward. */
export function stepsTo(from: number, to: number): number[] {
  const distance = serialDistance(from, to);
  const count = Math.ceil(distance / MAX_STEP);
  return Array.from({ length: count }, (_, i) => (from + Math.floor((distance * (i + 1)) / count)) % MODULUS);
}

/** Why a line cannot be moved past a serial, with the arithmetic of RFC 1982 and what to do instead. */
export function serialRefused(line: StandingLine, serial: number): ZonesealError {
  const { zone, view, last, served } = line;
  return new ZonesealError('DATA_REFUSED', `zone ${zone} in view ${view}: ${reasonFor(line, serial)}`, {
    zone,
    view,
    serial,
    last,
    served,
  });
}

/** Why a line has no serial to give out, and how it gets one again. */
export function noSerial(
  { zone, view }: Pick<ServedZone, 'zone' | 'view'>,
  { last, served = null, serial }: Pick<SerialInput, 'last' | 'served'> & { readonly serial: number },
): ZonesealError {
  const past = ((served ?? 0) - STEP_BACK + MODULUS) % MODULUS;
  const reason =
    served === null || last === null
      ? `serial ${serial} does not come after ${last}, the last one given out (RFC 1982)`
      : `no serial comes after both ${last}, the last one given out, and ${served}, the one that is served, which are half the circle ` +
        'of 2^32 apart (RFC 1982): too many attempts failed after the line was moved far. No nameserver has seen their serials; ' +
        `the line goes on after the served one with: zoneseal zone serial ${zone} --view ${view} --past ${past}`;
  return new ZonesealError('DATA_REFUSED', `zone ${zone} in view ${view}: ${reason}`, {
    zone,
    view,
    serial,
    last,
    served,
  });
}

function reasonFor({ zone, view, last, served }: StandingLine, serial: number): string {
  if (last === serial) {
    return `serial ${serial} is the last one given out, what comes next is past it already; for a new one: zoneseal publish ${zone}`;
  }
  if (last !== null && !isAfter(serial, last)) {
    const steps = stepsTo(last, serial);
    const commands = steps.map((step) => `zoneseal zone serial ${zone} --view ${view} --past ${step}`);
    const count = steps.length === 2 ? 'two' : String(steps.length);
    return (
      `serial ${serial} does not come after ${last}, the last one given out: from there it is ${serialDistance(last, serial)} further on, ` +
      `and what is 2147483648 (2^31) or more further on comes before (RFC 1982). The way round has ${count} steps, ` +
      `each when all nameservers serve what the one before made (zoneseal status): ${commands.join('; then ')}`
    );
  }
  return (
    `serial ${serial} is ${serialDistance(served ?? 0, serial)} past ${served}, the one that is served, and nameservers take no more than ` +
    `2147483647 (2^31 - 1) at once (RFC 1982), some kept back for attempts that fail. The line was moved to ${last} before: ` +
    'wait until a publication after that is ready and all nameservers serve it (zoneseal status), then move it again'
  );
}
