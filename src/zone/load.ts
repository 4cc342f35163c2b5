import type { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import type { Batches } from './batches.js';
import type { ZoneNode } from './node.js';
import { NodeBuilder } from './node-builder.js';
import { OwnerGroups, type OwnerRows } from './owner-groups.js';
import { type Finding, problemError, problemOf, type ZoneProblem } from './problem.js';
import { isVisible, type RowContent } from './row.js';
import { RowParser } from './row-parser.js';

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

/** Nodes that are handed on at once: few enough to be garbage before the collector copies them. */
const BATCH_NODES = 256;

/**
 * The nodes of a zone as one view sees it, from rows in canonical order; batches out as batches come in. What the view does
 * not see is not even parsed. Aliases that are targets, and cuts of other views, are found by `checkZone` alone.
 * @throws ZonesealError ZONE_INVALID, RDATA_INVALID, naming zone, view, owner, type, reason and next step
 */
export async function* loadNodes(
  rows: Batches<RowContent>,
  options: LoadOptions,
): AsyncGenerator<readonly ZoneNode[], void, undefined> {
  const { zone, view, onProblem } = options;
  const zoneText = zone.toString();
  const report = (finding: Finding): void => {
    const problem = problemOf(finding, zoneText, view);
    if (onProblem !== undefined) onProblem(problem);
    else if (problem.severity === 'error') throw problemError(problem);
  };
  const parser = new RowParser(zone);
  const groups = new OwnerGroups();
  const builder = new NodeBuilder(zone, report);
  const build = (owner: OwnerRows): ZoneNode => builder.build(owner.name, owner.rows.map(rrsetOf));
  for await (const batch of rows) {
    let nodes: ZoneNode[] = [];
    for (const row of batch) {
      // an empty list of views is a fault that the parser reports, not a row that nobody sees
      if (!isVisible(row, view) && row.views?.length !== 0) continue;
      const parsed = parser.parse(row, report);
      const owner = parsed && groups.push(parsed, report);
      if (owner !== undefined) nodes.push(build(owner));
      if (nodes.length === BATCH_NODES) {
        yield nodes;
        nodes = [];
      }
    }
    if (nodes.length > 0) yield nodes;
  }
  const last = groups.finish();
  const node = last && build(last);
  builder.finish();
  if (node !== undefined) yield [node];
}

function rrsetOf({ rrset }: { readonly rrset: RRset }): RRset {
  return rrset;
}
