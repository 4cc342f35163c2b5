import type { Command } from 'commander';
import type { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import type { ImportResult, ZoneDescription } from '../gateway-store.js';
import type { Batches } from '../zone/batches.js';
import { Handover } from '../zone/handover.js';
import type { FileProblem } from '../zone/master-zone.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { ZoneRow } from '../zone/row.js';
import { diffRows, mergeRows, type RowChange, sameViews } from '../zone/row-diff.js';
import { jsonOption, nameArgument, viewsArgument } from './arguments.js';
import { type DatabaseParts, withDatabase } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { makeProgress, type Progress } from './progress.js';
import { filterRows, hint, judgedViews, judgeRows, tagText } from './stored-zone.js';
import { printJson, printLines, say } from './terminal.js';
import {
  addZoneFileOptions,
  countProblems,
  hasErrors,
  plural,
  problemLine,
  readZoneFile,
  tellStripped,
  type ZoneFile,
  type ZoneFileOptions,
} from './zone-file.js';

interface ImportCommandOptions extends GlobalOptions, ZoneFileOptions {
  readonly zone: Name;
  readonly view?: readonly string[];
  readonly assign?: readonly string[];
  readonly policy?: string;
  readonly replace: boolean;
  readonly dryRun: boolean;
  readonly json?: true;
}

/** Changes that a dry run shows to a person; a program gets all. */
const SHOWN_CHANGES = 40;

/** Adds `zone import`. */
export function addZoneImportCommand(zone: Command): void {
  const command = zone
    .command('import')
    .summary('put a master file into the database')
    .description(
      'Puts a master file into the database, and creates the zone where it is not there. The zone is judged first as every view would see it ' +
        'afterwards: any error, in the file or in a view, and nothing is changed.',
    )
    .argument('<file>', 'the master file; - for standard input')
    .requiredOption('--zone <name>', 'the name of the zone', nameArgument)
    .option(
      '--view <view>',
      'these records are for this view alone; may be given several times (default: for all)',
      viewsArgument,
    )
    .option(
      '--replace',
      'take the place of the records there are for the same views; what changes is summed up. Without it there must be none',
      false,
    )
    .option('--dry-run', 'show what would change, and change nothing', false)
    .option('--assign <view>', 'serve the zone in this view; may be given several times', viewsArgument)
    .option('--policy <name>', 'sign the zone by this policy');
  addZoneFileOptions(command)
    .addOption(jsonOption())
    .action(async (file: string, _: unknown, self: Command) => {
      await importFile(file, self.optsWithGlobals<ImportCommandOptions>());
    });
}

async function importFile(path: string, options: ImportCommandOptions): Promise<void> {
  const progress = makeProgress(options);
  const tag = options.view?.toSorted() ?? null;
  const file = await readZoneFile(path, options.zone, tag, options, progress);
  tellStripped(file.master, options);
  // an entry that cannot be read is told before the database is asked anything
  if (hasErrors(file.problems)) await refuse(file.problems, options, file.master.file);
  await withDatabase(options, (parts) => new Import(parts, file, tag, options, progress).run());
}

/** Tells of problems. @throws Exit */
async function refuse(
  problems: readonly (FileProblem | ZoneProblem)[],
  { zone, json }: ImportCommandOptions,
  file: string,
): Promise<never> {
  if (json === true) await printJson({ zone, file, imported: false, problems });
  else for (const problem of problems) say(problemLine(problem));
  say(`zoneseal: ${file} is not imported, nothing was changed: ${countProblems(problems)}`);
  throw new Exit(EXIT_CODES.REFUSED.code);
}

/** Rows that were judged, or are while somebody reads them. */
interface JudgedRows {
  readonly rows: Batches<ZoneRow>;
  /** All of them once the last row was read. */
  readonly problems: readonly FileProblem[];
  /** About how many rows there are. */
  readonly total: number;
}

/** One run of the command, the file read. */
class Import {
  readonly #parts: DatabaseParts;
  readonly #file: ZoneFile;
  readonly #tag: readonly string[] | null;
  readonly #options: ImportCommandOptions;
  readonly #progress: Progress;
  readonly #zone: Name;

  constructor(
    parts: DatabaseParts,
    file: ZoneFile,
    tag: readonly string[] | null,
    options: ImportCommandOptions,
    progress: Progress,
  ) {
    this.#parts = parts;
    this.#file = file;
    this.#tag = tag;
    this.#options = options;
    this.#progress = progress;
    this.#zone = options.zone;
  }

  async run(): Promise<void> {
    const { zone, assign = [], policy, dryRun, replace } = this.#options;
    const { rrsets } = this.#parts;
    const { master } = this.#file;
    const name = zone.toLower().toString();
    const held = await findHeldZone(this.#parts, name);
    const assigned = held?.views.map(({ view }) => view) ?? [];
    if (held !== undefined && !replace) await this.#refuseToReplace();
    // rows beside which none are kept are judged on their way: what is refused is rolled back
    const judged =
      held === undefined && !dryRun
        ? await this.#judgeAlong()
        : await this.#judge(held !== undefined, assigned);
    const changes = dryRun ? await this.#changes(held !== undefined) : undefined;
    const settings = { views: assign, ...(policy === undefined ? {} : { policy }) };
    this.#progress.begin(`importing ${zone}`, judged.total);
    const result = await rrsets
      .import({
        zone: name,
        tag: this.#tag,
        rows: judged.rows,
        replace,
        create: settings,
        settle: settings,
        dryRun,
        onProgress: (count) => this.#progress.update(Math.min(count, judged.total)),
      })
      .catch(async (error: unknown) => {
        this.#progress.end();
        if (hasErrors(judged.problems)) await refuse(judged.problems, this.#options, master.file);
        throw error;
      });
    this.#progress.end();
    await this.#report(result, [...judged.problems, ...result.warnings], changes);
    if (!dryRun && held !== undefined && result.version > held.version + 1) await this.#judgeAgain(assigned);
  }

  /** Without --replace there must be no data for the same views: said before anything is judged. */
  async #refuseToReplace(): Promise<void> {
    for await (const rows of this.#stored()) {
      if (!rows.some((row) => sameViews(row.views, this.#tag))) continue;
      const zone = this.#zone.toString();
      const reason = `there is data for ${tagText(this.#tag)} already; add --replace to put this in its place`;
      throw new ZonesealError(
        'ALREADY_HELD',
        `zone ${zone}: ${reason}, and --dry-run to see what would change`,
        { zone },
      );
    }
  }

  /** The zone as every view would see it afterwards. @throws Exit when there is an error */
  async #judge(isHeld: boolean, assigned: readonly string[]): Promise<JudgedRows> {
    const { master, problems } = this.#file;
    const { assign = [], view = [] } = this.#options;
    this.#progress.begin(`checking ${this.#zone}`);
    let count = 0;
    const progress = this.#progress;
    function* counted(): Generator<readonly ZoneRow[], void, undefined> {
      for (const batch of master.rows()) {
        yield batch;
        count += batch.length;
        progress.update(count);
      }
    }
    const kept = (): Batches<ZoneRow> =>
      isHeld ? filterRows(this.#stored(), (row) => !sameViews(row.views, this.#tag)) : [];
    const views = await judgedViews([...assigned, ...assign, ...view], kept);
    const found = await judgeRows(this.#zone, mergeRows(kept(), counted()), views);
    this.#progress.end();
    const all = [...problems, ...found.map((problem) => master.locate(problem))];
    if (hasErrors(all)) await refuse(all, this.#options, master.file);
    return { rows: master.rows(), problems: all, total: count };
  }

  /** The zone's only rows, judged while they are imported. With an error among the problems the last of them is not given out. */
  async #judgeAlong(): Promise<JudgedRows> {
    const { master, problems: ofEntries } = this.#file;
    const { assign = [], view = [] } = this.#options;
    const views = await judgedViews([...assign, ...view], () => []);
    const handover = new Handover<readonly ZoneRow[]>();
    const judging = judgeRows(this.#zone, handover, views);
    // it is awaited where it matters
    judging.catch(() => undefined);
    const problems = [...ofEntries];
    const zone = this.#zone;
    async function* rows(): AsyncGenerator<readonly ZoneRow[], void, undefined> {
      try {
        for (const batch of master.rows()) {
          await handover.give(batch);
          yield batch;
        }
      } finally {
        handover.end();
      }
      problems.push(...(await judging).map((problem) => master.locate(problem)));
      if (hasErrors(problems))
        throw new ZonesealError('DATA_REFUSED', `zone ${zone}: ${countProblems(problems)}`, {
          zone: zone.toString(),
        });
    }
    return { rows: rows(), problems, total: master.names };
  }

  async #changes(isHeld: boolean): Promise<RowChange[]> {
    const before = isHeld ? filterRows(this.#stored(), (row) => sameViews(row.views, this.#tag)) : [];
    const changes: RowChange[] = [];
    for await (const change of diffRows(before, this.#file.master.rows())) changes.push(change);
    return changes;
  }

  /** Someone else wrote the zone between judging and writing: what both made of it is judged once more. */
  async #judgeAgain(assigned: readonly string[]): Promise<void> {
    const { assign = [], view = [] } = this.#options;
    const views = await judgedViews([...assigned, ...assign, ...view], () => this.#stored());
    const problems = await judgeRows(this.#zone, this.#stored(), views);
    if (!hasErrors(problems)) return;
    for (const problem of problems) say(problemLine(problem));
    say(
      `zoneseal: zone ${this.#zone} was written by someone else meanwhile, and has errors now: ${countProblems(problems)}`,
    );
    throw new Exit(EXIT_CODES.REFUSED.code);
  }

  #stored(): AsyncIterable<readonly ZoneRow[]> {
    return this.#parts.rrsets.readAll(this.#zone.toString());
  }

  async #report(
    result: ImportResult,
    problems: readonly (FileProblem | ZoneProblem)[],
    changes: readonly RowChange[] | undefined,
  ): Promise<void> {
    const { json, quiet, dryRun } = this.#options;
    const { master } = this.#file;
    const { created, version, added, removed, changed, unchanged } = result;
    const counts = { added, removed, changed, unchanged };
    if (json === true) {
      const zone = this.#zone.toLower();
      const listed = changes === undefined ? {} : { changes: changes.map(changeJson) };
      const imported = !dryRun;
      await printJson({
        zone,
        file: master.file,
        imported,
        created,
        version,
        views: this.#tag,
        counts,
        ...listed,
        problems,
      });
      return;
    }
    if (!quiet) for (const problem of problems) say(problemLine(problem));
    if (changes !== undefined) await printLines(changeLines(changes));
    const what = `${added} added, ${removed} removed, ${changed} changed, ${unchanged} unchanged`;
    const how = dryRun ? 'would be' : created ? 'was created and' : 'was';
    await printLines([
      `zone ${this.#zone} ${how} imported for ${tagText(this.#tag)} from ${plural(master.records, 'record')}: RRsets: ${what}${dryRun ? '' : `; version ${version}`}`,
    ]);
    if (dryRun || !created) return;
    const { assign = [] } = this.#options;
    if (assign.length === 0) hint(this.#options, `serve it with: zoneseal view assign ${this.#zone} VIEW`);
    hint(this.#options, `make keys with: zoneseal keys generate ${this.#zone}`);
  }
}

/** The zone of a name; undefined where it is not held. */
async function findHeldZone({ zones }: DatabaseParts, name: string): Promise<ZoneDescription | undefined> {
  try {
    return await zones.showZone(name);
  } catch (error) {
    if (error instanceof ZonesealError && error.code === 'NOT_HELD') return undefined;
    throw error;
  }
}

function changeJson(change: RowChange): object {
  const row = change.kind === 'removed' ? change.before : change.after;
  const contents = ({ ttl, data }: ZoneRow): object => ({ ttl, data });
  return {
    change: change.kind,
    owner: row.owner,
    type: row.type,
    ...(change.kind === 'added' ? {} : { before: contents(change.before) }),
    ...(change.kind === 'removed' ? {} : { after: contents(change.after) }),
  };
}

function changeLines(changes: readonly RowChange[]): string[] {
  const lines = changes
    .slice(0, SHOWN_CHANGES)
    .flatMap((change) => [
      ...(change.kind === 'added' ? [] : rowLines('-', change.before)),
      ...(change.kind === 'removed' ? [] : rowLines('+', change.after)),
    ]);
  const more = changes.length - SHOWN_CHANGES;
  return more > 0 ? [...lines, `and ${more} more RRsets; see all with --json`] : lines;
}

function rowLines(sign: string, { owner, ttl, type, data }: ZoneRow): string[] {
  return data.map((text) => `${sign} ${owner} ${ttl} IN ${type} ${text}`);
}
