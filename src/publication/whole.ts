import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { ZonesealError } from '../errors.js';
import { EarlierNodes } from '../signing/earlier-nodes.js';
import { digestNodes } from '../signing/node-digest.js';
import type { PackedPage } from '../signing/page-codec.js';
import { type SignedStep, type SigningResult, signZone } from '../signing/sign-zone.js';
import { findSigned, inTransferOrder, type SignedNode, type SignedRRset } from '../signing/signed-node.js';
import type { Image } from '../transfer/image.js';
import { MessagePacker } from '../transfer/packer.js';
import { readAhead } from '../zone/batches.js';
import { loadNodes } from '../zone/load.js';
import { type Counted, passGate } from './gate.js';
import { JournalWriter, recordOctets } from './journal.js';
import { isLost } from './lost-pages.js';
import { OtherView } from './other-view.js';
import { finishImage, packRRsets } from './pack-image.js';
import { PageBuilder } from './page-builder.js';
import { PageSaver } from './page-saver.js';
import type { Publication, PublicationStore } from './ports.js';
import type { Produced } from './production.js';
import { abandonedNodes, nodesOfPages, publishedNodes, withApex } from './published-nodes.js';
import {
  dnskeyTtlOf,
  published,
  publishedApexes,
  type UpdateInput,
  validity,
  withSoa,
} from './seal-update.js';
import { sameButSerial } from './soa-fields.js';

/** What a whole is made from besides the database. */
export interface WholeInput extends Omit<UpdateInput, 'base' | 'touched' | 'expiring'> {
  readonly gateway: string;
  readonly base: UpdateInput['base'] | undefined;
  /** Where records go while they are signed: what goes there is stored before. */
  readonly image: Image | undefined;
  /** The publication of another view of which this one is made, with the rows that views see differently; undefined: of all rows. */
  readonly alike: Publication | undefined;
}

/** What the whole needs of the database. */
export type WholeStore = Pick<
  PublicationStore,
  'readRows' | 'readRowsAt' | 'readTaggedRows' | 'readPages' | 'readPagesAfter' | 'savePages' | 'dropJournal'
>;

/**
 * Makes all pages of a publication from all rows, or from what another view has signed and the rows that views see differently, in one pass; a
 * signature is made only where none that was made before is good for its slot. Pages and journal are stored as they come. The image, if there is one, lacks no
 * more than its end when this returns.
 */
export async function makeWhole(input: WholeInput, store: WholeStore): Promise<Produced> {
  const { publication, base, siblings, abandoned, alike, gateway } = input;
  const { time, serial, notBefore, view } = publication;
  const zone = Name.parse(publication.zone);
  const other = alike && new OtherView(alike, publication, publishedApexes(zone, [alike], input)[0], store);
  const earlier = new EarlierNodes(base && publishedNodes(base, store), [
    ...(other === undefined ? [] : [other.chain]),
    ...siblings
      .filter((sibling) => sibling !== alike)
      .map((sibling) =>
        withApex(readable(publishedNodes(sibling, store)), publishedApexes(zone, [sibling], input)[0]),
      ),
    ...abandoned.map((generation) => abandonedNodes(generation, zone, store)),
  ]);
  let isSoaSaved = false;
  const whole: Whole = new Whole(
    input,
    zone,
    new PageSaver((pages, journal) => {
      // for gateways that follow a first publication
      const soa = base === undefined && !isSoaSaved && pages.length > 0 ? published(whole.soa) : undefined;
      isSoaSaved ||= soa !== undefined;
      return store.savePages(publication.id, gateway, pages, journal, soa);
    }),
  );
  // neither is read before it is asked for
  const rows = readAhead(store.readRows(publication.zoneId, publication.zoneVersion), FIRST_BATCHES);
  const signed = signZone(other?.nodes() ?? loadNodes(rows, { zone, view }), {
    ...input,
    zone,
    time,
    serial,
    notBefore,
    earlier,
    digest: async () => {
      await whole.flush();
      const of = { id: publication.id, generation: publication.id };
      const names = withSoa(nodesOfPages(store.readPages(of, false), zone), whole.soa);
      return digestNodes(zone, names, nodesOfPages(store.readPages(of, true), zone));
    },
  });
  let result: SigningResult;
  try {
    for (;;) {
      const next = await signed.next();
      if (next.done === true) {
        result = next.value;
        break;
      }
      for (const step of next.value) {
        whole.add(step);
        if (whole.isFull) await whole.room();
      }
    }
    for await (const gone of earlier.rest()) whole.addGone(gone);
    await other?.check();
    await whole.flush();
  } finally {
    // when something fails, the rows that are still being read hold a connection until they are let go
    await signed.return(undefined as never);
    await Promise.all([earlier.close(), whole.settled()]);
  }
  passGate({ publication, result, counted: whole.counted, isSigned: input.keyRrsets.length > 0 });
  const produced = whole.produced(result);
  if (base !== undefined && produced.result.journal === undefined) await store.dropJournal(publication.id);
  return produced;
}

