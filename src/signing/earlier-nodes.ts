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

/** Nothing was signed before. */
export const NOTHING_EARLIER: Earlier = { before: undefined, gone: [], candidates: [] };

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

  /** What there is of a node's name; names have to be asked for in order. */
  async find(node: Pick<SignedNode, 'name' | 'hash'>): Promise<Earlier> {
    let before: SignedNode | undefined;
    let gone: SignedNode[] | undefined;
    const candidates: SignedNode[] = [];
    for (const reader of this.#readers) {
      for (;;) {
        if (reader.needsFill) await reader.fill();
        const current = reader.current;
        if (current === undefined) break;
        const order = compareNodes(current, node);
        if (order > 0) break;
        reader.advance();
        if (order === 0) {
          candidates.push(current);
          if (reader === this.#replaced) before = current;
          break;
        }
        if (reader === this.#replaced) (gone ??= []).push(current);
      }
    }
    return { before, gone: gone ?? NOTHING_EARLIER.gone, candidates };
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
