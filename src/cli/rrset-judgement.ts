import { Name } from '../dns/name.js';
import { parseRdataText } from '../dns/rdata/index.js';
import { typeFromText } from '../dns/types.js';
import type { Batches } from '../zone/batches.js';
import type { ZoneProblem } from '../zone/problem.js';
import type { ZoneRow } from '../zone/row.js';
import { mergeRows } from '../zone/row-diff.js';
import { targetsOf } from '../zone/target-rules.js';
import type { DatabaseParts } from './database.js';
import { EXIT_CODES, Exit } from './exit.js';
import type { GlobalOptions } from './global-options.js';
import { filterRows, hint, judgedViews, judgeRows, viewsOfZone } from './stored-zone.js';
import { say } from './terminal.js';
import { countProblems, hasErrors, problemLine } from './zone-file.js';

/** What is done to the rows of one owner. */
export interface Edit {
  readonly owner: Name;
  readonly isTaken: (row: ZoneRow) => boolean;
  readonly taken: readonly ZoneRow[];
  readonly added: readonly ZoneRow[];
  /** Views it is judged in beside those that the zone is served in. */
  readonly views: readonly string[];
}

/**
 * Judges a zone as every view would see it with some rows taken out and others put in, and warns of what is new. Errors that it
 * has already are no reason to refuse: the change may be the one that mends them, or one of several.
 * @throws Exit when the change makes an error
 */
export async function refuseNewErrors(
  parts: DatabaseParts,
  zone: Name,
  edit: Edit,
  options: GlobalOptions,
): Promise<void> {
  const stored = (await reachesFar(parts, zone, edit))
    ? (): Batches<ZoneRow> => parts.rrsets.readAll(zone.toString())
    : await rowsAround(parts, zone, edit);
  const changed = (): Batches<ZoneRow> =>
    mergeRows(
      filterRows(stored(), (row) => !edit.isTaken(row)),
      [edit.added],
    );
  const views = await judgedViews([...(await viewsOfZone(parts, zone)), ...edit.views], changed);
  const after = await judgeRows(zone, changed(), views);
  if (after.length === 0) return;
  const before = new Set((await judgeRows(zone, stored(), views)).map(identity));
  const made = after.filter((problem) => !before.has(identity(problem)));
  if (hasErrors(made)) {
    for (const problem of made) say(problemLine(problem));
    say(`zoneseal: zone ${zone} is not changed: ${countProblems(made)}`);
    throw new Exit(EXIT_CODES.REFUSED.code);
  }
  for (const problem of made) hint(options, problemLine(problem));
  if (hasErrors(after)) {
    hint(options, `warning: zone ${zone} goes on having errors; see: zoneseal zone check ${zone}`);
  }
}

/** An error is the same one however its text changes; a warning that says something else is worth saying. */
function identity({ severity, view, owner, type, rule, message }: ZoneProblem): string {
  return JSON.stringify(severity === 'error' ? [view, owner, type, rule] : [view, message]);
}

/**
 * Whether names may be affected that are found by reading the whole zone alone: below a DNAME that comes, below a cut that goes or
 * that some views alone have; and those that point to the owner where it becomes an alias or loses addresses.
 */
async function reachesFar(
  { rrsets }: DatabaseParts,
  zone: Name,
  { owner, taken, added }: Edit,
): Promise<boolean> {
  const comes = (type: string): boolean => added.some((row) => row.type === type);
  const goes = (type: string): boolean => taken.some((row) => row.type === type) && !comes(type);
  if (comes('DNAME') || goes('NS')) return true;
  if (added.some((row) => row.type === 'NS' && row.views !== null) && !owner.equals(zone)) return true;
  const pointing = comes('CNAME') ? ['NS', 'MX', 'SRV'] : goes('A') || goes('AAAA') ? ['NS'] : [];
  return pointing.length > 0 && (await rrsets.isTarget(zone.toString(), owner.toString(), pointing));
}

/**
 * The rows of all names that decide about a change of one owner: its own and those above it, down from the apex, where zone cuts and
 * DNAMEs are; and the same for each name that its records point to, with wildcards that could answer for it.
 */
async function rowsAround(
  { rrsets }: DatabaseParts,
  zone: Name,
  { owner, added }: Edit,
): Promise<() => Batches<ZoneRow>> {
  const names = new Map<string, Name>();
  const add = (name: Name): void => {
    names.set(name.key, name);
  };
  const addFromApex = (name: Name): void => {
    for (let labels = name.labelCount - zone.labelCount; labels >= 0; labels--) {
      add(labels === 0 ? name : name.parent(labels));
    }
  };
  add(zone);
  if (owner.isAtOrBelow(zone)) addFromApex(owner);
  else add(owner);
  for (const target of added.flatMap(targetsOfRow)) {
    if (!target.isAtOrBelow(zone)) continue;
    addFromApex(target);
    for (let name = target; !name.equals(zone); ) {
      name = name.parent();
      add(Name.parse('*', name));
    }
  }
  const owners = [...names.values()].map(String);
  const rows = await rrsets.list(zone.toString(), { owners });
  return () => [rows];
}

function targetsOfRow({ type, data }: ZoneRow): Name[] {
  const number = typeFromText(type);
  if (number === undefined) return [];
  return targetsOf(
    number,
    data.map((text) => parseRdataText(number, text)),
  );
}
