import type { Spread } from './rows.js';

/** Whether an aim is met, in words. */
export function metText(met: boolean | null): string {
  if (met === null) return 'not judged';
  return met ? 'met' : 'falls short';
}

/** A figure for people: as many digits as it takes. */
export function numberText(value: number | null): string {
  if (value === null) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) < 0.1 ? 4 : 2);
}

/** The least and the greatest, as text. */
export function spreadText([least, greatest]: Spread): string {
  return `${numberText(least)}–${numberText(greatest)}`;
}

/** Load averages, as text. */
export function loadsText(load: readonly number[]): string {
  return load.map((one) => one.toFixed(1)).join(' ');
}
