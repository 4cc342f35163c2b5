import { setImmediate } from 'node:timers/promises';
import type { Name } from '../../dns/name.js';
import { checkRdata } from '../../dns/rdata/index.js';
import { isMetaType, RRClass, RRType, typeToText } from '../../dns/types.js';
import { errorMessage } from '../../errors.js';
import { RecordTable } from './record-table.js';
import type { FaultList } from './report.js';

/** What the verifier needs of a record; ResourceRecord and MasterRecord have it. */
export interface VerifiableRecord {
  readonly owner: Name;
  readonly type: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
  /** IN where it is left out. */
  readonly class?: number;
}

const BEFORE_ALL = -1;
/** Records read before other work of the process gets a turn. */
const TURN_RECORDS = 4096;

/**
 * Takes the records of a zone into a table and judges each by itself; what is not of the zone stays out. The SOA with which
 * a transfer ends is the one it began with, not another.
 */
export async function loadRecords(
  records: AsyncIterable<VerifiableRecord> | Iterable<VerifiableRecord>,
  apex: Name,
  faults: FaultList,
  onRecord: (count: number) => void,
): Promise<RecordTable> {
  const table = new RecordTable();
  let opening: VerifiableRecord | undefined;
  let closing: VerifiableRecord | undefined;
  let count = 0;
  for await (const record of records) {
    count++;
    onRecord(count);
    if (count % TURN_RECORDS === 0) await setImmediate();
    if (closing !== undefined) take(table, apex, faults, closing);
    closing = undefined;
    if (count === 1 && record.type === RRType.SOA) opening = record;
    else if (opening !== undefined && isSame(record, opening)) {
      closing = record;
      continue;
    }
    take(table, apex, faults, record);
  }
  return table;
}

function isSame(a: VerifiableRecord, b: VerifiableRecord): boolean {
  return (
    a.type === b.type && a.ttl === b.ttl && a.owner.equals(b.owner) && Buffer.compare(a.rdata, b.rdata) === 0
  );
}

function take(table: RecordTable, apex: Name, faults: FaultList, record: VerifiableRecord): void {
  const { owner, type, ttl, rdata } = record;
  const place = { owner, order: BEFORE_ALL };
  if (!owner.isAtOrBelow(apex)) {
    faults.error('out-of-zone', place, type, `the owner is not in ${apex.toString()}`);
  } else if (record.class !== undefined && record.class !== RRClass.IN) {
    faults.error('class', place, type, `the class is ${record.class}`);
  } else if (isMetaType(type)) {
    faults.error('meta-type', place, type, `no zone holds records of type ${typeToText(type)}`);
  } else {
    try {
      checkRdata(type, rdata);
    } catch (cause) {
      faults.error('rdata-malformed', place, type, errorMessage(cause));
      return;
    }
    table.add(owner, type, ttl, rdata);
  }
}
