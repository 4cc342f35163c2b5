import { setTimeout as sleep } from 'node:timers/promises';
import { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { Image } from '../transfer/image.js';
import type { ImageStore } from '../transfer/image-store.js';
import type { ImageReader, PublicationSource, ServedPublication } from '../transfer/ports.js';
import { retryAfter } from './failure.js';
import { HeldImages } from './held-images.js';
import type { Allocation, Publication, PublicationStore, PublishedSoa, ServedZone } from './ports.js';
import { FORMAT_VERSION, type ProduceDependencies, produceImage, reproduceImage } from './produce.js';
import { nextSerial } from './serial.js';
import { Slots } from './slots.js';

export interface PublicationLimits {
  /** Publications made at the same time; more wait. */
  readonly productions: number;
  /** Finished images held for the next transfer, octets in all. */
  readonly heldOctets: number;
  /** Seconds an answer of the database about one (zone, view) is good for. */
  readonly freshSeconds: number;
  /** (zone, view) pairs remembered. */
  readonly remembered: number;
}

export interface PublicationManagerOptions {
  readonly store: PublicationStore;
  readonly dependencies: Omit<ProduceDependencies, 'store'>;
  readonly images: ImageStore;
  readonly log: Log;
  readonly limits: PublicationLimits;
  /** Names this process in leases. */
  readonly gateway: string;
  /** Called when a publication was made ready here. */
  readonly onReady?: () => void;
  readonly leaseSeconds: number;
}

/** What the manager has done and holds. */
export interface PublicationCounters {
  /** Images being made now, and productions that wait for a place. */
  readonly productions: number;
  readonly waiting: number;
  /** Publications made here since the start, by how they ended. */
  readonly ready: number;
  readonly failed: number;
  /** (zone, view) pairs whose last attempt here failed. */
  readonly failing: number;
  /** Failures that the database could not be told of yet. */
  readonly unrecorded: number;
  readonly remembered: number;
  readonly heldImages: number;
  readonly heldOctets: number;
}

/** What is known of one (zone, view): good for a while, and better than nothing when the database is away. */
interface Known {
  readonly served: ServedZone;
  readonly publication: Publication | undefined;
  /** By the monotonic clock, milliseconds. */
  readonly until: number;
}

/** A publication that is being made here. */
interface Production {
  readonly publication: Publication;
  readonly image: Image;
  /** Settles when it is ready or has failed; never rejects. */
  readonly done: Promise<void>;
}

/** How long a look-up may take before what is remembered is taken for an answer; less than a query waits. */
const PATIENCE_MS = 1000;

/** How long a transfer waits for a first publication that another gateway makes, and how often it looks. */
const FIRST_WAIT_MS = 20_000;
const FIRST_POLL_MS = 250;

/** Keeps publications up to date, and hands their images to transfers. */
export class PublicationManager implements PublicationSource {
  readonly #options: PublicationManagerOptions;
  readonly #held: HeldImages;
  readonly #known = new Map<string, Known>();
  readonly #productions = new Map<string, Promise<Production>>();
  /** Look-ups under way, one for each (zone, view). */
  readonly #asking = new Map<string, Promise<Known | undefined>>();
  readonly #rebuilds = new Map<string, Promise<Image>>();
  /** Images that are being made. */
  readonly #growing = new Set<Image>();
  readonly #attempts = new Map<string, number>();
  readonly #made = { ready: 0, failed: 0 };
  readonly #slots: Slots;
  /** Failures that the database could not be told of yet; without them a lease would have to run out. */
  readonly #unrecorded = new Set<() => Promise<void>>();
  #closed = false;

  constructor(options: PublicationManagerOptions) {
    this.#options = options;
    this.#held = new HeldImages(options.limits.heldOctets);
    this.#slots = new Slots(options.limits.productions);
  }

  /** Counts for metrics. */
  get counters(): PublicationCounters {
    return {
      productions: this.#growing.size,
      waiting: this.#slots.waiting,
      ready: this.#made.ready,
      failed: this.#made.failed,
      failing: this.#attempts.size,
      unrecorded: this.#unrecorded.size,
      remembered: this.#known.size,
      heldImages: this.#held.size,
      heldOctets: this.#held.octets,
    };
  }

  async find(zone: Name, view: string): Promise<ServedPublication | undefined> {
    const known = await this.#lookUp(zone.toLower().toString(), view);
    if (known === undefined) return undefined;
    const { publication } = known;
    return {
      soa: publication?.soa ? publishedSoa(zone, publication.soa) : undefined,
      openImage: () => this.#openImage(known.served, publication),
    };
  }

  /** Forgets what is known of a zone (by database id), or of all, so that the next look asks the database. */
  forget(zoneId?: string): void {
    for (const [key, known] of this.#known) {
      if (zoneId === undefined || known.served.zoneId === zoneId)
        this.#known.set(key, { ...known, until: 0 });
    }
  }

  /**
   * Begins every publication that is due, and returns how many were looked at; a large one goes on while later rounds look for
   * others. Failures are recorded and logged, one zone's not stopping another's.
   * @throws ZonesealError when the database cannot be asked
   */
  async makeDue(limit = 1000): Promise<number> {
    await this.#recordFailures();
    const due = await this.#options.store.listDue(limit);
    for (const served of due) {
      this.#produce(served).catch((error: unknown) => {
        if (error instanceof ZonesealError && error.code.startsWith('PUBLICATION_')) return;
        const { zone, view } = served;
        this.#options.log.error(
          { zone, view, reason: errorMessage(error) },
          'a publication could not be begun',
        );
      });
    }
    return due.length;
  }

  /** Lets go of held images, the least recently used first, until that many octets are free or none is left. */
  makeRoom(octets: number): void {
    this.#held.makeRoom(octets);
  }

  /** Resolves when nothing is being made here. */
  async settled(): Promise<void> {
    while (this.#productions.size > 0) {
      for (const result of await Promise.allSettled(this.#productions.values())) {
        if (result.status === 'fulfilled') await result.value.done;
      }
    }
  }

  /**
   * Lets what is being made end for a while, gives up the rest (another gateway, or the next start, makes it anew at once),
   * and lets go of all images.
   */
  async close(deadlineMs = 0): Promise<void> {
    this.#closed = true;
    const done = this.settled().then(() => Promise.allSettled(this.#rebuilds.values()));
    await Promise.race([done, sleep(deadlineMs, undefined, { ref: false })]);
    for (const image of this.#growing) image.fail(stopping());
    await done;
    this.#held.clear();
  }

  async #recordFailures(): Promise<void> {
    for (const record of this.#unrecorded) {
      await record();
      this.#unrecorded.delete(record);
    }
  }

  async #lookUp(zone: string, view: string): Promise<Known | undefined> {
    const key = `${zone} ${view}`;
    const remembered = this.#known.get(key);
    if (remembered !== undefined && performance.now() < remembered.until) return remembered;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key, zone, view).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    if (remembered === undefined) return asking;
    try {
      return await Promise.race([asking, sleep(PATIENCE_MS, remembered, { ref: false })]);
    } catch {
      return remembered; // the database is away: what was ready goes on being served
    }
  }

  async #ask(key: string, zone: string, view: string): Promise<Known | undefined> {
    const { store, limits } = this.#options;
    const served = await store.findServed(zone, view);
    if (served === undefined) {
      this.#known.delete(key);
      return undefined;
    }
    const publication = await store.newestReady(served.zoneId, view);
    const known: Known = { served, publication, until: performance.now() + limits.freshSeconds * 1000 };
    this.#known.delete(key);
    this.#known.set(key, known);
    for (const eldest of this.#known.keys()) {
      if (this.#known.size <= limits.remembered) break;
      this.#known.delete(eldest);
    }
    return known;
  }

  async #openImage(served: ServedZone, publication: Publication | undefined): Promise<ImageReader> {
    if (publication !== undefined) return this.#openReady(served, publication);
    const { store } = this.#options;
    const deadline = performance.now() + FIRST_WAIT_MS;
    for (;;) {
      try {
        return (await this.#produce(served)).image.open();
      } catch (error) {
        // another gateway makes the first one: what it signs is what is served, so wait until it is ready
        if (!(error instanceof ZonesealError && error.code === 'PUBLICATION_NOT_READY')) throw error;
        const ready = await store.newestReady(served.zoneId, served.view);
        if (ready !== undefined) return this.#openReady(served, ready);
        if (this.#closed || performance.now() > deadline) throw error;
        await sleep(FIRST_POLL_MS);
      }
    }
  }

  async #openReady(served: ServedZone, publication: Publication): Promise<ImageReader> {
    const held = this.#held.get(publication.id);
    if (held !== undefined) return held.open();
    let rebuild = this.#rebuilds.get(publication.id);
    if (rebuild === undefined) {
      rebuild = this.#rebuild(served, publication);
      this.#rebuilds.set(publication.id, rebuild);
      rebuild.catch(() => this.#rebuilds.delete(publication.id));
    }
    return (await rebuild).open();
  }

  /** Makes the image of a ready publication again, from the same tuple; resolves as soon as it can be followed. */
  async #rebuild(served: ServedZone, publication: Publication): Promise<Image> {
    const release = await this.#slots.take();
    try {
      if (this.#closed) throw stopping();
      const image = this.#options.images.create(labelOf(publication));
      this.#growing.add(image);
      const ended = (): void => {
        this.#growing.delete(image);
        this.#rebuilds.delete(publication.id);
        release();
      };
      reproduceImage(publication, image, this.#dependencies()).then(
        () => {
          this.#held.put(publication, image);
          ended();
        },
        (error: unknown) => {
          this.#logFailure(publication, error, 'the image of a publication could not be made again');
          image.release();
          ended();
          // a new publication takes its place; those who asked come again
          if (error instanceof ZonesealError && error.code === 'SIGNATURES_LOST') {
            this.#produce(served, true).catch(() => undefined);
          }
        },
      );
      return image;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** The production of a new publication for a (zone, view), begun now or under way already. */
  #produce(served: ServedZone, force = false): Promise<Production> {
    const key = `${served.zoneId} ${served.view}`;
    const running = this.#productions.get(key);
    if (running !== undefined) return running;
    const begun = this.#begin(served, force, () => this.#productions.delete(key));
    this.#productions.set(key, begun);
    begun.catch(() => this.#productions.delete(key));
    return begun;
  }

  async #begin(served: ServedZone, force: boolean, ended: () => void): Promise<Production> {
    const { store, gateway, leaseSeconds, images } = this.#options;
    const release = await this.#slots.take();
    try {
      if (this.#closed) throw stopping();
      const allocation = await store.allocate(served, {
        gateway,
        leaseSeconds,
        formatVersion: FORMAT_VERSION,
        nextSerial,
        force,
      });
      if (allocation.kind !== 'allocated') throw notAllocated(served, allocation);
      const { publication } = allocation;
      const image = images.create(labelOf(publication));
      this.#growing.add(image);
      const done = this.#make(publication, image).finally(() => {
        this.#growing.delete(image);
        release();
        ended();
      });
      return { publication, image, done };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #make(publication: Publication, image: Image): Promise<void> {
    const { store, gateway, leaseSeconds, log } = this.#options;
    const begun = performance.now();
    const attemptKey = `${publication.zoneId} ${publication.view}`;
    const beat = setInterval(
      () => {
        store.renewLease(publication.id, gateway, leaseSeconds).then(
          (ours) => {
            if (!ours) image.fail(lost(publication));
          },
          () => undefined, // the database is away; the lease tells when it is back
        );
      },
      (leaseSeconds * 1000) / 3,
    );
    try {
      const produced = await produceImage(
        publication,
        image,
        this.#dependencies(),
        gateway,
        async (result) => {
          if (!(await store.markReady(publication.id, gateway, result))) throw lost(publication);
        },
      );
      this.#held.put(publication, image);
      this.#attempts.delete(attemptKey);
      this.#made.ready++;
      this.#options.onReady?.();
      this.#becomeCurrent({ ...publication, state: 'ready', soa: produced.soa, resignAt: produced.resignAt });
      const { zone, view, serial, zoneVersion } = publication;
      const seconds = Math.round(performance.now() - begun) / 1000;
      log.info({ zone, view, serial, zoneVersion, records: produced.records, seconds }, 'publication ready');
    } catch (error) {
      image.release();
      this.#made.failed++;
      this.#logFailure(
        publication,
        error,
        'publication failed; the one before it, if any, goes on being served',
      );
      const attempt = this.#attempts.get(attemptKey) ?? 0;
      this.#attempts.set(attemptKey, attempt + 1);
      const record = (): Promise<void> =>
        store.markFailed(publication.id, gateway, errorMessage(error), retryAfter(error, attempt));
      await record().catch(() => this.#unrecorded.add(record));
    } finally {
      clearInterval(beat);
    }
  }

  #becomeCurrent(publication: Publication): void {
    const key = `${publication.zone} ${publication.view}`;
    const known = this.#known.get(key);
    if (known !== undefined) this.#known.set(key, { ...known, publication });
  }

  #dependencies(): ProduceDependencies {
    return { store: this.#options.store, ...this.#options.dependencies };
  }

  #logFailure({ zone, view, serial }: Publication, error: unknown, message: string): void {
    const code = error instanceof ZonesealError ? error.code : undefined;
    this.#options.log.error({ zone, view, serial, code, reason: errorMessage(error) }, message);
  }
}

