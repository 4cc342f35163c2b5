/** What bounds the transfer protocol's work and waits. */
export interface TransferLimits {
  /** Transfers that run at once. */
  readonly transfers: number;
  /** Transfers that wait for a place, and how long each may. */
  readonly transfersWaiting: number;
  readonly transferWaitSeconds: number;
  /** How long the database may take to say what is served, and the key store to give a TSIG secret. */
  readonly lookupSeconds: number;
  /** How long an image may take to give its first message. */
  readonly firstMessageSeconds: number;
  /** The largest UDP payload that is taken and sent, in octets. */
  readonly udpOctets: number;
}

/**
 * The wait for a place is shorter than Knot DNS waits for a first message (5 s, the least of the common secondaries); 1,232
 * octets is what passes everywhere without fragments.
 */
export const DEFAULT_TRANSFER_LIMITS: TransferLimits = {
  transfers: 64,
  transfersWaiting: 512,
  transferWaitSeconds: 4,
  lookupSeconds: 4,
  firstMessageSeconds: 60,
  udpOctets: 1232,
};
