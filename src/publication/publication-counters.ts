/** What the manager has done and holds. */
export interface PublicationCounters {
  /** Publications and images being made now, and what waits for a place. */
  readonly productions: number;
  readonly waiting: number;
  /** Publications made here since the start, by how they ended. */
  readonly ready: number;
  readonly unchanged: number;
  readonly failed: number;
  /** Signatures of those that became ready: made, and used again. */
  readonly signatures: number;
  readonly reused: number;
  /** (zone, view) pairs whose last attempt here failed. */
  readonly failing: number;
  /** Failures that the database could not be told of yet. */
  readonly unrecorded: number;
  readonly remembered: number;
  readonly heldImages: number;
  readonly heldOctets: number;
}
