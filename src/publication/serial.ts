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
 * The serial of a new publication: the greater, by RFC 1982, of the last one's successor and what the policy says. A new line
 * begins where the stored SOA stands, or past it. What the policy says has to come after the one that is served as well:
 * after a serial that was moved by nearly half the circle it may not, and nameservers would take it for an older one. Zero is
 * stepped over, as some nameservers read it as "none".
 */
export function nextSerial({ last, served = null, stored, now, policy }: SerialInput): number {
  const wanted = suggested(policy.serial, now);
  const floor = last === null ? (stored ?? 1) : successor(last);
  const isForward =
    wanted !== undefined && isAfter(wanted, floor) && (served === null || isAfter(wanted, served));
  const next = isForward ? wanted : floor;
  return next === 0 ? 1 : next;
}

function suggested(policy: SerialInput['policy']['serial'], now: number): number | undefined {
  if (policy === 'unixtime') return now % MODULUS;
  if (policy === 'increment') return undefined;
  const date = new Date(now * 1000);
  return (date.getUTCFullYear() * 10_000 + (date.getUTCMonth() + 1) * 100 + date.getUTCDate()) * 100;
}
