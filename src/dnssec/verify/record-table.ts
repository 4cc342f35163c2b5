import type { Name } from '../../dns/name.js';
import { canonicalRdata, compareOctets } from '../../dns/rdata/index.js';
import { nameOfKey, type OwnerKey, ownerKey } from './owner-key.js';

const CHUNK_OCTETS = 1 << 22;
const FIRST_CAPACITY = 1 << 12;
const NONE = -1;

/** A record without its owner and type; the rdata is in canonical form. */
export interface StoredRecord {
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

/** The records of one owner and type in canonical order, duplicates left out. */
export interface RecordSet {
  readonly type: number;
  readonly records: readonly StoredRecord[];
  /** How many records were there more than once. */
  readonly duplicates: number;
}

/** One owner with its records by type, ascending. */
export interface OwnerRecords {
  readonly owner: Name;
  readonly key: OwnerKey;
  /** The owner's place in canonical order, from 0. */
  readonly order: number;
  readonly sets: ReadonlyMap<number, RecordSet>;
}

/** A column of numbers that grows. */
class Column<A extends Uint32Array | Int32Array | Float64Array> {
  length = 0;
  #values: A;
  readonly #make: (length: number) => A;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#values = make(FIRST_CAPACITY);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = this.#make(this.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  at(index: number): number {
    return this.#values[index] as number;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }
}

/**
 * All records of a zone, whatever order they come in, packed: rdata in a few large buffers, the rest in columns. Costs the
 * octets of the records, about 28 octets a record and a string an owner.
 */
export class RecordTable {
  readonly #indexes = new Map<OwnerKey, number>();
  readonly #heads = new Column((n) => new Int32Array(n)); // by owner: its last record
  readonly #types = new Column((n) => new Uint32Array(n));
  readonly #ttls = new Column((n) => new Uint32Array(n));
  readonly #offsets = new Column((n) => new Float64Array(n));
  readonly #lengths = new Column((n) => new Uint32Array(n));
  readonly #previous = new Column((n) => new Int32Array(n)); // the record of the same owner before, or NONE
  readonly #chunks: Uint8Array[] = [];
  #room = 0;
  #lastOwner: Name | undefined;
  #lastIndex = NONE;

  /** How many records there are, duplicates counted. */
  get recordCount(): number {
    return this.#types.length;
  }

  /** How many owners there are. */
  get ownerCount(): number {
    return this.#heads.length;
  }

  /** Adds a record; its rdata must be well formed. */
  add(owner: Name, type: number, ttl: number, rdata: Uint8Array): void {
    const canonical = canonicalRdata(type, rdata);
    const owned = this.#indexOf(owner);
    this.#types.push(type);
    this.#ttls.push(ttl);
    this.#offsets.push(this.#keep(canonical));
    this.#lengths.push(canonical.length);
    this.#previous.push(this.#heads.at(owned));
    this.#heads.set(owned, this.#types.length - 1);
  }

  /** The records of an owner; none are there where the owner is unknown. */
  find(key: OwnerKey): OwnerRecords | undefined {
    const index = this.#indexes.get(key);
    return index === undefined ? undefined : this.#read(key, index, 0);
  }

  /** The first record that was added of a type. */
  findType(type: number): Uint8Array | undefined {
    for (let i = 0; i < this.#types.length; i++) if (this.#types.at(i) === type) return this.#rdata(i);
    return undefined;
  }

  /** The owners in canonical order. */
  *owners(): Generator<OwnerRecords, void, undefined> {
    const keys = [...this.#indexes.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const [order, key] of keys.entries()) yield this.#read(key, this.#indexes.get(key) as number, order);
  }

  #indexOf(owner: Name): number {
    if (this.#lastOwner !== undefined && (owner === this.#lastOwner || owner.equals(this.#lastOwner))) {
      return this.#lastIndex;
    }
    const key = ownerKey(owner);
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#heads.length;
      this.#indexes.set(key, index);
      this.#heads.push(NONE);
    }
    this.#lastOwner = owner;
    this.#lastIndex = index;
    return index;
  }

  #keep(rdata: Uint8Array): number {
    if (rdata.length > this.#room) {
      this.#chunks.push(new Uint8Array(CHUNK_OCTETS));
      this.#room = CHUNK_OCTETS;
    }
    const at = CHUNK_OCTETS - this.#room;
    this.#chunks.at(-1)?.set(rdata, at);
    this.#room -= rdata.length;
    return (this.#chunks.length - 1) * CHUNK_OCTETS + at;
  }

  #rdata(record: number): Uint8Array {
    const offset = this.#offsets.at(record);
    const chunk = Math.floor(offset / CHUNK_OCTETS);
    const at = offset - chunk * CHUNK_OCTETS;
    return (this.#chunks[chunk] as Uint8Array).subarray(at, at + this.#lengths.at(record));
  }

  #read(key: OwnerKey, index: number, order: number): OwnerRecords {
    const byType = new Map<number, StoredRecord[]>();
    for (let record = this.#heads.at(index); record !== NONE; record = this.#previous.at(record)) {
      const type = this.#types.at(record);
      const stored = { ttl: this.#ttls.at(record), rdata: this.#rdata(record) };
      const list = byType.get(type);
      if (list === undefined) byType.set(type, [stored]);
      else list.push(stored);
    }
    const types = [...byType.keys()].sort((a, b) => a - b);
    const sets = new Map(types.map((type) => [type, makeSet(type, byType.get(type) as StoredRecord[])]));
    return { owner: nameOfKey(key), key, order, sets };
  }
}

function makeSet(type: number, records: StoredRecord[]): RecordSet {
  if (records.length === 1) return { type, records, duplicates: 0 };
  records.sort((a, b) => compareOctets(a.rdata, b.rdata));
  const unique = records.filter(
    (record, i) => i === 0 || compareOctets(record.rdata, (records[i - 1] as StoredRecord).rdata) !== 0,
  );
  return { type, records: unique, duplicates: records.length - unique.length };
}
