import { Name } from '../../dns/name.js';
import { errorMessage, ZonesealError } from '../../errors.js';
import type { Log } from '../../log.js';
import type { KeyRole, ZoneKey } from '../key-set.js';
import type { SecretFate } from '../secret-keeper.js';
import { applyStep, isOtherDs, observeParent } from './apply.js';
import { type CdsNews, cdsNews } from './cds-news.js';
import { takenKeyTags } from './facts.js';
import type { Decision, RolloverState, Step } from './model.js';
import { decideCarriedOut, isTakenOver, lacksFirstKeys, nextStep, stepName } from './next-step.js';
import { bogusDs } from './parent-fault.js';
import type { DueZone, LoadedRollover, Looked, MadeKey, RolloverStore } from './ports.js';
import { heldByOlder, setBack } from './standstill.js';

/** A key that is in the key store, and of which the database does not know yet. */
export type UnusedKey = Omit<MadeKey, 'signs' | 'published'> & { readonly token: string };

/** What makes and destroys private keys. */
export interface RollKeyMaker {
  /** Makes a key, which neither signs nor is published. @throws ZonesealError of the key store */
  createKey(request: {
    readonly zone: Name;
    readonly role: KeyRole;
    readonly algorithm: number;
    readonly rsaBits: number;
    readonly view: string | null;
    readonly takenTags: ReadonlySet<number>;
  }): Promise<UnusedKey>;
  /** Removes what was made and is not wanted after all. Never throws. */
  discard(made: UnusedKey): Promise<void>;
  /** Deletes a private key for good, unless others use or have made it. @throws ZonesealError of the key store */
  destroyKey(key: ZoneKey): Promise<SecretFate>;
}

export interface KeyKeeperOptions {
  readonly store: RolloverStore;
  readonly maker: RollKeyMaker;
  /** Runs work that one gateway at a time may do; undefined while another does it. */
  readonly alone: <T>(name: string, work: () => Promise<T>) => Promise<T | undefined>;
  /** Told of each zone that was looked at: whether its parent is waited for. */
  readonly onLooked: (zone: LookedZone) => Promise<void>;
  /** Resolves when the next zone may be looked at, after one that took so many milliseconds. */
  readonly giveWay: (ms: number) => Promise<void>;
  readonly log: Log;
}

/** A zone that was looked at. */
export interface LookedZone {
  readonly zoneId: string;
  readonly zone: string;
  /** Whether it has keys that the parent may have a DS for. */
  readonly hasEntry: boolean;
  /** Whether what the parent is to have is not what it was seen with. */
  readonly awaitsParent: boolean;
  /** What its CDS ask for; null: nothing. */
  readonly news: CdsNews | null;
  /** What is wrong with the DS that the parent has, so that the zone is bogus, for an operator; null: nothing. */
  readonly fault: string | null;
}

/** Counts since the start, for metrics. */
export interface KeyKeeperCounts {
  readonly steps: number;
  readonly failed: number;
  /** Zones of which the last look failed. */
  readonly failing: number;
}

/** What came of a zone while its steps are taken. */
interface Visit {
  /** Steps that could not be taken, by `stepName`, with why. */
  readonly failed: Map<string, unknown>;
  /** When time alone brings the next step. */
  nextAt: number | null;
}

/** Zones listed as due at once. */
const ZONES_LISTED = 200;
/** How often in a round more are listed while there are as many; then others have their turn. */
const MOST_AGAIN = 100;
/** Zones looked at at the same time: what they ask goes together, none waits for the other's commit, and connections are left for others. */
const ZONES_AT_ONCE = 4;
/** Steps taken of one zone in a row. */
const MOST_STEPS = 20;
/** A zone of which a look has failed is looked at again after so long, twice as long each time, up to an hour. */
const RETRY_SECONDS = 15;
const MOST_RETRY_SECONDS = 3600;

/**
 * Carries out what is decided of zones' keys (docs/adr/0002-key-rollover.md), whichever gateway comes first: a step is taken only if the
 * key set is still the one that was looked at, and keys are made under a lease. What is interrupted is decided again.
 */
