import type { PublicationStore } from './publication/ports.js';
import type { TsigKeyEntry } from './transfer/ports.js';

/** The database as a gateway uses it. */
export interface OpenStore {
  readonly publications: PublicationStore;
  readonly statistics: { readonly connections: number; readonly used: number; readonly waiting: number };
  /** Seconds since 1970 by the database's clock. */
  time(): Promise<number>;
  readTsigKeys(): Promise<readonly TsigKeyEntry[]>;
  /** Calls back with a zone's database id when something of it changed, with none when anything may have. Returns how to end it. */
  listen(onChange: (zoneId?: string) => void): () => Promise<void>;
  close(): Promise<void>;
}
