import type { Name } from '../dns/name.js';
import type { TsigKeyEntry, TsigKeySource } from './ports.js';

export interface TsigKeyTableOptions {
  /** All TSIG keys with their grants, as the database has them now. */
  readonly read: () => Promise<readonly TsigKeyEntry[]>;
  /** @throws ZonesealError when the key store cannot be reached and the secret is not held */
  readonly secret: (entry: TsigKeyEntry) => Promise<Uint8Array>;
}

/** The TSIG keys in memory, as last read; requests are answered from it while the database is away. */
export class TsigKeyTable implements TsigKeySource {
  readonly #options: TsigKeyTableOptions;
  #entries: ReadonlyMap<string, TsigKeyEntry> = new Map();

  constructor(options: TsigKeyTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The references of all secrets that keys have. */
  get references(): ReadonlySet<string> {
    const references = [...this.#entries.values()].flatMap(({ secretRef, nextSecretRef }) =>
      nextSecretRef === undefined ? [secretRef] : [secretRef, nextSecretRef],
    );
    return new Set(references);
  }

  /** Reads the keys anew; when that fails the old ones stay. */
  async reload(): Promise<void> {
    const entries = await this.#options.read();
    this.#entries = new Map(entries.map((entry) => [entry.name.key, entry]));
  }

  find(name: Name): TsigKeyEntry | undefined {
    return this.#entries.get(name.key);
  }

  secret(entry: TsigKeyEntry): Promise<Uint8Array> {
    return this.#options.secret(entry);
  }
}
