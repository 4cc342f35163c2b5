import type { SeenPeer } from './line-jump.js';

/** An incarnation of the database, and how far its marker had come: what a gateway remembers. */
export interface Remembered {
  /** UUID. */
  readonly incarnation: string;
  readonly marker: number;
}

/** The standing of the database as a statement saw it in its own snapshot. */
export interface Standing extends Remembered {
  /** Whether system identifier and timeline are those that it has stored. */
  readonly sameServer: boolean;
}

/** One incarnation as the database knows it. */
export interface Incarnation extends Remembered {
  readonly isCurrent: boolean;
  /** Whether commits were known to be lost when it began; else nobody could tell. */
  readonly isCertain: boolean;
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
}

/** What is looked at to tell whether the database was set back. */
export interface DatabaseState {
  /** In the order in which they began, the current one last. */
  readonly incarnations: readonly Incarnation[];
  /** Of the server, as it is now. */
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
  /** Whether anything was ever published. */
  readonly hasPublications: boolean;
  /** Whether another gateway runs, which remembers. */
  readonly hasOthers: boolean;
}

/** Why a database counts as set back. */
export interface Finding {
  readonly reason: string;
  /** Whether commits are lost for certain; else nobody can tell. */
  readonly isCertain: boolean;
}

/** One (zone, view) by name. */
export interface LineName {
  readonly zone: string;
  readonly view: string;
}

/** A serial that this process knows to have been served. */
export interface ServedSerial extends LineName {
  readonly serial: number;
}

/** A line of which it is not known yet that it is past what nameservers serve. */
export interface UnsettledLine extends LineName {
  /** Database id, decimal. */
  readonly zoneId: string;
  /** Whether it has peers that can be asked. */
  readonly hasPeers: boolean;
}

/** What was found out of a line. */
export interface LineFindings extends LineName {
  readonly seen: readonly SeenPeer[];
}

/** What became of a line. */
export interface LineOutcome extends LineName {
  /** `clear`: nothing newer was seen; `jumped`: past what was seen; `safe`: by a margin, as not all could be asked; `apart`: no serial is past. */
  readonly kind: 'clear' | 'jumped' | 'safe' | 'apart';
  readonly last: number | null;
  /** The serial that the next one comes after. */
  readonly past: number | null;
  /** The serial that is half the circle away, where the kind is `apart`. */
  readonly apart: number | undefined;
  /** Peers that gave no serial. */
  readonly silent: readonly string[];
}

/** What recovery needs of the database. Every call is one short transaction. */
export interface RecoveryStore {
  /** Moves the marker on; undefined when it is not as remembered any more, or the server is another. */
  beat(remembered: Remembered): Promise<number | undefined>;
  /**
   * Looks at the database under a lock, and begins a new incarnation where the rule finds that it was set back.
   * @returns the current incarnation, and why it began, when it began now
   */
  look(
    gateway: string,
    rule: (state: DatabaseState) => Finding | undefined,
  ): Promise<{ readonly current: Incarnation; readonly began: Finding | undefined }>;
  /** Lines that are not settled for an incarnation, from a name on. */
  listUnsettled(incarnation: string, from: LineName, limit: number): Promise<UnsettledLine[]>;
  countUnsettled(incarnation: string): Promise<number>;
  /** Moves lines past serials that were served, as far as they are not; what is published of these is not served any more. */
  pushServed(serials: readonly ServedSerial[]): Promise<LineOutcome[]>;
  /** Settles lines by what was found out of them: moves them past it where they are not, and lets them be served. */
  settle(incarnation: Incarnation, lines: readonly LineFindings[]): Promise<LineOutcome[]>;
  /** Has a line found out about anew; false when it is already. */
  unsettle(line: LineName): Promise<boolean>;
}
