import { setTimeout as sleep } from 'node:timers/promises';
import type { Name } from '../dns/name.js';
import { RRType } from '../dns/types.js';
import { errorMessage, ZonesealError } from '../errors.js';
import type { Log } from '../log.js';
import type { Image } from '../transfer/image.js';
import type { ImageStore } from '../transfer/image-store.js';
import type { ImageReader, PublicationSource, ServedPublication } from '../transfer/ports.js';
import { makeBatch } from './batch.js';
import { BuildingElsewhere, lost, notAllocated, stopping } from './failure.js';
import { Failures } from './failures.js';
import { keepLease } from './keep-lease.js';
import { KnownLines } from './known-lines.js';
import { LostPages } from './lost-pages.js';
import { type Making, Makings } from './makings.js';
import { apexRRset, failing } from './pack-image.js';
import { Places } from './places.js';
import type { Cause, Publication, PublicationResult, PublicationStore, ServedZone } from './ports.js';
import { FORMAT_VERSION, type ProduceDependencies, produce } from './produce.js';
import { NEEDS_CHANGE } from './production.js';
import type { PublicationCounters } from './publication-counters.js';
import { labelOf, ReadyImages } from './ready-images.js';
import type { ServedSerial } from './recovery-ports.js';
import { nextSerial } from './serial.js';
import type { SlotClaim } from './slots.js';
import { Turns } from './turns.js';

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
  /** Called when there is room again for more than `makeDue` began. */
  readonly onRoom?: () => void;
  readonly leaseSeconds: number;
  /** The output format to make publications in; default this release's newest. */
  readonly formatVersion?: () => number;
  /** Told of a serial that was served and that the database does not have: it was set back. */
  readonly onSetBack?: (served: ServedSerial) => Promise<unknown>;
}

/** So many lines that are due together are made in batches of so many. */
const BATCH_FROM = 8;
const BATCH_ZONES = 100;

/** How long a transfer waits for its turn where another gateway makes publications of the zone, and how often it looks. */
const FIRST_WAIT_MS = 20_000;
const FIRST_POLL_MS = 250;

/** Codes of what is told of elsewhere. */
const QUIET = /^PUBLICATION_|^DATABASE_SET_BACK$/;

/** Keeps publications up to date, and hands their images to transfers. */
export class PublicationManager implements PublicationSource {
  readonly #options: PublicationManagerOptions;
  readonly #lines: KnownLines;
  readonly #ready: ReadyImages;
  readonly #lost: LostPages;
  readonly #making: Makings;
  /** First images that are being made. */
  readonly #growing = new Set<Image>();
  readonly #failures: Failures;
  readonly #made = { ready: 0, unchanged: 0, signatures: 0, reused: 0 };
  readonly #places: Places;
  /** The views of a zone share signatures, so they take turns. */
  readonly #turns = new Turns();
  #underWay = 0;
  #closed = false;

