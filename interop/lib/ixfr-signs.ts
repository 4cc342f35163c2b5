/** What shows that a secondary took a zone by IXFR with differences, and not as a whole. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { waitUntil } from './processes.js';
import type { Secondary, SecondaryProgram } from './secondary.js';

/** The secondaries that take signed zones by IXFR; PowerDNS does not (its issue 12756). */
export const IXFR_PROGRAMS: readonly SecondaryProgram[] = ['named', 'nsd', 'knotd'];

/** Lines for NSD's configuration that have it write down what came by IXFR. */
export const NSD_KEEPS_IXFR = '    store-ixfr: yes\n    ixfr-number: 50\n    ixfr-size: 10000000\n';

const SIGNS: Readonly<Record<SecondaryProgram, (secondary: Secondary, zone: string) => boolean>> = {
  // BIND keeps a journal of what came by IXFR, and of nothing else
  named: ({ folder }, zone) => existsSync(join(folder, `${zone}db.jnl`)),
  nsd: ({ folder }, zone) => existsSync(join(folder, `${zone}.zone.ixfr`)),
  knotd: ({ log }, zone) =>
    log.split('\n').some((line) => line.includes(`[${zone}] IXFR, incoming`) && line.includes('finished')),
  pdns_server: () => false,
};

/** Whether a secondary shows now that it took a zone by IXFR; after `writeFiles`. */
export const showsIxfr = (secondary: Secondary, zone: string): boolean =>
  SIGNS[secondary.name](secondary, zone);

/** Waits until it shows. @throws Error with its log */
export async function waitForIxfr(secondary: Secondary, zone: string): Promise<void> {
  await secondary.writeFiles();
  await waitUntil(
    () => `nothing shows that ${secondary.label} took ${zone} by IXFR:\n${secondary.log.slice(-4000)}`,
    () => showsIxfr(secondary, zone),
    10_000,
  );
}

/** Transfers of a zone that a secondary has taken. */
export interface TransferCounts {
  /** With differences. */
  readonly ixfr: number;
  /** Of the whole zone, asked for as such or answered so. */
  readonly axfr: number;
}

const countOf = (log: string, pattern: RegExp): number => [...log.matchAll(pattern)].length;

/** BIND and NSD do not say which, but how large: what is less than half of the largest, which is the whole zone, is a difference. */
function countsBySize(log: string, pattern: RegExp): TransferCounts {
  const sizes = [...log.matchAll(pattern)].map(([, octets]) => Number(octets));
  const ixfr = sizes.filter((octets) => octets < Math.max(...sizes) / 2).length;
  return { ixfr, axfr: sizes.length - ixfr };
}

const escaped = (zone: string): string => zone.replaceAll('.', '\\.');
const withoutDot = (zone: string): string => escaped(zone.replace(/\.$/, ''));

const COUNTS: Readonly<Record<SecondaryProgram, (log: string, zone: string) => TransferCounts>> = {
  // a single record is an answer that it is current
  named: (log, zone) =>
    countsBySize(
      log,
      new RegExp(
        `transfer of '${withoutDot(zone)}/IN' from [^\n]*: Transfer completed: \\d+ messages, (?!1 )\\d+ records, (\\d+) bytes`,
        'g',
      ),
    ),
  nsd: (log, zone) =>
    countsBySize(log, new RegExp(`zone ${escaped(zone)} received update [^\n]* of (\\d+) bytes`, 'g')),
  knotd: (log, zone) => {
    const of = (type: string): RegExp =>
      new RegExp(`\\[${escaped(zone)}\\] ${type}, incoming[^\n]*finished`, 'g');
    return { ixfr: countOf(log, of('IXFR')), axfr: countOf(log, of('AXFR')) };
  },
  pdns_server: (log, zone) => ({
    ixfr: 0,
    axfr: countOf(log, new RegExp(`AXFR-in zone: '${withoutDot(zone)}'[^\n]*zone committed`, 'g')),
  }),
};

/** What a secondary's log says of its transfers of some zones. */
export function transfersInto(secondary: Secondary, zones: readonly string[]): TransferCounts {
  const all = zones.map((zone) => COUNTS[secondary.name](secondary.log, zone));
  return {
    ixfr: all.reduce((sum, { ixfr }) => sum + ixfr, 0),
    axfr: all.reduce((sum, { axfr }) => sum + axfr, 0),
  };
}