/** Nodes as far as their pages can be read: what another view lost is no fault of this one. */
async function* readable(
  nodes: AsyncIterable<readonly SignedNode[]>,
): AsyncGenerator<readonly SignedNode[], void, undefined> {
  try {
    yield* nodes;
  } catch (error) {
    if (!isLost(error)) throw error;
  }
}

/** Batches of rows that are worked on alone: they grow, and the first messages are made of them. */
const FIRST_BATCHES = 5;

/** Pages that may be on their way to the database and the image before the eldest is waited for. */
const WINDOW_PAGES = 64;

/** Whether an image could not be kept because there is no room for it here. */
function isWithoutRoom(error: unknown): boolean {
  return error instanceof ZonesealError && (error.code === 'SPOOL_FULL' || error.code === 'SPOOL_FAILED');
}

/** The pages, the journal and the image of one publication while it is made. */
class Whole {
  readonly #input: WholeInput;
  readonly #builder: PageBuilder;
  readonly #saver: PageSaver;
  #packer: MessagePacker | undefined;
  readonly #journal: JournalWriter | undefined;
  /**
   * Of each page on its way, the eldest first: when it is stored and what was finished with its last node is in the image. Rejects where that failed, or
   * for a page before; those stay.
   */
  readonly #underWay: Promise<void>[] = [];
  #soa: SignedRRset | undefined;
  #octets = 0;
  #maxTtl = 0;
  #isJournalTooLarge = false;
  readonly counted: Counted = { rrsets: new Map(), records: 0 };

  constructor(input: WholeInput, zone: Name, saver: PageSaver) {
    this.#input = input;
    this.#builder = new PageBuilder(zone, input.pageOctets);
    this.#saver = saver;
    this.#packer = input.image && new MessagePacker({ zone });
    this.#journal = input.base && new JournalWriter();
  }

