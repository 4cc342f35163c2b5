import type { Name } from '../dns/name.js';
import type { OwnerRecords } from './zonemd.js';

const BATCH_OWNERS = 256;

/**
 * Two streams of owners, each in canonical order, as one (the names of a zone and those of its NSEC3 records, which lie
 * among them). An owner that both have comes once with the RRsets of both. Streams come and leave in batches.
 */
export async function* mergeOwners(
  first: AsyncIterable<readonly OwnerRecords[]> | Iterable<readonly OwnerRecords[]>,
  second: AsyncIterable<readonly OwnerRecords[]> | Iterable<readonly OwnerRecords[]>,
): AsyncGenerator<readonly OwnerRecords[], void, undefined> {
  const a = new OwnerReader(first);
  const b = new OwnerReader(second);
  try {
    let batch: OwnerRecords[] = [];
    for (;;) {
      if (a.exhausted) await a.fill();
      if (b.exhausted) await b.fill();
      const left = a.current;
      const right = b.current;
      if (left === undefined && right === undefined) break;
      const order = compareHeads(left?.name, right?.name);
      if (order === 0) {
        batch.push({
          name: (left as OwnerRecords).name,
          rrsets: [...(left as OwnerRecords).rrsets, ...(right as OwnerRecords).rrsets],
        });
      } else {
        batch.push((order < 0 ? left : right) as OwnerRecords);
      }
      if (order <= 0) a.advance();
      if (order >= 0) b.advance();
      if (batch.length === BATCH_OWNERS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

/** A stream that has ended comes after every name. */
function compareHeads(a: Name | undefined, b: Name | undefined): number {
  if (a === undefined) return 1;
  return b === undefined ? -1 : a.compare(b);
}

/** Steps through batches; awaits only where a batch has ended. */
class OwnerReader {
  readonly #source: AsyncIterator<readonly OwnerRecords[]> | Iterator<readonly OwnerRecords[]>;
  #batch: readonly OwnerRecords[] = [];
  #at = 0;
  #ended = false;

  constructor(source: AsyncIterable<readonly OwnerRecords[]> | Iterable<readonly OwnerRecords[]>) {
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /** Whether the next batch has to be fetched before there is a current owner. */
  get exhausted(): boolean {
    return !this.#ended && this.#at === this.#batch.length;
  }

  get current(): OwnerRecords | undefined {
    return this.#batch[this.#at];
  }

  advance(): void {
    this.#at++;
  }

  async fill(): Promise<void> {
    while (this.exhausted) {
      const result = await this.#source.next();
      if (result.done === true) {
        this.#ended = true;
        this.#batch = [];
      } else {
        this.#batch = result.value;
      }
      this.#at = 0;
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
  }
}
