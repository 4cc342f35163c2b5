import { isAfter } from '../publication/serial.js';
import type { PeerSituation, PeerState, PeerUpdate } from './ports.js';

/** The times by which peers are told and asked; seconds. */
export interface PeerTimes {
  /** Time that a publication may take to arrive at a peer; later the peer is behind, and told again. */
  readonly arrival: number;
  /** Longest time between two attempts. */
  readonly retryCap: number;
  /** About how often a peer that has everything is asked whether it still does. */
  readonly recheck: number;
}

/** What is to be done about a peer that is due. */
export type PeerAction = 'none' | 'notify' | 'poll';

/** What came of a NOTIFY: taken; answered, but not like that; no answer; not sent, for a reason on this side. */
export type NotifyOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused' | 'silent' | 'unable'; readonly problem: string };

/** What came of an SOA query. */
export type PollOutcome =
  | { readonly kind: 'serial'; readonly serial: number }
  | { readonly kind: 'refused' | 'silent' | 'unable'; readonly problem: string };

/** Messages without an answer that make a peer unreachable: one may be lost, and one more. */
export const SILENT_MESSAGES = 3;

/** How the texts of what is wrong with a NOTIFY begin. */
export const NOTIFY_PROBLEM = 'NOTIFY: ';

const AHEAD = 'SOA: it serves a serial that comes after the published one';

/** The first wait for a peer that has answered a NOTIFY, most of which have a small change by then. */
const FIRST_POLL_SECONDS = 0.06;
const POLL_CAP_SECONDS = 15;
const FIRST_RETRY_SECONDS = 1;

/**
 * What to do about a peer now. While it does not serve the publication: a NOTIFY, then SOA queries until the time for another
 * one has come (RFC 1996 §4.8 has the master resend it). Where NOTIFYs get no answer, queries take turns with them, for a server may
 * drop the one and answer the other.
 */
export function nextAction(situation: PeerSituation, times: PeerTimes): PeerAction {
  const { wanted, attempts, unanswered, polls, notifiedSeconds } = situation;
  if (wanted === undefined) return 'none';
  if (isServed(seenOf(situation), wanted)) return 'poll';
  if (attempts === 0) return 'notify';
  if (unanswered > 0) return polls === 0 ? 'poll' : 'notify';
  return (notifiedSeconds ?? Number.POSITIVE_INFINITY) >= renotifySeconds(attempts, times)
    ? 'notify'
    : 'poll';
}

/** What is known after a NOTIFY. @param random evenly from 0 to 1 */
export function afterNotify(
  situation: PeerSituation,
  outcome: NotifyOutcome,
  times: PeerTimes,
  random: number,
): PeerUpdate {
  const { wanted } = situation;
  const isAnswered = outcome.kind === 'accepted' || outcome.kind === 'refused';
  const attempts = situation.attempts + 1;
  const unanswered = isAnswered ? 0 : situation.unanswered + 1;
  const silent = silentAfter(situation, outcome.kind);
  return {
    state: stateOf({ ...situation, seen: seenOf(situation), silent }, times),
    attempts,
    unanswered,
    polls: 0,
    silent,
    problem: outcome.kind === 'accepted' ? undefined : outcome.problem,
    ...(isAnswered ? { notified: { serial: outcome.kind === 'accepted' ? wanted : undefined } } : {}),
    dueSeconds: isAnswered ? FIRST_POLL_SECONDS : spread(retrySeconds(unanswered, times) / 2, random),
  };
}

/** What is known after an SOA query. @param random evenly from 0 to 1 */
export function afterPoll(
  situation: PeerSituation,
  outcome: PollOutcome,
  times: PeerTimes,
  random: number,
): PeerUpdate {
  const { wanted, attempts, unanswered } = situation;
  const silent = silentAfter(situation, outcome.kind);
  const polls = situation.polls + 1;
  if (outcome.kind === 'serial')
    return afterSerial({ ...situation, silent, polls }, outcome.serial, times, random);
  // a peer that says it has no such zone serves none
  const seen = outcome.kind === 'refused' ? undefined : seenOf(situation);
  const wasServed = isServed(seenOf(situation), wanted);
  const isLost = wasServed && outcome.kind === 'refused';
  return {
    state: stateOf({ ...situation, silent, seen }, times),
    attempts: isLost ? 0 : attempts,
    unanswered: isLost ? 0 : unanswered,
    polls,
    silent,
    problem: outcome.problem,
    dueSeconds: isLost
      ? spread(FIRST_RETRY_SECONDS, random)
      : wasServed
        ? spread(retrySeconds(Math.max(silent, 1), times), random)
        : pollDelay({ ...situation, silent, polls }, times, random),
  };
}

