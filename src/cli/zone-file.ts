import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { checkZone } from '../zone/check.js';
import { type FileProblem, type MasterZone, readMasterZone } from '../zone/master-zone.js';
import { includeFolderOption, stripDnssecOption, ttlArgument } from './arguments.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { Progress } from './progress.js';
import { say } from './terminal.js';

/** The options of every command that reads a master file of unsigned data. */
export interface ZoneFileOptions {
  readonly stripDnssec: boolean;
  readonly includeFolder?: string;
  readonly defaultTtl?: number;
}

/** Adds them to a command. */
export function addZoneFileOptions(command: Command): Command {
  return command
    .addOption(stripDnssecOption())
    .addOption(includeFolderOption())
    .option('--default-ttl <ttl>', 'TTL of records without one, as if the file began with $TTL', ttlArgument);
}

/** A master file that was read, and what is wrong with its entries. */
export interface ZoneFile {
  readonly master: MasterZone;
  readonly problems: FileProblem[];
}

/** Where a command's FILE is read from: `-` is standard input. */
export function masterSource(file: string): { source: AsyncIterable<Uint8Array> | string; name: string } {
  return file === '-' ? { source: process.stdin, name: '<stdin>' } : { source: file, name: file };
}

/** Reads a master file whole, its errors gathered. @param views who sees its records; null for all */
export async function readZoneFile(
  file: string,
  zone: Name,
  views: readonly string[] | null,
  options: ZoneFileOptions,
  progress: Progress,
): Promise<ZoneFile> {
  const { source, name } = masterSource(file);
  const { stripDnssec, defaultTtl } = options;
  const includeFolder = options.includeFolder ?? (file === '-' ? undefined : dirname(file));
  const problems: FileProblem[] = [];
  progress.begin(`reading ${name}, records:`);
  const master = await readMasterZone(
    source,
    {
      zone,
      file: name,
      views,
      stripDnssec,
      ...(includeFolder === undefined ? {} : { includeFolder }),
      ...(defaultTtl === undefined ? {} : { defaultTtl }),
    },
    (problem) => problems.push(problem),
    (count) => progress.update(count),
  );
  problems.push(...master.problems());
  progress.end();
  return { master, problems };
}

/** What may be missing only because its entry could not be read. */
const CONSEQUENCES = new Set<string>(['soa-missing', 'ns-missing', 'ns-without-address']);

/** Judges a file as a zone of its own, without views, and adds what is wrong to its problems. */
export async function judgeZoneFile({ master, problems }: ZoneFile, progress: Progress): Promise<void> {
  const unread = hasErrors(problems);
  progress.begin(`checking ${master.zone}`, master.names);
  let rows = 0;
  function* counted(): ReturnType<MasterZone['rows']> {
    for (const batch of master.rows()) {
      yield batch;
      rows += batch.length;
      progress.update(Math.min(rows, master.names));
    }
  }
  for await (const problem of checkZone(counted(), { zone: master.zone, views: [null] })) {
    if (!(unread && CONSEQUENCES.has(problem.rule))) problems.push(master.locate(problem));
  }
  progress.end();
}

/** Whether any of some problems is an error. */
export function hasErrors(problems: readonly { readonly severity: string }[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

/** `2 errors, 1 warning` */
export function countProblems(problems: readonly { readonly severity: string }[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return `${plural(errors, 'error')}, ${plural(problems.length - errors, 'warning')}`;
}

/** `1 record`, `2 records` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line for one problem. */
export function problemLine({
  severity,
  message,
}: {
  readonly severity: string;
  readonly message: string;
}): string {
  return `${severity}: ${message}`;
}

/** Tells of problems on standard error. @throws Exit when there is an error among them */
export function refuseProblems(problems: readonly FileProblem[], what: string, quiet: boolean): void {
  const refused = hasErrors(problems);
  for (const problem of problems) {
    if (refused || !quiet) say(problemLine(problem));
  }
  if (!refused) return;
  say(`zoneseal: ${what}: ${countProblems(problems)}`);
  throw new Exit(EXIT_CODES.REFUSED.code);
}

/** Tells of the DNSSEC records that `--strip-dnssec` left out. */
export function tellStripped(
  master: MasterZone,
  options: ZoneFileOptions & { readonly quiet: boolean },
): void {
  if (!options.stripDnssec || options.quiet || master.dnssecRecords.size === 0) return;
  const counts = Array.from(master.dnssecRecords, ([type, count]) => `${count} ${type}`);
  say(`left out of ${master.file}: ${counts.join(', ')}`);
}
