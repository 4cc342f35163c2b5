import { DNSKEY_REVOKE } from '../../dnssec/dnskey.js';
import { signsKeySets } from '../key-set.js';
import type { Policy } from '../policy.js';
import { isParentKnown, mayHaveDs } from './facts.js';
import type { KeyGoal, ManagedKey, RolloverState, Step } from './model.js';
import { kskLead, zskLead } from './timing.js';
import { keyName } from './words.js';

/** A place in the key set that the policy wants one key for. */
export interface Position {
  readonly role: ManagedKey['role'];
  readonly algorithm: number;
  readonly view: string | null;
}

export type CreateStep = Extract<Step, { kind: 'create' }>;

/** What the keys are to become. */
export interface Goals {
  /** Of every key that was not removed, by id. */
  readonly goals: ReadonlyMap<string, KeyGoal>;
  /** Keys that are lacking. */
  readonly creates: readonly CreateStep[];
  /** Keys that are lacking, and are not made before the parent's DS set is known. */
  readonly waiting: readonly CreateStep[];
}

/** The places that the policy wants keys for; none for a zone that is not to be signed. */
export function positionsOf(policy: Policy, views: readonly string[]): Position[] {
  if (!policy.signed) return [];
  const { algorithm } = policy;
  const own = views.filter((view) => policy.viewZsks.includes(view));
  const ownZsks = own.map((view): Position => ({ role: 'ZSK', algorithm, view }));
  if (policy.keys === 'csk') return [{ role: 'CSK', algorithm, view: null }, ...ownZsks];
  const general = views.length === 0 || own.length < views.length;
  return [
    { role: 'KSK', algorithm, view: null },
    ...(general ? [{ role: 'ZSK', algorithm, view: null } as const] : []),
    ...ownZsks,
  ];
}

/** Whether a key is one for the position. */
export function fits(key: ManagedKey, { role, algorithm, view }: Position): boolean {
  return key.role === role && key.algorithm === algorithm && key.view === view;
}

/**
 * When a key's successor is to be made, for that to be in use when the lifetime ends, seconds since 1970; null: it does
 * not age.
 */
export function dueAt(key: ManagedKey, policy: Policy): number | null {
  const lifetime = key.role === 'ZSK' ? policy.zskLifetime : policy.kskLifetime;
  if (key.activeAt === null || lifetime === 0) return null;
  return key.activeAt + lifetime - (key.role === 'ZSK' ? zskLead(policy) : kskLead(policy));
}

/**
 * What each key is to become, by policy, age and what operators asked for. It is found anew each time, so that a roll
 * whose reason is gone turns back. Keys go out only once all that are to be in are there.
 */
export function findGoals(state: RolloverState, now: number): Goals {
  const keys = state.keys.filter((key) => key.removedAt === null);
  const goals = new Map<string, KeyGoal>();
  const lacking: CreateStep[] = [];
  for (const position of positionsOf(state.policy, state.views)) {
    const candidates = keys.filter((key) => fits(key, position) && (key.flags & DNSKEY_REVOKE) === 0);
    const best = candidates.filter((key) => dueBecause(state, key, now) === undefined).sort(byProgress)[0];
    const kept = best ?? [...candidates].sort(byProgress)[0];
    for (const key of candidates) goals.set(key.id, key === kept || best === undefined ? key.goal : 'out');
    if (kept !== undefined) goals.set(kept.id, 'in');
    if (best === undefined) lacking.push(creation(state, position, kept, now));
  }
  for (const key of keys) {
    if (!goals.has(key.id)) goals.set(key.id, lacking.length === 0 ? 'out' : key.goal);
  }
  const waits =
    !isParentKnown(state) && lacking.some((step) => signsKeySets(step.role)) && keys.some(mayHaveDs);
  const mayWait = (step: CreateStep): boolean =>
    signsKeySets(step.role) || !keys.some((key) => key.published && key.algorithm === step.algorithm);
  return {
    goals,
    creates: waits ? lacking.filter((step) => !mayWait(step)) : lacking,
    waiting: waits ? lacking.filter(mayWait) : [],
  };
}

/** Keys that may be asked to be replaced; at once also those that are on their way out already and not there yet. */
export function rollable(keys: readonly ManagedKey[], isEmergency: boolean): ManagedKey[] {
  const isLeft = (key: ManagedKey): boolean => isEmergency && (key.published || key.signs);
  return keys.filter((key) => key.removedAt === null && (key.goal === 'in' || isLeft(key)));
}

/** Why a key is to be replaced, in words; undefined: it is not. */
function dueBecause(state: RolloverState, key: ManagedKey, now: number): string | undefined {
  if (state.asked.includes(key.id)) return 'an operator asked for it';
  const due = dueAt(key, state.policy);
  return due !== null && now >= due ? 'its lifetime ends' : undefined;
}

function creation(
  state: RolloverState,
  position: Position,
  due: ManagedKey | undefined,
  now: number,
): CreateStep {
  const replaced = due ?? predecessor(state, position);
  const where = position.view === null ? '' : ` of view ${position.view}`;
  const why =
    due !== undefined
      ? dueBecause(state, due, now)
      : replaced === undefined
        ? 'the policy wants one'
        : 'the policy wants another kind';
  const instead = replaced === undefined ? '' : ` to replace ${keyName(state, replaced.id)}`;
  const reason = `a new ${position.role}${where}${instead}: ${why}`;
  return { kind: 'create', ...position, replaces: replaced?.id ?? null, reason };
}

/** The key that does now what the position is for. */
function predecessor(state: RolloverState, position: Position): ManagedKey | undefined {
  return state.keys
    .filter((key) => key.removedAt === null && key.goal === 'in' && key.view === position.view)
    .filter((key) => signsKeySets(key.role) === signsKeySets(position.role))
    .sort(byProgress)[0];
}

/** What is wanted and furthest in use comes first; of equals the elder. */
function byProgress(a: ManagedKey, b: ManagedKey): number {
  const rank = (key: ManagedKey): number =>
    Number(key.goal === 'in') * 16 +
    Number(key.activeAt !== null) * 8 +
    Number(key.parent) * 4 +
    Number(key.published) * 2 +
    Number(key.signs);
  return rank(b) - rank(a) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
