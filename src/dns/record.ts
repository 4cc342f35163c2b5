import type { Name } from './name.js';

/**
 * All records of one owner and type in class IN. Each rdata is plain wire format: names uncompressed, their case kept.
 * A TTL is in seconds (0 to 2^31-1, RFC 2181 §8).
 */
export interface RRset {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdata: readonly Uint8Array[];
}

/** One record, as master files and messages hold it. */
export interface ResourceRecord {
  readonly owner: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

/** The largest TTL (RFC 2181 §8). */
export const MAX_TTL = 0x7fff_ffff;
