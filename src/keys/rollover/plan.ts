import { algorithmsOf, cdsEnd, isDsAlive, isUseAlive } from './alive.js';
import { applyStep, observeDs } from './apply.js';
import { currentFacts, isParentKnown, pendingViews, plannedKey, wantedDs } from './facts.js';
import type { KeyChange, KeySetUse, ManagedKey, RolloverState, Step, Wait } from './model.js';
import { decideCarriedOut, nextStep } from './next-step.js';

/** What a timetable takes for granted, in seconds. */
export interface PlanAssumptions {
  /** From a key set to the publications that are made with it. */
  readonly signingTime: number;
  /** From a publication to the last known nameserver that is seen with it. */
  readonly peerDelay: number;
  /** From CDS that are published to the parent's nameservers that are seen with the DS set. */
  readonly parentDelay: number;
}

/** Who could have a step come later. */
export type Holder = 'operator' | 'key store' | 'nameservers' | 'parent';

/** One step of a timetable. */
export interface PlanEntry {
  /** When it comes if all goes as assumed, seconds since 1970. */
  readonly at: number;
  readonly step: Step;
  /** Why it waited last, as in `Wait.why`; null: it did not. */
  readonly waitedFor: string | null;
  readonly heldBy: readonly Holder[];
}

/** A timetable, and what still waits where it ends. */
export interface Plan {
  readonly entries: readonly PlanEntry[];
  readonly waits: readonly Wait[];
  /** From when on nothing is said, for there are more steps than a timetable has, seconds since 1970; null: it is whole. */
  readonly cutAt: number | null;
}

/** No timetable is longer, but for the steps of its last moment. */
export const MOST_ENTRIES = 300;
const MOST_MOMENTS = 20_000;
/** Steps at one moment. */
const MOST_STEPS = 100;

/**
 * The steps that are to come, as far as policy and what is known now tell: nobody asks for anything, and the parent, the
 * nameservers and the key store do as assumed. Held rolls go on at once in it.
 * @param now and `until`: seconds since 1970
 */
export function planRolls(state: RolloverState, now: number, until: number, assumed: PlanAssumptions): Plan {
  const forecast = new Forecast({ ...state, isHeld: false }, now, assumed, state.isHeld);
  for (let moments = 0; moments < MOST_MOMENTS && forecast.entries.length < MOST_ENTRIES; moments++) {
    const next = forecast.live();
    const { entries, waits, isCut } = forecast;
    if (isCut) break;
    if (next === null || next > until) return { entries, waits, cutAt: null };
    forecast.goTo(next);
  }
  return { entries: forecast.entries, waits: forecast.waits, cutAt: forecast.now };
}

interface PlannedEvent {
  readonly at: number;
  readonly happen: () => void;
}

/** A zone that is looked ahead at. */
class Forecast {
  readonly entries: PlanEntry[] = [];
  waits: readonly Wait[] = [];
  /** Whether there were more steps at one moment than are looked at. */
  isCut = false;
  readonly #assumed: PlanAssumptions;
  readonly #isHeld: boolean;
  #state: RolloverState;
  #now: number;
  #events: PlannedEvent[] = [];
  /** What the parent has; undefined: nobody knows. */
  #parent: readonly string[] | undefined;

  constructor(state: RolloverState, now: number, assumed: PlanAssumptions, isHeld: boolean) {
    this.#state = state;
    this.#now = now;
    this.#assumed = assumed;
    this.#isHeld = isHeld;
    const seen = state.ds.filter((use) => use.until === null && use.seenAt !== null);
    this.#parent = seen.at(-1)?.keys;
    this.#publish();
    for (const use of state.uses) {
      if (use.until === null && use.replacedAt !== null) this.#after(assumed.peerDelay, () => this.#end(use));
    }
    this.#askParent();
  }

