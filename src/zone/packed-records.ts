import type { MasterRecord } from '../dns/master-file.js';
import { Name, writeSortKey } from '../dns/name.js';
import { compareOctets } from '../dns/rdata/index.js';

/** The records of one owner, in the order they came in. */
export interface OwnerRecords {
  readonly name: Name;
  readonly sortKey: Uint8Array;
  readonly records: readonly MasterRecord[];
}

/** Octets of a block; more than an owner and the largest record take. */
const BLOCK_OCTETS = 1 << 21;
/** A record has the number of its file in sixteen bits. */
const MOST_FILES = 65_536;
const MAX_OWNER_OCTETS = 3 + 255 + 510;
/** Type, file, TTL, line and length of the rdata. */
const HEADER_OCTETS = 16;

/**
 * What each octet of a sort key is in a rank: what names are made of has a number of its own (from 1; the end of a label is 0), so that more octets
 * find room in a rank, as many as a number is exact for. All others share the number of their neighbours, and what follows one is left out.
 */
const SYMBOLS = new Uint8Array(256);
const SYMBOL_COUNT = 44;
const RANK_SYMBOLS = 9;
const IS_SHARED = new Uint8Array(256);
{
  let symbol = 0;
  let wasShared = false;
  for (let octet = 1; octet < 256; octet++) {
    const isShared = !/[a-z0-9_-]/.test(String.fromCharCode(octet));
    if (!(isShared && wasShared)) symbol++;
    SYMBOLS[octet] = symbol;
    IS_SHARED[octet] = isShared ? 1 : 0;
    wasShared = isShared;
  }
}

/**
 * The records of a master file in packed octets, which take a tenth of the room that objects do and none of the garbage collector's time. Records
 * that follow one another at one owner are a run: the owner and its sort key once, then the records. What is sorted is the runs.
 */
export class PackedRecords {
  readonly #zoneKey: Uint8Array;
  readonly #blocks: Uint8Array[] = [];
  readonly #files: string[] = [];
  #used = BLOCK_OCTETS; // octets of the last block
  #lastOwner: Name | undefined;
  #runs = 0;
  #starts = new Float64Array(1024);
  #ranks = new Float64Array(1024);
  #counts = new Uint32Array(1024);
  #order: Uint32Array | undefined;
  #owners = 0;

  /** @param zone what most owners end in: the order of others costs more */
  constructor(zone: Name) {
    this.#zoneKey = zone.sortKey();
  }

  /** How many owners there are. */
  get owners(): number {
    this.#inOrder();
    return this.#owners;
  }

