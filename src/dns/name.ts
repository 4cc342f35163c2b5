import { ZonesealError } from '../errors.js';

/** The largest name in wire octets and the largest label (RFC 1035 §2.3.4). */
export const MAX_NAME_OCTETS = 255;
export const MAX_LABEL_OCTETS = 63;

const LOWER = new Uint8Array(256);
for (let i = 0; i < 256; i++) LOWER[i] = i >= 0x41 && i <= 0x5a ? i + 0x20 : i;

/** Characters that stand in a name only behind a backslash (RFC 1035 §5.1). */
const MUST_ESCAPE = new Uint8Array(128);
for (let i = 0; i <= 0x20; i++) MUST_ESCAPE[i] = 1;
for (const char of '"();\x7f') MUST_ESCAPE[char.charCodeAt(0)] = 1;

/**
 * How each octet is written in a label: letters, digits and `*-/_` plainly, the specials of RFC 1035 §5.1 behind a
 * backslash, everything else as \DDD. Knot DNS reads no other punctuation unescaped, and BIND not `\[`.
 */
const OCTET_TEXT = Array.from({ length: 256 }, (_, octet) => {
  const char = String.fromCharCode(octet);
  if (/[A-Za-z0-9*\-/_]/.test(char)) return char;
  return '."$();@\\'.includes(char) ? `\\${char}` : `\\${String(octet).padStart(3, '0')}`;
});

/** 1 for the octets that are written as they are. */
const IS_PLAIN = Uint8Array.from(OCTET_TEXT, (text) => (text.length === 1 ? 1 : 0));

const SHOWN_CHARACTERS = 80;

function fail(reason: string, text?: string): never {
  const shown =
    text !== undefined && text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  throw new ZonesealError('NAME_INVALID', shown === undefined ? reason : `name "${shown}": ${reason}`, {
    reason,
  });
}

/** An octet with ASCII upper case folded to lower (RFC 4343). */
export function lowerOctet(octet: number): number {
  return LOWER[octet] as number;
}

/** A copy with ASCII letters lower-cased. Label lengths are at most 63 and so are never touched. */
export function lowerOctets(octets: Uint8Array): Uint8Array {
  const out = new Uint8Array(octets.length);
  for (let i = 0; i < octets.length; i++) out[i] = LOWER[octets[i] as number] as number;
  return out;
}

/** Writes octets into others from `at` on, ASCII letters in lower case; returns where they end. */
export function writeLower(to: Uint8Array, at: number, octets: Uint8Array): number {
  for (let i = 0; i < octets.length; i++) to[at + i] = LOWER[octets[i] as number] as number;
  return at + octets.length;
}

/** Room for one name while it is put together; nothing is kept in it between calls. */
const scratch = Buffer.alloc(MAX_NAME_OCTETS + 1);

/** A copy as a plain Uint8Array; a Buffer's own `slice` would share its memory. */
function copy(octets: Uint8Array, start: number, end: number): Uint8Array {
  const out = new Uint8Array(end - start);
  for (let i = start; i < end; i++) out[i - start] = octets[i] as number;
  return out;
}

/**
 * The length of the uncompressed name at an offset.
 * @throws ZonesealError NAME_INVALID when it is cut off, too long, or holds a compression pointer
 */
export function nameOctetsAt(octets: Uint8Array, offset: number): number {
  let at = offset;
  for (;;) {
    const length = octets[at];
    if (length === undefined) fail('the name is cut off');
    if (length > MAX_LABEL_OCTETS) fail('a label is longer than 63 octets or a compression pointer');
    at += length + 1;
    if (at - offset > MAX_NAME_OCTETS) fail('the name is longer than 255 octets');
    if (length === 0) return at - offset;
  }
}

/** Writes where the labels of a well-formed uncompressed name begin, leftmost first, and returns how many there are. */
function labelOffsets(wire: Uint8Array, out: Uint8Array): number {
  let count = 0;
  for (let at = 0; wire[at] !== 0; at += 1 + (wire[at] as number)) out[count++] = at;
  return count;
}

