import { type Batches, BatchReader } from '../zone/batches.js';
import type { SignedNode } from './signed-node.js';

/** What was signed before, beside the node that is signed now. */
export interface Earlier {
  /** The node of this name in the publication that is replaced. */
  readonly before: SignedNode | undefined;
  /** Nodes of the replaced publication that lie between the node asked for before this one and this one: they are gone. */
  readonly gone: readonly SignedNode[];
  /** Nodes of this name whose signatures may serve again, that of the replaced publication first. */
  readonly candidates: readonly SignedNode[];
}

/** `Earlier` while it is put together. */
interface Found {
  before: SignedNode | undefined;
  gone: SignedNode[];
  candidates: readonly SignedNode[];
}

/** For all that have none; never changed. */
const NONE: SignedNode[] = [];

/** Nothing was signed before. */
export const NOTHING_EARLIER: Earlier = { before: undefined, gone: NONE, candidates: NONE };

/**
 * Walks through earlier signed variants of a zone beside the one that is being made: that of the replaced publication, if
 * there is one, and those of other views. All are in the same order: names of the zone, then NSEC3 records by hash.
 */
export class EarlierNodes {
  readonly #replaced: BatchReader<SignedNode> | undefined;
  readonly #readers: readonly BatchReader<SignedNode>[];

  constructor(replaced: Batches<SignedNode> | undefined, others: readonly Batches<SignedNode>[]) {
    this.#replaced = replaced && new BatchReader(replaced);
    const readers = others.map((source) => new BatchReader(source));
    this.#readers = this.#replaced === undefined ? readers : [this.#replaced, ...readers];
  }

  /** What there is of a node's name, at once where it has been read; names have to be asked for in order. */
  find(node: Pick<SignedNode, 'name' | 'hash'>): Earlier | Promise<Earlier> {
    if (this.#readers.length === 0) return NOTHING_EARLIER;
    const found: Found = { before: undefined, gone: NONE, candidates: NONE };
    for (let i = 0; i < this.#readers.length; i++)
      if (!this.#take(this.#readers[i] as BatchReader<SignedNode>, node, found))
        return this.#read(i, node, found);
    return found;
  }

  async #read(first: number, node: Pick<SignedNode, 'name' | 'hash'>, found: Found): Promise<Earlier> {
    for (const reader of this.#readers.slice(first))
      while (!this.#take(reader, node, found)) await reader.fill();
    return found;
  }

  /** Takes what a reader has up to a node; whether nothing more has to be read for that. */
  #take(reader: BatchReader<SignedNode>, node: Pick<SignedNode, 'name' | 'hash'>, found: Found): boolean {
    for (;;) {
      if (reader.needsFill) return false;
      const current = reader.current;
      if (current === undefined) return true;
      const order = compareNodes(current, node);
      if (order > 0) return true;
      reader.advance();
      if (order === 0) {
        found.candidates = found.candidates === NONE ? [current] : [...found.candidates, current];
        if (reader === this.#replaced) found.before = current;
        return true;
      }
      if (reader !== this.#replaced) continue;
      if (found.gone === NONE) found.gone = [current];
      else found.gone.push(current);
    }
  }

  /** What is left of the replaced publication after the last node, in batches. */
  async *rest(): AsyncGenerator<readonly SignedNode[], void, undefined> {
    const reader = this.#replaced;
    if (reader === undefined) return;
    for (;;) {
      const batch: SignedNode[] = [];
      if (reader.needsFill) await reader.fill();
      for (let node = reader.current; node !== undefined; node = reader.current) {
        batch.push(node);
        reader.advance();
      }
      if (batch.length === 0) return;
      yield batch;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
  }
}

/** Names of the zone come before NSEC3 records; each section is in canonical order, which for hashed names is that of hashes. */
export function compareNodes(
  a: Pick<SignedNode, 'name' | 'hash'>,
  b: Pick<SignedNode, 'name' | 'hash'>,
): number {
  if ((a.hash === undefined) !== (b.hash === undefined)) return a.hash === undefined ? -1 : 1;
  return a.name.compare(b.name);
}
