/** Random changes to a random zone, each one transaction. */
import type { Random } from './random.js';
import {
  keyOf,
  randomData,
  randomDelegation,
  randomDname,
  randomRow,
  type StoredRow,
  ZONE_VIEWS,
  zoneFaults,
} from './random-zone.js';

/** One statement of a transaction. */
export type Step =
  | { readonly kind: 'insert'; readonly row: StoredRow }
  | { readonly kind: 'delete'; readonly row: StoredRow }
  | { readonly kind: 'update'; readonly from: StoredRow; readonly to: StoredRow };

/** What one transaction does, and how it ends. */
export interface Change {
  readonly what: string;
  readonly steps: readonly Step[];
  /** The rows afterwards, when it is committed. */
  readonly after: ReadonlyMap<string, StoredRow>;
  readonly isRolledBack: boolean;
  /** The zone is made one that cannot be published, and has to be mended. */
  readonly isFaulty: boolean;
}

type Rows = ReadonlyMap<string, StoredRow>;
/** Where a proposal stands. */
interface State {
  readonly random: Random;
  readonly zone: string;
  readonly rows: Rows;
}

type Proposal = (state: State) => Step[];

const isFixed = ({ owner, type }: StoredRow, zone: string): boolean =>
  owner.startsWith('ns1.') ||
  owner.startsWith('ns2.') ||
  (owner === zone && (type === 'SOA' || type === 'NS'));

/** Steps about one of the rows that are wanted; none when there is no such row. */
function about(
  { random, zone, rows }: State,
  wanted: (row: StoredRow) => boolean,
  steps: (row: StoredRow) => Step[],
): Step[] {
  const found = [...rows.values()].filter((row) => !isFixed(row, zone) && wanted(row));
  return found.length === 0 ? [] : steps(random.pick(found));
}

const insert = (row: StoredRow): Step => ({ kind: 'insert', row });
const remove = (row: StoredRow): Step => ({ kind: 'delete', row });
const update = (from: StoredRow, changes: Partial<StoredRow>): Step => ({
  kind: 'update',
  from,
  to: { ...from, ...changes },
});
const all = (): boolean => true;
const isNs = ({ type }: StoredRow): boolean => type === 'NS';

const otherData = ({ random, zone }: State, from: StoredRow): Step =>
  update(from, { data: randomData(random, zone, from.type) });

/** The proposal whose difference may be larger than the zone. */
const LARGE = 'another minimum in the SOA';

const PROPOSALS: Readonly<Record<string, Proposal>> = {
  'a row more': ({ random, zone }) => [insert(randomRow(random, zone))],
  'a row less': (state) => about(state, all, (row) => [remove(row)]),
  'another TTL': (state) =>
    about(state, all, (from) => [update(from, { ttl: from.ttl + 1 + state.random.below(600) })]),
  'other data': (state) => about(state, all, (from) => [otherData(state, from)]),
  'other views': (state) =>
    about(state, all, (from) => {
      const choices = [null, ...ZONE_VIEWS.map((view) => [view])].filter(
        (views) => keyOf({ ...from, views }) !== keyOf(from),
      );
      return [update(from, { views: state.random.pick(choices) })];
    }),
  'a row split between the views': (state) =>
    about(
      state,
      ({ views, type }) => views === null && type !== 'NS',
      (from) => {
        const [inside, outside] = ZONE_VIEWS;
        const data = randomData(state.random, state.zone, from.type);
        return [update(from, { views: [inside] }), insert({ ...from, views: [outside], data })];
      },
    ),
  'a row for all in the place of one for some': (state) =>
    about(
      state,
      ({ views }) => views !== null,
      (from) => {
        const twins = [...state.rows.values()].filter(
          (row) => row !== from && row.owner === from.owner && row.type === from.type,
        );
        return [...twins.map(remove), update(from, { views: null })];
      },
    ),
  'a delegation more': ({ random, zone }) => randomDelegation(random, zone).map(insert),
  'a delegation less': (state) =>
    about(state, isNs, (cut) =>
      [...state.rows.values()]
        .filter(({ owner, type }) => owner === cut.owner && (type === 'NS' || type === 'DS'))
        .map(remove),
    ),
  'a DS more or less': (state) =>
    about(state, isNs, (cut) => {
      const ds: StoredRow = { ...cut, type: 'DS', data: randomData(state.random, state.zone, 'DS') };
      const present = state.rows.get(keyOf(ds));
      return [present === undefined ? insert(ds) : remove(present)];
    }),
  'a DNAME more': ({ random, zone }) => [insert(randomDname(random, zone))],
  'a DNAME less': (state) =>
    about(
      state,
      ({ type }) => type === 'DNAME',
      (row) => [remove(row)],
    ),
  'a row more that only internal sees': ({ random, zone }) => [insert(randomRow(random, zone, ['internal']))],
  'a change that only internal sees': (state) =>
    about(
      state,
      ({ views }) => views?.join() === 'internal',
      (from) => [state.random.chance(50) ? remove(from) : otherData(state, from)],
    ),
  // seldom, as it changes every denial record
  [LARGE]: ({ random, rows }) => {
    if (!random.chance(15)) return [];
    const from = [...rows.values()].find(({ type }) => type === 'SOA') as StoredRow;
    const data = from.data.map((text) => text.replace(/\d+$/, String(30 + random.below(200))));
    return [update(from, { data })];
  },
  'a row away and back again': (state) => about(state, all, (row) => [remove(row), insert(row)]),
};

