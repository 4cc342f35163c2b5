/** What the sockets have seen since the start, for metrics; `open` and `inFlight` are as of now. */
export interface ServerCounts {
  readonly tcp: {
    readonly accepted: number;
    readonly open: number;
    /** Closed at once: too many in all, too many of one address. */
    readonly refused: number;
    readonly refusedPerAddress: number;
    /** Idle ones closed to make room for a new one. */
    readonly evicted: number;
    readonly queries: number;
    /** Closed for a query that is too long or shorter than a header. */
    readonly badFrames: number;
    readonly idleTimeouts: number;
    /** Closed because the client did not read, or because an answer took too long. */
    readonly stalls: number;
    readonly overtime: number;
    /** Dropped because an answer failed after it had begun. */
    readonly failedAnswers: number;
    readonly errors: number;
    readonly octetsSent: number;
  };
  readonly udp: {
    readonly queries: number;
    readonly inFlight: number;
    /** Not answered: too many at once, too long, or from port 0. */
    readonly dropped: number;
    readonly errors: number;
    readonly octetsSent: number;
  };
}

type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };

/** ServerCounts as the listeners write them. */
export type ServerCounters = Mutable<ServerCounts>;

/** Counters that have counted nothing. */
export function newServerCounters(): ServerCounters {
  return {
    tcp: {
      accepted: 0,
      open: 0,
      refused: 0,
      refusedPerAddress: 0,
      evicted: 0,
      queries: 0,
      badFrames: 0,
      idleTimeouts: 0,
      stalls: 0,
      overtime: 0,
      failedAnswers: 0,
      errors: 0,
      octetsSent: 0,
    },
    udp: { queries: 0, inFlight: 0, dropped: 0, errors: 0, octetsSent: 0 },
  };
}
