import { flat, type KnownLine, type PackedLine, packLine, unpackLine, unpackServed } from './packed-line.js';
import type { ServedSerial } from './recovery-ports.js';

/** A line with how long what is known of it is good for. */
export interface RememberedLine extends KnownLine {
  /** By the monotonic clock, milliseconds; 0: it is to be asked for again. */
  readonly until: number;
}

/** What memory there is for lines. */
export interface LineMemoryLimits {
  readonly lines: number;
  /** Of these, lines that were asked for last and are at hand as they are; the others are packed. */
  readonly unpacked: number;
}

/**
 * Keeps lines in mind. Those that are asked for are at hand; a hundred thousand that nobody asks for, whose last serials are needed should the
 * database be set back and whose SOAs should it be away, are packed, and to be asked for again whenever somebody asks for them.
 */
export class LineMemory {
  readonly #limits: LineMemoryLimits;
  readonly #unpacked = new Map<string, RememberedLine>();
  /** Keys of lines that are at hand, by zone: ten thousand zones that change are told of one by one. */
  readonly #ofZones = new Map<string, Set<string>>();
  readonly #packed = new Map<string, PackedLine>();

  constructor(limits: LineMemoryLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#unpacked.size + this.#packed.size;
  }

  get(key: string): RememberedLine | undefined {
    const line = this.#unpacked.get(key);
    if (line !== undefined) return line;
    const packed = this.#packed.get(key);
    return packed === undefined ? undefined : { ...unpackLine(packed), until: 0 };
  }

  /** A line that somebody has asked for of late. */
  atHand(key: string): RememberedLine | undefined {
    return this.#unpacked.get(key);
  }

  /** Keeps a line that was asked for at hand, and packs the one that nobody has asked for for longest. */
  keep(key: string, line: RememberedLine): void {
    const { zoneId } = line.served;
    this.delete(key);
    this.#unpacked.set(key, line);
    const ofZone = this.#ofZones.get(zoneId);
    if (ofZone === undefined) this.#ofZones.set(zoneId, new Set([key]));
    else ofZone.add(key);
    for (const [eldest, left] of this.#unpacked) {
      if (this.#unpacked.size <= Math.min(this.#limits.unpacked, this.#limits.lines)) break;
      this.pack(eldest, left);
    }
    this.#forgetEldest();
  }

  /** Keeps a line that nobody asks for. */
  pack(key: string, line: KnownLine): void {
    this.delete(key);
    this.#packed.set(flat(key), packLine(line));
    this.#forgetEldest();
  }

  delete(key: string): void {
    this.#packed.delete(key);
    const zoneId = this.#unpacked.get(key)?.served.zoneId;
    if (zoneId === undefined) return;
    this.#unpacked.delete(key);
    const ofZone = this.#ofZones.get(zoneId);
    ofZone?.delete(key);
    if (ofZone?.size === 0) this.#ofZones.delete(zoneId);
  }

  /** Has the lines of a zone (by database id), or all, asked for again. */
  expire(zoneId?: string): void {
    const keys = zoneId === undefined ? this.#unpacked.keys() : (this.#ofZones.get(zoneId) ?? []);
    for (const key of keys) {
      const line = this.#unpacked.get(key);
      if (line !== undefined && line.until > 0) this.#unpacked.set(key, { ...line, until: 0 });
    }
  }

  /** The serials that lines were served under. */
  *served(): Generator<ServedSerial, void, undefined> {
    for (const packed of this.#packed.values()) {
      const served = unpackServed(packed);
      if (served !== undefined) yield served;
    }
    for (const { served, publication } of this.#unpacked.values()) {
      const { zone, view } = served;
      if (publication !== undefined) yield { zone, view, serial: publication.serial };
    }
  }

  #forgetEldest(): void {
    for (const eldest of this.#packed.keys()) {
      if (this.size <= this.#limits.lines) break;
      this.#packed.delete(eldest);
    }
  }
}
