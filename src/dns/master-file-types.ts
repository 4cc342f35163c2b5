import type { ZonesealError } from '../errors.js';
import type { Name } from './name.js';

/** One record of a master file, class IN. Its rdata is plain wire format; its TTL in seconds. */
export interface MasterRecord {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
  /** The file it is in, as it was named: the source, or what $INCLUDE says. */
  readonly file: string;
  /** The line its entry begins on, from 1. */
  readonly line: number;
}

export interface MasterFileOptions {
  /** The origin at the beginning, which $ORIGIN changes. */
  readonly origin: Name;
  /** The name of the source in errors and records. */
  readonly file: string;
  /** The TTL of records without one, until a $TTL: as if the file began with one. */
  readonly defaultTtl?: number;
  /** The folder $INCLUDE is confined to and relative to; without it $INCLUDE is an error. */
  readonly includeFolder?: string;
  /**
   * Gets every error; parsing then goes on at the next entry, and the records that come out are not the whole file.
   * Without it the first error is thrown.
   */
  readonly onError?: (error: ZonesealError) => void;
}
