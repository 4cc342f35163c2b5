import type { Decision, Step } from './model.js';

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
