import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { parseRrsig } from '../dnssec/rrsig.js';
import { unpackPage } from '../signing/page-codec.js';
import { DryRunStore } from './dry-run-store.js';
import { readJournal } from './journal.js';
import { PlaceholderSigner } from './placeholder-signer.js';
import type { JournalPart, JournalSize, Publication, PublishedRRset } from './ports.js';
import { type ProductionStore, produce } from './produce.js';
import { sameButSerial } from './soa-fields.js';

/** One record that a publication would take away or put in, or an RRset that it would sign anew. */
export type DryRunChange =
  | { readonly kind: 'removed' | 'added'; readonly record: RRset }
  | { readonly kind: 'signed'; readonly owner: Name; readonly type: number };

/** What a publication would be like that was made, but not stored. */
export interface DryRun {
  /** Whether it says anything that the one before does not say. */
  readonly isChanged: boolean;
  /** In canonical order, removed before added; signatures are not among the records. */
  readonly changes: readonly DryRunChange[];
  /** Whether there are more changes than are listed. */
  readonly isCut: boolean;
  /** All that differs, RRSIGs among the records, the SOA not; undefined for the first publication. */
  readonly difference: JournalSize | undefined;
  /** Records of the whole, RRSIGs among them. */
  readonly records: number;
  /** Signatures that would be made, and those that serve again. */
  readonly signatures: number;
  readonly reused: number;
  /** The publication before; undefined: there is none. */
  readonly base: Publication | undefined;
}

/**
 * Makes a publication with the code that makes those that are served, but stores nothing, takes no lease and needs no private
 * key: in place of signatures stand octets of their length.
 * @param limit changes of each kind that are listed at the most
 * @throws ZonesealError what would stop the publication, and what the database throws
 */
export async function dryRun(
  publication: Publication,
  store: ProductionStore,
  { limit, pageOctets }: { readonly limit: number; readonly pageOctets?: number },
): Promise<DryRun> {
  const zone = Name.parse(publication.zone);
  const list = new ChangeList(limit);
  const isFirst = publication.previous === null;
  const ready = await store.listReady(publication.zoneId);
  const base = ready.find(({ id }) => id === publication.previous);
  const target = new DryRunStore(store, publication.id, (pages, journal) => {
    for (const part of journal) list.addPart(part);
    if (!isFirst) return;
    for (const { content } of pages) {
      for (const { rrsets } of unpackPage(content, zone)) {
        for (const { rrset, signatures } of rrsets) {
          list.add('added', rrset);
          if (signatures.length > 0) list.addSigned(rrset.owner, rrset.type);
        }
      }
    }
  });
  const { result, changes, isChanged, difference } = await produce(
    { publication, gateway: 'dry run', image: undefined, distrusted: new Set() },
    {
      store: target,
      keyRing: { privateKeys: () => Promise.resolve(new Map()) },
      signer: new PlaceholderSigner(),
      ...(pageOctets === undefined ? {} : { pageOctets }),
    },
  );
  for (const part of changes?.journal ?? []) list.addPart(part);
  list.addSoa(zone, base?.soa ?? undefined, result.soa);
  const { records, signatures, reused, journal } = result;
  return {
    isChanged: isChanged || isFirst,
    changes: list.inOrder(),
    isCut: list.isCut,
    difference: isFirst ? undefined : (journal ?? difference),
    records,
    signatures,
    reused,
    base,
  };
}

/** Changes as they come, a bounded number of each kind. */
class ChangeList {
  readonly #limit: number;
  readonly #removed: RRset[] = [];
  readonly #added: RRset[] = [];
  readonly #signed = new Map<string, { readonly owner: Name; readonly type: number }>();
  isCut = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  addPart({ added, content }: JournalPart): void {
    for (const record of readJournal(content)) {
      const [rdata] = record.rdata;
      if (record.type !== RRType.RRSIG || rdata === undefined) this.add(added ? 'added' : 'removed', record);
      else if (added) this.addSigned(record.owner, parseRrsig(rdata).typeCovered);
    }
  }

  add(kind: 'removed' | 'added', rrset: RRset): void {
    const list = kind === 'added' ? this.#added : this.#removed;
    for (const rdata of rrset.rdata) {
      if (list.length < this.#limit) list.push({ ...rrset, rdata: [rdata] });
      else this.isCut = true;
    }
  }

  addSigned(owner: Name, type: number): void {
    const key = `${owner.key} ${type}`;
    if (this.#signed.has(key)) return;
    if (this.#signed.size < this.#limit) this.#signed.set(key, { owner, type });
    else this.isCut = true;
  }

  /** The SOA is no part of journals, and its serial differs in any case. */
  addSoa(zone: Name, before: PublishedRRset | undefined, after: PublishedRRset): void {
    if (before !== undefined && before.ttl === after.ttl && sameButSerial(before.rdata, after.rdata)) return;
    const soa = ({ ttl, rdata }: PublishedRRset): RRset => ({
      owner: zone,
      type: RRType.SOA,
      ttl,
      rdata: [rdata],
    });
    if (before !== undefined) this.#removed.push(soa(before));
    this.#added.push(soa(after));
  }

  inOrder(): DryRunChange[] {
    const changes: DryRunChange[] = [
      ...this.#removed.map((record) => ({ kind: 'removed' as const, record })),
      ...this.#added.map((record) => ({ kind: 'added' as const, record })),
      ...[...this.#signed.values()].map((it) => ({ kind: 'signed' as const, ...it })),
    ];
    // sorting is stable: removed, added, signed
    return changes.sort((a, b) => {
      const [one, other] = [placeOf(a), placeOf(b)];
      return one.owner.compare(other.owner) || one.type - other.type;
    });
  }
}

function placeOf(change: DryRunChange): { readonly owner: Name; readonly type: number } {
  return change.kind === 'signed' ? change : change.record;
}
