import { signsKeySets } from '../key-set.js';
import { isAskedFor, signsKeys, signsZone } from './facts.js';
import type { KeyChange, ManagedKey, RolloverState } from './model.js';
import { keyNames } from './words.js';

/** One way to go on. */
export interface Option {
  readonly changes: readonly KeyChange[];
  readonly deleteSentinel?: boolean;
  /** Where it is not the move's. */
  readonly reason?: string;
}

/** Something that is to be done as soon as it is safe: the first of its options that is. */
export interface Move {
  readonly options: readonly Option[];
  readonly reason: string;
  /** The parent may have a DS already, so what it has must be known. */
  readonly needsParent?: boolean;
}

/** The keys with their goals. */
interface Keys {
  readonly state: RolloverState;
  readonly ins: readonly ManagedKey[];
  readonly outs: readonly ManagedKey[];
  /** Keys that are lacking. */
  readonly lacking: readonly Lacking[];
}

type Lacking = Pick<ManagedKey, 'replaces'>;

/**
 * What brings a key set to its goals, in the order in which it is to be tried. Whether a move is safe is not asked here:
 * only which one comes next for each key. Keys have their goals already.
 * @param lacking the keys that are to be made
 * @param mayBeSecure whether any cache or the parent may have a DS set that is not empty
 */
export function movesOf(state: RolloverState, lacking: readonly Lacking[], mayBeSecure: boolean): Move[] {
  const kept = state.keys.filter((key) => key.removedAt === null);
  const [ins, outs] = [kept.filter((key) => key.goal === 'in'), kept.filter((key) => key.goal === 'out')];
  const keys: Keys = { state, ins, outs, lacking };
  if (!state.policy.signed) return insecureMoves(keys, mayBeSecure);
  return [...entryMoves(keys), ...parentMoves(keys), ...exitMoves(keys)];
}

/** RFC 8078 §4: the delete sentinel, and the keys go once no DS is left in any cache. */
function insecureMoves({ state, outs }: Keys, mayBeSecure: boolean): Move[] {
  const left = outs.filter((key) => key.published || key.signs || key.parent);
  if (left.length === 0 && !state.deleteSentinel) return [];
  const gone = left.map(({ id }) => ({ id, published: false, signs: false, parent: false }));
  const moves: Move[] = [
    {
      options: [{ changes: gone, deleteSentinel: false }],
      reason: `the zone becomes unsigned, without ${names(state, left)}`,
    },
  ];
  if (mayBeSecure && !state.deleteSentinel && outs.some((key) => key.published)) {
    moves.unshift({
      options: [{ changes: [], deleteSentinel: true }],
      reason: 'the zone becomes insecure: the parent is asked to remove the DS set',
    });
  }
  return moves;
}

function entryMoves(keys: Keys): Move[] {
  const algorithms = [...new Set(keys.ins.map((key) => key.algorithm))];
  return algorithms.flatMap((algorithm) => {
    const group = keys.ins.filter((key) => key.algorithm === algorithm);
    if (isPublished(keys.state, algorithm)) {
      const coming = group.filter((key) => !keys.lacking.some((it) => it.replaces === key.id));
      return coming.flatMap((key) => [...bringIn(keys, key), ...takeOver(keys, key)]);
    }
    return keys.lacking.length === 0 ? newAlgorithm(keys, group) : [];
  });
}

/** RFC 6781 §4.1.4: the signatures come first, the DNSKEYs when all caches have them; at once where nothing is secure. */
function newAlgorithm({ state }: Keys, group: readonly ManagedKey[]): Move[] {
  const all = group.map((key) => ({ ...sign(key), published: true }));
  const signing = group.filter((key) => key.role !== 'KSK');
  const signed = signing.every(signsZone);
  const whole = `the zone is published with, and signed by, ${names(state, group)}`;
  const signatures = signing.map(sign);
  return [
    {
      options: [{ changes: all, reason: whole }, ...(signed ? [] : [{ changes: signatures }])],
      reason: signed
        ? `the DNSKEY RRset gets the algorithm that signs already: ${names(state, group)}`
        : `the zone is signed with an algorithm before that is published: ${names(state, signing)}`,
    },
  ];
}