function publishedSoa(zone: Name, soa: PublishedSoa): NonNullable<ServedPublication['soa']> {
  return {
    rrset: { owner: zone, type: RRType.SOA, ttl: soa.ttl, rdata: [soa.rdata] },
    signatures: soa.signatures,
  };
}

function labelOf({ zone, view }: Publication): string {
  return `zone ${zone} in view ${view}`;
}

function stopping(): ZonesealError {
  return new ZonesealError('GATEWAY_STOPPING', 'the gateway is being stopped');
}

function lost({ zone, view, serial }: Publication): ZonesealError {
  return new ZonesealError(
    'PUBLICATION_LOST',
    `zone ${zone} in view ${view}: the lease on serial ${serial} was lost, another gateway has taken over`,
    { zone, view, serial },
  );
}

function notAllocated(
  { zone, view }: ServedZone,
  allocation: Exclude<Allocation, { kind: 'allocated' }>,
): ZonesealError {
  const where = `zone ${zone} in view ${view}`;
  switch (allocation.kind) {
    case 'failed': {
      const reason = allocation.publication.error ?? 'unknown';
      return new ZonesealError('PUBLICATION_FAILED', `${where}: its newest publication failed: ${reason}`, {
        zone,
        view,
      });
    }
    case 'not-served':
      return new ZonesealError('PUBLICATION_NOT_READY', `${where}: it is no longer served`, { zone, view });
    default:
      return new ZonesealError(
        'PUBLICATION_NOT_READY',
        `${where}: another gateway is making its publication`,
        {
          zone,
          view,
        },
      );
  }
}
