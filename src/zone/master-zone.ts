import {
  type MasterFileOptions,
  type MasterRecord,
  type MasterSource,
  parseMasterBatches,
} from '../dns/master-file.js';
import { Name } from '../dns/name.js';
import { formatRdata } from '../dns/rdata/index.js';
import { typeFromText, typeToText } from '../dns/types.js';
import { GENERATED_REASON, isGeneratedType, isSignersType } from './generated.js';
import { PackedRecords } from './packed-records.js';
import type { ZoneProblem, ZoneRule } from './problem.js';
import type { ZoneRow } from './row.js';
import { sortRdata } from './rrset.js';

/** Something wrong with a master file: with one entry of it, or with the zone that it makes. */
export interface FileProblem {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** From 1; undefined where the problem has no one place. */
  readonly line?: number;
  readonly column?: number;
  readonly view?: string | null;
  readonly owner?: string;
  readonly type?: string;
  /** The rule that is broken; `syntax` where an entry could not be read. */
  readonly rule: ZoneRule | 'syntax' | 'dnssec-record' | 'ttl-differs';
  /** Names file, line, record, cause and next step. */
  readonly message: string;
}

/** What a record is read for. */
export interface MasterZoneOptions {
  readonly zone: Name;
  /** The views that see the records; null for all. */
  readonly views: readonly string[] | null;
  /** Leave out the DNSSEC records that Zoneseal makes, instead of reporting them; CDS and CDNSKEY of the apex with them. */
  readonly stripDnssec: boolean;
}

const BATCH_ROWS = 512;

/** DNSSEC records of one type that were found where only unsigned data belongs. */
interface Refused {
  readonly first: MasterRecord;
  count: number;
}

/**
 * The records of a master file as the rows of a zone: gathered in memory, whatever order the file has, and handed out in
 * canonical order. One row stands for one owner and type; duplicates are removed, and the TTL is that of the first record.
 */
export class MasterZone {
  readonly zone: Name;
  readonly file: string;
  readonly #views: readonly string[] | null;
  readonly #stripDnssec: boolean;
  readonly #packed: PackedRecords;
  readonly #dnssec = new Map<number, Refused>();
  #records = 0;

  constructor(file: string, { zone, views, stripDnssec }: MasterZoneOptions) {
    this.zone = zone;
    this.file = file;
    this.#views = views;
    this.#stripDnssec = stripDnssec;
    this.#packed = new PackedRecords(zone);
  }

  /** Records taken in, duplicates counted, DNSSEC records not. */
  get records(): number {
    return this.#records;
  }

  get names(): number {
    return this.#packed.owners;
  }