/** Room for the label offsets and for the sort key of one name; nothing is kept in it between calls. */
const offsetScratch = new Uint8Array(MAX_NAME_OCTETS);
const keyScratch = new Uint8Array(2 * MAX_NAME_OCTETS);

/**
 * Writes the sort key (see Name.sortKey) of a well-formed uncompressed name at an offset of other octets, which need twice the name's
 * room there, and returns where it ends.
 */
export function writeSortKey(wire: Uint8Array, out: Uint8Array, offset: number): number {
  let to = offset;
  for (let i = labelOffsets(wire, offsetScratch) - 1; i >= 0; i--) {
    const at = offsetScratch[i] as number;
    const end = at + 1 + (wire[at] as number);
    for (let from = at + 1; from < end; from++) {
      const octet = LOWER[wire[from] as number] as number;
      if (octet <= 1) {
        out[to++] = 1;
        out[to++] = octet + 1;
      } else {
        out[to++] = octet;
      }
    }
    out[to++] = 0;
  }
  return to;
}

/** The absolute presentation format of the well-formed uncompressed name at an offset. */
export function nameTextAt(octets: Uint8Array, offset: number): string {
  if (octets[offset] === 0) return '.';
  // nearly every name is written as it is, which is made one string at once
  let length = 0;
  for (let at = offset; octets[at] !== 0; ) {
    const end = at + 1 + (octets[at] as number);
    for (at++; at < end; at++) {
      const octet = octets[at] as number;
      if (IS_PLAIN[octet] === 0) return escapedTextAt(octets, offset);
      scratch[length++] = octet;
    }
    scratch[length++] = 0x2e;
  }
  return scratch.toString('latin1', 0, length);
}

function escapedTextAt(octets: Uint8Array, offset: number): string {
  let text = '';
  for (let at = offset; octets[at] !== 0; ) {
    const end = at + 1 + (octets[at] as number);
    for (at++; at < end; at++) text += OCTET_TEXT[octets[at] as number];
    text += '.';
  }
  return text;
}

/**
 * Writes the wire octets of a name in presentation format (see Name.parse) at an offset of `out`, which needs 256
 * octets of room there, and returns how many they are.
 * @throws ZonesealError NAME_INVALID
 */