/** A key of an algorithm that others are published with: published (ZSK), or published and signing the key sets. */
function bringIn(keys: Keys, key: ManagedKey): Move[] {
  const { state, outs } = keys;
  if (key.role === 'ZSK') {
    if (key.published) return [];
    return [
      {
        options: [{ changes: [{ id: key.id, published: true }] }],
        reason: `${names(state, [key])} is published`,
      },
    ];
  }
  if (key.published && key.signs) return [];
  const old = key.published ? [] : doubleDsPredecessors(keys, key);
  if (old.length > 0) {
    if (!key.parent) {
      const changes = [{ id: key.id, parent: true }];
      return [
        {
          options: [{ changes }],
          reason: `the parent is asked for the DS of ${names(state, [key])} as well`,
        },
      ];
    }
    const leaving = old.map(({ id }) => ({ id, published: false, signs: false }));
    return [
      {
        options: [{ changes: [{ id: key.id, published: true, signs: true }, ...leaving] }],
        reason: `${names(state, [key])} takes the place of ${names(state, old)} in the DNSKEY RRset`,
      },
    ];
  }
  const isBeforeZsk = outs.some((it) => it.role === 'ZSK' && it.algorithm === key.algorithm && signsZone(it));
  const isNewCsk = key.role === 'CSK' && !key.signs;
  const option = (keySetsOnly: boolean): Option => ({
    changes: [{ id: key.id, published: true, signs: true, ...(isNewCsk ? { keySetsOnly } : {}) }],
    reason: `${names(state, [key])} is published and signs ${key.role === 'CSK' && !keySetsOnly ? 'everything' : 'the key sets'}`,
  });
  // a view in which nothing signs yet waits until caches know the key
  const options = isNewCsk && !isBeforeZsk ? [option(false), option(true)] : [option(isBeforeZsk)];
  return [{ options, reason: options.at(-1)?.reason ?? '' }];
}

/** The KSKs that a KSK follows with its DS first (RFC 7583 §3.3.2): of its algorithm, with a DS and nothing else to do. */
function doubleDsPredecessors({ state, outs }: Keys, key: ManagedKey): ManagedKey[] {
  if (state.policy.kskRoll !== 'double-ds' || key.role !== 'KSK') return [];
  const old = outs.filter((it) => it.algorithm === key.algorithm && signsKeySets(it.role) && it.published);
  return old.every((it) => it.role === 'KSK') && old.some((it) => it.parent) ? old : [];
}

/** A published key signs the zone in the place of those that go out. */
function takeOver({ state, outs }: Keys, key: ManagedKey): Move[] {
  if (key.role === 'KSK' || !key.published || (key.role === 'CSK' && !key.signs)) return [];
  const old = outs.filter(
    (it) => it.algorithm === key.algorithm && it.view === key.view && signsZone(it) && it.published,
  );
  // a ZSK that is published and signs nothing while a CSK signs is taken for a fault by dnssec-verify: both sign until the other one
  // leaves (RFC 6781 §4.1.3)
  const isBeside = key.role === 'CSK' && old.length > 0;
  if (signsZone(key) && (old.length === 0 || isBeside)) return [];
  if (isBeside) {
    const reason = `${names(state, [key])} signs the zone beside ${names(state, old)}`;
    return [{ options: [{ changes: [sign(key)] }], reason }];
  }
  const changes = [sign(key), ...old.map(cease)];
  const instead = old.length === 0 ? '' : ` instead of ${names(state, old)}`;
  const where = key.view === null ? 'the zone' : `view ${key.view}`;
  return [{ options: [{ changes }], reason: `${names(state, [key])} signs ${where}${instead}` }];
}

function parentMoves({ state, ins, outs }: Keys): Move[] {
  const moves: Move[] = [];
  if (state.deleteSentinel) {
    moves.push({
      options: [{ changes: [], deleteSentinel: false }],
      reason: 'the zone stays secure: the parent is not asked any more to remove the DS set',
    });
  }
  const wanted = ins.filter((key) => key.published && signsKeys(key));
  const leaving = outs.filter((key) => key.parent);
  if (wanted.length > 0 && (leaving.length > 0 || wanted.some((key) => !key.parent))) {
    moves.push({
      options: [
        {
          changes: [
            ...wanted.map(({ id }) => ({ id, parent: true })),
            ...leaving.map(({ id }) => ({ id, parent: false })),
          ],
        },
      ],
      reason: `the parent is asked for the DS of ${names(state, wanted)} alone`,
      // of keys that were taken over it is not said again what the parent is to have before it is known what it has
      needsParent: leaving.length > 0 || state.keys.some(isAskedFor),
    });
  }
  return moves;
}