  /** Takes the steps of this moment; gives the next one at which something happens, null when nothing does. */
  live(): number | null {
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const decision = decideCarriedOut(this.#state, this.#now);
      const { waits, nextAt } = decision;
      const step = nextStep(decision);
      if (step !== undefined) {
        this.#take(step);
        continue;
      }
      this.waits = waits;
      const times = [nextAt, ...this.#events.map((event) => event.at), ...this.#cdsEnds()];
      const coming = times.filter((time): time is number => time !== null && time > this.#now);
      return coming.length === 0 ? null : Math.min(...coming);
    }
    this.isCut = true;
    return null;
  }

  get now(): number {
    return this.#now;
  }

  goTo(time: number): void {
    this.#now = time;
    for (let due = this.#due(); due.length > 0; due = this.#due()) {
      this.#events = this.#events.filter((event) => !due.includes(event));
      for (const { happen } of due) happen();
    }
    this.#observe();
    const [state, now] = [this.#state, this.#now];
    const uses = state.uses.filter((use) => isUseAlive(state, use, now));
    this.#state = { ...state, uses, ds: state.ds.filter((use) => isDsAlive(state, use, now)) };
  }

  #due(): PlannedEvent[] {
    return this.#events.filter((event) => event.at <= this.#now);
  }

  #take(step: Step): void {
    const wait = this.waits.find((it) => isOf(it, step));
    const { waitedFor, heldBy } =
      wait === undefined ? unhindered(step, this.#state) : hindered(step, wait, this.#state);
    this.entries.push({
      at: this.#now,
      step,
      waitedFor,
      heldBy: this.#isHeld ? ['operator', ...heldBy] : heldBy,
    });
    if (step.kind === 'create') {
      const key = plannedKey(step, this.#state, this.#now);
      this.#state = { ...this.#state, keys: [...this.#state.keys, key] };
    } else {
      this.#state = applyStep(this.#state, step, this.#now);
      this.#publish();
    }
  }

  /** What is not served yet is, after some time; and the parent acts on it after some more. */
  #publish(): void {
    if (pendingViews(this.#state).length === 0) return this.#askParent();
    this.#after(this.#assumed.signingTime, () => {
      for (const view of pendingViews(this.#state)) this.#serve(view);
      this.#askParent();
    });
  }

  #serve(view: string): void {
    const last = this.#state.uses.filter((use) => use.view === view && use.replacedAt === null).at(-1);
    const replaced = last === undefined ? undefined : { ...last, replacedAt: this.#now };
    const fresh: KeySetUse = {
      view,
      facts: currentFacts(this.#state),
      since: this.#now,
      until: null,
      replacedAt: null,
      maxTtl: last?.maxTtl ?? this.#state.policy.dnskeyTtl,
      dnskeyTtl: this.#state.policy.dnskeyTtl,
    };
    const uses = this.#state.uses.map((use) => (use === last && replaced !== undefined ? replaced : use));
    this.#state = { ...this.#state, uses: [...uses, fresh] };
    if (replaced !== undefined) this.#after(this.#assumed.peerDelay, () => this.#end(replaced));
  }

  #end(ended: KeySetUse): void {
    const uses = this.#state.uses.map((use) => (use === ended ? { ...use, until: this.#now } : use));
    this.#state = { ...this.#state, uses };
  }

  #askParent(): void {
    const wanted = wantedDs(currentFacts(this.#state));
    if (isParentKnown(this.#state) && (wanted === undefined || wanted.join() === this.#parent?.join()))
      return;
    this.#after(this.#assumed.parentDelay, () => {
      this.#parent = wantedDs(currentFacts(this.#state)) ?? this.#parent ?? [];
    });
  }

  #observe(): void {
    if (this.#parent === undefined) return;
    const seen = { keys: this.#parent, algorithms: algorithmsOf(this.#state, this.#parent), ttl: null };
    const unknown = this.#state.ds.find((use) => use.until === null && use.keys.join() === seen.keys.join());
    const algorithms = unknown?.algorithms ?? seen.algorithms;
    this.#state = { ...this.#state, ds: observeDs(this.#state, [{ ...seen, algorithms }], this.#now) };
  }

  /** When the parent can read older CDS no more, and is looked at anew. */
  #cdsEnds(): (number | null)[] {
    return this.#state.uses.map((use) => cdsEnd(this.#state, use));
  }

  #after(delay: number, happen: () => void): void {
    this.#events.push({ at: this.#now + delay, happen });
  }
}

function isOf(wait: Wait, step: Step): boolean {
  if (wait.step.kind !== step.kind || step.kind === 'destroy') return false;
  return step.reason.includes(wait.step.reason);
}

type Reason = Pick<PlanEntry, 'waitedFor' | 'heldBy'>;

/** A step that was decided to wait before. */
function hindered(step: Step, wait: Wait, state: RolloverState): Reason {
  const heldBy: Holder[] = usesKeyStore(step) ? ['key store'] : [];
  heldBy.push('nameservers');
  const hasDs = step.kind === 'change' && !step.keys.every(({ id }) => roleOf(state, id) === 'ZSK');
  const isParents = wait.conflicts.some((conflict) => conflict.kind === 'ds-dnskey');
  if (isParents || (wait.conflicts.length === 0 && hasDs)) heldBy.push('parent');
  return { waitedFor: wait.why, heldBy };
}

function unhindered(step: Step, state: RolloverState): Reason {
  if (step.kind === 'destroy') return { waitedFor: 'for keyRetention to pass', heldBy: ['key store'] };
  if (usesKeyStore(step)) return { waitedFor: null, heldBy: ['key store'] };
  if (step.kind !== 'change' || !step.keys.every(isFirstUse)) return { waitedFor: null, heldBy: [] };
  return step.keys.every(({ id }) => roleOf(state, id) === 'ZSK')
    ? { waitedFor: 'until what it signed is published', heldBy: ['key store'] }
    : { waitedFor: "until the parent's nameservers are seen with its DS", heldBy: ['parent'] };
}

function usesKeyStore(step: Step): boolean {
  return step.kind !== 'change' || step.keys.some((change) => change.signs === true);
}

/** Whether all that becomes of a key is that it is in use now, which nobody sees. */
function isFirstUse(change: KeyChange): boolean {
  return Object.keys(change).sort().join() === 'activeAt,id';
}

function roleOf(state: RolloverState, id: string): ManagedKey['role'] | undefined {
  return state.keys.find((key) => key.id === id)?.role;
}