export function encodeName(text: string, origin: Name | undefined, out: Uint8Array, offset: number): number {
  if (text === '.') {
    out[offset] = 0;
    return 1;
  }
  if (text === '@' && origin !== undefined) {
    out.set(origin.wire, offset);
    return origin.wire.length;
  }
  if (text === '') fail('it is empty', text);
  const limit = offset + MAX_NAME_OCTETS;
  let start = offset; // of the label's length octet
  let at = offset + 1;
  let ended = false; // by a dot
  for (let i = 0; i < text.length; i++) {
    let octet = text.charCodeAt(i);
    if (octet === 0x2e) {
      if (at - start === 1) fail('a label is empty', text);
      out[start] = at - start - 1;
      start = at++;
      ended = true;
      continue;
    }
    ended = false;
    if (octet === 0x5c) {
      octet = escapedOctet(text, i + 1);
      i += isDigit(text.charCodeAt(i + 1)) ? 3 : 1;
    } else if (octet < 128 && MUST_ESCAPE[octet] === 1) {
      fail('a space, a control character, or one of "(); has to be escaped', text);
    }
    if (octet > 0xff || (octet > 0x7e && !isDigit(text.charCodeAt(i)))) {
      fail('characters beyond ASCII have to be written as \\DDD', text);
    }
    if (at - start > MAX_LABEL_OCTETS) fail('a label is longer than 63 octets', text);
    if (at >= limit) fail('it is longer than 255 octets', text);
    out[at++] = octet;
  }
  if (ended) {
    if (at > limit) fail('it is longer than 255 octets', text);
    out[start] = 0;
    return at - offset;
  }
  out[start] = at - start - 1;
  if (origin === undefined) fail('it is relative; write it with a dot at the end', text);
  if (at + origin.wire.length > limit) fail('it is longer than 255 octets with its origin', text);
  out.set(origin.wire, at);
  return at + origin.wire.length - offset;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The octet that the characters after a backslash stand for: three digits, or any one other character. */
function escapedOctet(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (Number.isNaN(code)) fail('it ends in a backslash', text);
  if (!isDigit(code)) return code;
  const tens = text.charCodeAt(at + 1);
  const ones = text.charCodeAt(at + 2);
  const octet = (code - 0x30) * 100 + (tens - 0x30) * 10 + (ones - 0x30);
  if (!isDigit(tens) || !isDigit(ones) || octet > 255) fail('\\DDD needs three digits up to 255', text);
  return octet;
}

/**
 * An absolute domain name as uncompressed wire octets, the final zero octet included. Case is kept; comparisons ignore
 * it (RFC 4343). Immutable: the octets must not be changed after construction.
 */
export class Name {
  static readonly root = new Name(new Uint8Array(1));

  /** Uncompressed wire octets, 1 to 255 of them. */
  readonly wire: Uint8Array;
  #key: string | undefined;
  #labels = -1;

  private constructor(wire: Uint8Array) {
    this.wire = wire;
  }

  /**
   * Wraps octets that are exactly one uncompressed name; does not copy.
   * @throws ZonesealError NAME_INVALID
   */
  static fromWire(wire: Uint8Array): Name {
    if (nameOctetsAt(wire, 0) !== wire.length) fail('octets follow the root label');
    return new Name(wire);
  }

  /**
   * The length of the uncompressed name at an offset.
   * @throws ZonesealError NAME_INVALID when it is cut off, too long, or holds a compression pointer
   */
  static wireLength(octets: Uint8Array, offset: number): number {
    return nameOctetsAt(octets, offset);
  }

  /** The uncompressed name at an offset of other octets, copied. */
  static readWire(octets: Uint8Array, offset: number): Name {
    return new Name(copy(octets, offset, offset + nameOctetsAt(octets, offset)));
  }

  /**
   * The name that labels, leftmost first, make.
   * @throws ZonesealError NAME_INVALID
   */
  static fromLabels(labels: readonly Uint8Array[]): Name {
    let length = 1;
    for (const label of labels) length += label.length + 1;
    if (length > MAX_NAME_OCTETS) fail('the name is longer than 255 octets');
    const wire = new Uint8Array(length);
    let at = 0;
    for (const label of labels) {
      if (label.length === 0 || label.length > MAX_LABEL_OCTETS) fail('a label has 1 to 63 octets');
      wire[at] = label.length;
      wire.set(label, at + 1);
      at += label.length + 1;
    }
    return new Name(wire);
  }

  /**
   * A name in presentation format (RFC 1035 §5.1): `\.` and other escaped characters, `\DDD`, `@` for the origin,
   * relative names completed with the origin.
   * @throws ZonesealError NAME_INVALID; also for a relative name where no origin is given
   */
  static parse(text: string, origin?: Name): Name {
    if (text === '@' && origin !== undefined) return origin;
    if (text === '.') return Name.root;
    return new Name(copy(scratch, 0, encodeName(text, origin, scratch, 0)));
  }

  /** The number of labels, the root not counted (a wildcard label is counted). */
  get labelCount(): number {
    if (this.#labels < 0) this.#labels = labelOffsets(this.wire, offsetScratch);
    return this.#labels;
  }

  /** Whether the leftmost label is `*` (RFC 4592 §2.1.1). */
  get isWildcard(): boolean {
    return this.wire[0] === 1 && this.wire[1] === 0x2a;
  }

  get isRoot(): boolean {
    return this.wire.length === 1;
  }

  /** Equal names have equal keys; names that differ in more than case have different ones. For maps and sets. */
  get key(): string {
    if (this.#key === undefined) {
      const length = this.wire.length;
      for (let i = 0; i < length; i++) scratch[i] = LOWER[this.wire[i] as number] as number;
      this.#key = scratch.toString('latin1', 0, length);
    }
    return this.#key;
  }

  /** The labels, leftmost first, the root left out; views into the wire octets. */
  labels(): Uint8Array[] {
    const offsets = offsetScratch.subarray(0, labelOffsets(this.wire, offsetScratch));
    return Array.from(offsets, (at) => this.wire.subarray(at + 1, at + 1 + (this.wire[at] as number)));
  }

  equals(other: Name): boolean {
    const a = this.wire;
    const b = other.wire;
    if (a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (LOWER[a[i] as number] !== LOWER[b[i] as number]) return false;
    return true;
  }

  /** Whether this name is the other or lies below it. */
  isAtOrBelow(other: Name): boolean {
    const cut = this.wire.length - other.wire.length;
    if (cut < 0) return false;
    for (let i = 0; i < other.wire.length; i++) {
      if (LOWER[this.wire[cut + i] as number] !== LOWER[other.wire[i] as number]) return false;
    }
    // the octets match; they are a suffix of labels only when a label begins at the cut
    let at = 0;
    while (at < cut) at += 1 + (this.wire[at] as number);
    return at === cut;
  }

  /** The name without its leftmost labels; the root's parent is the root. */
  parent(labels = 1): Name {
    let at = 0;
    for (let i = 0; i < labels && this.wire[at] !== 0; i++) at += 1 + (this.wire[at] as number);
    return at === 0 ? this : new Name(this.wire.subarray(at));
  }

  /**
   * A label put before this name.
   * @throws ZonesealError NAME_INVALID
   */
  prepend(label: Uint8Array): Name {
    return Name.fromLabels([label, ...this.labels()]);
  }

  /** The same name with ASCII letters in lower case. */
  toLower(): Name {
    return new Name(lowerOctets(this.wire));
  }

  /**
   * The order of RFC 4034 §6.1: labels from the right, as octet strings with ASCII letters lower-cased, a missing label
   * first. Negative, zero or positive.
   */
  compare(other: Name): number {
    const a = this.wire;
    const b = other.wire;
    const more = this.labelCount - other.labelCount;
    let aAt = 0;
    let bAt = 0;
    for (let i = more; i > 0; i--) aAt += 1 + (a[aAt] as number);
    for (let i = more; i < 0; i++) bAt += 1 + (b[bAt] as number);
    // from the left, where what is met later decides
    let order = more;
    while (a[aAt] !== 0) {
      const here = compareLabels(a, aAt, b, bAt);
      if (here !== 0) order = here;
      aAt += 1 + (a[aAt] as number);
      bAt += 1 + (b[bAt] as number);
    }
    return order;
  }

  /**
   * Octets whose bytewise order is the canonical order: labels reversed, ASCII lower-cased, 0x00 written as 0x01 0x01,
   * 0x01 as 0x01 0x02, each label ended by 0x00. The root has none.
   */
  sortKey(): Uint8Array {
    return copy(keyScratch, 0, writeSortKey(this.wire, keyScratch, 0));
  }

  /** Absolute presentation format with the escapes of RFC 1035 §5.1. */
  toString(): string {
    return nameTextAt(this.wire, 0);
  }

  toJSON(): string {
    return this.toString();
  }
}

function compareLabels(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  const aLength = a[aAt] as number;
  const bLength = b[bAt] as number;
  const common = Math.min(aLength, bLength);
  for (let i = 1; i <= common; i++) {
    const order = (LOWER[a[aAt + i] as number] as number) - (LOWER[b[bAt + i] as number] as number);
    if (order !== 0) return order;
  }
  return aLength - bLength;
}
