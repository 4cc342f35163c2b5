import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  afterNotify,
  afterPoll,
  type NotifyOutcome,
  nextAction,
  type PeerTimes,
  type PollOutcome,
  stateOf,
} from '../../src/fleet/decision.js';
import type { PeerSituation, PeerState, PeerUpdate } from '../../src/fleet/ports.js';

const TIMES: PeerTimes = { arrival: 60, retryCap: 300, recheck: 3600 };

function situation(more: Partial<PeerSituation> = {}): PeerSituation {
  return {
    state: 'pending',
    wanted: 10,
    seen: 9,
    attempts: 0,
    unanswered: 0,
    polls: 0,
    silent: 0,
    lateSeconds: 1,
    notifiedSeconds: undefined,
    problem: undefined,
    ...more,
  };
}

const told = { attempts: 1, notifiedSeconds: 1 };

describe('what is done next', () => {
  test.each<[string, Partial<PeerSituation>, string]>([
    ['nothing while nothing is ready', { wanted: undefined }, 'none'],
    ['a NOTIFY for a new publication', {}, 'notify'],
    ['a NOTIFY to a peer of which nothing is known', { seen: undefined }, 'notify'],
    [
      'a NOTIFY for a new publication also where the peer was silent',
      { state: 'unreachable', silent: 7 },
      'notify',
    ],
    ['a question once it was told', told, 'poll'],
    ['a question as long as it may still arrive', { attempts: 1, notifiedSeconds: 59 }, 'poll'],
    ['another NOTIFY when it should have arrived', { attempts: 1, notifiedSeconds: 60 }, 'notify'],
    ['a later third one', { state: 'behind', attempts: 2, notifiedSeconds: 60 }, 'poll'],
    ['after twice the time', { state: 'behind', attempts: 2, notifiedSeconds: 120 }, 'notify'],
    [
      'at the least as often as the cap says',
      { state: 'behind', attempts: 60, notifiedSeconds: 300 },
      'notify',
    ],
    ['a question where a NOTIFY got no answer', { attempts: 1, unanswered: 1, silent: 1 }, 'poll'],
    ['then a NOTIFY again', { attempts: 1, unanswered: 1, silent: 2, polls: 1 }, 'notify'],
    ['a question from time to time of one that has it', { state: 'current', seen: 10 }, 'poll'],
    [
      'the same of one that had it and does not answer',
      { state: 'unreachable', seen: 10, silent: 4 },
      'poll',
    ],
    ['a NOTIFY to one that had it and has lost it', { state: 'behind', seen: 10 }, 'notify'],
  ])('%s', (_, more, action) => {
    expect(nextAction(situation(more), TIMES)).toBe(action);
  });
});

describe('what a peer is', () => {
  test.each<[string, Partial<PeerSituation>, PeerState]>([
    ['current: it serves the serial', { seen: 10, lateSeconds: 1e6 }, 'current'],
    ['pending: it may still arrive', { lateSeconds: 59 }, 'pending'],
    ['behind: it took too long', { lateSeconds: 60 }, 'behind'],
    ['pending, with nothing to serve', { wanted: undefined, seen: undefined }, 'pending'],
    ['pending: two messages may be lost', { silent: 2 }, 'pending'],
    ['unreachable: not three', { silent: 3, seen: 10 }, 'unreachable'],
    ['behind: it serves a later serial, and will not take this one', { seen: 11 }, 'behind'],
    ['behind, across the end of the circle (RFC 1982)', { wanted: 4_294_967_295, seen: 3 }, 'behind'],
    ['pending, across the end of the circle', { wanted: 3, seen: 4_294_967_295 }, 'pending'],
    [
      'pending: half a circle apart is neither before nor after',
      { wanted: 10, seen: 2_147_483_658 },
      'pending',
    ],
  ])('%s', (_, more, state) => {
    expect(stateOf(situation(more), TIMES)).toBe(state);
  });
});