  /** How many DNSSEC records of each type were left out. */
  get dnssecRecords(): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#dnssec, ([type, { count }]) => [typeToText(type), count]));
  }

  add(record: MasterRecord): void {
    const { owner, type } = record;
    // CDS and CDNSKEY of a file that was signed elsewhere would ask the parent for keys that are not the zone's any more
    const isLeftOut = this.#stripDnssec ? isSignersType : isGeneratedType;
    if (isLeftOut(type, owner.equals(this.zone))) {
      const known = this.#dnssec.get(type);
      if (known === undefined) this.#dnssec.set(type, { first: record, count: 1 });
      else known.count++;
      return;
    }
    this.#records++;
    this.#packed.add(record);
  }

  /** The rows in canonical order, types ascending within an owner. */
  *rows(): Generator<readonly ZoneRow[], void, undefined> {
    let batch: ZoneRow[] = [];
    for (const { name, sortKey, records: all } of this.#packed.inOrder()) {
      const owner = name.toString();
      for (const [type, records] of groupByType(all)) {
        const { rdata, ttl } = records[0] as MasterRecord;
        const octets = records.length === 1 ? [rdata] : sortRdata(type, records.map(rdataOf));
        const data = octets.map((one) => formatRdata(type, one));
        batch.push({ owner, sortKey, type: typeToText(type), ttl, data, views: this.#views });
      }
      if (batch.length >= BATCH_ROWS) {
        yield batch;
        batch = [];
      }
    }
    if (batch.length > 0) yield batch;
  }

  /** What can be said of the records before they are judged as a zone. */
  problems(): FileProblem[] {
    const problems: FileProblem[] = [];
    if (!this.#stripDnssec) {
      for (const [type, refused] of this.#dnssec) problems.push(this.#dnssecProblem(type, refused));
    }
    for (const { records: all } of this.#packed.inOrder(true)) {
      for (const [type, records] of groupByType(all)) {
        const problem = ttlProblem(type, records);
        if (problem !== undefined) problems.push(problem);
      }
    }
    return problems;
  }

  /** A problem of the zone at the place in the file that it comes from. */
  locate(problem: ZoneProblem): FileProblem {
    const { severity, view, owner, type, rule, message } = problem;
    const record = this.#find(owner, type);
    const place = record === undefined ? { file: this.file } : { file: record.file, line: record.line };
    const where = record === undefined ? this.file : `${record.file}:${record.line}`;
    const about = type === undefined ? { owner } : { owner, type };
    return { severity, ...place, view, ...about, rule, message: `${where}: ${message}` };
  }

  #find(owner: string, typeText: string | undefined): MasterRecord | undefined {
    const records = this.#packed.find(Name.parse(owner));
    if (typeText === undefined) return records[0];
    const type = typeFromText(typeText);
    return records.find((record) => record.type === type);
  }

  #dnssecProblem(type: number, { first, count }: Refused): FileProblem {
    const { file, line } = first;
    const [owner, typeText] = [first.owner.toString(), typeToText(type)];
    const others = count === 1 ? '' : ` (and ${count - 1} more record${count === 2 ? '' : 's'} of this type)`;
    return {
      severity: 'error',
      file,
      line,
      owner,
      type: typeText,
      rule: 'dnssec-record',
      message: `${file}:${line}: zone ${this.zone}: ${owner} ${typeText}${others}: ${GENERATED_REASON}; leave them out with --strip-dnssec`,
    };
  }
}

/**
 * Reads a master file whole.
 * @param onProblem gets every entry that cannot be read; reading goes on at the next one
 * @param onRecords gets the number of records read so far, now and then
 */
export async function readMasterZone(
  source: MasterSource | string,
  options: MasterZoneOptions & Omit<MasterFileOptions, 'origin' | 'onError'>,
  onProblem: (problem: FileProblem) => void,
  onRecords?: (count: number) => void,
): Promise<MasterZone> {
  const zone = new MasterZone(options.file, options);
  let count = 0;
  const batches = parseMasterBatches(source, {
    ...options,
    origin: options.zone,
    onError: (error) => {
      const { file, line, column } = error.fields as { file: string; line: number; column: number };
      const place = line === 0 ? { file } : { file, line, column };
      onProblem({ severity: 'error', ...place, rule: 'syntax', message: error.message });
    },
  });
  for await (const batch of batches) {
    for (const record of batch) zone.add(record);
    count += batch.length;
    onRecords?.(count);
  }
  return zone;
}

function rdataOf(record: MasterRecord): Uint8Array {
  return record.rdata;
}

/** Records by ascending type, each group in the order of the file. */
function groupByType(records: readonly MasterRecord[]): (readonly [number, readonly MasterRecord[]])[] {
  const [first] = records;
  if (first === undefined) return [];
  if (records.length === 1 || records.every((record) => record.type === first.type))
    return [[first.type, records]];
  const groups = new Map<number, MasterRecord[]>();
  for (const record of records) {
    const group = groups.get(record.type);
    if (group === undefined) groups.set(record.type, [record]);
    else group.push(record);
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** The records of an RRset have one TTL (RFC 2181 §5.2). */
function ttlProblem(type: number, records: readonly MasterRecord[]): FileProblem | undefined {
  const first = records[0] as MasterRecord;
  const other = records.find((record) => record.ttl !== first.ttl);
  if (other === undefined) return undefined;
  const { file, line } = other;
  const [owner, typeText] = [first.owner.toString(), typeToText(type)];
  return {
    severity: 'warning',
    file,
    line,
    owner,
    type: typeText,
    rule: 'ttl-differs',
    message: `${file}:${line}: ${owner} ${typeText}: has the TTL ${other.ttl}, and line ${first.line} the TTL ${first.ttl}, which is taken for all of them (RFC 2181 §5.2)`,
  };
}
