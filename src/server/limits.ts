/** What bounds the sockets. A client that reaches a limit loses its connection or datagram, and is counted. */
export interface ServerLimits {
  /** TCP connections in all; past it the one that was idle longest makes room, or the new one is closed. */
  readonly connections: number;
  /** TCP connections of one client address (IPv6: of one /64). */
  readonly connectionsPerAddress: number;
  /** Queries of one connection that are answered at the same time; more are not read until one is done. */
  readonly queriesPerConnection: number;
  /** UDP queries that are answered at the same time; more are dropped. */
  readonly udpQueries: number;
  /** How long a connection may be open with nothing to answer, whatever parts of a query arrive. */
  readonly idleSeconds: number;
  /** How long one answer, a whole transfer that is, may take. */
  readonly answerSeconds: number;
  /** How long a client may take to accept what fits into one message. */
  readonly stallSeconds: number;
  /** The largest query that is read, in octets. */
  readonly messageOctets: number;
}

/**
 * A query of the transfer protocol is never longer than 1.2 KiB (two names, an SOA, TSIG). An answer may take as long as
 * BIND gives a transfer by default.
 */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  connections: 1000,
  connectionsPerAddress: 100,
  queriesPerConnection: 16,
  udpQueries: 1000,
  idleSeconds: 30,
  answerSeconds: 7200,
  stallSeconds: 60,
  messageOctets: 4096,
};