describe('after a NOTIFY', () => {
  const after = (more: Partial<PeerSituation>, outcome: NotifyOutcome): PeerUpdate =>
    afterNotify(situation(more), outcome, TIMES, 0.5);

  it('that was accepted the peer is asked soon', () => {
    expect(after({ silent: 2, unanswered: 1 }, { kind: 'accepted' })).toMatchObject({
      state: 'pending',
      attempts: 1,
      unanswered: 0,
      polls: 0,
      silent: 0,
      problem: undefined,
      notified: { serial: 10 },
      dueSeconds: 0.06,
    });
  });

  it('that was refused it is asked as well, for it may refresh by itself, and the problem is kept', () => {
    const problem = 'NOTIFY: REFUSED';
    const update = after({}, { kind: 'refused', problem });
    expect(update).toMatchObject({ attempts: 1, silent: 0, problem, notified: { serial: undefined } });
    const next = afterPoll(situation({ ...told, problem }), { kind: 'serial', serial: 9 }, TIMES, 0.5);
    expect(next).toMatchObject({ state: 'pending', problem });
    const taken = afterPoll(situation({ ...told, problem }), { kind: 'serial', serial: 10 }, TIMES, 0.5);
    expect(taken).toMatchObject({ state: 'current', problem: undefined });
  });

  it('without an answer it is tried again, later each time, up to the cap', () => {
    const waits = Array.from(
      { length: 12 },
      (_, unanswered) => after({ unanswered }, { kind: 'silent', problem: 'NOTIFY: no answer' }).dueSeconds,
    );
    expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150]);
  });

  it('that could not be sent says nothing of whether the peer is there', () => {
    const update = after({ silent: 2 }, { kind: 'unable', problem: 'NOTIFY: Barbican is away' });
    expect(update).toMatchObject({ silent: 2, state: 'pending', unanswered: 1 });
    expect(update.notified).toBeUndefined();
  });
});

describe('after a question', () => {
  const after = (more: Partial<PeerSituation>, outcome: PollOutcome): PeerUpdate =>
    afterPoll(situation({ ...told, ...more }), outcome, TIMES, 0.5);

  it('that says the serial the peer is current, and left alone for long', () => {
    expect(after({}, { kind: 'serial', serial: 10 })).toMatchObject({
      state: 'current',
      seen: 10,
      progress: true,
      silent: 0,
      dueSeconds: 3600,
    });
  });

  it('that says an older one it is asked again, later each time, and not past the next NOTIFY', () => {
    const waits = Array.from(
      { length: 10 },
      (_, polls) => after({ polls }, { kind: 'serial', serial: 9 }).dueSeconds,
    );
    expect(waits).toEqual([0.12, 0.24, 0.48, 0.96, 1.92, 3.84, 7.68, 15, 15, 15]);
    expect(after({ polls: 9, notifiedSeconds: 58 }, { kind: 'serial', serial: 9 }).dueSeconds).toBe(2);
  });

  it('that says something newer than before, but not the newest, counts anew', () => {
    expect(after({ seen: 5, lateSeconds: 100 }, { kind: 'serial', serial: 9 })).toMatchObject({
      state: 'pending',
      progress: true,
    });
    expect(after({ seen: 9, lateSeconds: 100 }, { kind: 'serial', serial: 9 })).toMatchObject({
      state: 'behind',
      progress: false,
    });
  });

  it('that says a later one than is published it is behind', () => {
    const update = after({}, { kind: 'serial', serial: 11 });
    expect(update).toMatchObject({ state: 'behind', seen: 11, progress: false });
    expect(update.problem).toContain('SOA: ');
  });

  it('of one that has lost the zone it is told anew at once', () => {
    const current = {
      state: 'current',
      seen: 10,
      attempts: 4,
      lateSeconds: 9e9,
      notifiedSeconds: 9e9,
    } as const;
    for (const outcome of [
      { kind: 'serial', serial: 3 },
      { kind: 'refused', problem: 'SOA: SERVFAIL' },
    ] as const) {
      const update = after(current, outcome);
      expect(update).toMatchObject({ state: 'behind', attempts: 0, unanswered: 0 });
      expect(update.dueSeconds).toBeLessThanOrEqual(1);
      const next = situation({ ...current, ...update, seen: update.seen ?? current.seen });
      expect(nextAction(next, TIMES)).toBe('notify');
    }
  });

  it('that gets no answer it is asked again, and unreachable in the end', () => {
    let now: PeerSituation = situation({ state: 'current', seen: 10, lateSeconds: 1e6 });
    const seen: string[] = [];
    for (let i = 0; i < 4; i++) {
      const update = afterPoll(now, { kind: 'silent', problem: 'SOA: no answer' }, TIMES, 0.5);
      seen.push(`${update.state} ${update.dueSeconds}`);
      now = { ...now, ...update };
    }
    expect(seen).toEqual(['current 1', 'current 2', 'unreachable 4', 'unreachable 8']);
    expect(afterPoll(now, { kind: 'serial', serial: 10 }, TIMES, 0.5)).toMatchObject({
      state: 'current',
      silent: 0,
    });
  });
});

