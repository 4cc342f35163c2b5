import { Name } from '../dns/name.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { SameNode, type SignedNode, type SourceNode } from '../signing/signed-node.js';
import { type Batches, BatchReader, readAhead } from '../zone/batches.js';
import { loadOwners, reporter, rrsetsOf } from '../zone/load.js';
import { NodeBuilder } from '../zone/node-builder.js';
import type { RowContent } from '../zone/row.js';
import { hiding, hidingOf } from './hiding.js';
import { isLost } from './lost-pages.js';
import { alikeUnder } from './plan.js';
import type { Publication, PublicationStore } from './ports.js';
import { FEW_OCTETS, nodesOfPages, pagesLost, withApex } from './published-nodes.js';
import type { Rules } from './rules.js';

/** What of the database another view's publication is read with. */
export type OtherViewStore = Pick<PublicationStore, 'readPages' | 'readRowsAt' | 'readTaggedRows'>;

/** Nodes that are handed on at once. */
const BATCH_NODES = 256;

/** The publication of another view whose signed nodes a first publication may be made of: a large one of the same rows, signed by the same rules. */
export async function alikeIn(
  siblings: readonly Publication[],
  publication: Publication,
  rules: Rules,
  store: Pick<PublicationStore, 'readPolicy' | 'readKeySet'>,
  leastOctets = FEW_OCTETS,
): Promise<Publication | undefined> {
  const { zoneVersion, formatVersion, notBefore } = publication;
  for (const it of siblings) {
    if (it.zoneVersion !== zoneVersion || it.formatVersion !== formatVersion || it.notBefore !== notBefore)
      continue;
    if ((it.octets ?? 0) < leastOctets) continue;
    if ((await alikeUnder(rules, publication, it, store).catch(notAlike)) !== 'nothing') return it;
  }
  return undefined;
}

/** Rules of another view that are not good any more stop no other. */
function notAlike(error: unknown): 'nothing' {
  if (error instanceof ZonesealError && (error.code === 'POLICY_INVALID' || error.code === 'KEY_SET_INVALID'))
    return 'nothing';
  throw error;
}

/**
 * A zone in one view, made of what another view has signed: rows are read of the apex and of owners alone of which some row is not for all views.
 * All else is in both views alike, but for denial records.
 */
export class OtherView {
  readonly #other: Publication;
  readonly #publication: Publication;
  readonly #apex: SignedNode | undefined;
  readonly #store: OtherViewStore;
  readonly #zone: Name;
  /** The NSEC3 records of the other view in order. */
  readonly chain: AsyncGenerator<readonly SignedNode[], void, undefined>;
  #records = 0;

  /**
   * @param other what `alikeIn` found
   * @param apex the RRsets of the other view's apex that are kept with its publication
   */
  constructor(
    other: Publication,
    publication: Publication,
    apex: SignedNode | undefined,
    store: OtherViewStore,
  ) {
    this.#other = other;
    this.#publication = publication;
    this.#apex = apex;
    this.#store = store;
    this.#zone = Name.parse(other.zone);
    this.chain = this.#counted(this.#pages(true));
  }

  /**
   * The nodes of this view in order, each with what the other view has of its name. Where a cut or DNAME is in one of the views alone, what is
   * below it is another kind of node.
   * @throws ZonesealError as `loadNodes`; PAGES_LOST
   */
  async *nodes(): AsyncGenerator<readonly SourceNode[], void, undefined> {
    const { view } = this.#publication;
    const zone = this.#zone;
    const report = reporter({ zone, view });
    const builder = new NodeBuilder(zone, report);
    const theirs = new BatchReader(this.#names());
    const ours = new BatchReader(
      loadOwners(readAhead(this.#rows()), { zone, view, report, withUnseen: true }),
    );
    // the topmost name at which one of the views has a cut or DNAME and the other has not
    let rebuilt: Name | undefined;
    let out: SourceNode[] = [];
    try {
      for (;;) {
        if (theirs.needsFill) await theirs.fill();
        if (ours.needsFill) await ours.fill();
        const their = theirs.current;
        const our = ours.current;
        if (our === undefined && their === undefined) break;
        const order = our === undefined ? -1 : their === undefined ? 1 : their.name.compare(our.name);
        if (order <= 0) theirs.advance();
        if (order >= 0) ours.advance();
        if (rebuilt !== undefined && !(order < 0 ? their : our)?.name.isAtOrBelow(rebuilt))
          rebuilt = undefined;
        if (order < 0) out.push(alike(their as SignedNode, builder, rebuilt !== undefined));
        else if (our !== undefined) {
          const beside = order === 0 ? their : undefined;
          // without an apex there is no zone, and building says so
          const isThere = our.rows.length > 0 || our.name.equals(zone);
          const node = isThere ? builder.build(our.name, rrsetsOf(our.rows)) : undefined;
          if (hiding(node) !== hidingOf(beside)) rebuilt ??= our.name;
          if (node !== undefined) out.push({ ...node, beside });
        }
        if (out.length < BATCH_NODES) continue;
        yield out;
        out = [];
      }
      builder.finish();
      if (out.length > 0) yield out;
    } finally {
      await Promise.all([theirs.close(), ours.close()]);
    }
  }

  /**
   * To be called when all nodes have been read: whether they were all there are; what is left of the chain is read for it.
   * @throws ZonesealError PAGES_LOST when some are not there any more
   */
  async check(): Promise<void> {
    const { records } = this.#other;
    while ((await this.chain.next()).done !== true);
    if (this.#records !== records)
      throw pagesLost(this.#other, `${this.#records} records are left of ${records}`);
  }

  #names(): AsyncIterable<readonly SignedNode[]> {
    for (const kept of [this.#other.soa, this.#other.zonemd])
      if (kept !== null) this.#records += 1 + kept.signatures.length;
    return withApex(this.#counted(this.#pages(false)), this.#apex);
  }

  #pages(chain: boolean): AsyncIterable<readonly SignedNode[]> {
    const { id, generation } = this.#other;
    return nodesOfPages(this.#store.readPages({ id, generation: generation as string }, chain), this.#zone);
  }

  async *#rows(): AsyncGenerator<readonly RowContent[], void, undefined> {
    const { zoneId, zoneVersion } = this.#publication;
    yield await this.#store.readRowsAt(zoneId, zoneVersion, [this.#zone.sortKey()]);
    yield* this.#store.readTaggedRows(zoneId, zoneVersion);
  }

  /** @throws ZonesealError PAGES_LOST, so that this publication alone is distrusted */
  async *#counted(batches: Batches<SignedNode>): AsyncGenerator<readonly SignedNode[], void, undefined> {
    try {
      for await (const batch of batches) {
        for (const { rrsets } of batch)
          for (const { rrset, signatures } of rrsets) this.#records += rrset.rdata.length + signatures.length;
        yield batch;
      }
    } catch (error) {
      throw isLost(error) ? pagesLost(this.#other, `some cannot be read (${errorMessage(error)})`) : error;
    }
  }
}

/** A node that both views have, but for its denial record; what hides others is built, so that they are known. */
function alike(their: SignedNode, builder: NodeBuilder, isRebuilt: boolean): SourceNode {
  const same = new SameNode(their);
  if (!isRebuilt && hidingOf(their) === 'nothing') return same;
  const node = builder.build(their.name, same.rrsets);
  return node.kind === their.kind ? same : { ...node, beside: their };
}
