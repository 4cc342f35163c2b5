/** Where time comes from; rules take a clock or an instant as a parameter (seconds or milliseconds since 1970, UTC). */
export interface Clock {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  seconds(): number;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  milliseconds(): number;
}

/** The clock of this host. */
export const systemClock: Clock = {
  seconds: () => Math.floor(Date.now() / 1000),
  milliseconds: () => Date.now(),
};