  /** The SOA, signed; there once the apex was added. */
  get soa(): SignedRRset {
    if (this.#soa === undefined) throw new Error('the apex comes first');
    return this.#soa;
  }

  add({ node, before, gone }: SignedStep): void {
    this.#soa ??= findSigned(node, RRType.SOA);
    this.addGone(gone);
    this.#journal?.add(before, node);
    this.#count(node);
    const page = this.#builder.add(node);
    if (page !== undefined) this.#send(page);
    if (this.#packer !== undefined) packRRsets(this.#packer, inTransferOrder(node));
    this.#sendJournal(false);
  }

  /** Whether so many pages are under way that `room` should be awaited. */
  get isFull(): boolean {
    return this.#underWay.length > WINDOW_PAGES;
  }

  /** Resolves when the eldest page has arrived. @throws what storing it threw */
  async room(): Promise<void> {
    await this.#underWay[0];
  }

  /** Nodes of the publication before that are not in this one. */
  addGone(nodes: readonly SignedNode[]): void {
    for (const node of nodes) this.#journal?.add(node, undefined);
  }

  /** Everything that was added is stored, and in the image. */
  async flush(): Promise<void> {
    const page = this.#builder.finish();
    if (page !== undefined) this.#send(page);
    this.#sendJournal(true);
    while (this.#underWay.length > 0) await this.room();
    await this.#saver.settled();
  }

  /** Resolves when nothing is under way any more, whatever became of it. */
  async settled(): Promise<void> {
    await this.#underWay.at(-1)?.catch(() => undefined);
  }

  produced(result: SigningResult): Produced {
    const { publication, base } = this.#input;
    const size = this.#journal?.size;
    const octets = this.#octets;
    const isTooLarge = this.#isJournalTooLarge || (size !== undefined && size.octets > octets);
    const soa = published(result.soa);
    const isSame =
      base?.soa != null &&
      soa.ttl === base.soa.ttl &&
      sameButSerial(soa.rdata, base.soa.rdata) &&
      // no denial record tells that an unsigned zone has come to have one
      (base.zonemd === null) === (result.zonemd === undefined) &&
      size?.octets === 0;
    return {
      changes: undefined,
      isChanged: !isSame,
      difference: size,
      finishImage: () => this.#finishImage(result),
      result: {
        generation: publication.id,
        soa,
        zonemd: result.zonemd && published(result.zonemd),
        ...validity(result.resignAt, this.#input.policy, soa.rdata, this.#maxTtl),
        maxTtl: this.#maxTtl,
        dnskeyTtl: dnskeyTtlOf(this.#input.keyRrsets, soa),
        records: result.records,
        octets,
        signatures: result.signatures,
        reused: result.reused,
        journal: isTooLarge ? undefined : size,
      },
    };
  }

  async #finishImage({ soa, zonemd }: SigningResult): Promise<void> {
    const { image } = this.#input;
    if (image === undefined || this.#packer === undefined) return;
    if (zonemd !== undefined) packRRsets(this.#packer, [zonemd]);
    this.#packer.add(soa.rrset);
    try {
      await finishImage(image, this.#packer);
    } catch (error) {
      if (!isWithoutRoom(error)) throw error;
    }
  }

  #count(node: SignedNode): void {
    const { rrsets } = this.counted;
    for (const { rrset, signatures } of node.rrsets) {
      rrsets.set(rrset.type, (rrsets.get(rrset.type) ?? 0) + 1);
      this.counted.records += rrset.rdata.length + signatures.length;
      if (rrset.ttl > this.#maxTtl) this.#maxTtl = rrset.ttl;
    }
    this.#octets += recordOctets(node);
  }

  #send(page: PackedPage): void {
    // octets are kept and not nodes, which would grow old meanwhile
    const messages = this.#packer?.take() ?? [];
    const arrived = this.#arrive(this.#underWay.at(-1), this.#saver.save(page), messages);
    arrived.catch(() => undefined); // heard where it is awaited
    this.#underWay.push(arrived);
  }

  /**
   * Only what is stored goes into the image, one page after the other; at once, also while the next ones are still being signed.
   * @param before the arrival of the page before
   */
  async #arrive(
    before: Promise<void> | undefined,
    stored: Promise<void>,
    messages: readonly Uint8Array[],
  ): Promise<void> {
    await Promise.all([before, stored]);
    const { image } = this.#input;
    try {
      if (image !== undefined && this.#packer !== undefined)
        for (const message of messages) await image.append(message);
    } catch (error) {
      if (!isWithoutRoom(error)) throw error;
      // who follows the image has the error; the publication does not need it, and other gateways may have room
      this.#packer = undefined;
    }
    void this.#underWay.shift();
  }

  #sendJournal(all: boolean): void {
    const journal = this.#journal;
    if (journal === undefined) return;
    const parts = journal.take(all);
    // a difference larger than the zone is of no use: the zone is sent instead
    this.#isJournalTooLarge ||=
      journal.size.octets > Math.max(this.#input.base?.octets ?? 0, 1_000_000) * 1.5;
    if (this.#isJournalTooLarge || parts.length === 0) return;
    this.#saver.saveJournal(parts);
  }
}
