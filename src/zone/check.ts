import type { Name } from '../dns/name.js';
import type { Batches } from './batches.js';
import { NodeBuilder } from './node-builder.js';
import { OwnerGroups, type OwnerRows } from './owner-groups.js';
import { type Finding, problemOf, type ZoneProblem } from './problem.js';
import type { ZoneRow } from './row.js';
import { RowParser } from './row-parser.js';
import { type SeenRRset, TargetRules } from './target-rules.js';
import { type ViewMask, ViewSet } from './view-set.js';

export interface CheckOptions {
  readonly zone: Name;
  /** The views the zone is judged in; `[null]` for a zone without views. */
  readonly views: readonly (string | null)[];
}

/**
 * All problems of a zone in all its views, from one pass over its rows in canonical order (untagged and tagged ones alike).
 * A problem that all views have is told once, with view null. Memory grows with aliases and with names that NS, MX and SRV
 * records point to, not with the zone.
 */
export async function* checkZone(
  rows: Batches<ZoneRow>,
  options: CheckOptions,
): AsyncGenerator<ZoneProblem, void, undefined> {
  const check = new ZoneCheck(options);
  for await (const batch of rows) {
    for (const row of batch) check.push(row);
    yield* check.take();
  }
  check.finish();
  yield* check.take();
}

/** One view being judged. */
interface JudgedView {
  readonly name: string | null;
  readonly mask: ViewMask;
  readonly builder: NodeBuilder;
  /** The cut of each other view below which data of this view was told of last: one warning a cut. */
  readonly toldCuts: (Name | undefined)[];
}

class ZoneCheck {
  readonly #zoneText: string;
  readonly #viewSet: ViewSet;
  readonly #parser: RowParser;
  readonly #groups = new OwnerGroups();
  readonly #views: readonly JudgedView[];
  readonly #targets: TargetRules;
  /** Findings of the owner at hand with the views that have them; equal ones are one. */
  readonly #findings = new Map<string, { readonly finding: Finding; views: ViewMask }>();
  #problems: ZoneProblem[] = [];

  constructor({ zone, views }: CheckOptions) {
    this.#zoneText = zone.toString();
    this.#viewSet = new ViewSet(views);
    this.#parser = new RowParser(zone);
    this.#targets = new TargetRules(zone);
    this.#views = views.map((name, i) => {
      const mask = 1n << BigInt(i);
      return {
        name,
        mask,
        builder: new NodeBuilder(zone, (finding) => this.#add(finding, mask)),
        toldCuts: [],
      };
    });
  }

  push(row: ZoneRow): void {
    const seenBy = this.#viewSet.maskOf(row.views);
    const report = (finding: Finding): void => this.#add(forViewers(finding, row, seenBy), seenBy);
    const parsed = this.#parser.parse(row, report);
    const owner = parsed && this.#groups.push(parsed, report);
    if (owner !== undefined) this.#judge(owner);
    else if (parsed === undefined) this.#settle();
  }

  finish(): void {
    const last = this.#groups.finish();
    if (last !== undefined) this.#judge(last);
    for (const view of this.#views) view.builder.finish();
    for (const { finding, views } of this.#targets.finish()) this.#add(finding, views);
    this.#settle();
  }

  /** The problems found since the last time. */
  take(): ZoneProblem[] {
    const problems = this.#problems;
    this.#problems = [];
    return problems;
  }

  #judge({ name, rows }: OwnerRows): void {
    const seen = rows.map(({ rrset, views }): SeenRRset => ({ rrset, views: this.#viewSet.maskOf(views) }));
    let occluded = 0n;
    let present = 0n;
    const areForAll = rows.every(({ views }) => views === null);
    for (const view of this.#views) {
      const shown = areForAll ? seen : seen.filter(({ views }) => (views & view.mask) !== 0n);
      const rrsets = shown.map(({ rrset }) => rrset);
      if (rrsets.length === 0) continue;
      present |= view.mask;
      if (view.builder.build(name, rrsets).kind === 'occluded') occluded |= view.mask;
    }
    this.#targets.add(name, seen, occluded);
    if (this.#views.length > 1) this.#findForeignCuts(name, present & ~occluded);
    this.#settle();
  }

  /** Data that one view shows below a zone cut that another view has. */
  #findForeignCuts(name: Name, shown: ViewMask): void {
    if (shown === 0n) return;
    for (const [i, other] of this.#views.entries()) {
      const cut = other.builder.cutAbove(name);
      if (cut === undefined) continue;
      for (const view of this.#views) {
        if ((shown & view.mask) === 0n || view.toldCuts[i] === cut) continue;
        view.toldCuts[i] = cut;
        this.#add(
          {
            severity: 'warning',
            rule: 'below-cut-of-other-view',
            owner: name.toString(),
            reason: `lies below the zone cut ${cut.toString()}, which view ${other.name} has and this view has not`,
            next: 'make sure that resolvers which see both views are meant to',
          },
          view.mask,
        );
      }
    }
  }

  #add(finding: Finding, views: ViewMask): void {
    const { rule, owner, type, reason } = finding;
    const key = `${rule} ${owner} ${type} ${reason}`;
    const known = this.#findings.get(key);
    if (known === undefined) this.#findings.set(key, { finding, views });
    else known.views |= views;
  }

  /** Turns the findings so far into problems. */
  #settle(): void {
    if (this.#findings.size === 0) return;
    for (const { finding, views } of this.#findings.values()) {
      const names = views === 0n ? [null] : this.#viewSet.namesOf(views);
      for (const name of names) this.#problems.push(problemOf(finding, this.#zoneText, name));
    }
    this.#findings.clear();
  }
}

/**
 * A fault of a row concerns the views that see it. An empty list of views concerns all; where no view being judged sees a
 * row, its fault stops nothing yet and is a warning.
 */
function forViewers(finding: Finding, row: ZoneRow, seenBy: ViewMask): Finding {
  if (seenBy !== 0n || row.views === null || row.views.length === 0) return finding;
  return { ...finding, severity: 'warning' };
}
