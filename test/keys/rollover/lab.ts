import { type Policy, parsePolicy } from '../../../src/keys/policy.js';
import { applyStep } from '../../../src/keys/rollover/apply.js';
import { decide } from '../../../src/keys/rollover/decide.js';
import { currentFacts } from '../../../src/keys/rollover/facts.js';
import type { DsUse, ManagedKey, RolloverState, Step } from '../../../src/keys/rollover/model.js';
import { planRolls } from '../../../src/keys/rollover/plan.js';

/** Every term has digits of its own, so that a sum shows what is in it. */
export const TERMS = {
  propagationDelay: 100,
  publishSafety: 10,
  dnskeyTtl: 1000,
  parentPropagationDelay: 200,
  parentDsTtl: 20_000,
  keyRetention: 500_000,
  zskLifetime: 0,
} as const;

/** The largest TTL of the zone. */
export const LARGEST_TTL = 5000;

const LONG_AGO = -10_000_000;

export function policy(document: object = {}): Policy {
  return parsePolicy('test', { ...TERMS, ...document });
}

/** A key that is in use. */
export function key(id: string, role: ManagedKey['role'], more: Partial<ManagedKey> = {}): ManagedKey {
  return {
    id,
    zone: 'example.',
    role,
    algorithm: 13,
    keyTag: id.charCodeAt(0),
    flags: role === 'ZSK' ? 256 : 257,
    publicKey: new Uint8Array(0),
    secretRef: '',
    view: null,
    signs: true,
    published: true,
    goal: 'in',
    parent: role !== 'ZSK',
    keySetsOnly: false,
    createdAt: LONG_AGO,
    replaces: null,
    activeAt: 0,
    removedAt: null,
    ...more,
  };
}

/** A key that was just made. */
export function fresh(id: string, role: ManagedKey['role'], more: Partial<ManagedKey> = {}): ManagedKey {
  return key(id, role, {
    signs: false,
    published: false,
    parent: false,
    activeAt: null,
    createdAt: 0,
    ...more,
  });
}

export function ds(...keys: ManagedKey[]): DsUse {
  const algorithms = [...new Set(keys.map((it) => it.algorithm))];
  return {
    keys: keys.map((it) => it.id),
    algorithms,
    since: LONG_AGO,
    seenAt: LONG_AGO,
    until: null,
    ttl: null,
  };
}

/** A zone that has been served for long as its keys say. */
export function zone(keys: readonly ManagedKey[], more: Partial<RolloverState> = {}): RolloverState {
  const state: RolloverState = {
    zone: 'example.',
    views: ['all'],
    policy: policy(),
    formerly: [],
    keySetVersion: 1,
    keys,
    uses: [],
    ds: [ds(...keys.filter((it) => it.parent))],
    isHeld: false,
    asked: [],
    deleteSentinel: false,
    ...more,
  };
  const use = {
    since: LONG_AGO,
    until: null,
    replacedAt: null,
    maxTtl: LARGEST_TTL,
    dnskeyTtl: TERMS.dnskeyTtl,
  };
  const uses = state.views.map((view) => ({ view, facts: currentFacts(state), ...use }));
  return { ...state, uses: more.uses ?? uses };
}

/**
 * What is done from 0 on, where publications take 7 s, nameservers are seen at once, and the parent takes 3 s: a line a
 * step, such as `1117 z1 -signs, new1 +signs`.
 */
export function timetable(state: RolloverState, until = 1_000_000): string[] {
  const assumed = { signingTime: 7, peerDelay: 0, parentDelay: 3 };
  return planRolls(state, 0, until, assumed).entries.flatMap(({ at, step }) => {
    if (step.kind === 'create')
      return [`${at} create ${step.role}${step.view === null ? '' : ` ${step.view}`}`];
    if (step.kind === 'destroy') return [`${at} destroy ${short(step.key)}`];
    const changes = step.keys.flatMap((change) => {
      const said = FLAGS.flatMap((flag) =>
        change[flag] === undefined ? [] : [`${change[flag] ? '+' : '-'}${flag}`],
      );
      if (change.removedAt !== undefined) said.push('removed');
      return said.length === 0 ? [] : [`${short(change.id)} ${said.join(' ')}`];
    });
    const sentinel =
      step.deleteSentinel === undefined ? [] : [`${step.deleteSentinel ? '+' : '-'}deleteSentinel`];
    const text = [...changes, ...sentinel].join(', ');
    return text === '' ? [] : [`${at} ${text}`];
  });
}

const FLAGS = ['published', 'signs', 'keySetsOnly', 'parent'] as const;

function short(id: string): string {
  return id.replace('planned:', 'new');
}

/** The state after every step of now, and its publication in the views (all that are not named: at the same time). */
export function after(
  state: RolloverState,
  now: number,
  served: readonly string[] = state.views,
): RolloverState {
  const changed = decide(state, now)
    .steps.filter((step): step is Exclude<Step, { kind: 'create' }> => step.kind !== 'create')
    .reduce((to, step) => applyStep(to, step, now), state);
  const replaced = { replacedAt: now, until: now };
  const uses = changed.uses.map((use) =>
    served.includes(use.view) && use.until === null ? { ...use, ...replaced } : use,
  );
  const use = { since: now, until: null, replacedAt: null, maxTtl: 5000, dnskeyTtl: 1000 };
  const facts = currentFacts(changed);
  return { ...changed, uses: [...uses, ...served.map((view) => ({ view, facts, ...use }))] };
}
