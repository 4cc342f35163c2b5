/** The octets of a SHA-1 hash. */
export const HASH_OCTETS = 20;

const FIRST_CAPACITY = 256;
const GROWTH = 1.5;
/** A bucket past this size is sorted by comparison; hashes spread evenly, so only crafted names fill one. */
const INSERTION_LIMIT = 48;

/**
 * Hashes with a type bitmap each, in typed arrays: 20 octets for the hash, 4 for the bitmap's number (bitmaps are few and
 * shared), 4 for the names directly below, and 4 for the order while it is made.
 */
export class Nsec3Table {
  #hashes = new Uint8Array(FIRST_CAPACITY * HASH_OCTETS);
  #bitmapIds = new Uint32Array(FIRST_CAPACITY);
  #children = new Uint32Array(FIRST_CAPACITY);
  #size = 0;
  readonly #bitmaps: Uint8Array[] = [];
  readonly #idsByBitmap = new Map<Uint8Array, number>();

  get size(): number {
    return this.#size;
  }

  /** Appends an entry and returns its number; copies the hash. Bitmaps are told apart by identity, equal ones should be one array. */
  add(hash: Uint8Array, bitmap: Uint8Array): number {
    if (this.#size === this.#bitmapIds.length) this.#grow();
    this.#hashes.set(hash, this.#size * HASH_OCTETS);
    this.#bitmapIds[this.#size] = this.#intern(bitmap);
    return this.#size++;
  }

  /** Notes one more name directly below that of an entry. */
  addChild(entry: number): void {
    this.#children[entry] = (this.#children[entry] as number) + 1;
  }

  children(entry: number): number {
    return this.#children[entry] as number;
  }

  /** The hash of an entry: a view, valid until the next add. */
  hash(entry: number): Uint8Array {
    return this.#hashes.subarray(entry * HASH_OCTETS, (entry + 1) * HASH_OCTETS);
  }

  bitmap(entry: number): Uint8Array {
    return this.#bitmaps[this.#bitmapIds[entry] as number] as Uint8Array;
  }

  /**
   * The entries in the order of their hashes; undefined when two hashes are equal. Leading bits put the entries into
   * buckets of about four (one counting pass), which are then sorted one by one.
   */
  sort(): Uint32Array | undefined {
    const bits = Math.min(22, Math.max(1, Math.ceil(Math.log2(this.#size + 1)) - 2));
    const starts = this.#countBuckets(bits);
    const order = new Uint32Array(this.#size);
    const next = starts.slice();
    for (let entry = 0; entry < this.#size; entry++) {
      const bucket = this.#leadingBits(entry, bits);
      const at = next[bucket] as number;
      order[at] = entry;
      next[bucket] = at + 1;
    }
    for (let bucket = 0; bucket + 1 < starts.length; bucket++) {
      this.#sortRange(order, starts[bucket] as number, starts[bucket + 1] as number);
    }
    for (let i = 1; i < order.length; i++) {
      if (this.#compare(order[i - 1] as number, order[i] as number) === 0) return undefined;
    }
    return order;
  }

  /** Where each bucket starts, and after them where the last one ends. */
  #countBuckets(bits: number): Uint32Array {
    const starts = new Uint32Array((1 << bits) + 1);
    for (let entry = 0; entry < this.#size; entry++) {
      const after = this.#leadingBits(entry, bits) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
    for (let i = 1; i < starts.length; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
    return starts;
  }

  #sortRange(order: Uint32Array, start: number, end: number): void {
    if (end - start > INSERTION_LIMIT) {
      order.subarray(start, end).sort((a, b) => this.#compare(a, b));
      return;
    }
    for (let i = start + 1; i < end; i++) {
      const entry = order[i] as number;
      let at = i;
      while (at > start && this.#compare(order[at - 1] as number, entry) > 0) {
        order[at] = order[at - 1] as number;
        at--;
      }
      order[at] = entry;
    }
  }

  #leadingBits(entry: number, bits: number): number {
    const at = entry * HASH_OCTETS;
    const hashes = this.#hashes;
    const leading =
      ((hashes[at] as number) << 16) | ((hashes[at + 1] as number) << 8) | (hashes[at + 2] as number);
    return leading >> (24 - bits);
  }

  #compare(a: number, b: number): number {
    const hashes = this.#hashes;
    const aAt = a * HASH_OCTETS;
    const bAt = b * HASH_OCTETS;
    for (let i = 0; i < HASH_OCTETS; i++) {
      const order = (hashes[aAt + i] as number) - (hashes[bAt + i] as number);
      if (order !== 0) return order;
    }
    return 0;
  }

  #intern(bitmap: Uint8Array): number {
    let id = this.#idsByBitmap.get(bitmap);
    if (id === undefined) {
      id = this.#bitmaps.length;
      this.#bitmaps.push(bitmap);
      this.#idsByBitmap.set(bitmap, id);
    }
    return id;
  }

  #grow(): void {
    const hashes = new Uint8Array(Math.ceil(this.#bitmapIds.length * GROWTH) * HASH_OCTETS);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const bitmapIds = new Uint32Array(Math.ceil(this.#bitmapIds.length * GROWTH));
    bitmapIds.set(this.#bitmapIds);
    this.#bitmapIds = bitmapIds;
    const children = new Uint32Array(bitmapIds.length);
    children.set(this.#children);
    this.#children = children;
  }
}
