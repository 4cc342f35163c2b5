import { ZonesealError } from '../errors.js';
import type { Name } from './name.js';
import { formatPortable } from './rdata/index.js';
import { RRType } from './types.js';

const CHUNK_CHARACTERS = 1 << 16;

/** What the writer needs of a record; MasterRecord and ResourceRecord have it. */
export interface WritableRecord {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

/**
 * One record as one line of a master file, without the line ending: absolute owner, TTL, class IN, type and rdata with
 * tabs between. Types that some nameserver or validator does not know are written as RFC 3597 §5 says.
 * @throws ZonesealError RDATA_INVALID when the rdata is not well formed for a known type
 */
export function formatRecord(owner: Name, ttl: number, type: number, rdata: Uint8Array): string {
  return `${owner.toString()}\t${ttl}\tIN\t${formatPortable(type, rdata)}`;
}

/**
 * A whole zone as a master file, in chunks of some 64 KiB, the SOA first and every other record in its order. The SOA has
 * to be among the records of the first owner, where both canonical order and a transfer have it; nothing but these is
 * held back.
 * @throws ZonesealError ZONE_INVALID when the SOA is not there; RDATA_INVALID
 */
export async function* formatMasterFile(
  records: AsyncIterable<WritableRecord> | Iterable<WritableRecord>,
): AsyncGenerator<string, void, undefined> {
  let text = '';
  let held: WritableRecord[] | undefined = []; // until the SOA has been seen
  for await (const record of records) {
    if (held === undefined) {
      text += formatLine(record);
    } else if (record.type === RRType.SOA) {
      text = [record, ...held].map(formatLine).join('');
      held = undefined;
    } else {
      if (held[0] !== undefined && !held[0].owner.equals(record.owner)) throw noSoa(held[0].owner);
      held.push(record);
    }
    if (text.length >= CHUNK_CHARACTERS) {
      yield text;
      text = '';
    }
  }
  if (held !== undefined) throw noSoa(held[0]?.owner);
  yield text;
}

function formatLine({ owner, ttl, type, rdata }: WritableRecord): string {
  return `${formatRecord(owner, ttl, type, rdata)}\n`;
}

function noSoa(owner: Name | undefined): ZonesealError {
  const where =
    owner === undefined ? 'there are no records' : `the records begin with those of ${owner.toString()}`;
  return new ZonesealError('ZONE_INVALID', `a master file begins with the SOA, but ${where} without an SOA`);
}
