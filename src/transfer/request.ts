/** How a request came. */
export type Transport = 'udp' | 'tcp' | 'tls';

/** One message from a client, as a socket got it. */
export interface DnsRequest {
  /** Not to be changed while it is answered. */
  readonly octets: Uint8Array;
  readonly transport: Transport;
  /** The client's address; IPv4 may come IPv4-mapped. */
  readonly address: string;
  readonly port: number;
  /** Aborted when the client is gone and nothing more can be sent to it. */
  readonly signal: AbortSignal;
}

/**
 * What answers requests. The messages of one answer come in order, ready to be sent; none means silence. When it throws,
 * the answer that was begun must not look complete: the connection has to be dropped.
 */
export interface DnsHandler {
  answer(request: DnsRequest): AsyncIterable<Uint8Array>;
}
