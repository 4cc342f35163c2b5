import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { jsonOption, nameArgument } from './arguments.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { makeProgress } from './progress.js';
import { printJson, printLines } from './terminal.js';
import {
  addZoneFileOptions,
  countProblems,
  hasErrors,
  judgeZoneFile,
  plural,
  problemLine,
  readZoneFile,
  tellStripped,
  type ZoneFileOptions,
} from './zone-file.js';

interface CheckOptions extends GlobalOptions, ZoneFileOptions {
  readonly zone: Name;
  readonly json?: true;
}

/** Adds `check`: a master file judged by the rules of imports and publications. */
export function addCheckCommand(program: Command): void {
  const command = program
    .command('check')
    .summary('judge a master file')
    .description(
      'Judges a master file by the rules that imports and publications follow, and prints every error and warning with its line. Needs no database.',
    )
    .argument('<file>', 'the master file; - for standard input')
    .requiredOption('--zone <name>', 'the name of the zone', nameArgument);
  addZoneFileOptions(command)
    .addOption(jsonOption())
    .action(async (file: string, _: unknown, self: Command) => {
      await check(file, self.optsWithGlobals<CheckOptions>());
    });
}

async function check(path: string, options: CheckOptions): Promise<void> {
  const progress = makeProgress(options);
  const file = await readZoneFile(path, options.zone, null, options, progress);
  await judgeZoneFile(file, progress);
  const { master, problems } = file;
  const ok = !hasErrors(problems);
  if (options.json === true) {
    await printJson({
      zone: master.zone,
      file: master.file,
      ok,
      records: master.records,
      names: master.names,
      stripped: options.stripDnssec ? Object.fromEntries(master.dnssecRecords) : {},
      problems,
    });
  } else {
    tellStripped(master, options);
    await printLines(problems.map(problemLine));
    const size = `${plural(master.records, 'record')}, ${plural(master.names, 'name')}`;
    await printLines([`${master.file}: zone ${master.zone}: ${size}: ${countProblems(problems)}`]);
  }
  if (!ok) throw new Exit(EXIT_CODES.REFUSED.code);
}
