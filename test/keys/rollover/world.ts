import { ZonesealError } from '../../../src/errors.js';
import type { Policy } from '../../../src/keys/policy.js';
import type {
  Decision,
  DsUse,
  KeySetUse,
  ManagedKey,
  RolloverState,
  Step,
} from '../../../src/keys/rollover/model.js';
import { type Bogus, Caches } from './caches.js';
import { type ChildRules, ChildView } from './child.js';
import { Parent, type ReadDs } from './parent.js';
import { Random } from './random.js';
import { scaleOf } from './scale.js';
import { Timeline } from './timeline.js';

type SeenDs = Pick<DsUse, 'keys' | 'algorithms' | 'ttl'> & Pick<ReadDs, 'isOfStrongest'>;

/** What is on trial. */
export interface Subject {
  readonly decide: (state: RolloverState, now: number) => Decision;
  /** What the store does with a step, and with what the parent was seen to have. */
  readonly apply: (
    state: RolloverState,
    step: Exclude<Step, { kind: 'create' }>,
    at: number,
  ) => RolloverState;
  readonly observe: (state: RolloverState, seen: readonly SeenDs[], at: number) => readonly DsUse[];
  readonly emergency: (state: RolloverState, key: string, now: number) => Pick<Decision, 'steps'>;
  readonly needsUse: (state: RolloverState, use: KeySetUse, now: number) => boolean;
  readonly needsDs: (state: RolloverState, use: DsUse, now: number) => boolean;
}

/** What an operator does, some time after what was done before. */
export type Action =
  | { readonly kind: 'policy'; readonly change: Partial<Policy> }
  | { readonly kind: 'roll'; readonly which: number }
  | { readonly kind: 'emergency'; readonly which: number }
  | { readonly kind: 'hold'; readonly isHeld: boolean }
  /** Of one view, or of all. */
  | { readonly kind: 'ttl'; readonly ttl: number; readonly view?: string }
  /** Nameservers, or the parent's, become slower or faster. */
  | { readonly kind: 'delay'; readonly of: Delay; readonly seconds: number }
  /** The parent gives DS RRsets another TTL. */
  | { readonly kind: 'dsTtl'; readonly ttl: number }
  /** The zone is served in a view, or no more; the last one stays. */
  | { readonly kind: 'view'; readonly view: string; readonly isServed: boolean };

/** Delays that the policy promises. */
export type Delay = 'propagationDelay' | 'parentPropagationDelay';

export interface Scenario {
  readonly seed: number;
  readonly policy: Policy;
  readonly views: readonly string[];
  /** Unsigned; signed by imported keys with a DS; the same, with nothing known of the parent for a while. */
  readonly start: 'unsigned' | 'imported' | 'unknown';
  readonly zoneTtl: number;
  /** The true TTL of the DS RRset. */
  readonly dsTtl: number;
  /** How long the parent may take to look at CDS, as a multiple of what a roll takes. */
  readonly parentPatience: number;
  readonly isBarbicanUnsteady: boolean;
  readonly actions: readonly { readonly pause: number; readonly action: Action }[];
}

export interface Outcome {
  readonly bogus: readonly Bogus[];
  /** What was not done in the end, though all that could hold it was there; none: all was. */
  readonly unfinished: readonly string[];
  readonly decisions: number;
  readonly versions: number;
  readonly years: number;
  /** What was done when, to be read when something is wrong. */
  readonly log: readonly string[];
}

/** A zone, its gateways, nameservers, parent and operator, through as much time as the scenario needs. */
export class World {
  readonly #scenario: Scenario;
  readonly #subject: Subject;
  readonly #time = new Timeline();
  readonly #random: Random;
  readonly #caches = new Caches();
  /** Those in which the zone is not served any more as well. */
  readonly #views = new Map<string, ChildView>();
  readonly #childRules: ChildRules;
  readonly #parent: Parent;
  readonly #skews: readonly number[];
  readonly #algorithms = new Map<string, number>();
  /** What a roll takes, about. */
  readonly #scale: number;
  #state: RolloverState;
  #created = 0;
  #decisions = 0;
  #isBarbicanAway = false;
  #isSettling = false;
  #parentKnownFrom = 0;
  /** The delays and the TTL as they are, which is no more than what the policy promises. */
  readonly #true: Record<Delay | 'parentDsTtl', number>;
  #isDsTtlSeen = true;
  readonly #log: string[] = [];

