import { Name } from '../dns/name.js';
import type { RRset } from '../dns/record.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import { inTransferOrder, type SignedRRset } from '../signing/signed-node.js';
import type { Image } from '../transfer/image.js';
import { MessagePacker } from '../transfer/packer.js';
import { readJournal } from './journal.js';
import type { Publication, PublicationStore, PublishedRRset, StoredPage } from './ports.js';
import { pagesLost, publishedNodes } from './published-nodes.js';

/** Packs RRsets, each with its signatures after it; returns how many records that were. */
export function packRRsets(packer: MessagePacker, rrsets: readonly SignedRRset[]): number {
  let records = 0;
  for (const { rrset, signatures } of rrsets) {
    packer.add(rrset);
    for (const rdata of signatures) packer.addRecord(rrset.owner, RRType.RRSIG, rrset.ttl, rdata);
    records += rrset.rdata.length + signatures.length;
  }
  return records;
}

/**
 * Fills an image with a ready publication from its stored pages (RFC 5936 §2.2): the same messages on every gateway, whoever
 * made it. Needs no keys.
 * @throws ZonesealError PAGES_LOST when they are not all there; the image has failed then
 */
export function packPublication(
  publication: Publication,
  image: Image,
  store: Pick<PublicationStore, 'readPages' | 'readFewPages'>,
): Promise<void> {
  return failing(image, async () => {
    const zone = Name.parse(publication.zone);
    const few = await store.readFewPages(publication);
    const pages =
      few === undefined ? store : { readPages: (_: unknown, chain: boolean) => section(few, chain) };
    const packer = new MessagePacker({ zone });
    const soa = apexRRset(zone, RRType.SOA, publication.soa as PublishedRRset);
    let records = packRRsets(packer, [soa]);
    for await (const nodes of publishedNodes(publication, pages)) {
      for (const node of nodes) records += packRRsets(packer, inTransferOrder(node));
      await appendReady(image, packer);
    }
    if (publication.zonemd !== null) {
      records += packRRsets(packer, [apexRRset(zone, RRType.ZONEMD, publication.zonemd)]);
    }
    if (records !== publication.records) {
      throw pagesLost(publication, `${records} records are left of ${publication.records}`);
    }
    packer.add(soa.rrset);
    await finishImage(image, packer);
  });
}

async function* section(
  pages: readonly StoredPage[],
  chain: boolean,
): AsyncGenerator<readonly StoredPage[], void, undefined> {
  yield await Promise.resolve(pages.filter((page) => page.chain === chain));
}

/** One publication of an IXFR, and the one before it. */
export interface Step {
  readonly from: Publication;
  readonly to: Publication;
}

/**
 * Fills an image with the differences between publications (RFC 1995 §4), each step as it was: what was deleted is octet for
 * octet what was published.
 * @param steps in order, each from where the one before led; one at least
 * @throws ZonesealError JOURNAL_LOST when a journal is not all there; the image has failed then
 */
export function packDifference(
  steps: readonly Step[],
  image: Image,
  store: Pick<PublicationStore, 'readJournal'>,
): Promise<void> {
  return failing(image, async () => {
    const newest = (steps.at(-1) as Step).to;
    const zone = Name.parse(newest.zone);
    const packer = new MessagePacker({ zone });
    const newestSoa = apexRRset(zone, RRType.SOA, newest.soa as PublishedRRset).rrset;
    packer.add(newestSoa);
    for (const { from, to } of steps) {
      for (const [publication, added] of [
        [from, false],
        [to, true],
      ] as const) {
        packRRsets(packer, ofPublication(zone, publication));
        let records = 0;
        for await (const part of store.readJournal(to.id, added)) {
          for (const rrset of journalRecords(to, part)) {
            packer.add(rrset);
            records++;
          }
          await appendReady(image, packer);
        }
        const wanted = added ? to.journal?.added : to.journal?.removed;
        if (records !== wanted) throw new JournalLost(to, `has ${records} records of ${wanted}`);
      }
    }
    packer.add(newestSoa);
    await finishImage(image, packer);
  });
}

/** The difference that led to a publication cannot be had any more. What is served is none the worse for it. */
export class JournalLost extends ZonesealError {
  /** Database id of the publication. */
  readonly publicationId: string;

  constructor({ id, zone, view, serial }: Publication, reason: string, cause?: unknown) {
    super(
      'JOURNAL_LOST',
      `zone ${zone} in view ${view}: the journal of serial ${serial} ${reason}; who asks for the difference is sent the whole zone`,
      { zone, view, serial },
      { cause },
    );
    this.publicationId = id;
  }
}

function* journalRecords(to: Publication, part: Uint8Array): Generator<RRset, void, undefined> {
  try {
    yield* readJournal(part);
  } catch (error) {
    throw new JournalLost(to, `is damaged: ${errorMessage(error)}`, error);
  }
}

/** The SOA, which comes first in each part of an IXFR, with its signatures; and the ZONEMD. */
function ofPublication(zone: Name, { soa, zonemd }: Publication): SignedRRset[] {
  return [
    apexRRset(zone, RRType.SOA, soa as PublishedRRset),
    ...(zonemd === null ? [] : [apexRRset(zone, RRType.ZONEMD, zonemd)]),
  ];
}

/** An RRset of the apex that is kept with its publication. */
export function apexRRset(zone: Name, type: number, { ttl, rdata, signatures }: PublishedRRset): SignedRRset {
  const rrset: RRset = { owner: zone, type, ttl, rdata: [rdata] };
  return { rrset, signatures, prints: [] };
}

async function appendReady(image: Image, packer: MessagePacker): Promise<void> {
  for (const message of packer.take()) await image.append(message);
}

/** Ends an image; the closing SOA is in its last message. */
export async function finishImage(image: Image, packer: MessagePacker): Promise<void> {
  for (const message of packer.finish()) await image.append(message);
  await image.complete();
}

/** Runs what fills an image; when it throws, followers of the image have the error at once. */
export async function failing<T>(image: Image | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure =
      error instanceof ZonesealError
        ? error
        : new ZonesealError(
            'PUBLICATION_FAILED',
            `${image?.label ?? 'publication'}: ${errorMessage(error)}`,
            {},
            { cause: error },
          );
    image?.fail(failure);
    throw failure;
  }
}
