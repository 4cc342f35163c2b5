import { setTimeout as sleep } from 'node:timers/promises';
import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { unpackPage } from '../signing/page-codec.js';
import { inTransferOrder } from '../signing/signed-node.js';
import type { Image } from '../transfer/image.js';
import { MessagePacker } from '../transfer/packer.js';
import { apexRRset, failing, finishImage, packRRsets } from './pack-image.js';
import type { Publication, PublicationStore, PublishedRRset } from './ports.js';
import { pagesLost } from './published-nodes.js';

/** How often is looked for pages, and how long nothing may come before it is given up. */
const POLL_MS = 200;
const PATIENCE_MS = 120_000;

/** What following needs of the database. */
export type FollowStore = Pick<PublicationStore, 'findPublication' | 'readPagesAfter'>;

/**
 * Fills an image with a first publication that another gateway is making, from the pages that it has stored: what is sent here is
 * what is sent there. Ends when it is ready.
 * @throws ZonesealError PUBLICATION_NOT_READY when it fails, or nothing comes any more; the image has failed then
 */
export function followPublication(
  publication: Publication,
  image: Image,
  store: FollowStore,
  pollMs = POLL_MS,
): Promise<void> {
  return failing(image, async () => {
    const zone = Name.parse(publication.zone);
    const packer = new MessagePacker({ zone });
    const following = new Following(publication, store, pollMs);
    const { soa } = await following.untilSoa();
    const signedSoa = apexRRset(zone, RRType.SOA, soa);
    let records = packRRsets(packer, [signedSoa]);
    for await (const content of following.pages()) {
      for (const node of unpackPage(content, zone)) records += packRRsets(packer, inTransferOrder(node));
      for (const message of packer.take()) await image.append(message);
    }
    const ready = following.ready;
    if (ready.zonemd !== null) records += packRRsets(packer, [apexRRset(zone, RRType.ZONEMD, ready.zonemd)]);
    if (records !== ready.records) {
      throw pagesLost(ready, `${records} records are left of ${ready.records}`);
    }
    packer.add(signedSoa.rrset);
    await finishImage(image, packer);
  });
}

/** Looks again and again at a publication that is being made. */
class Following {
  readonly #publication: Publication;
  readonly #store: FollowStore;
  readonly #pollMs: number;
  #ready: Publication | undefined;
  #lastNews = performance.now();

  constructor(publication: Publication, store: FollowStore, pollMs: number) {
    this.#publication = publication;
    this.#store = store;
    this.#pollMs = pollMs;
  }

  /** The publication as it was made; there once all pages were given. */
  get ready(): Publication {
    if (this.#ready === undefined) throw new Error('its pages come first');
    return this.#ready;
  }

  /** The SOA is stored with the first pages. */
  async untilSoa(): Promise<{ readonly soa: PublishedRRset }> {
    for (;;) {
      const { soa } = await this.#look();
      if (soa !== null) return { soa };
      await this.#wait();
    }
  }

  /**
   * The contents of its pages, as they come: names, then NSEC3 records. Pages are stored in this order, so once there is one of the
   * chain, all of the names are there.
   */
  async *pages(): AsyncGenerator<Uint8Array, void, undefined> {
    let after: Uint8Array | null = null;
    for (let chain = false; ; ) {
      const isReady = (await this.#look()).state === 'ready';
      const isNext = isReady || (!chain && (await this.#hasChain()));
      for await (const pages of this.#store.readPagesAfter(this.#publication.id, chain, after)) {
        for (const page of pages) yield page.content;
        after = pages.at(-1)?.firstKey ?? after;
        this.#lastNews = performance.now();
      }
      if (!isNext) await this.#wait();
      else if (chain) return;
      else {
        chain = true;
        after = null;
      }
    }
  }

  async #hasChain(): Promise<boolean> {
    for await (const pages of this.#store.readPagesAfter(this.#publication.id, true, null))
      return pages.length > 0;
    return false;
  }

  /** @throws ZonesealError PUBLICATION_NOT_READY when it has failed */
  async #look(): Promise<Publication> {
    const { id } = this.#publication;
    const found = await this.#store.findPublication(id);
    if (found === undefined || found.state === 'failed') throw this.#gone('failed there');
    if (found.state === 'ready') this.#ready = found;
    return found;
  }

  async #wait(): Promise<void> {
    if (performance.now() - this.#lastNews > PATIENCE_MS) throw this.#gone('does not go on there');
    await sleep(this.#pollMs);
  }

  #gone(what: string): ZonesealError {
    const { zone, view, serial } = this.#publication;
    return new ZonesealError(
      'PUBLICATION_NOT_READY',
      `zone ${zone} in view ${view}, serial ${serial}: its first publication, which another gateway makes, ${what}; it is made anew`,
      { zone, view, serial },
    );
  }
}