const ANY = Object.entries(PROPOSALS);
const SMALL = ANY.filter(([name]) => name !== LARGE);

/** A change that leaves the zone one that can be published. @param isSmall far less than the zone */
export function randomChange(random: Random, zone: string, rows: Rows, isSmall = false): Change {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const isSeveral = random.chance(25);
    const steps: Step[] = [];
    const names: string[] = [];
    let after = rows;
    for (let i = isSeveral ? 2 + random.below(4) : 1; i > 0; i--) {
      const [name, propose] = random.pick(isSmall ? SMALL : ANY);
      const next = propose({ random, zone, rows: after });
      const then = next.length === 0 ? undefined : applied(after, next, zone);
      if (then === undefined || zoneFaults([...then.values()], zone).length > 0) continue;
      names.push(name);
      steps.push(...next);
      after = then;
    }
    if (steps.length === 0) continue;
    return { what: names.join(', '), steps, after, isRolledBack: random.chance(8), isFaulty: false };
  }
  throw new Error(`no change to ${zone} can be found`);
}

/** A change that no program would make: a CNAME beside data. */
export function faultyChange(random: Random, zone: string, rows: Rows): Change {
  const steps = about({ random, zone, rows }, isHost, (beside) => [
    insert({ ...beside, type: 'CNAME', data: [`h1.${zone}`] }),
  ]);
  const after = new Map(rows);
  for (const step of steps) if (step.kind === 'insert') after.set(keyOf(step.row), step.row);
  return { what: 'a CNAME beside data', steps, after, isRolledBack: false, isFaulty: true };
}

const isHost = ({ owner, type, views }: StoredRow): boolean =>
  type === 'A' && views === null && owner.startsWith('h');

/** The rows after steps; undefined when the database would refuse one, or the zone would lose what it needs. */
function applied(rows: Rows, steps: readonly Step[], zone: string): Map<string, StoredRow> | undefined {
  const after = new Map(rows);
  for (const step of steps) {
    const gone = step.kind === 'update' ? step.from : step.kind === 'delete' ? step.row : undefined;
    const added = step.kind === 'update' ? step.to : step.kind === 'insert' ? step.row : undefined;
    if (gone !== undefined) {
      if (added === undefined && isFixed(gone, zone)) return undefined;
      if (!after.delete(keyOf(gone))) return undefined;
    }
    if (added !== undefined) {
      if (isFixed(added, zone) && added.type !== 'SOA') return undefined;
      if (after.has(keyOf(added))) return undefined;
      after.set(keyOf(added), added);
    }
  }
  return after;
}
