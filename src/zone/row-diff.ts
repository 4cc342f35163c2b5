import { compareOctets, parseRdataText } from '../dns/rdata/index.js';
import { typeFromText } from '../dns/types.js';
import { type Batches, BatchReader } from './batches.js';
import type { ZoneRow } from './row.js';
import { sortRdata } from './rrset.js';

/** A row that comes, goes, or says something else than before. */
export type RowChange =
  | { readonly kind: 'added'; readonly after: ZoneRow }
  | { readonly kind: 'removed'; readonly before: ZoneRow }
  | { readonly kind: 'changed'; readonly before: ZoneRow; readonly after: ZoneRow };

/** How many rows come, go and change. */
export interface ChangeCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly unchanged: number;
}

/** Whether two rows are tagged for the same views, in whatever order these stand. */
export function sameViews(a: readonly string[] | null, b: readonly string[] | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.toSorted().join() === b.toSorted().join();
}

/**
 * Two streams of rows in canonical order of their owners as one; of rows with the same owner those of the first come first.
 */
export async function* mergeRows(
  first: Batches<ZoneRow>,
  second: Batches<ZoneRow>,
): AsyncGenerator<readonly ZoneRow[], void, undefined> {
  const a = new BatchReader(first);
  const b = new BatchReader(second);
  try {
    let batch: ZoneRow[] = [];
    for (;;) {
      if (a.needsFill) await a.fill();
      if (b.needsFill) await b.fill();
      const left = a.current;
      const right = b.current;
      if (left === undefined && right === undefined) break;
      const order = compareOwners(left, right);
      batch.push((order <= 0 ? left : right) as ZoneRow);
      if (order <= 0) a.advance();
      else b.advance();
      if (batch.length === BATCH_ROWS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

const BATCH_ROWS = 512;

/**
 * What changes when rows take the place of others that are tagged for the same views: both in canonical order of their owners,
 * one row for an owner and type. Rows are alike when TTL and records are; how records are written, and their order, makes no
 * difference.
 * @returns the number of rows that stay as they are
 */
export async function* diffRows(
  before: Batches<ZoneRow>,
  after: Batches<ZoneRow>,
): AsyncGenerator<RowChange, number, undefined> {
  const a = new BatchReader(before);
  const b = new BatchReader(after);
  let unchanged = 0;
  try {
    for (;;) {
      if (a.needsFill) await a.fill();
      if (b.needsFill) await b.fill();
      const left = a.current;
      const right = b.current;
      if (left === undefined && right === undefined) return unchanged;
      const order = compareOwners(left, right);
      const old = order <= 0 ? await takeOwner(a) : [];
      const young = order >= 0 ? await takeOwner(b) : [];
      for (const change of compareTypes(old, young)) {
        if (change === undefined) unchanged++;
        else yield change;
      }
    }
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

/** A stream that has ended comes after every owner. */
function compareOwners(a: ZoneRow | undefined, b: ZoneRow | undefined): number {
  if (a === undefined) return 1;
  return b === undefined ? -1 : Buffer.compare(a.sortKey, b.sortKey);
}

/** The rows of the owner at hand. */
async function takeOwner(reader: BatchReader<ZoneRow>): Promise<ZoneRow[]> {
  const rows: ZoneRow[] = [];
  for (;;) {
    if (reader.needsFill) await reader.fill();
    const row = reader.current;
    const [first] = rows;
    if (row === undefined || (first !== undefined && Buffer.compare(first.sortKey, row.sortKey) !== 0))
      return rows;
    rows.push(row);
    reader.advance();
  }
}

/** The changes at one owner; undefined for each row that stays. */
function compareTypes(before: readonly ZoneRow[], after: readonly ZoneRow[]): (RowChange | undefined)[] {
  const old = new Map(before.map((row) => [typeKey(row), row]));
  const changes: (RowChange | undefined)[] = [];
  for (const row of after) {
    const known = old.get(typeKey(row));
    old.delete(typeKey(row));
    if (known === undefined) changes.push({ kind: 'added', after: row });
    else if (sameRecords(known, row)) changes.push(undefined);
    else changes.push({ kind: 'changed', before: known, after: row });
  }
  for (const row of old.values()) changes.push({ kind: 'removed', before: row });
  return changes;
}

function typeKey({ type }: ZoneRow): string | number {
  return typeFromText(type) ?? type;
}

/** Whether rows of one owner and type say the same. A row that another program wrote may not even parse. */
function sameRecords(a: ZoneRow, b: ZoneRow): boolean {
  if (a.ttl !== b.ttl) return false;
  if (a.data.length === b.data.length && a.data.every((text, i) => text === b.data[i])) return true;
  const old = recordsOf(a);
  const young = recordsOf(b);
  if (old === undefined || young === undefined || old.length !== young.length) return false;
  return old.every((octets, i) => compareOctets(octets, young[i] as Uint8Array) === 0);
}

function recordsOf({ type, data }: ZoneRow): readonly Uint8Array[] | undefined {
  const number = typeFromText(type);
  if (number === undefined) return undefined;
  try {
    return sortRdata(
      number,
      data.map((text) => parseRdataText(number, text)),
    );
  } catch {
    return undefined;
  }
}
