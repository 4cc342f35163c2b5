import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import type { Batches } from './batches.js';
import type { ZoneNode } from './node.js';
import { NodeBuilder } from './node-builder.js';
import { OwnerGroups, type OwnerRows } from './owner-groups.js';
import { problemError, problemOf, type Report, type ZoneProblem } from './problem.js';
import { isVisible, type RowContent } from './row.js';
import { type ParsedRow, RowParser } from './row-parser.js';

export interface LoadOptions {
  readonly zone: Name;
  /** The view whose rows are taken; null takes all rows, which is for zones without views. */
  readonly view: string | null;
  /**
   * Is told every problem, warnings too, and may throw to stop; then errors do not throw by themselves, and what a faulty
   * row would have given is missing from the nodes. Without it the first error is thrown and warnings are dropped.
   */
  readonly onProblem?: (problem: ZoneProblem) => void;
}

/** Owners that are handed on at once: few enough to be garbage before the collector copies them. */
const BATCH_OWNERS = 256;

/**
 * The nodes of a zone as one view sees it, from rows in canonical order; batches out as batches come in. What the view does
 * not see is not even parsed. Aliases that are targets, and cuts of other views, are found by `checkZone` alone.
 * @throws ZonesealError ZONE_INVALID, RDATA_INVALID, naming zone, view, owner, type, reason and next step
 */
export async function* loadNodes(
  rows: Batches<RowContent>,
  options: LoadOptions,
): AsyncGenerator<readonly ZoneNode[], void, undefined> {
  const report = reporter(options);
  const builder = new NodeBuilder(options.zone, report);
  for await (const owners of loadOwners(rows, { ...options, report, withUnseen: false }))
    yield owners.map(({ name, rows: own }) => builder.build(name, rrsetsOf(own)));
  builder.finish();
}

/** What takes findings in while a zone is loaded; see `LoadOptions.onProblem`. */
export function reporter({ zone, view, onProblem }: LoadOptions): Report {
  const zoneText = zone.toString();
  return (finding) => {
    const problem = problemOf(finding, zoneText, view);
    if (onProblem !== undefined) onProblem(problem);
    else if (problem.severity === 'error') throw problemError(problem);
  };
}

export interface OwnerOptions extends Pick<LoadOptions, 'zone' | 'view'> {
  readonly report: Report;
  /** Also owners of which the view sees no row. */
  readonly withUnseen: boolean;
}

/** The rows of a zone as one view sees them, owner by owner; `report` is told of rows that cannot be read, which are left out. */
export async function* loadOwners(
  rows: Batches<RowContent>,
  { zone, view, report, withUnseen }: OwnerOptions,
): AsyncGenerator<readonly OwnerRows[], void, undefined> {
  const parser = new RowParser(zone);
  const groups = new OwnerGroups();
  const take = (row: RowContent): OwnerRows | undefined => {
    // an empty list of views is a fault that the parser reports, not a row that nobody sees
    if (isVisible(row, view) || row.views?.length === 0) {
      const parsed = parser.parse(row, report);
      return parsed && groups.push(parsed, report);
    }
    // what another view alone sees is no fault of this one; with an owner that cannot be read it is at no name of this zone
    const owner = withUnseen ? parser.parseOwner(row, UNHEARD) : undefined;
    return owner && groups.note(owner, report);
  };
  for await (const batch of rows) {
    let owners: OwnerRows[] = [];
    for (const row of batch) {
      const owner = take(row);
      if (owner !== undefined) owners.push(owner);
      if (owners.length === BATCH_OWNERS) {
        yield owners;
        owners = [];
      }
    }
    if (owners.length > 0) yield owners;
  }
  const last = groups.finish();
  if (last !== undefined) yield [last];
}

const UNHEARD: Report = () => undefined;

/** The RRsets alone. */
export function rrsetsOf(rows: readonly Pick<ParsedRow, 'rrset'>[]): RRset[] {
  return rows.map(({ rrset }) => rrset);
}