  constructor(scenario: Scenario, subject: Subject) {
    const { policy, views, seed, start } = scenario;
    this.#scenario = scenario;
    this.#subject = subject;
    this.#random = new Random(seed);
    const changes = scenario.actions.flatMap(({ action }) =>
      action.kind === 'policy' ? [action.change] : [],
    );
    const half = Math.floor(
      Math.min(policy.publishSafety, ...changes.map((it) => it.publishSafety ?? policy.publishSafety)) / 2,
    );
    this.#skews = this.#random.chance(0.5) ? [-half, half] : [0, this.#random.between(-half, half)];
    this.#true = {
      propagationDelay: policy.propagationDelay,
      parentPropagationDelay: policy.parentPropagationDelay,
      parentDsTtl: scenario.dsTtl,
    };
    this.#scale = scaleOf(scenario, changes);
    const keys = start === 'unsigned' ? [] : this.#importedKeys();
    const ksk = keys.filter((key) => key.parent).map((key) => key.id);
    const algorithms = ksk.length === 0 ? [] : [policy.algorithm];
    const ds = { keys: ksk, algorithms, since: -1e8, seenAt: -1e8, until: null, ttl: scenario.dsTtl };
    this.#state = {
      zone: 'example.',
      views,
      policy,
      formerly: [],
      keySetVersion: 1,
      keys,
      uses: [],
      ds: start === 'imported' || (start === 'unsigned' && this.#random.chance(0.5)) ? [ds] : [],
      isHeld: false,
      asked: [],
      deleteSentinel: false,
    };
    const keyText = (id: string): string => `${this.#algorithms.get(id)}:${id}`;
    this.#childRules = {
      propagationDelay: () => this.#true.propagationDelay,
      slowestSigning: Math.max(1, Math.floor(this.#scale / 12)),
      clock: (at: number) => at + this.#random.pick(this.#skews),
      keyText,
      keySet: () => {
        const { keys: now, keySetVersion: version, deleteSentinel: sentinel } = this.#state;
        return { keys: now, version, sentinel, hasCds: this.#state.policy.cdsDigests.length > 0 };
      },
      dnskeyTtl: () => this.#state.policy.dnskeyTtl,
    };
    for (const view of views) this.#views.set(view, this.#childView(view, true));
    const byHand = (): readonly string[] | undefined => this.#saidByHand();
    const parentRules = {
      propagationDelay: () => this.#true.parentPropagationDelay,
      dsTtl: scenario.dsTtl,
      keyText,
      byHand,
    };
    const digests = new Random(~seed);
    this.#parent = new Parent(this.#time, this.#random, digests, this.#caches, parentRules, ksk);
  }

  /** Lives through the scenario, and then through enough time for all that it began to end. */
  run(): Outcome {
    if (this.#scenario.start === 'unknown') this.#parentKnownFrom = this.#random.between(0, 4 * this.#scale);
    for (const [gateway] of this.#skews.entries()) this.#tick(gateway);
    this.#scanParent();
    this.#observeParent();
    if (this.#scenario.isBarbicanUnsteady) this.#unsettleBarbican();
    for (const { pause, action } of this.#scenario.actions) {
      this.#time.runUntil(this.#time.now + Math.floor(pause * this.#scale));
      this.#act(action);
    }
    this.#time.runUntil(this.#time.now + 6 * this.#scale);
    this.#settle();
    for (const view of this.#views.values()) view.finish();
    this.#parent.finish();
    return {
      bogus: this.#caches.bogus(),
      unfinished: this.#unfinished(),
      decisions: this.#decisions,
      versions: this.#state.keySetVersion,
      years: this.#time.now / 31_556_952,
      log: this.#log,
    };
  }

  #settle(): void {
    this.#isSettling = true;
    this.#isBarbicanAway = false;
    this.#act({ kind: 'hold', isHeld: false });
    this.#act({ kind: 'policy', change: { zskLifetime: 0, kskLifetime: 0 } });
    this.#time.runUntil(this.#time.now + 30 * this.#scale + this.#state.policy.keyRetention);
  }

  #act(action: Action): void {
    this.#note(`operator: ${JSON.stringify(action)}`);
    if (action.kind === 'policy') {
      this.#setPolicy(action.change);
    } else if (action.kind === 'hold') {
      this.#state = { ...this.#state, isHeld: action.isHeld };
    } else if (action.kind === 'roll') {
      const keys = this.#state.keys.filter((key) => key.goal === 'in' && key.removedAt === null);
      const key = keys[action.which % Math.max(1, keys.length)];
      if (key !== undefined) this.#state = { ...this.#state, asked: [...this.#state.asked, key.id] };
    } else if (action.kind === 'emergency') {
      const keys = this.#state.keys.filter((key) => key.removedAt === null);
      const key = keys[action.which % Math.max(1, keys.length)];
      if (key !== undefined) this.#emergency(key.id);
    } else if (action.kind === 'delay') {
      this.#promise(action.of, action.seconds);
    } else if (action.kind === 'dsTtl') {
      // a TTL that came and went between two looks is nowhere to be seen
      if (!this.#isDsTtlSeen) return;
      this.#isDsTtlSeen = false;
      this.#promise('parentDsTtl', action.ttl);
      this.#parent.setDsTtl(action.ttl);
    } else if (action.kind === 'view') {
      this.#serve(action.view, action.isServed);
    } else {
      for (const [name, view] of this.#views) {
        if (action.view === undefined || action.view === name) view.setTtl(action.ttl);
      }
    }
  }

  #setPolicy(change: Partial<Policy>): void {
    this.#state = { ...this.#state, policy: { ...this.#state.policy, ...change } };
    for (const view of this.#views.values()) this.#time.after(this.#random.low(60), () => view.poke());
  }

  /** A delay or TTL becomes another one, and the policy says so. */
  #promise(what: Delay | 'parentDsTtl', seconds: number): void {
    this.#true[what] = seconds;
    const { propagationDelay, publishSafety, parentPropagationDelay, parentDsTtl } = this.#state.policy;
    const delays = { propagationDelay, publishSafety, parentPropagationDelay, parentDsTtl };
    const until = this.#time.now + this.#random.pick(this.#skews);
    this.#state = { ...this.#state, formerly: [...this.#state.formerly, { until, delays }] };
    this.#setPolicy({ [what]: seconds });
  }

  #serve(name: string, isServed: boolean): void {
    const { views } = this.#state;
    if (isServed === views.includes(name) || (!isServed && views.length === 1)) return;
    const after = isServed ? [...views, name].sort() : views.filter((it) => it !== name);
    this.#state = { ...this.#state, views: after };
    const view = this.#views.get(name);
    if (!isServed) view?.unassign();
    else if (view !== undefined) view.assign();
    else this.#views.set(name, this.#childView(name, false));
  }

  #childView(name: string, isOld: boolean): ChildView {
    const ttl = this.#scenario.zoneTtl;
    return new ChildView(name, this.#time, this.#random, this.#childRules, this.#caches, { ttl, isOld });
  }

  /** An operator has a key out, whatever that breaks, unless it is refused. */
  #emergency(id: string): void {
    for (let rounds = 0; rounds < 2; rounds++) {
      const steps = this.#emergencySteps(id);
      if (steps.length > 0) this.#state = { ...this.#state, asked: [...this.#state.asked, id] };
      for (const step of steps) {
        if (step.kind === 'create') this.#create(step);
        else this.#change(step, this.#time.now);
        if (step.kind === 'change') return;
      }
    }
  }

  #emergencySteps(id: string): readonly Step[] {
    try {
      return this.#subject.emergency(this.#current(), id, this.#time.now).steps;
    } catch (error) {
      if (error instanceof ZonesealError && error.code === 'KEY_SET_INVALID') return [];
      throw error;
    }
  }

