import { decide } from './decide.js';
import { fits } from './goals.js';
import type { Decision, RolloverState, Step } from './model.js';

/**
 * What is decided of a zone as gateways carry it out: of one in no view keys that were taken out are destroyed, and no more, for nobody can
 * tell what is in caches of a zone that is served from here nowhere yet; one without keys gets its first ones by hand.
 * @param now seconds since 1970
 */
export function decideCarriedOut(state: RolloverState, now: number): Decision {
  if (lacksFirstKeys(state)) return { steps: [], waits: [], nextAt: null };
  const decision = decide(state, now);
  return state.views.length === 0 ? destructionsOf(state, decision) : decision;
}

/** Whether a zone has no keys, and is served unsigned nowhere: it was not signed before. */
export function lacksFirstKeys({ keys, uses }: Pick<RolloverState, 'keys' | 'uses'>): boolean {
  return (
    keys.length === 0 &&
    !uses.some(({ facts, replacedAt }) => replacedAt === null && facts.published.length === 0)
  );
}

/**
 * Whether keys of which nothing was decided yet are not those that the policy wants: what an operator has just taken over does not begin
 * to roll by itself, and is held. What a key of the zone's is for already comes by its lifetime, or was asked for.
 * @param hasEvents whether anything became of the zone's keys before (`RolloverStore.listEvents`)
 */
export function isTakenOver(
  { keys, isHeld }: RolloverState,
  { steps, waits }: Decision,
  hasEvents: boolean,
): boolean {
  if (isHeld || hasEvents) return false;
  return [...steps, ...waits.map(({ step }) => step)].some(
    (step) => step.kind === 'create' && !keys.some((key) => key.removedAt === null && fits(key, step)),
  );
}

function destructionsOf({ keys, policy, isHeld }: RolloverState, { steps }: Decision): Decision {
  const times = keys.flatMap((key) => (key.removedAt === null ? [] : [key.removedAt + policy.keyRetention]));
  return {
    steps: steps.filter((step) => step.kind === 'destroy'),
    waits: [],
    nextAt: isHeld || times.length === 0 ? null : Math.min(...times),
  };
}

/**
 * The step of a decision that is taken: one alone, then it is decided anew, for what comes next may be another once it is taken. Each of a decision's steps is
 * safe without the others, so where one cannot be taken now the next one is.
 * @param failed which steps could not be taken, by `stepName`
 */
export function nextStep({ steps }: Decision, failed: ReadonlySet<string> = new Set()): Step | undefined {
  return steps.find((step) => !failed.has(stepName(step)));
}

/** Alike for a step that is decided again. */
export function stepName(step: Step): string {
  if (step.kind === 'create') return `create ${step.role} ${step.algorithm} ${step.view ?? ''}`;
  if (step.kind === 'destroy') return `destroy ${step.key}`;
  return `change ${JSON.stringify([step.keys, step.deleteSentinel])}`;
}
