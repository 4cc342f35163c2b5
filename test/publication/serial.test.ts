import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/keys/policy.js';
import { isAcceptable, isAfter, nextSerial, successor } from '../../src/publication/serial.js';
import { serialDistance, stepsTo } from '../../src/publication/serial-move.js';

const policy = (serial: 'unixtime' | 'increment' | 'date'): ReturnType<typeof parsePolicy> =>
  parsePolicy('test', { serial });
const serial = fc.integer({ min: 0, max: 0xffff_ffff });

describe('RFC 1982', () => {
  it('§3.2: comparison goes round the circle', () => {
    expect(isAfter(1, 0)).toBe(true);
    expect(isAfter(0, 0xffff_ffff)).toBe(true);
    expect(isAfter(0xffff_ffff, 0)).toBe(false);
    expect(isAfter(0x8000_0000, 0)).toBe(false);
    expect(isAfter(0, 0x8000_0000)).toBe(false);
    expect(isAfter(7, 7)).toBe(false);
  });

  it('§3.1: addition wraps', () => {
    expect(successor(0xffff_ffff)).toBe(0);
    expect(successor(41)).toBe(42);
  });
});

describe('the serial of a new publication', () => {
  it('is after the last one, whatever the clock and the policy say', () => {
    fc.assert(
      fc.property(
        serial,
        serial,
        fc.constantFrom('unixtime' as const, 'increment' as const, 'date' as const),
        (last, now, kind) => {
          const next = nextSerial({ last, stored: null, now, policy: policy(kind) });
          expect(isAfter(next, last)).toBe(true);
          expect(next).not.toBe(0);
        },
      ),
    );
  });

  describe('wherever on the circle the last one, the served one and the clock are', () => {
    // what matters is within a few of each other, or of half the circle
    const near = fc.integer({ min: -3, max: 3 });
    const apart = fc.oneof(
      serial,
      near,
      near.map((by) => 2 ** 31 + by),
    );
    const input = fc.record({
      last: fc.oneof(
        serial,
        near.map((by) => (by + 2 ** 32) % 2 ** 32),
      ),
      served: fc.option(apart),
      now: apart,
      stored: fc.option(serial),
      kind: fc.constantFrom('unixtime' as const, 'increment' as const, 'date' as const),
      isUnseen: fc.boolean(),
    });
    const turned = (from: number, by: number): number => (from + by + 2 ** 32) % 2 ** 32;
    const given = fc.record({ line: input }).map(({ line: { last, served, now, kind, ...rest } }) => ({
      ...rest,
      last,
      served: served === null ? null : turned(last, -served),
      // the clock does not go round, the arithmetic does
      now: turned(last, now),
      policy: policy(kind),
    }));

    it('is after both, and given out, or there is none that is', () => {
      fc.assert(
        fc.property(given, (line) => {
          const { last, served, isUnseen } = line;
          const next = nextSerial(line);
          expect(next).not.toBe(0);
          if (!isUnseen || next !== last) expect(isAfter(next, last)).toBe(true);
          const reachable = [1, 2].flatMap((by) => [turned(last, by), turned(served ?? last, by)]);
          const exists = [...reachable, isUnseen ? last : 0].some((it) => it !== 0 && isAcceptable(it, line));
          expect(isAcceptable(next, line)).toBe(exists);
          if (served !== null && exists) expect(isAfter(next, served)).toBe(true);
          // only where they are half the circle apart there is none, or zero alone
          const distance = served === null ? 1 : serialDistance(served, last);
          if (distance < 2 ** 31 - 3 || distance > 2 ** 31 + 3) expect(exists).toBe(true);
        }),
        { numRuns: 20_000 },
      );
    });

    it('is after the last one and after the stored one where the line is new', () => {
      fc.assert(
        fc.property(given, ({ stored, now, policy: kind }) => {
          const next = nextSerial({ last: null, stored, now, policy: kind });
          expect(next).not.toBe(0);
          const begin = stored ?? 1;
          if (begin !== 0 && next !== begin) expect(isAfter(next, begin)).toBe(true);
          expect(isAcceptable(next, { last: null })).toBe(true);
        }),
      );
    });
  });

  it('is given out again where nobody saw it, unless the clock is past it', () => {
    const line = { last: 9, served: 7, stored: null, now: 1_790_000_000, isUnseen: true };
    expect(nextSerial({ ...line, policy: policy('increment') })).toBe(9);
    expect(nextSerial({ ...line, isUnseen: false, policy: policy('increment') })).toBe(10);
    expect(nextSerial({ ...line, policy: policy('unixtime') })).toBe(1_790_000_000);
    expect(nextSerial({ ...line, last: 2_000_000_000, policy: policy('unixtime') })).toBe(2_000_000_000);
  });

  it('goes on after the served one where those given out since have come half the circle past it', () => {
    const line = { served: 100, stored: null, now: 9, policy: policy('increment') };
    expect(nextSerial({ ...line, last: 100 + 2 ** 31 - 2 })).toBe(100 + 2 ** 31 - 1);
    expect(nextSerial({ ...line, last: 100 + 2 ** 31 + 2 })).toBe(101);
  });

  it('is not the clock’s where nameservers would take that for an earlier one', () => {
    const input = { last: 105_000_000, stored: null, now: 1_790_000_000, policy: policy('unixtime') };
    expect(nextSerial(input)).toBe(1_790_000_000);
    expect(nextSerial({ ...input, served: 3_900_000_000 })).toBe(105_000_001);
  });

  it('follows the clock with unixtime, the day with date, the last one with increment', () => {
    const now = Date.UTC(2026, 10, 23, 12) / 1000;
    expect(nextSerial({ last: 5, stored: 1, now, policy: policy('unixtime') })).toBe(now);
    expect(nextSerial({ last: 5, stored: 1, now, policy: policy('date') })).toBe(2026112300);
    expect(nextSerial({ last: 2026112300, stored: 1, now, policy: policy('date') })).toBe(2026112301);
    expect(nextSerial({ last: 5, stored: 1, now, policy: policy('increment') })).toBe(6);
  });

  it('goes on from the last one when the clock ran back', () => {
    expect(
      nextSerial({ last: 1_900_000_000, stored: 1, now: 1_790_000_000, policy: policy('unixtime') }),
    ).toBe(1_900_000_001);
  });

  it('begins a line at the stored SOA or past it', () => {
    expect(nextSerial({ last: null, stored: 77, now: 9, policy: policy('increment') })).toBe(77);
    expect(nextSerial({ last: null, stored: null, now: 9, policy: policy('increment') })).toBe(1);
    expect(nextSerial({ last: null, stored: 77, now: 99, policy: policy('unixtime') })).toBe(99);
    expect(nextSerial({ last: null, stored: 2_000_000_000, now: 99, policy: policy('unixtime') })).toBe(
      2_000_000_000,
    );
  });
});

describe('the way to a serial that does not come after another one', () => {
  it('has two or three steps, each forward, and ends there', () => {
    fc.assert(
      fc.property(serial, fc.integer({ min: 2 ** 31, max: 2 ** 32 - 1 }), (from, distance) => {
        const to = (from + distance) % 2 ** 32;
        const steps = stepsTo(from, to);
        expect(steps.length).toBeLessThanOrEqual(3);
        expect(steps.at(-1)).toBe(to);
        // a publication is made after each step
        let at = from;
        for (const step of steps) {
          expect(serialDistance(at, step)).toBeGreaterThan(0);
          expect(isAfter((step + 1) % 2 ** 32, at)).toBe(true);
          at = step;
        }
      }),
    );
  });
});
