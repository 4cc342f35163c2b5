import { cdsEnd, isDsAlive, isUseAlive } from '../../../src/keys/rollover/alive.js';
import { applyStep } from '../../../src/keys/rollover/apply.js';
import {
  currentFacts,
  isParentKnown,
  pendingViews,
  plannedKey,
  wantedDs,
} from '../../../src/keys/rollover/facts.js';
import { KeyKeeper, type UnusedKey } from '../../../src/keys/rollover/keeper.js';
import type { DsUse, KeySetUse, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import type { PlanAssumptions } from '../../../src/keys/rollover/plan.js';
import type { LoadedRollover, RolloverStore } from '../../../src/keys/rollover/ports.js';
import { Timeline } from './timeline.js';

/** A step that the keeper took. */
export interface TakenStep {
  readonly at: number;
  readonly step: Step;
}

/** A zone whose keys the keeper looks after, where publications, nameservers and the parent take just the time that a plan takes for granted. */
export class PlannedWorld {
  readonly taken: TakenStep[] = [];
  readonly #time = new Timeline();
  readonly #assumed: PlanAssumptions;
  readonly #keeper: KeyKeeper;
  #state: RolloverState;
  #parent: readonly string[] | undefined;
  #nextAt: number | null = null;

  constructor(state: RolloverState, assumed: PlanAssumptions) {
    this.#state = state;
    this.#assumed = assumed;
    this.#parent = state.ds.filter((use) => use.until === null && use.seenAt !== null).at(-1)?.keys;
    const nothing = (): void => undefined;
    this.#keeper = new KeyKeeper({
      store: this.#store(),
      maker: {
        createKey: () => Promise.resolve({ token: 't' } as UnusedKey),
        discard: () => Promise.resolve(),
        destroyKey: () => Promise.resolve('deleted'),
      },
      alone: (_, work) => work(),
      onLooked: () => Promise.resolve(),
      giveWay: () => Promise.resolve(),
      log: { debug: nothing, info: nothing, warn: nothing, error: (it) => void this.faults.push(it) },
    });
  }

  readonly faults: object[] = [];

  /** Lives until then, or until so many steps were taken. */
  async run(until: number, steps: number): Promise<void> {
    this.#publish();
    this.#askParent();
    let now: number | null = 0;
    while (now !== null && now <= until && this.taken.length < steps) {
      this.#time.runUntil(now);
      this.#forget();
      // more than the keeper takes of a zone in one go
      for (let before = -1; before < this.taken.length; ) {
        before = this.taken.length;
        await this.#keeper.keepDue();
      }
      const times: (number | null)[] = [
        this.#nextAt,
        this.#time.next,
        ...this.#state.uses.map((use) => cdsEnd(this.#state, use)),
      ];
      const coming = times.filter((time): time is number => time !== null && time > this.#time.now);
      now = coming.length === 0 ? null : Math.min(...coming);
    }
  }

  #forget(): void {
    const [state, now] = [this.#state, this.#time.now];
    const uses = state.uses.filter((use) => isUseAlive(state, use, now));
    this.#state = { ...state, uses, ds: state.ds.filter((use) => isDsAlive(state, use, now)) };
  }

  #store(): RolloverStore {
    return {
      listDue: () => Promise.resolve([{ zoneId: '1', zone: this.#state.zone }]),
      load: (): Promise<LoadedRollover> =>
        Promise.resolve({
          state: this.#state,
          parent:
            this.#parent === undefined
              ? null
              : { sets: [this.#seen(this.#parent)], at: this.#time.now, settledAt: this.#time.now },
          peeredViews: [],
          look: { zoneId: '1', policyVersion: 1, policyVersionBefore: 1, dueAt: null, events: [] },
          now: this.#time.now,
          unknownUntil: null,
        }),
      noteLooked: (_: unknown, nextAt: number | null) => {
        this.#nextAt = nextAt;
        return Promise.resolve();
      },
      apply: (_: unknown, step: Step, ds: readonly DsUse[]) => {
        this.#take(step, ds);
        return Promise.resolve(true);
      },
      noteFailed: () => Promise.resolve(),
      storeDs: (_: unknown, ds: readonly DsUse[]) => {
        this.#state = { ...this.#state, ds };
        return Promise.resolve(true);
      },
      listEvents: () => Promise.resolve([{ at: 0, key: null, keyTag: null, what: '', why: '' }]),
    } as unknown as RolloverStore;
  }

  #seen(keys: readonly string[]): { keys: readonly string[]; algorithms: readonly number[]; ttl: null } {
    const of = this.#state.keys.filter((key) => keys.includes(key.id)).map((key) => key.algorithm);
    const known = this.#state.ds.find((use) => use.until === null && use.keys.join() === keys.join());
    return {
      keys,
      algorithms: known?.algorithms ?? [...new Set(of)].sort((a, b) => a - b),
      ttl: null,
    };
  }

  #take(step: Step, ds: readonly DsUse[]): void {
    this.taken.push({ at: this.#time.now, step: foretold(step) });
    if (step.kind === 'create') {
      const key = plannedKey(step, this.#state, this.#time.now);
      this.#state = { ...this.#state, keys: [...this.#state.keys, key] };
      return;
    }
    this.#state = { ...applyStep(this.#state, step, this.#time.now), ds };
    this.#publish();
    this.#askParent();
  }

  #publish(): void {
    if (pendingViews(this.#state).length === 0) return;
    this.#time.after(this.#assumed.signingTime, () => {
      for (const view of pendingViews(this.#state)) this.#serve(view);
      this.#askParent();
    });
  }

  #serve(view: string): void {
    const now = this.#time.now;
    const last = this.#state.uses.findLast((use) => use.view === view && use.replacedAt === null);
    const fresh: KeySetUse = {
      view,
      facts: currentFacts(this.#state),
      since: now,
      until: null,
      replacedAt: null,
      maxTtl: last?.maxTtl ?? this.#state.policy.dnskeyTtl,
      dnskeyTtl: this.#state.policy.dnskeyTtl,
    };
    const uses = this.#state.uses.map((use) => (use === last ? { ...use, replacedAt: now } : use));
    this.#state = { ...this.#state, uses: [...uses, fresh] };
    if (last === undefined) return;
    this.#time.after(this.#assumed.peerDelay, () => {
      const ended = this.#state.uses.map((use) =>
        use.view === view && use.since === last.since && use.until === null
          ? { ...use, until: this.#time.now }
          : use,
      );
      this.#state = { ...this.#state, uses: ended };
    });
  }

  #askParent(): void {
    if (pendingViews(this.#state).length > 0) return;
    const wanted = wantedDs(currentFacts(this.#state));
    const isAsIs = wanted === undefined || wanted.join() === this.#parent?.join();
    if (isParentKnown(this.#state) && isAsIs) return;
    this.#time.after(this.#assumed.parentDelay, () => {
      this.#parent = wantedDs(currentFacts(this.#state)) ?? this.#parent ?? [];
    });
  }
}

/** What becomes of a secret is not known before. */
function foretold(step: Step): Step {
  return step.kind === 'destroy' ? { kind: 'destroy', key: step.key, reason: step.reason } : step;
}
