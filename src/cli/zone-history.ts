import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import type { HistoryEntry } from '../gateway-store.js';
import type { Cause } from '../publication/ports.js';
import { jsonOption, nameArgument, numberArgument, viewArgument } from './arguments.js';
import { withDatabase } from './database.js';
import type { GlobalOptions } from './global-options.js';
import { printJson, printLines, printTable } from './terminal.js';

interface HistoryOptions extends GlobalOptions {
  readonly view?: string;
  readonly limit: number;
  readonly json?: true;
}

const DEFAULT_LIMIT = 20;

/** Adds `zone history`. */
export function addZoneHistoryCommand(zone: Command): void {
  zone
    .command('history')
    .summary('what was published, and why')
    .description(
      'Lists the publications of a zone, the newest first: serial, why it was made, the zone version, records taken away and put in (signatures among them), ' +
        'signatures made and used again, the octets of its IXFR journal, and what went wrong. As many are kept as publication.retain and publication.retainAge say, and of those ' +
        'that failed the newest.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--view <view>', 'in this view alone', viewArgument)
    .option('--limit <number>', 'publications at the most', numberArgument(1, 1_000_000), DEFAULT_LIMIT)
    .addOption(jsonOption())
    .action(async (name: Name, _: unknown, self: Command) => {
      await history(name, self.optsWithGlobals<HistoryOptions>());
    });
}

async function history(zone: Name, options: HistoryOptions): Promise<void> {
  const { view, limit } = options;
  const entries = await withDatabase(options, ({ operators }) =>
    operators.history(zone.toString(), view, limit),
  );
  if (options.json === true) {
    await printJson(entries.map((entry) => ({ ...entry, reason: reasonOf(entry) })));
    return;
  }
  await printTable(
    ['VIEW', 'SERIAL', 'TIME', 'STATE', 'VERSION', 'RECORDS', 'SIGNED', 'REUSED', 'JOURNAL', 'WHY'],
    entries.map(rowOf),
  );
  await printLines(
    entries.flatMap(({ view, serial, error, gateway }) =>
      error === null ? [] : [`view ${view}, serial ${serial}, on ${gateway}: ${error}`],
    ),
  );
}

function rowOf(entry: HistoryEntry): string[] {
  const { view, serial, time, state, zoneVersion, removed, added, signatures, reused, journalOctets } = entry;
  const records = removed === null || added === null ? String(entry.records ?? '-') : `-${removed} +${added}`;
  return [
    view,
    String(serial),
    time,
    state,
    String(zoneVersion),
    records,
    String(signatures ?? '-'),
    String(reused ?? '-'),
    String(journalOctets ?? '-'),
    reasonOf(entry),
  ];
}

const REASONS: Readonly<Record<Cause, string>> = {
  first: 'there was none',
  change: 'its data changed',
  policy: 'its policy changed',
  keys: 'its keys changed',
  refresh: 'signatures were to be renewed',
  asked: 'an operator asked for it',
  format: 'another release makes other records',
  recovery: 'the database was set back',
  pages: 'what was stored of the one before could not be read',
};

/** Why a publication was made, in words. */
export function reasonOf({ cause, resigned }: Pick<HistoryEntry, 'cause' | 'resigned'>): string {
  return resigned ? 'all signatures were to be made anew' : REASONS[cause];
}
