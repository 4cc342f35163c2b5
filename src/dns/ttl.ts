import { ZonesealError } from '../errors.js';
import { MAX_TTL } from './record.js';

const UNIT_SECONDS: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 };
const MAX_UINT32 = 0xffff_ffff;

/**
 * Seconds written as a number (`3600`) or with the units that BIND introduced (`1h30m`: w, d, h, m, s in any case, each
 * number followed by its unit). Undefined when the text is neither, or more than 32 bits hold: TTLs and types share a
 * place in a master file, so "not a TTL" is an answer and not an error.
 */
export function secondsFromText(text: string): number | undefined {
  let total = 0;
  let count = 0;
  let digits = 0;
  let units = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x30 && code <= 0x39) {
      count = count * 10 + code - 0x30;
      digits++;
      if (count > MAX_UINT32) return undefined;
      continue;
    }
    const unit = UNIT_SECONDS[String.fromCharCode(code | 0x20)];
    if (unit === undefined || digits === 0) return undefined;
    total += count * unit;
    units++;
    count = 0;
    digits = 0;
  }
  if (units === 0) return digits === 0 ? undefined : count;
  return digits > 0 || total > MAX_UINT32 ? undefined : total;
}

/**
 * Seconds as a 32-bit number, units allowed: what the REFRESH, RETRY, EXPIRE and MINIMUM fields of an SOA hold.
 * @throws ZonesealError RDATA_INVALID
 */
export function parseSeconds(text: string): number {
  const seconds = secondsFromText(text);
  if (seconds === undefined) {
    throw new ZonesealError(
      'RDATA_INVALID',
      `"${text}" is not a number of seconds (3600, 1h30m) of 32 bits`,
      { text },
    );
  }
  return seconds;
}

/**
 * A TTL in seconds, units allowed (RFC 2181 §8: 0 to 2^31-1).
 * @throws ZonesealError RDATA_INVALID
 */
export function parseTtl(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds > MAX_TTL) {
    throw new ZonesealError('RDATA_INVALID', `TTL ${text} is larger than ${MAX_TTL}`, { text });
  }
  return seconds;
}
