import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration } from './keys/policy.js';

/** What the reference says of a setting beyond what its schema tells. */
export interface SettingFacts {
  /** The kind of value and its range. */
  readonly type?: string;
  /** The default, where it depends on the host. */
  readonly defaultText?: string;
  /** Seconds or octets, so that a default can be shown with its unit. */
  readonly unit?: 'seconds' | 'octets';
}

/** Facts by schema; what wraps or describes a schema later keeps them. */
export const settingFacts = z.registry<SettingFacts>();

export const MINUTE = 60;
export const HOUR = 3600;
export const DAY = 86_400;
export const KIB = 1024;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;

/** `5400` → `1h30m`. */
export function durationText(seconds: number): string {
  let rest = seconds;
  let text = '';
  for (const [unit, length] of [
    ['d', DAY],
    ['h', HOUR],
    ['m', MINUTE],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) text += `${count}${unit}`;
  }
  return text === '' ? '0s' : text;
}

/** `4194304` → `4M`. */
export function sizeText(octets: number): string {
  for (const [unit, size] of [
    ['G', GIB],
    ['M', MIB],
    ['K', KIB],
  ] as const) {
    if (octets >= size && octets % size === 0) return `${octets / size}${unit}`;
  }
  return String(octets);
}

/** Seconds. Every one ends up in a timer, which holds 24 days at the most: so each has a most, far below that. */
export function duration(least: number, most: number) {
  const range = `${durationText(least)} to ${durationText(most)}`;
  return z
    .union([z.number(), z.string()], { error: 'is no duration; write seconds, or such as 30s or 1h30m' })
    .transform((value, context) => {
      const seconds = typeof value === 'number' ? value : parseDuration(value.trim());
      const problem =
        seconds === undefined || !Number.isSafeInteger(seconds)
          ? 'is no duration; write whole seconds, or such as 30s or 1h30m'
          : seconds < least || seconds > most
            ? `is ${value}, must be ${range}`
            : undefined;
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
      return seconds ?? z.NEVER;
    })
    .register(settingFacts, { type: `duration, ${range}`, unit: 'seconds' });
}

/** Octets, `K`, `M` and `G` being powers of 1024. */
export function size(least: number) {
  return z
    .union([z.number(), z.string()], { error: 'is no size; write octets, or such as 64M' })
    .transform((value, context) => {
      const match = /^([0-9]+)(?:([KMGT])(?:iB)?)?$/i.exec(String(value).trim());
      const unit = { k: KIB, m: MIB, g: GIB, t: KIB * GIB }[(match?.[2] ?? '').toLowerCase()] ?? 1;
      const octets = match === null ? Number.NaN : Number(match[1]) * unit;
      const problem = !Number.isSafeInteger(octets)
        ? 'is no size; write octets, or such as 64M'
        : octets < least
          ? `is ${value}, must be ${sizeText(least)} or more`
          : undefined;
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
      return octets;
    })
    .register(settingFacts, { type: `size, ${sizeText(least)} or more`, unit: 'octets' });
}

export function url(protocols: RegExp, example: string) {
  return z
    .url({ protocol: protocols, error: `is no such URL; write it as ${example}` })
    .register(settingFacts, { type: `URL, such as \`${example}\`` });
}

export const address = z
  .string()
  .refine((text) => isIP(text) !== 0, 'is no IPv4 or IPv6 address')
  .register(settingFacts, { type: 'IPv4 or IPv6 address' });
export const port = z.int().min(0).max(65_535);
export const count = z.int().min(1).max(1_000_000);
export const text = z.string().min(1);
export const file = z.string().min(1).register(settingFacts, { type: 'file' });
export const view = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is no view name (a-z, 0-9, _ and -, at most 63)')
  .register(settingFacts, { type: 'name of a view' });
