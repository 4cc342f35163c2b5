import type { AliveDnskeys, AliveDs, AliveSignatures } from './alive.js';
import { PLANNED_KEY, UNKNOWN_KEY } from './facts.js';
import type { KeySetUse, RolloverState, SilentServer } from './model.js';

/** Nameservers that are named. */
const MOST_SERVERS = 5;

type Keys = Pick<RolloverState, 'keys'>;

/** `ZSK 4711`, or what stands for it where there is no such key. */
export function keyName(state: Keys, id: string): string {
  if (id.startsWith(UNKNOWN_KEY)) return `unknown key ${id.slice(UNKNOWN_KEY.length)}`;
  const key = state.keys.find((it) => it.id === id);
  if (key?.id.startsWith(PLANNED_KEY) === true)
    return `new ${key.role} (${key.id.slice(PLANNED_KEY.length)})`;
  return key === undefined ? `destroyed key ${id}` : `${key.role} ${key.keyTag}`;
}

/** The names of several keys, by comma; `no key`. */
export function keyNames(state: Keys, ids: readonly string[]): string {
  return ids.length === 0 ? 'no key' : ids.map((id) => keyName(state, id)).join(', ');
}

/** A DS set as a cache holds it. */
export function describeDs(state: Keys, ds: AliveDs): string {
  return `a resolver with the DS set (${keyNames(state, ds.keys)})`;
}

/** A DNSKEY RRset as a cache holds it. */
export function describeDnskeys(state: Keys, { published, signers }: AliveDnskeys): string {
  if (published.length === 0) return 'the unsigned zone';
  return `the DNSKEY RRset (${keyNames(state, published)}; signed by ${keyNames(state, signers)})`;
}

/** A view's signatures as a cache holds them. */
export function describeSignatures(state: Keys, { view, signers }: AliveSignatures): string {
  return `signatures of view ${view} (by ${keyNames(state, signers)})`;
}

/** Seconds since 1970 as an operator reads them. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000', '');
}

/** What has to be done, or happen, before it is known what the parent has; what comes behind a semicolon. */
export function describeParent({ zone, silent }: Pick<RolloverState, 'zone' | 'silent'>): string {
  if (silent === undefined)
    return 'have the parent asked (`zoneseal parent set`), or say what it has with `zoneseal keys ds-seen`';
  return `${describeSilent(silent) ?? 'its nameservers are asked'}; see: zoneseal parent check ${zone}`;
}

/** Which of the parent's nameservers do not answer, and since when; null: none is waited for. */
export function describeSilent(silent: readonly SilentServer[]): string | null {
  if (silent.length === 0) return null;
  const names = silent.slice(0, MOST_SERVERS).map(({ server, answeredAt, askedAt }) => {
    const name = server.replace(/ 53$/, '').replace(' ', ' port ');
    return answeredAt === null
      ? `${name} has never answered since it was first asked at ${timeText(askedAt)}`
      : `${name} has not answered since ${timeText(answeredAt)}`;
  });
  const more = silent.length - names.length;
  return `of the parent's nameservers ${names.join(', ')}${more === 0 ? '' : `, and ${more} others have not`}`;
}

/** `, until …`; what is open says nothing. */
export function whenGone(until: number | null): string {
  return until === null ? '' : `, until ${timeText(until)}`;
}

/** What of the zone is still served that was replaced, where and by whom, and what to do; null: nothing is. */
export function describeBehind(
  { zone }: Pick<RolloverState, 'zone'>,
  uses: readonly KeySetUse[],
): string | null {
  const behind = new Map<string, Set<string>>();
  for (const { view, replacedAt, until, behind: peers = [] } of uses) {
    if (replacedAt === null || until !== null) continue;
    const named = behind.get(view) ?? new Set();
    for (const peer of peers) named.add(peer);
    behind.set(view, named);
  }
  if (behind.size === 0) return null;
  const views = [...behind].map(([view, peers]) => {
    return `view ${view} (${peers.size === 0 ? 'a peer' : [...peers].join(', ')})`;
  });
  return `nameservers of ${views.join(' and ')} were not seen with what replaced it; see: zoneseal status ${zone}`;
}
