import { Name } from '../dns/name.js';
import { ZonesealError } from '../errors.js';
import { unpackPage } from '../signing/page-codec.js';
import type { SignedNode } from '../signing/signed-node.js';
import { readAhead } from '../zone/batches.js';
import type { Publication, PublicationStore, StoredPage } from './ports.js';

/** Octets of records up to which the pages of a publication are few. */
export const FEW_OCTETS = 48 * 1024;

/** Whether a ready publication is so small that its pages are read whole, with those of others. */
export function hasFewPages({ octets }: Pick<Publication, 'octets'>): boolean {
  return octets !== null && octets <= FEW_OCTETS;
}

/** Nodes of pages in order; @param replacement what stands in place of a page's own nodes */
export async function* nodesOfPages(
  pages: AsyncIterable<readonly StoredPage[]>,
  zone: Name,
  replacement: (page: StoredPage) => readonly SignedNode[] | undefined = () => undefined,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  for await (const batch of readAhead(pages, 1)) {
    for (const page of batch) yield replacement(page) ?? unpackPage(page.content, zone);
  }
}

/**
 * The nodes of a ready publication as they are stored: names, then NSEC3 records; the apex without SOA and ZONEMD.
 * @throws ZonesealError PAGES_LOST when there are none, PAGE_INVALID
 */
export async function* publishedNodes(
  publication: Publication,
  store: Pick<PublicationStore, 'readPages'>,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  const zone = Name.parse(publication.zone);
  const { id, generation } = publication;
  let isEmpty = true;
  if (generation !== null) {
    for (const chain of [false, true]) {
      for await (const nodes of nodesOfPages(store.readPages({ id, generation }, chain), zone)) {
        isEmpty = false;
        yield nodes;
      }
    }
  }
  if (isEmpty) throw pagesLost(publication, 'there are none');
}

/**
 * The nodes that were stored of a publication that died while it was made, in the same order, from the first name up to some name. What
 * cannot be read of them is done without.
 */
export async function* abandonedNodes(
  generation: string,
  zone: Name,
  store: Pick<PublicationStore, 'readPagesAfter'>,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  try {
    for (const chain of [false, true])
      yield* nodesOfPages(store.readPagesAfter(generation, chain, null), zone);
  } catch (error) {
    if (!(error instanceof ZonesealError && error.code === 'PAGE_INVALID')) throw error;
  }
}

/** What is stored of a ready publication is not what was made. */
export function pagesLost({ zone, view, serial, id }: Publication, reason: string): ZonesealError {
  return new ZonesealError(
    'PAGES_LOST',
    `zone ${zone} in view ${view}, serial ${serial}: of its stored pages ${reason}; a new publication takes its place`,
    { zone, view, serial, publication: id },
  );
}

/** Nodes of a publication, the apex with the RRsets that are kept beside its pages. */
export async function* withApex(
  nodes: AsyncIterable<readonly SignedNode[]>,
  apex: SignedNode | undefined,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  for await (const batch of nodes) {
    yield batch.map((node) =>
      node.kind === 'apex' && apex !== undefined
        ? { ...node, rrsets: [...apex.rrsets, ...node.rrsets] }
        : node,
    );
  }
}
