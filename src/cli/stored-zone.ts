import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { Batches } from '../zone/batches.js';
import { checkZone } from '../zone/check.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { ZoneRow } from '../zone/row.js';
import type { DatabaseParts } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import type { Progress } from './progress.js';
import { say } from './terminal.js';
import { countProblems, hasErrors, problemLine } from './zone-file.js';

/** The views that a zone is served in. @throws ZonesealError NOT_HELD */
export async function viewsOfZone({ zones }: DatabaseParts, zone: Name): Promise<string[]> {
  return (await zones.showZone(zone.toString())).views.map(({ view }) => view);
}

/**
 * The views a zone is judged in: those named. Without any, those that its rows are tagged for; and where there are no tags, as
 * a zone without views.
 * @param rows gives the rows anew at each call
 */
export async function judgedViews(
  named: readonly string[],
  rows: () => Batches<ZoneRow>,
): Promise<readonly (string | null)[]> {
  const views = new Set(named);
  if (views.size === 0) {
    for await (const batch of rows())
      for (const row of batch) for (const view of row.views ?? []) views.add(view);
  }
  return views.size === 0 ? [null] : [...views].sort();
}

/** All problems of rows in some views. */
export async function judgeRows(
  zone: Name,
  rows: Batches<ZoneRow>,
  views: readonly (string | null)[],
): Promise<ZoneProblem[]> {
  const problems: ZoneProblem[] = [];
  for await (const problem of checkZone(rows, { zone, views })) problems.push(problem);
  return problems;
}

/** What is wrong with a zone's policy; one that does not parse is told of where a publication of it failed. */
export async function judgedPolicy({ zones }: DatabaseParts, zone: Name): Promise<ZoneProblem[]> {
  try {
    return await zones.judgePolicyOf(zone.toString());
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'POLICY_INVALID') return [];
    throw error;
  }
}

/** Rows that are kept and counted on their way. */
export async function* countRows(
  rows: Batches<ZoneRow>,
  progress: Progress,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  let count = 0;
  for await (const batch of rows) {
    yield batch;
    count += batch.length;
    progress.update(count);
  }
}

/** The rows that a condition holds for. */
export async function* filterRows(
  rows: Batches<ZoneRow>,
  wanted: (row: ZoneRow) => boolean,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  for await (const batch of rows) {
    const kept = batch.filter(wanted);
    if (kept.length > 0) yield kept;
  }
}

/** Tells of problems of a zone. @throws Exit when there is an error among them */
export function refuseZoneProblems(
  problems: readonly ZoneProblem[],
  refusal: string,
  { quiet }: GlobalOptions,
): void {
  const refused = hasErrors(problems);
  for (const problem of problems) if (refused || !quiet) say(problemLine(problem));
  if (!refused) return;
  say(`zoneseal: ${refusal}: ${countProblems(problems)}`);
  throw new Exit(EXIT_CODES.REFUSED.code);
}

/** Says what was done, or can be done next, unless quiet is wanted. */
export function hint({ quiet }: GlobalOptions, message: string): void {
  if (!quiet) say(message);
}

/** `all views`, or the views a row is tagged for. */
export function tagText(views: readonly string[] | null): string {
  return views === null ? 'all views' : views.join(', ');
}
