import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import type { SerialLine } from '../gateway-store.js';
import { jsonOption, nameArgument, numberArgument, viewArgument } from './arguments.js';
import { withDatabase } from './database.js';
import { UsageError } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { hint } from './stored-zone.js';
import { printJson, printTable } from './terminal.js';

interface SerialOptions extends GlobalOptions {
  readonly view?: string;
  readonly past?: number;
  readonly start?: number;
  readonly json?: true;
}

const serialArgument = numberArgument(0, 0xffff_ffff);

/** Adds `zone serial`. */
export function addZoneSerialCommand(zone: Command): void {
  zone
    .command('serial')
    .summary('show the serials of a zone, or move them forward')
    .description(
      'Shows for each view the serial that is served, the last one given out (also to an attempt that failed), and what the next publication would get. ' +
        'Serials only move forward (RFC 1982), also when a zone is deleted and comes back: with --past a line is moved past a serial and a new publication is made ' +
        'at once; with --start a line that has published nothing begins after a serial, that of a primary which Zoneseal replaces. ' +
        '--start works before the zone is served in the view, which is when it should be given.',
    )
    .argument('<zone>', 'the zone', nameArgument)
    .option('--view <view>', 'in this view alone (default: all views it is served in)', viewArgument)
    .option('--past <serial>', 'the next publication comes after this serial', serialArgument)
    .option('--start <serial>', 'the first publication comes after this serial', serialArgument)
    .addOption(jsonOption())
    .action(async (name: Name, _: unknown, self: Command) => {
      await serial(name, self.optsWithGlobals<SerialOptions>());
    });
}

async function serial(zone: Name, options: SerialOptions): Promise<void> {
  const { past, start, view } = options;
  if (past !== undefined && start !== undefined) throw new UsageError('give --past or --start, not both');
  const views = view === undefined ? undefined : [view];
  const name = zone.toString();
  const lines = await withDatabase(options, ({ operators }) => {
    if (past !== undefined) return operators.moveSerials(name, views, past);
    if (start !== undefined) return operators.startSerials(name, views, start);
    return operators.lines(name);
  });
  const shown = view === undefined ? lines : lines.filter((line) => line.view === view);
  if (options.json === true) await printJson(shown);
  else await printTable(['VIEW', 'SERVED', 'LAST', 'NEXT'], shown.map(rowOf));
  if (past !== undefined) {
    hint(options, `zone ${zone}: a new publication past ${past} is made now; see: zoneseal status ${zone}`);
  } else if (start !== undefined) {
    hint(options, `zone ${zone}: the first publication comes after ${start}`);
  }
}

function rowOf({ view, isAssigned, served, last, next }: SerialLine): string[] {
  const serving = isAssigned ? String(served ?? 'nothing yet') : 'not served';
  return [view, serving, String(last ?? '-'), String(next ?? '-')];
}
