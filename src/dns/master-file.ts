import { MasterParser } from './master-file-parser.js';
import type { MasterSource } from './master-file-reader.js';
import type { MasterFileOptions, MasterRecord } from './master-file-types.js';

export {
  MAX_ENTRY_OCTETS,
  MAX_GENERATED_RECORDS,
  MAX_INCLUDE_DEPTH,
  MAX_INCLUDED_FILES,
} from './master-file-parser.js';
export type { MasterSource } from './master-file-reader.js';
export type { MasterFileOptions, MasterRecord } from './master-file-types.js';

/**
 * Reads a master file (RFC 1035 §5, RFC 2308 §4, RFC 3597 §5, and BIND's $GENERATE and TTL units) record by record, in
 * the order of the file, without ever holding more of it than a chunk and an entry. The source is a path (a string) or
 * chunks of octets or text.
 * @throws ZonesealError MASTER_FILE_INVALID, with fields file, line, column and reason; line 0 when a file cannot be read
 */
export function parseMasterFile(
  source: MasterSource | string,
  options: MasterFileOptions,
): AsyncIterableIterator<MasterRecord> {
  return new RecordIterator(parseMasterBatches(source, options));
}

/**
 * The same, some hundreds of records at a time, which costs less.
 * @throws ZonesealError MASTER_FILE_INVALID
 */
export function parseMasterBatches(
  source: MasterSource | string,
  options: MasterFileOptions,
): AsyncGenerator<readonly MasterRecord[], void, undefined> {
  return new MasterParser(source, options).batches();
}

/**
 * All records of a master file that is at hand as text; for small ones.
 * @throws ZonesealError MASTER_FILE_INVALID
 */
export async function parseMasterText(text: string, options: MasterFileOptions): Promise<MasterRecord[]> {
  const records: MasterRecord[] = [];
  for await (const batch of parseMasterBatches([text], options)) records.push(...batch);
  return records;
}

/** Hands the records of batches out one by one; written out, for an async generator costs more than the parsing. */
class RecordIterator implements AsyncIterableIterator<MasterRecord> {
  readonly #batches: AsyncGenerator<readonly MasterRecord[], void, undefined>;
  #batch: readonly MasterRecord[] = [];
  #at = 0;
  #last: Promise<IteratorResult<MasterRecord>> | undefined; // the answer that is being waited for

  constructor(batches: AsyncGenerator<readonly MasterRecord[], void, undefined>) {
    this.#batches = batches;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<MasterRecord>> {
    const value = this.#batch[this.#at];
    if (value !== undefined && this.#last === undefined) {
      this.#at++;
      return Promise.resolve({ done: false, value });
    }
    const take = () => this.#take();
    const step = this.#last === undefined ? take() : this.#last.then(take, take);
    this.#last = step;
    const clear = () => {
      if (this.#last === step) this.#last = undefined;
    };
    step.then(clear, clear);
    return step;
  }

  async return(): Promise<IteratorResult<MasterRecord>> {
    this.#batch = [];
    await this.#batches.return();
    return { done: true, value: undefined };
  }

  async #take(): Promise<IteratorResult<MasterRecord>> {
    for (;;) {
      const value = this.#batch[this.#at];
      if (value !== undefined) {
        this.#at++;
        return { done: false, value };
      }
      const step = await this.#batches.next();
      if (step.done === true) return { done: true, value: undefined };
      this.#batch = step.value;
      this.#at = 0;
    }
  }
}
