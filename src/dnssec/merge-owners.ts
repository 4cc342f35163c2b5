import type { Name } from '../dns/name.js';
import { type Batches, BatchReader } from '../zone/batches.js';
import type { OwnerRecords } from './zonemd.js';

const BATCH_OWNERS = 256;

/**
 * Two streams of owners, each in canonical order, as one (the names of a zone and those of its NSEC3 records, which lie
 * among them). An owner that both have comes once with the RRsets of both. Streams come and leave in batches.
 */
export async function* mergeOwners(
  first: Batches<OwnerRecords>,
  second: Batches<OwnerRecords>,
): AsyncGenerator<readonly OwnerRecords[], void, undefined> {
  const a = new BatchReader(first);
  const b = new BatchReader(second);
  try {
    let batch: OwnerRecords[] = [];
    for (;;) {
      if (a.needsFill) await a.fill();
      if (b.needsFill) await b.fill();
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