  /** A gateway decides, and carries out what it can; and looks again. */
  #tick(gateway: number): void {
    const skew = this.#skews[gateway] as number;
    this.#forget(this.#time.now + skew);
    const state = this.#current();
    const { steps, nextAt } = this.#subject.decide(state, this.#time.now + skew);
    this.#decisions++;
    let delay = 0;
    const process = { isAlive: true, keys: state.keys.length };
    for (const step of steps) {
      delay += this.#random.low(120);
      this.#time.after(delay, () => this.#carryOut(step, state.keySetVersion, process));
    }
    const pause = this.#random.between(30, Math.max(60, Math.floor(this.#scale / 4)));
    const wake = nextAt === null ? pause : Math.min(pause, nextAt - skew - this.#time.now);
    this.#time.after(Math.max(delay + 1, wake), () => this.#tick(gateway));
  }

  #carryOut(step: Step, version: number, process: { isAlive: boolean; keys: number }): void {
    if (!process.isAlive || this.#random.chance(0.05)) {
      process.isAlive = false;
      return;
    }
    if (step.kind === 'create') {
      if (this.#isBarbicanAway) return;
      const isLate = this.#state.keys.length !== process.keys;
      if (isLate && !this.#random.chance(0.05)) return;
      const twice = this.#random.chance(0.05);
      for (let i = twice ? 2 : 1; i > 0; i--) this.#create(step);
      process.keys = this.#state.keys.length;
    } else if (step.kind === 'destroy') {
      if (this.#isBarbicanAway) return;
      this.#change(step, this.#time.now);
    } else {
      if (this.#state.keySetVersion !== version) return;
      this.#change(step, this.#time.now + this.#random.pick(this.#skews));
    }
  }

  #change(step: Exclude<Step, { kind: 'create' }>, at: number): void {
    this.#state = this.#subject.apply(this.#current(), step, at);
    const keys = step.kind === 'change' ? JSON.stringify(step.keys) : step.key;
    this.#note(`version ${this.#state.keySetVersion}: ${step.reason} ${keys}`);
    for (const view of this.#views.values()) this.#time.after(this.#random.low(60), () => view.poke());
  }

  #create({ role, algorithm, view, replaces, reason }: Extract<Step, { kind: 'create' }>): void {
    const key = this.#key({ role, algorithm, view, replaces });
    this.#note(`${key.id}: ${reason}`);
    this.#state = { ...this.#state, keys: [...this.#state.keys, key] };
  }

  #key(what: Pick<ManagedKey, 'role' | 'algorithm' | 'view' | 'replaces'> & Partial<ManagedKey>): ManagedKey {
    const number = ++this.#created;
    this.#algorithms.set(`k${number}`, what.algorithm);
    return {
      id: `k${number}`,
      zone: 'example.',
      keyTag: number,
      flags: what.role === 'ZSK' ? 256 : 257,
      publicKey: new Uint8Array(0),
      secretRef: '',
      signs: false,
      published: false,
      goal: 'in',
      parent: false,
      keySetsOnly: false,
      createdAt: this.#time.now,
      activeAt: null,
      removedAt: null,
      ...what,
    };
  }

  #importedKeys(): ManagedKey[] {
    const { algorithm, keys } = this.#scenario.policy;
    const active = { algorithm, view: null, replaces: null, signs: true, published: true, activeAt: 0 };
    if (keys === 'csk') return [this.#key({ role: 'CSK', ...active, parent: true })];
    return [this.#key({ role: 'KSK', ...active, parent: true }), this.#key({ role: 'ZSK', ...active })];
  }

  #scanParent(): void {
    const patience = this.#isSettling ? 0.5 : this.#scenario.parentPatience;
    const hasBroken = this.#scenario.actions.some(({ action }) => action.kind === 'emergency');
    const isTold = this.#state.policy.cdsDigests.length === 0 || (this.#isSettling && hasBroken);
    if (this.#parent.scan([...this.#views.values()], isTold)) {
      this.#note(`parent takes the DS of ${this.#parent.ds.join(', ') || 'no key'}`);
      if (this.#random.chance(0.8)) this.#time.after(this.#random.low(60), () => this.#observe());
    }
    this.#time.after(this.#random.between(30, Math.floor(patience * this.#scale)), () => this.#scanParent());
  }

  /** What an operator does without CDS, and where an emergency broke the chain that CDS need: what `keys plan` says at the time. */
  #saidByHand(): readonly string[] | undefined {
    const parent = this.#state.keys
      .filter((key) => key.parent && key.removedAt === null)
      .map((key) => key.id);
    const isUnsigned = !this.#state.policy.signed && !this.#state.keys.some((key) => key.published);
    if (this.#state.deleteSentinel || isUnsigned) return [];
    return parent.length === 0 ? undefined : parent.sort();
  }

  #observeParent(): void {
    this.#observe();
    this.#time.after(this.#random.between(30, Math.floor(this.#scale / 3)), () => this.#observeParent());
  }

  #observe(): void {
    if (this.#time.now < this.#parentKnownFrom) return;
    const { dsTtl: ttl } = this.#parent;
    const seen = this.#parent.observe().map(({ ids: keys, isOfStrongest }) => {
      const algorithms = [...new Set(keys.map((id) => this.#algorithms.get(id) as number))];
      return { keys, algorithms, ttl, isOfStrongest };
    });
    this.#isDsTtlSeen = true;
    const at = this.#time.now + this.#random.pick(this.#skews);
    this.#state = { ...this.#state, ds: this.#subject.observe(this.#current(), seen, at) };
  }

  #unsettleBarbican(): void {
    this.#time.after(this.#random.between(1, this.#scale), () => {
      if (this.#isSettling) return;
      this.#isBarbicanAway = !this.#isBarbicanAway;
      this.#unsettleBarbican();
    });
  }