  constructor(options: PublicationManagerOptions) {
    const { store, images, log, limits } = options;
    this.#options = options;
    this.#lines = new KnownLines(store, {
      freshSeconds: limits.freshSeconds,
      limit: limits.remembered,
      onSetBack: options.onSetBack,
    });
    this.#making = new Makings(
      () => options.onRoom?.(),
      () => this.#made.ready + this.#made.unchanged,
    );
    this.#places = new Places(limits.productions);
    this.#failures = new Failures(options, (publications) => this.#lost.distrust(publications));
    this.#ready = new ReadyImages({
      store,
      images,
      log,
      slots: this.#places.packing,
      heldOctets: limits.heldOctets,
      onLost: (publication) => void this.#lost.replace(publication).catch(() => undefined),
    });
    this.#lost = new LostPages({
      store,
      make: (served) => this.#produce(served, { isUrgent: true }, 'pages'),
    });
  }

  /** Counts for metrics. */
  get counters(): PublicationCounters {
    const { making, heldImages, heldOctets } = this.#ready.counters;
    return {
      ...this.#made,
      productions: this.#underWay + making,
      waiting: this.#places.waiting,
      ...this.#failures.counters,
      remembered: this.#lines.size,
      heldImages,
      heldOctets,
    };
  }

  async find(zone: Name, view: string): Promise<ServedPublication | undefined> {
    const known = await this.#lines.find(zone.toLower().toString(), view);
    if (known === undefined) return undefined;
    const { served, publication } = known;
    return {
      soa: publication?.soa ? apexRRset(zone, RRType.SOA, publication.soa) : undefined,
      openImage: () =>
        publication === undefined
          ? this.#openFirst(served)
          : this.#lost.open(publication, (it) => this.#ready.open(it)),
      openDifference: (serial) =>
        publication === undefined
          ? Promise.resolve(undefined)
          : this.#ready.openDifference(serial, publication),
    };
  }

  /** Forgets what is known of a zone (by database id), or of all, so that the next look asks the database. */
  forget(zoneId?: string): void {
    this.#lines.forget(zoneId);
  }

  /** Forgets all that came from a database that was set back, images included; returns the serials that were served. */
  takeServed(): ServedSerial[] {
    this.#ready.forget();
    this.#lost.distrusted.clear();
    return this.#lines.takeServed();
  }

  /**
   * Begins every publication that is due, and returns how many were looked at; a large one goes on while later rounds look for
   * others. Looks for none while more than half as many are being made: they are most of what would be found. Failures are recorded and logged, one zone's not stopping another's.
   * @throws ZonesealError when the database cannot be asked
   */
  async makeDue(limit = 1000): Promise<number> {
    await this.#failures.recordLeft();
    if (this.#making.isFull(limit)) return 0;
    const due = await this.#options.store.listDue(limit);
    const single = due.length < BATCH_FROM ? due : this.#beginBatches(due);
    for (const served of single) this.#beginSingle(served);
    if (due.length >= limit) this.#making.wantMore(limit);
    return due.length;
  }

  /** Lets go of held images, the least recently used first, until that many octets are free or none is left. */
  makeRoom(octets: number): void {
    this.#ready.makeRoom(octets);
  }

  /** Resolves when no publication is being made here. */
  settled(): Promise<void> {
    return this.#making.settled();
  }

  /**
   * Lets what is being made end for a while, gives up the rest (another gateway, or the next start, makes it anew at once),
   * and lets go of all images.
   */
  async close(deadlineMs = 0): Promise<void> {
    this.#closed = true;
    const done = this.settled();
    const deadline = sleep(deadlineMs, undefined, { ref: false });
    await Promise.race([done, deadline]);
    for (const image of this.#growing) image.fail(stopping());
    await done;
    await this.#ready.close(deadline, stopping());
  }

  /** The image of a publication that is being made, as there is none before it. */
  async #openFirst(served: ServedZone): Promise<ImageReader> {
    const { store } = this.#options;
    const deadline = performance.now() + FIRST_WAIT_MS;
    for (;;) {
      try {
        const { image, done } = await this.#produce(served, { isUrgent: true });
        if (image !== undefined) return image.open();
        await done;
      } catch (error) {
        if (this.#failures.counters.unrecorded > 0) {
          // it may be one of ours, of which the database has not heard yet that it failed
          await this.#failures.recordLeft();
          continue;
        }
        // another gateway makes the first one: what it signs is what is served
        const elsewhere = error instanceof BuildingElsewhere ? error.publication : undefined;
        if (elsewhere?.previous === null && elsewhere.view === served.view)
          return this.#ready.follow(elsewhere);
        // or one for another view, whose signatures serve here too: wait for it
        if (!(error instanceof ZonesealError && error.code === 'PUBLICATION_NOT_READY')) throw error;
        if (this.#closed || performance.now() > deadline) throw error;
      }
      const line = await store.findLine(served.zone, served.view);
      if (line?.publication !== undefined && !line.isRecovering) return this.#ready.open(line.publication);
      await sleep(FIRST_POLL_MS);
    }
  }

  #formatVersion(): number {
    return this.#options.formatVersion?.() ?? FORMAT_VERSION;
  }

  #beginSingle(served: ServedZone): void {
    this.#produce(served, { isUrgent: false }).catch((error: unknown) => {
      if (error instanceof ZonesealError && QUIET.test(error.code)) return;
      this.#tellNotBegun(served, error);
    });
  }

  #tellNotBegun({ zone, view }: ServedZone, error: unknown): void {
    this.#options.log.error({ zone, view, reason: errorMessage(error) }, 'a publication could not be begun');
  }

  /** Begins the making of many small zones together; returns the lines that are better made one by one. */
  #beginBatches(due: readonly ServedZone[]): ServedZone[] {
    const single: ServedZone[] = [];
    let batch: ServedZone[] = [];
    let turns: (() => void)[] = [];
    const begin = (): void => {
      const [lines, ends] = [batch, turns];
      batch = [];
      turns = [];
      const claim = { isUrgent: false };
      const done = this.#makeMany(lines, claim).finally(() => {
        for (const end of ends) end();
        for (const served of lines) this.#making.end(lineKey(served));
      });
      const settled = done.then(
        () => undefined,
        () => undefined,
      );
      const making = Promise.resolve({ image: undefined, done: settled });
      for (const served of lines) this.#making.begin(lineKey(served), making, claim);
      done.then(
        (left) => left.forEach((served) => this.#beginSingle(served)),
        (error: unknown) => this.#tellNotBegun(lines[0] as ServedZone, error),
      );
    };
    for (const served of due) {
      if (this.#making.has(lineKey(served))) continue;
      const end = this.#turns.tryTake(served.zoneId);
      if (end === undefined) {
        single.push(served);
        continue;
      }
      batch.push(served);
      turns.push(end);
      if (batch.length === BATCH_ZONES) begin();
    }
    if (batch.length > 0) begin();
    return single;
  }

  /** Makes small zones of some lines; returns the lines that are not decided, which are to be made one by one. */
  async #makeMany(lines: readonly ServedZone[], claim: SlotClaim): Promise<ServedZone[]> {
    const { store, gateway, leaseSeconds, dependencies, log } = this.#options;
    const release = await this.#places.takeWhole(claim);
    this.#underWay++;
    try {
      if (this.#closed) return [];
      const request = { gateway, leaseSeconds, formatVersion: this.#formatVersion(), nextSerial };
      const publications = await store.allocateMany(lines, request);
      if (publications.length > 0) {
        const begun = performance.now();
        const common = { store, dependencies, gateway, distrusted: this.#lost.distrusted };
        const { ready, failed, left } = await makeBatch(publications, common).catch((error: unknown) => ({
          ready: [],
          failed: publications.map((publication) => ({ publication, error })),
          left: [],
        }));
        for (const one of ready) {
          this.#becomeReady(one.publication, one.result);
          tellUnsafe(log, one.publication, one);
        }
        if (ready.length > 0) this.#options.onReady?.();
        const seconds = Math.round(performance.now() - begun) / 1000;
        for (const { publication } of ready) {
          const { zone, view, serial, zoneVersion, cause } = publication;
          this.#failures.forget(publication);
          log.info(
            { zone, view, serial, zoneVersion, cause, together: ready.length, seconds },
            'publication ready',
          );
        }
        for (const { publication, error } of failed) await this.#failures.tell(publication, error);
        for (const publication of left) await this.#make(publication, undefined);
      }
      const begunOnes = new Set(publications.map(lineKey));
      return lines.filter((served) => !begunOnes.has(lineKey(served)));
    } finally {
      this.#underWay--;
      release();
    }
  }

  /** The making of a new publication for a (zone, view), begun now or under way already; urgent from now on where somebody waits. */
  #produce(served: ServedZone, claim: SlotClaim, force?: Cause): Promise<Making> {
    const key = lineKey(served);
    const running = this.#making.join(key, claim);
    if (running !== undefined) return running;
    const making = this.#begin(served, claim, force, () => this.#making.end(key));
    this.#making.begin(key, making, claim);
    making.catch(() => this.#making.end(key));
    return making;
  }

  async #begin(
    served: ServedZone,
    claim: SlotClaim,
    force: Cause | undefined,
    ended: () => void,
  ): Promise<Making> {
    const { store, gateway, leaseSeconds, images } = this.#options;
    const endTurn = await this.#turns.take(served.zoneId);
    const place = await this.#places.take(claim);
    const release = (): void => {
      place.release();
      endTurn();
    };
    try {
      if (this.#closed) throw stopping();
      const allocation = await store.allocate(served, {
        gateway,
        leaseSeconds,
        formatVersion: this.#formatVersion(),
        nextSerial,
        ...(force === undefined ? {} : { force }),
      });
      if (allocation.kind !== 'allocated') throw notAllocated(served, allocation);
      const { publication } = allocation;
      const image = publication.previous === null ? images.create(labelOf(publication)) : undefined;
      if (image !== undefined) this.#growing.add(image);
      this.#underWay++;
      const done = this.#make(publication, image, place.beforeWhole).finally(() => {
        this.#underWay--;
        if (image !== undefined) this.#growing.delete(image);
        release();
        ended();
      });
      return { image, done };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #make(
    publication: Publication,
    image: Image | undefined,
    beforeWhole?: () => Promise<void>,
  ): Promise<void> {
    const { store, dependencies, gateway, log } = this.#options;
    const begun = performance.now();
    const lease = keepLease(publication, this.#options, (error) => image?.fail(error));
    try {
      await failing(image, async () => {
        const made = await produce(
          { publication, gateway, image, distrusted: this.#lost.distrusted, beforeWhole },
          { store, ...dependencies },
        );
        lease.check();
        const { zone, view, serial, zoneVersion, cause } = publication;
        if (!made.isChanged && publication.previous !== null && NEEDS_CHANGE.has(cause)) {
          if (!(await store.markUnchanged(publication.id, gateway))) throw lost(publication);
          this.#made.unchanged++;
          log.info({ zone, view, zoneVersion, cause }, 'nothing that the view sees is different');
          return;
        }
        const { result, changes } = made;
        if (!(await store.markReady(publication.id, gateway, result, changes))) throw lost(publication);
        this.#becomeReady(publication, result);
        tellUnsafe(log, publication, made);
        this.#options.onReady?.();
        if (image !== undefined) {
          await made.finishImage();
          if (image.state === 'complete') this.#ready.hold(publication, image);
          else image.release();
        }
        const seconds = Math.round(performance.now() - begun) / 1000;
        const { records, signatures, reused } = result;
        log.info(
          { zone, view, serial, zoneVersion, cause, records, signatures, reused, seconds },
          'publication ready',
        );
      });
      this.#failures.forget(publication);
    } catch (error) {
      image?.release();
      await this.#failures.tell(publication, error);
    } finally {
      lease.stop();
    }
  }

  #becomeReady(publication: Publication, result: PublicationResult): void {
    this.#made.ready++;
    this.#made.signatures += result.signatures;
    this.#made.reused += result.reused;
    const { zonemd, journal, signatures: _, reused: __, safeUntil: ___, ...facts } = result;
    this.#lines.becomeCurrent({
      ...publication,
      ...facts,
      zonemd: zonemd ?? null,
      journal: journal ?? null,
      state: 'ready',
    });
  }
}

/** What is served by a policy that is unsafe for it is told of with each publication. */
function tellUnsafe(
  log: Log,
  { zone, view, serial }: Publication,
  { unsafe: reason }: { readonly unsafe?: string },
): void {
  if (reason !== undefined)
    log.error({ zone, view, serial, reason }, 'what is served is signed by a policy that is unsafe for it');
}

function lineKey({ zoneId, view }: { readonly zoneId: string; readonly view: string }): string {
  return `${zoneId} ${view}`;
}
