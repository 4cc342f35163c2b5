import { Name } from '../../dns/name.js';
import { errorMessage, ZonesealError } from '../../errors.js';
import type { Log } from '../../log.js';
import type { KeyRole, ZoneKey } from '../key-set.js';
import { applyStep, observeDs } from './apply.js';
import { decide } from './decide.js';
import { signsKeys } from './facts.js';
import type { Decision, DsUse, RolloverState, Step } from './model.js';
import type { DueZone, LoadedRollover, MadeKey, RolloverStore } from './ports.js';

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
    readonly existing: readonly Pick<ZoneKey, 'flags' | 'algorithm' | 'publicKey'>[];
  }): Promise<UnusedKey>;
  /** Removes what was made and is not wanted after all. Never throws. */
  discard(made: UnusedKey): Promise<void>;
  /** Deletes a private key for good. @throws ZonesealError of the key store */
  destroyKey(key: ZoneKey): Promise<unknown>;
}

export interface KeyKeeperOptions {
  readonly store: RolloverStore;
  readonly maker: RollKeyMaker;
  /** Runs work that one gateway at a time may do; undefined while another does it. */
  readonly alone: <T>(name: string, work: () => Promise<T>) => Promise<T | undefined>;
  /** Told of each zone that was looked at: whether its parent is waited for. */
  readonly onLooked: (zone: LookedZone) => Promise<void>;
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
}

/** Counts since the start, for metrics. */
export interface KeyKeeperCounts {
  readonly steps: number;
  readonly failed: number;
  /** Zones of which the last look failed. */
  readonly failing: number;
}

/** What came of looking at a zone: it is looked at again, nothing is to be done now, or nothing that is due could be done. */
type Outcome = 'taken' | 'done' | 'failed';

