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