  #forget(now: number): void {
    const state = this.#current();
    for (const view of this.#views.values()) view.forget((use) => this.#subject.needsUse(state, use, now));
    this.#state = { ...this.#state, ds: state.ds.filter((use) => this.#subject.needsDs(state, use, now)) };
  }

  #current(): RolloverState {
    return { ...this.#state, uses: [...this.#views.values()].flatMap((view) => view.uses) };
  }

  #unfinished(): string[] {
    const { policy, keys, views } = this.#state;
    const { steps, waits } = this.#subject.decide(this.#current(), this.#time.now);
    const found = [...steps.map((step) => step.reason), ...waits.map((wait) => wait.message)];
    const own = policy.viewZsks.filter((view) => views.includes(view));
    const general = policy.keys === 'csk' ? ['CSK'] : own.length === views.length ? ['KSK'] : ['KSK', 'ZSK'];
    const wanted = policy.signed ? [...general, ...own.map((view) => `ZSK ${view}`)] : [];
    const here = keys.filter((key) => key.removedAt === null);
    const is = here.map((key) => (key.view === null ? key.role : `${key.role} ${key.view}`));
    if (is.sort().join() !== wanted.sort().join()) found.push(`keys are ${is}, not ${wanted}`);
    const good = here.filter(
      (key) => key.published && key.signs && !key.keySetsOnly && key.activeAt !== null,
    );
    if (good.length !== here.length) found.push('a key is not in use');
    const ds = here.filter((key) => key.role !== 'ZSK').map((key) => key.id);
    if (this.#parent.ds.join() !== ds.join()) found.push(`the parent has ${this.#parent.ds}, not ${ds}`);
    if (here.some((key) => key.algorithm !== policy.algorithm)) found.push('another algorithm');
    return found;
  }

  #note(text: string): void {
    this.#log.push(`${this.#time.now}: ${text}`);
  }
}
