import type { SerialInput } from './ports.js';

const MODULUS = 0x1_0000_0000;
const HALF = 0x8000_0000;

/**
 * Whether serial a comes after b (RFC 1982 §3.2). Two that are exactly half the circle apart are not comparable; neither
 * is then after the other.
 */
export function isAfter(a: number, b: number): boolean {
  const distance = (a - b + MODULUS) % MODULUS;
  return distance !== 0 && distance < HALF;
}

/** The serial one further on (RFC 1982 §3.1). */
export function successor(serial: number): number {
  return (serial + 1) % MODULUS;
}

/**
 * The serial of a new publication: what the policy says where that comes, by RFC 1982, after the last one and after the one
 * that is served; else the next one that does. A new line begins where the stored SOA stands, or past it. The last one is
 * given out again when nobody can have seen it. Zero is stepped over, as some nameservers read it as "none".
 *
 * A line whose last serial lies half the circle or more past the one that is served (serials that were given out and never
 * served) goes on right after the served one, if that comes after the last one too. Where no serial comes after both, the one
 * after the last is returned, which allocation refuses.
 */
export function nextSerial(input: SerialInput): number {
  const { last, served = null, stored, now, policy, isUnseen = false } = input;
  const wanted = suggested(policy.serial, now);
  if (last === null) {
    const begin = stored ?? 1;
    return atLeastOne(wanted !== undefined && isAfter(wanted, begin) ? wanted : begin);
  }
  const candidates = [
    wanted ?? 0,
    isUnseen ? last : 0,
    following(last),
    served === null ? 0 : following(served),
  ];
  return candidates.find((serial) => serial !== 0 && isAcceptable(serial, input)) ?? following(last);
}

/** Whether a line may give out a serial: it comes after the last one, or is that and nobody saw it, and after the one that is served. */
export function isAcceptable(
  serial: number,
  { last, served = null, isUnseen = false }: Pick<SerialInput, 'last' | 'served' | 'isUnseen'>,
): boolean {
  const isNew = last === null || isAfter(serial, last) || (isUnseen && serial === last);
  return isNew && (served === null || isAfter(serial, served));
}

function following(serial: number): number {
  return atLeastOne(successor(serial));
}

function atLeastOne(serial: number): number {
  return serial === 0 ? 1 : serial;
}

function suggested(policy: SerialInput['policy']['serial'], now: number): number | undefined {
  if (policy === 'unixtime') return now % MODULUS;
  if (policy === 'increment') return undefined;
  const date = new Date(now * 1000);
  return (date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate()) * 100;
}