export class KeyKeeper {
  readonly #options: KeyKeeperOptions;
  readonly #failures = new Map<string, number>();
  readonly #said = new Map<string, string>();
  /** The gateways that were said to keep all keys from rolling. */
  #olderSaid = '';
  #steps = 0;
  #failed = 0;
  #closed = false;

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
  }

  get counts(): KeyKeeperCounts {
    return { steps: this.#steps, failed: this.#failed, failing: this.#failures.size };
  }

  /** Looks at the zones that are due; one that cannot be dealt with is told of and left for later. @throws ZonesealError of the database */
  async keepDue(): Promise<void> {
    for (let again = 0; again < MOST_AGAIN && !this.#closed; again++) {
      const zones = await this.#options.store.listDue(ZONES_LISTED);
      await this.#tellOlderGateways(zones.length > 0);
      await this.#keepAll(zones);
      if (zones.length < ZONES_LISTED) return;
    }
  }

  async #keepAll(zones: readonly DueZone[]): Promise<void> {
    const rest = zones[Symbol.iterator]();
    let isAway = false;
    const work = async (): Promise<void> => {
      for (const due of rest) {
        if (this.#closed || isAway) return;
        const begun = performance.now();
        try {
          await this.#keep(due);
        } catch (error) {
          isAway = true;
          throw error;
        }
        await this.#options.giveWay(performance.now() - begun);
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: ZONES_AT_ONCE }, work));
    const failed = ended.find((it) => it.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  close(): void {
    this.#closed = true;
  }

  async #keep({ zoneId, zone }: DueZone): Promise<void> {
    const { store } = this.#options;
    let loaded: LoadedRollover | undefined;
    const visit: Visit = { failed: new Map(), nextAt: null };
    try {
      for (let steps = 0; steps < MOST_STEPS && !this.#closed; steps++) {
        loaded = await store.load(zone);
        // it is gone, or nothing is to be done of it now
        if (loaded === undefined || !(await this.#goOn(loaded, visit))) break;
      }
      for (const error of visit.failed.values()) throw error;
      this.#failures.delete(zone);
    } catch (error) {
      const wait = this.#noteFailure(zone, error);
      // where the database is what failed, this fails as well and ends the round; a zone's own fault stops no other zone
      if (loaded === undefined) await store.postpone(zoneId, wait);
      else await store.noteLooked(loaded.look, Math.min(loaded.now + wait, visit.nextAt ?? Infinity));
    }
  }

  /** Seconds after which it is tried again. */
  #noteFailure(zone: string, error: unknown): number {
    this.#failed++;
    const before = this.#failures.get(zone) ?? 0;
    this.#failures.set(zone, before + 1);
    this.#options.log.error(
      { zone, code: error instanceof ZonesealError ? error.code : undefined, reason: errorMessage(error) },
      'a step of a key roll could not be taken; it is tried again',
    );
    return Math.min(MOST_RETRY_SECONDS, RETRY_SECONDS * 2 ** before);
  }

  /** Takes the next steps of a zone; false when there is none now. */
  async #goOn(
    { state: stored, parent, peeredViews, look, now, unknownUntil }: LoadedRollover,
    visit: Visit,
  ): Promise<boolean> {
    const { store, onLooked } = this.#options;
    if (unknownUntil !== null && unknownUntil > now) {
      this.#tellSetBack(stored.zone, unknownUntil);
      await store.noteLooked(look, unknownUntil);
      return false;
    }
    const ds = parent === null ? stored.ds : observeParent(stored, parent);
    const state: RolloverState = { ...stored, ds };
    if (isOtherDs(stored.ds, ds) && !(await store.storeDs(stored, ds))) return true;
    const decision = decideCarriedOut(state, now);
    if (await this.#isLeftAlone(state, decision)) {
      await store.noteLooked(look, null);
      return false;
    }
    const step = nextStep(decision, new Set(visit.failed.keys()));
    if (step !== undefined) {
      try {
        return await this.#take(state, step, look.zoneId, now);
      } catch (error) {
        // what the key store refuses keeps no other step from being taken
        if (step.kind === 'change') throw error;
        visit.failed.set(stepName(step), error);
        const code = error instanceof ZonesealError ? error.code : null;
        await store.noteFailed(state.zone, step, code, errorMessage(error));
        return true;
      }
    }
    visit.nextAt = decision.nextAt;
    // it is told of, and tried again
    const isDone = visit.failed.size === 0;
    if (state.views.length === 0) {
      if (isDone) await store.noteLooked(look, decision.nextAt);
      return false;
    }
    this.#tellWaits(state, decision);
    await onLooked({
      zoneId: look.zoneId,
      zone: state.zone,
      hasEntry: state.keys.some((key) => key.role !== 'ZSK' && key.removedAt === null),
      awaitsParent:
        ds.filter((use) => use.until === null).length > 1 ||
        ds.some((use) => use.until === null && use.seenAt === null),
      news: cdsNews(state, peeredViews),
      fault: bogusDs(state, parent),
    });
    if (isDone) await store.noteLooked(look, decision.nextAt);
    return false;
  }

  /** A zone that lacks its first keys, or whose keys are held from now on as they were taken over. */
  async #isLeftAlone(state: RolloverState, decision: Decision): Promise<boolean> {
    const { store, log } = this.#options;
    const { zone, keys } = state;
    if (keys.length === 0) return lacksFirstKeys(state);
    if (!isTakenOver(state, decision, false) || (await store.listEvents(zone, 1)).length > 0) return false;
    const why = `its keys are not those that its policy wants; "zoneseal keys hold ${zone} --release" lets them roll to these`;
    await store.hold(zone, true, why);
    log.warn({ zone, reason: why }, 'the keys of a zone stay as they are');
    return true;
  }

  /** False: another gateway is making the key, which is looked at again. */
  async #take(state: RolloverState, step: Step, zoneId: string, now: number): Promise<boolean> {
    const { store, alone, log } = this.#options;
    const { zone, keys } = state;
    let isTaken: boolean | undefined;
    if (step.kind === 'create') {
      isTaken = await alone(`keys ${zoneId}`, () => createStepKey(this.#options, state, step));
      if (isTaken === undefined) return false;
    } else {
      let taken: Step = step;
      if (step.kind === 'destroy') {
        const key = keys.find(({ id }) => id === step.key);
        if (key !== undefined) taken = { ...step, secret: await this.#options.maker.destroyKey(key) };
      }
      isTaken = await store.apply(state, taken, applyStep(state, taken, now).ds);
    }
    // what others did meanwhile is looked at
    if (!isTaken) return true;
    this.#steps++;
    this.#said.delete(zone);
    log.info({ zone, step: step.kind, reason: step.reason }, 'a step of a key roll was taken');
    return true;
  }

  /** Where nothing is due that may be because none is listed: said once, until it is others. */
  async #tellOlderGateways(isAnyDue: boolean): Promise<void> {
    const older = isAnyDue ? [] : await this.#options.store.listOlderGateways();
    const text = older.join();
    if (text !== '' && text !== this.#olderSaid) {
      this.#options.log.warn({ reason: heldByOlder(older).message }, 'keys do not roll');
    }
    this.#olderSaid = text;
  }

  #tellSetBack(zone: string, unknownUntil: number): void {
    const { message, until } = setBack(zone, unknownUntil);
    if (!this.#isNews(zone, message)) return;
    this.#options.log.warn({ zone, ...untilField(until), reason: message }, 'the keys of a zone do not roll');
  }

  /** Whether that was not said of a zone last; an empty text is never news, and takes back what was. */
  #isNews(zone: string, text: string): boolean {
    if (this.#said.get(zone) === text || (text === '' && !this.#said.has(zone))) return false;
    if (this.#said.size > 10_000) this.#said.clear();
    if (text === '') this.#said.delete(zone);
    else this.#said.set(zone, text);
    return true;
  }

  /** What a zone's rolls wait for is said once, until it is something else. */
  #tellWaits({ zone }: RolloverState, { waits }: Decision): void {
    if (!this.#isNews(zone, waits.map(({ message }) => message).join('; '))) return;
    for (const { message, until } of waits) {
      this.#options.log.info({ zone, ...untilField(until) }, `a key roll waits: ${message}`);
    }
  }
}

function untilField(until: number | null): { readonly until?: string } {
  return until === null ? {} : { until: new Date(until * 1000).toISOString() };
}

/**
 * Makes the key of a step and adds it to its zone; false: the key set is not the one that was looked at any more, and nothing is left
 * of it. @throws ZonesealError of the key store and the database
 */
export async function createStepKey(
  { store, maker }: Pick<KeyKeeperOptions, 'store' | 'maker'>,
  state: RolloverState & Looked,
  step: Extract<Step, { kind: 'create' }>,
): Promise<boolean> {
  const { role, algorithm, view } = step;
  const made = await maker.createKey({
    zone: Name.parse(state.zone),
    role,
    algorithm,
    rsaBits: state.policy.rsaBits,
    view,
    takenTags: takenKeyTags(state),
  });
  let isUsed = false;
  try {
    isUsed = await store.apply(state, step, state.ds, { ...made, signs: false, published: false });
  } finally {
    if (!isUsed) await maker.discard(made);
  }
  return isUsed;
}