function afterSerial(situation: PeerSituation, serial: number, times: PeerTimes, random: number): PeerUpdate {
  const { wanted, attempts, unanswered, polls } = situation;
  const now = { ...situation, seen: serial };
  const isCurrent = isServed(serial, wanted);
  const wasServed = isServed(seenOf(situation), wanted);
  const progress =
    isCurrent ||
    (situation.seen !== undefined && isAfter(serial, situation.seen) && !isAhead(serial, wanted));
  const isLost = wasServed && !isCurrent;
  return {
    state: stateOf(progress ? { ...now, lateSeconds: 0 } : now, times),
    // a peer that has lost what it had is told anew
    attempts: isLost ? 0 : attempts,
    unanswered: isLost ? 0 : unanswered,
    polls,
    silent: 0,
    problem: isCurrent ? undefined : isAhead(serial, wanted) ? AHEAD : notifyProblem(situation),
    seen: serial,
    progress,
    dueSeconds: isCurrent
      ? spread(times.recheck, random)
      : isLost
        ? FIRST_POLL_SECONDS
        : pollDelay({ ...situation, polls }, times, random),
  };
}

/** Whether a peer serves a serial that comes after the one it is to serve (RFC 1982 §3.2). */
export function isAhead(seen: number | undefined, wanted: number | undefined): boolean {
  return seen !== undefined && wanted !== undefined && isAfter(seen, wanted);
}

/** What a peer is by what was seen of it. */
export function stateOf(
  situation: Pick<PeerSituation, 'wanted' | 'seen' | 'silent' | 'lateSeconds'>,
  { arrival }: PeerTimes,
): PeerState {
  if (situation.silent >= SILENT_MESSAGES) return 'unreachable';
  if (isServed(situation.seen, situation.wanted)) return 'current';
  return situation.lateSeconds >= arrival || isAhead(situation.seen, situation.wanted) ? 'behind' : 'pending';
}

/** What a peer serves, as far as is known: one that has lost the zone after it was seen serving it serves none. */
function seenOf({ state, seen, wanted }: PeerSituation): number | undefined {
  return (state === 'pending' || state === 'behind') && seen === wanted ? undefined : seen;
}

/** What was wrong with the last NOTIFY goes on being wrong when a query is answered. */
function notifyProblem({ problem }: PeerSituation): string | undefined {
  return problem?.startsWith(NOTIFY_PROBLEM) === true ? problem : undefined;
}

function isServed(seen: number | undefined, wanted: number | undefined): boolean {
  return wanted !== undefined && seen === wanted;
}

function silentAfter({ silent }: PeerSituation, outcome: (NotifyOutcome | PollOutcome)['kind']): number {
  if (outcome === 'unable') return silent;
  return outcome === 'silent' ? silent + 1 : 0;
}

/** From a NOTIFY that was answered to the next one. */
function renotifySeconds(attempts: number, { arrival, retryCap }: PeerTimes): number {
  return Math.min(arrival * 2 ** Math.min(attempts - 1, 20), Math.max(arrival, retryCap));
}

/** From a message without an answer to the next one. */
function retrySeconds(failures: number, { retryCap }: PeerTimes): number {
  return Math.min(FIRST_RETRY_SECONDS * 2 ** Math.min(failures - 1, 20), retryCap);
}

/** From an SOA query to the next message; not past the next NOTIFY. */
function pollDelay(situation: PeerSituation, times: PeerTimes, random: number): number {
  const { attempts, unanswered, polls, silent, notifiedSeconds } = situation;
  if (unanswered > 0) return spread(retrySeconds(unanswered, times) / 2, random);
  const delay = Math.min(FIRST_POLL_SECONDS * 2 ** Math.min(polls, 20), POLL_CAP_SECONDS, times.retryCap);
  const wait = silent > 0 ? Math.max(delay, retrySeconds(silent, times)) : delay;
  const left = renotifySeconds(attempts, times) - (notifiedSeconds ?? 0);
  return spread(Math.max(Math.min(wait, left), FIRST_POLL_SECONDS), random);
}

/** A quarter more or less, so that what began together does not come together again. */
function spread(seconds: number, random: number): number {
  return seconds * (0.75 + random / 2);
}
