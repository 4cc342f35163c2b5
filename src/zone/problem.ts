import { ZonesealError } from '../errors.js';

/** The rules a zone is judged by; stable words for programs that read problems. */
export type ZoneRule =
  | 'owner-invalid'
  | 'type-unknown'
  | 'type-meta'
  | 'type-generated'
  | 'ttl-invalid'
  | 'row-empty'
  | 'views-empty'
  | 'rdata-invalid'
  | 'out-of-zone'
  | 'order'
  | 'views-overlap'
  | 'soa-missing'
  | 'soa-misplaced'
  | 'soa-several'
  | 'ns-missing'
  | 'cname-beside-data'
  | 'cname-several'
  | 'dname-several'
  | 'dname-beside-ns'
  | 'below-dname'
  | 'ds-at-apex'
  | 'record-too-large'
  | 'rrset-too-large'
  | 'rrset-near-limit'
  | 'many-records'
  | 'many-types'
  | 'ds-without-ns'
  | 'apex-type-elsewhere'
  | 'ns-at-wildcard'
  | 'ns-is-address'
  | 'ns-without-address'
  | 'target-is-alias'
  | 'below-cut-of-other-view'
  | 'policy-unsafe'
  | 'policy-doubtful';

/**
 * A rule that a zone breaks. An error stops publications of the views concerned, a warning does not. `view` null: it is so in
 * all views that were judged (or the zone has none). Owner and type are in presentation format.
 */
export interface ZoneProblem {
  readonly severity: 'error' | 'warning';
  readonly zone: string;
  readonly view: string | null;
  readonly owner: string;
  readonly type?: string;
  readonly rule: ZoneRule;
  /** Names zone, view, owner, type, the reason, and what to do next. */
  readonly message: string;
}

/** A problem before it is known in which views it is one. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly rule: ZoneRule;
  readonly owner: string;
  readonly type?: string;
  /** What is wrong, as the rest of a sentence that begins with owner and type. */
  readonly reason: string;
  /** What an operator can do about it. */
  readonly next: string;
}

/** Where findings go. */
export type Report = (finding: Finding) => void;

/** The problem that a finding is in one view of a zone. */
export function problemOf(finding: Finding, zone: string, view: string | null): ZoneProblem {
  const { severity, rule, owner, type, reason, next } = finding;
  const where = view === null ? `zone ${zone}` : `zone ${zone} (view ${view})`;
  const subject = type === undefined ? owner : `${owner} ${type}`;
  const message = `${where}: ${subject}: ${reason}; ${next}`;
  const problem = { severity, zone, view, owner, rule, message };
  return type === undefined ? problem : { ...problem, type };
}

/** The error that a problem is for a caller who cannot go on: RDATA_INVALID where rdata does not parse, else ZONE_INVALID. */
export function problemError(problem: ZoneProblem): ZonesealError {
  const { zone, view, owner, type, rule, message } = problem;
  const code = rule === 'rdata-invalid' ? 'RDATA_INVALID' : 'ZONE_INVALID';
  return new ZonesealError(code, message, { zone, view, owner, type, rule });
}
