import { currentFacts, wantedDs } from './facts.js';
import type { KeySetFacts, KeySetUse, RolloverState } from './model.js';
import { endOf } from './timing.js';

/** What CDS and CDNSKEY ask the parent for. */
export interface CdsNews {
  /** Alike for the same DS set. */
  readonly wanted: string;
  /** When all nameservers have it, or are to, seconds since 1970; null: a view is not published with it yet. */
  readonly tellAt: number | null;
}

/**
 * What the parent may be told of by NOTIFY(CDS) (RFC 9859 §3), and from when: it looks at once, so every nameserver should have it.
 * That is when all peers of each view were seen with it, and after the propagation delay where there are none, or some do not
 * come. Null: CDS ask for nothing.
 * @param peeredViews the views that have peers for the zone
 */
export function cdsNews(state: RolloverState, peeredViews: readonly string[]): CdsNews | null {
  const facts = currentFacts(state);
  const keys = wantedDs(facts);
  if (keys === undefined || state.policy.cdsDigests.length === 0) return null;
  const times = state.views.map((view) => shownAt(state, facts, view, peeredViews.includes(view)));
  const known = times.filter((time): time is number => time !== null);
  const isWhole = times.length > 0 && known.length === times.length;
  return { wanted: JSON.stringify(keys), tellAt: isWhole ? Math.max(...known) : null };
}

/** When the nameservers of a view have the CDS. */
function shownAt(state: RolloverState, facts: KeySetFacts, view: string, hasPeers: boolean): number | null {
  const uses = state.uses.filter((use) => use.view === view).sort((a, b) => b.since - a.since);
  const isSame = (use: KeySetUse): boolean => cdsOf(use.facts) === cdsOf(facts);
  const others = uses.findIndex((use) => !isSame(use));
  const same = others === -1 ? uses : uses.slice(0, others);
  const [served, first] = [same[0], same.at(-1)];
  if (served === undefined || first === undefined || served.replacedAt !== null) return null;
  const latest = endOf(state, first.since, (policy) => policy.propagationDelay);
  if (!hasPeers) return latest;
  const gone = uses.slice(same.length).map(({ until }) => until);
  if (gone.includes(null)) return latest;
  return Math.min(latest, Math.max(first.since, ...(gone as number[])));
}

/** A zone that is unsigned publishes none. */
function cdsOf({ published, parent, deleteSentinel }: KeySetFacts): string | null {
  return published.length === 0 ? null : JSON.stringify([[...parent].sort(), deleteSentinel]);
}