/** Zones looked at in a round, and steps taken of one zone in a row. */
const ZONES_AT_ONCE = 200;
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
  readonly #misfits = new Set<string>();
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
    for (const due of await this.#options.store.listDue(ZONES_AT_ONCE)) {
      if (this.#closed) return;
      await this.#keep(due);
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #keep({ zoneId, zone }: DueZone): Promise<void> {
    const { store } = this.#options;
    let loaded: LoadedRollover | undefined;
    try {
      for (let steps = 0; steps < MOST_STEPS && !this.#closed; steps++) {
        loaded = await store.load(zone);
        const outcome = loaded === undefined ? 'done' : await this.#goOn(loaded);
        if (outcome === 'failed') return;
        // it is gone, or nothing is to be done of it now
        if (outcome === 'done') break;
      }
      this.#failures.delete(zone);
    } catch (error) {
      const wait = this.#noteFailure(zone, error);
      // where the database is what failed, this fails as well and ends the round; a zone's own fault stops no other zone
      if (loaded === undefined) await store.postpone(zoneId, wait);
      else await store.noteLooked(loaded.look, loaded.now + wait);
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

  /** Takes the next step of a zone. */
  async #goOn({ state: stored, parent, look, now, unknownUntil }: LoadedRollover): Promise<Outcome> {
    const { store, onLooked } = this.#options;
    if (unknownUntil !== null && unknownUntil > now) {
      await store.noteLooked(look, unknownUntil);
      return 'done';
    }
    const ds = parent === null ? stored.ds : observeDs(stored, parent.sets, parent.at);
    const state: RolloverState = { ...stored, ds };
    if (isDifferent(stored.ds, ds) && !(await store.storeDs(state, ds))) return 'taken';
    const decision = decide(state, now);
    if (await this.#isLeftAlone(state, decision)) {
      await store.noteLooked(look, null);
      return 'done';
    }
    const faults: unknown[] = [];
    for (const step of decision.steps) {
      try {
        return (await this.#take(state, step, look.zoneId, now)) ? 'taken' : 'done';
      } catch (error) {
        // a key that cannot be made or destroyed holds up no other step
        faults.push(error);
        await store.noteFailed(
          state.zone,
          step,
          error instanceof ZonesealError ? error.code : null,
          errorMessage(error),
        );
      }
    }
    this.#tellMisfit(state);
    const again = faults.length === 0 ? null : now + this.#noteFailure(state.zone, faults[0]);
    this.#tellWaits(state, decision);
    await onLooked({
      zoneId: look.zoneId,
      zone: state.zone,
      hasEntry: state.keys.some((key) => key.role !== 'ZSK' && key.removedAt === null),
      awaitsParent:
        ds.filter((use) => use.until === null).length > 1 ||
        ds.some((use) => use.until === null && use.seenAt === null),
    });
    const times = [again, decision.nextAt].filter((time) => time !== null);
    await store.noteLooked(look, times.length === 0 ? null : Math.min(...times));
    return again === null ? 'done' : 'failed';
  }

  /**
   * A zone in no view stays as it is. One without keys gets its first ones by hand, and keys that were there before anything
   * was decided, and are not those that the policy wants, are held: what an operator has just taken over does not begin to roll
   * by itself.
   */
  async #isLeftAlone(state: RolloverState, { steps, waits }: Decision): Promise<boolean> {
    const { store, log } = this.#options;
    const { zone, keys, uses, isHeld } = state;
    // nobody can tell what is in caches of a zone that is served from here nowhere yet
    if (state.views.length === 0) return true;
    if (keys.length === 0)
      return !uses.some(({ facts, replacedAt }) => replacedAt === null && facts.published.length === 0);
    const isMoved = [...steps, ...waits.map(({ step }) => step)].some((step) => step.kind === 'create');
    if (!isMoved || isHeld || (await store.listEvents(zone, 1)).length > 0) return false;
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
      if (step.kind === 'destroy') {
        const key = keys.find(({ id }) => id === step.key);
        if (key !== undefined) await this.#options.maker.destroyKey(key);
      }
      isTaken = await store.apply(state, step, applyStep(state, step, now).ds);
    }
    // what others did meanwhile is looked at
    if (!isTaken) return true;
    this.#steps++;
    this.#said.delete(zone);
    log.info({ zone, step: step.kind, reason: step.reason }, 'a step of a key roll was taken');
    return true;
  }

  /** A parent whose DS fit no key is told of once, until they do. */
  #tellMisfit(state: RolloverState): void {
    const { zone, keys } = state;
    const signers = keys.filter((key) => key.published && signsKeys(key)).map(({ id }) => id);
    const misfit = state.ds.find(
      (use) =>
        use.until === null &&
        use.seenAt !== null &&
        use.algorithms.length > 0 &&
        !use.keys.some((id) => signers.includes(id)),
    );
    if (misfit === undefined) this.#misfits.delete(zone);
    else if (!this.#misfits.has(zone)) {
      this.#misfits.add(zone);
      this.#options.log.error(
        { zone, reason: `have the parent take the DS of: zoneseal keys ds ${zone}` },
        'the DS at the parent is of no key that signs the DNSKEY RRset: validators see bogus answers',
      );
    }
  }

  /** What a zone's rolls wait for is said once, until it is something else. */
  #tellWaits({ zone }: RolloverState, { waits }: Decision): void {
    const text = waits.map(({ message }) => message).join('; ');
    if (this.#said.get(zone) === text || (text === '' && !this.#said.has(zone))) return;
    if (this.#said.size > 10_000) this.#said.clear();
    if (text === '') this.#said.delete(zone);
    else this.#said.set(zone, text);
    for (const { message, until } of waits) {
      this.#options.log.info(
        { zone, ...(until === null ? {} : { until: new Date(until * 1000).toISOString() }) },
        `a key roll waits: ${message}`,
      );
    }
  }
}

/**
 * Makes the key of a step and adds it to its zone; false: the key set is not the one that was looked at any more, and nothing is left
 * of it. @throws ZonesealError of the key store and the database
 */
export async function createStepKey(
  { store, maker }: Pick<KeyKeeperOptions, 'store' | 'maker'>,
  state: RolloverState,
  step: Extract<Step, { kind: 'create' }>,
): Promise<boolean> {
  const { role, algorithm, view } = step;
  const made = await maker.createKey({
    zone: Name.parse(state.zone),
    role,
    algorithm,
    rsaBits: state.policy.rsaBits,
    view,
    // tags of keys that were removed are taken as long as they are remembered
    existing: state.keys,
  });
  let isUsed = false;
  try {
    isUsed = await store.apply(state, step, state.ds, { ...made, signs: false, published: false });
  } finally {
    if (!isUsed) await maker.discard(made);
  }
  return isUsed;
}

function isDifferent(before: readonly DsUse[], after: readonly DsUse[]): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}