/** Keys that have nothing to do any more leave, and what is of an algorithm that leaves: DNSKEYs first, signatures last. */
function exitMoves({ state, ins, outs }: Keys): Move[] {
  const moves: Move[] = [];
  for (const algorithm of new Set(outs.map((key) => key.algorithm))) {
    const group = outs.filter((key) => key.algorithm === algorithm);
    if (ins.some((key) => key.algorithm === algorithm)) {
      for (const key of group) moves.push(...leave(state, ins, key));
    } else {
      moves.push(...leavingAlgorithm(state, ins, group));
    }
  }
  return moves;
}

function leave(state: RolloverState, ins: readonly ManagedKey[], key: ManagedKey): Move[] {
  if (key.parent || (!key.published && !key.signs)) return [];
  const change = (what: Omit<KeyChange, 'id'>, reason: string): Move[] => [
    { options: [{ changes: [{ id: key.id, ...what }] }], reason },
  ];
  const name = names(state, [key]);
  const isBeside =
    key.role !== 'KSK' &&
    key.view === null &&
    ins.some((it) => it.role === 'CSK' && it.algorithm === key.algorithm && signsZone(it));
  if (key.published && signsZone(key) && !isBeside) {
    const taken = ins.some(
      (it) => it.algorithm === key.algorithm && it.view === key.view && it.role !== 'KSK',
    );
    return taken
      ? []
      : change(cease(key), `${name} ceases to sign ${key.view === null ? 'the zone' : `view ${key.view}`}`);
  }
  return change({ published: false, signs: false }, `${name} leaves the key set`);
}

function leavingAlgorithm(
  state: RolloverState,
  ins: readonly ManagedKey[],
  group: readonly ManagedKey[],
): Move[] {
  const published = group.filter((key) => key.published);
  const used = group.filter((key) => key.published || key.signs);
  const isReplaced = ins.some((key) => key.published && signsKeys(key));
  if (used.length === 0 || !isReplaced || group.some((key) => key.parent)) return [];
  const whole = used.map(({ id }) => ({ id, published: false, signs: false }));
  if (published.length === 0) {
    return [
      {
        options: [{ changes: whole }],
        reason: `no signatures any more of an algorithm that is gone: ${names(state, used)}`,
      },
    ];
  }
  const dnskeys = published.map((key) => ({
    id: key.id,
    published: false,
    ...(key.role === 'KSK' ? { signs: false } : {}),
  }));
  return [
    {
      options: [{ changes: whole }, { changes: dnskeys }, ...withIdleSigners(state, ins, dnskeys)],
      reason: `the DNSKEY RRset loses an algorithm: ${names(state, published)}`,
    },
  ];
}

/** The same, and what signs in no view that is served waits until caches are without the algorithm: the others would be published at once. */
function withIdleSigners(
  state: RolloverState,
  ins: readonly ManagedKey[],
  dnskeys: readonly KeyChange[],
): Option[] {
  const isIdle = ({ id }: ManagedKey): boolean =>
    !state.uses.some((use) => (use.facts.zoneSigners[use.view] ?? []).includes(id));
  const idle = ins.filter((key) => signsZone(key) && isIdle(key));
  return idle.length === 0 ? [] : [{ changes: [...dnskeys, ...idle.map(cease)] }];
}

/** Keys that are out, and whose traces are nowhere any more, by id. */
export function removable(state: RolloverState, isUsed: (id: string) => boolean): string[] {
  return state.keys
    .filter((key) => key.goal === 'out' && key.removedAt === null)
    .filter((key) => !key.published && !key.signs && !key.parent && !isUsed(key.id))
    .map((key) => key.id);
}

/** A key does what it is for. */
function sign({ id, role }: Pick<ManagedKey, 'id' | 'role'>): KeyChange {
  return role === 'CSK' ? { id, signs: true, keySetsOnly: false } : { id, signs: true };
}

/** Of a key that signs the zone: no more. A CSK goes on with the key sets. */
function cease({ id, role }: Pick<ManagedKey, 'id' | 'role'>): KeyChange {
  return role === 'CSK' ? { id, keySetsOnly: true } : { id, signs: false };
}

function isPublished(state: RolloverState, algorithm: number): boolean {
  return state.keys.some((key) => key.published && key.removedAt === null && key.algorithm === algorithm);
}

function names(state: RolloverState, keys: readonly ManagedKey[]): string {
  return keyNames(
    state,
    keys.map((key) => key.id),
  );
}