describe('a peer, whatever it does', () => {
  const outcomes = fc.constantFrom('accepted', 'refused', 'silent', 'unable', 'old', 'wanted', 'later');
  const run = (kinds: readonly string[], random: number): { waits: number[]; last: PeerSituation } => {
    let now = situation();
    const waits: number[] = [];
    for (const kind of kinds) {
      const update =
        nextAction(now, TIMES) === 'notify' ? notified(now, kind, random) : polled(now, kind, random);
      const wait = update.dueSeconds as number;
      waits.push(wait);
      now = {
        ...now,
        ...update,
        seen: update.seen ?? now.seen,
        lateSeconds: (update.progress === true ? 0 : now.lateSeconds) + wait,
        notifiedSeconds: update.notified === undefined ? (now.notifiedSeconds ?? 1e9) + wait : wait,
      };
    }
    return { waits, last: now };
  };
  const notified = (now: PeerSituation, kind: string, random: number): PeerUpdate =>
    kind === 'refused' || kind === 'silent' || kind === 'unable'
      ? afterNotify(now, { kind, problem: 'NOTIFY: x' }, TIMES, random)
      : afterNotify(now, { kind: 'accepted' }, TIMES, random);
  const polled = (now: PeerSituation, kind: string, random: number): PeerUpdate => {
    if (kind === 'refused' || kind === 'silent' || kind === 'unable') {
      return afterPoll(now, { kind, problem: 'SOA: x' }, TIMES, random);
    }
    const serial = kind === 'wanted' ? 10 : kind === 'later' ? 11 : 9;
    return afterPoll(now, { kind: 'serial', serial }, TIMES, random);
  };

  it('is looked at again: never at once, and never later than the times say', () => {
    fc.assert(
      fc.property(
        fc.array(outcomes, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (kinds, random) => {
          const { waits } = run(kinds, random);
          for (const wait of waits) {
            expect(wait).toBeGreaterThanOrEqual(0.04);
            expect(wait).toBeLessThanOrEqual(3600 * 1.25);
          }
        },
      ),
    );
  });

  it('is current as soon as it answers with the serial', () => {
    fc.assert(
      fc.property(fc.array(outcomes, { maxLength: 40 }), (kinds) => {
        // a NOTIFY may come first, and the question after it
        const { last } = run([...kinds, 'wanted', 'wanted'], 0.5);
        expect(last.state).toBe('current');
      }),
    );
  });

  it('is unreachable if and only if its last three messages had no answer', () => {
    fc.assert(
      fc.property(fc.array(outcomes, { minLength: 3, maxLength: 40 }), (kinds) => {
        const { last } = run(kinds, 0.5);
        const heard = kinds.filter((kind) => kind !== 'unable');
        expect(last.state === 'unreachable').toBe(
          heard.length >= 3 && heard.slice(-3).every((kind) => kind === 'silent'),
        );
      }),
    );
  });
});