  add({ owner, type, ttl, rdata, file, line }: MasterRecord): void {
    const length = HEADER_OCTETS + rdata.length;
    // records that follow one another share the name object, as a rule
    if (this.#lastOwner !== owner || this.#used + length > BLOCK_OCTETS) this.#beginRun(owner, length);
    const block = this.#blocks[this.#blocks.length - 1] as Uint8Array;
    const at = this.#used;
    this.#used += length;
    writeUint32(block, at, type * MOST_FILES + this.#fileNumber(file));
    writeUint32(block, at + 4, ttl);
    writeUint32(block, at + 8, line);
    writeUint32(block, at + 12, rdata.length);
    for (let i = 0; i < rdata.length; i++) block[at + HEADER_OCTETS + i] = rdata[i] as number;
    this.#counts[this.#runs - 1] = (this.#counts[this.#runs - 1] as number) + 1;
  }

  /** All owners in canonical order. @param severalTtls only those whose records have more than one TTL */
  *inOrder(severalTtls = false): Generator<OwnerRecords, void, undefined> {
    const order = this.#inOrder();
    for (let from = 0; from < order.length; ) {
      let to = from + 1;
      while (to < order.length && this.#compare(order[from] as number, order[to] as number) === 0) to++;
      if (!severalTtls || this.#hasSeveralTtls(order, from, to)) yield this.#ownerOf(order, from, to);
      from = to;
    }
  }

  /** The records of an owner. */
  find(owner: Name): readonly MasterRecord[] {
    const order = this.#inOrder();
    const key = owner.sortKey();
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareOctets(this.#keyOf(order[middle] as number), key) < 0) low = middle + 1;
      else high = middle;
    }
    let to = low;
    while (to < order.length && compareOctets(this.#keyOf(order[to] as number), key) === 0) to++;
    return to === low ? [] : this.#ownerOf(order, low, to).records;
  }

  #beginRun(owner: Name, length: number): void {
    if (this.#used + MAX_OWNER_OCTETS + length > BLOCK_OCTETS) {
      this.#blocks.push(new Uint8Array(BLOCK_OCTETS));
      this.#used = 0;
    }
    if (this.#runs === this.#starts.length) this.#grow();
    const block = this.#blocks[this.#blocks.length - 1] as Uint8Array;
    const at = this.#used;
    const { wire } = owner;
    const keyAt = at + 3 + wire.length;
    for (let i = 0; i < wire.length; i++) block[at + 3 + i] = wire[i] as number;
    const keyEnd = writeSortKey(wire, block, keyAt);
    block[at] = wire.length;
    block[at + 1] = (keyEnd - keyAt) >>> 8;
    block[at + 2] = keyEnd - keyAt;
    this.#used = keyEnd;
    this.#starts[this.#runs] = (this.#blocks.length - 1) * BLOCK_OCTETS + at;
    this.#ranks[this.#runs] = rankOf(block, keyAt, keyEnd, this.#zoneKey);
    this.#counts[this.#runs] = 0;
    this.#runs++;
    this.#lastOwner = owner;
    this.#order = undefined;
  }

  #grow(): void {
    const grown = <T extends Float64Array | Uint32Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    const size = 2 * this.#runs;
    this.#starts = grown(new Float64Array(size), this.#starts);
    this.#ranks = grown(new Float64Array(size), this.#ranks);
    this.#counts = grown(new Uint32Array(size), this.#counts);
  }

  #fileNumber(file: string): number {
    let number = this.#files.length - 1;
    if (number >= 0 && this.#files[number] === file) return number;
    number = this.#files.indexOf(file);
    if (number >= 0) return number;
    if (this.#files.length === MOST_FILES) throw new RangeError(`more than ${MOST_FILES} files in one zone`);
    return this.#files.push(file) - 1;
  }

  /** The runs by owner; those of one owner as they came. */
  #inOrder(): Uint32Array {
    if (this.#order !== undefined) return this.#order;
    const ranks = this.#ranks;
    const order = Uint32Array.from({ length: this.#runs }, (_, i) => i);
    order.sort((a, b) => (ranks[a] as number) - (ranks[b] as number) || this.#compare(a, b) || a - b);
    this.#owners = 0;
    for (let i = 0; i < order.length; i++) {
      if (i === 0 || this.#compare(order[i - 1] as number, order[i] as number) !== 0) this.#owners++;
    }
    this.#order = order;
    return order;
  }

  /** The order of two runs' owners. */
  #compare(a: number, b: number): number {
    const byRank = (this.#ranks[a] as number) - (this.#ranks[b] as number);
    if (byRank !== 0) return byRank;
    const [left, right] = [this.#blockOf(a), this.#blockOf(b)];
    let leftAt = this.#keyStart(a);
    let rightAt = this.#keyStart(b);
    const [leftEnd, rightEnd] = [leftAt + this.#keyLength(a), rightAt + this.#keyLength(b)];
    while (leftAt < leftEnd && rightAt < rightEnd) {
      const order = (left[leftAt++] as number) - (right[rightAt++] as number);
      if (order !== 0) return order;
    }
    return leftEnd - leftAt - (rightEnd - rightAt);
  }

  #blockOf(run: number): Uint8Array {
    return this.#blocks[Math.floor((this.#starts[run] as number) / BLOCK_OCTETS)] as Uint8Array;
  }

  /** The offset in its block where a run begins. */
  #startOf(run: number): number {
    return (this.#starts[run] as number) % BLOCK_OCTETS;
  }

  #keyStart(run: number): number {
    const start = this.#startOf(run);
    return start + 3 + (this.#blockOf(run)[start] as number);
  }

  #keyLength(run: number): number {
    const block = this.#blockOf(run);
    const start = this.#startOf(run);
    return (block[start + 1] as number) * 256 + (block[start + 2] as number);
  }

  #keyOf(run: number): Uint8Array {
    const from = this.#keyStart(run);
    return this.#blockOf(run).subarray(from, from + this.#keyLength(run));
  }

  #hasSeveralTtls(order: Uint32Array, from: number, to: number): boolean {
    let ttl = -1;
    for (let i = from; i < to; i++) {
      const run = order[i] as number;
      const block = this.#blockOf(run);
      let at = this.#keyStart(run) + this.#keyLength(run);
      for (let count = this.#counts[run] as number; count > 0; count--) {
        const own = readUint32(block, at + 4);
        if (ttl >= 0 && own !== ttl) return true;
        ttl = own;
        at += HEADER_OCTETS + readUint32(block, at + 12);
      }
    }
    return false;
  }

  #ownerOf(order: Uint32Array, from: number, to: number): OwnerRecords {
    const first = order[from] as number;
    const name = Name.readWire(this.#blockOf(first), this.#startOf(first) + 3);
    const records: MasterRecord[] = [];
    for (let i = from; i < to; i++) this.#readRun(order[i] as number, name, records);
    return { name, sortKey: this.#keyOf(first), records };
  }

  #readRun(run: number, owner: Name, records: MasterRecord[]): void {
    const block = this.#blockOf(run);
    let at = this.#keyStart(run) + this.#keyLength(run);
    for (let count = this.#counts[run] as number; count > 0; count--) {
      const typeAndFile = readUint32(block, at);
      const rdataAt = at + HEADER_OCTETS;
      const end = rdataAt + readUint32(block, at + 12);
      records.push({
        owner,
        type: typeAndFile >>> 16,
        ttl: readUint32(block, at + 4),
        rdata: block.subarray(rdataAt, end),
        file: this.#files[typeAndFile & 0xffff] as string,
        line: readUint32(block, at + 8),
      });
      at = end;
    }
  }
}

/** A number that never falls as sort keys rise; equal ones say nothing. */
function rankOf(block: Uint8Array, start: number, end: number, zoneKey: Uint8Array): number {
  for (let i = 0; i < zoneKey.length; i++) {
    // what is no octet any more comes before all
    const order = (start + i < end ? (block[start + i] as number) : -1) - (zoneKey[i] as number);
    if (order !== 0) return order < 0 ? -1 : SYMBOL_COUNT ** RANK_SYMBOLS;
  }
  let rank = 0;
  let at = start + zoneKey.length;
  for (let i = 0; i < RANK_SYMBOLS; i++, at++) {
    const octet = at < end ? (block[at] as number) : 0;
    rank = rank * SYMBOL_COUNT + (SYMBOLS[octet] as number);
    if (IS_SHARED[octet] === 1) at = end;
  }
  return rank;
}

function writeUint32(block: Uint8Array, at: number, value: number): void {
  block[at] = value >>> 24;
  block[at + 1] = value >>> 16;
  block[at + 2] = value >>> 8;
  block[at + 3] = value;
}

function readUint32(block: Uint8Array, at: number): number {
  return (
    (((block[at] as number) << 24) |
      ((block[at + 1] as number) << 16) |
      ((block[at + 2] as number) << 8) |
      (block[at + 3] as number)) >>>
    0
  );
}
