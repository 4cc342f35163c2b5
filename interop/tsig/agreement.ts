import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { Name } from '../../src/dns/name.js';
import { TSIG_ALGORITHMS, type TsigAlgorithm, type TsigKey } from '../../src/dns/tsig.js';
import type { Target } from '../lib/dns-client.js';
import { type Client, dig, dnspython, kdig, ownClient } from './clients.js';

/** What the clients are to agree about: a server with a key for each algorithm and a zone of several messages. */
export interface Subject extends Target {
  readonly zone: string;
  /** The records of a transfer, both SOAs counted. */
  readonly records: number;
  keyFor(algorithm: TsigAlgorithm): TsigKey;
  stop(): Promise<void>;
}

const CLIENTS: readonly Client[] = [dig(), kdig, dnspython(), ownClient()];
const TYPES = ['SOA', 'AXFR'] as const;
const HOUR = 3600;

/** Whether a server's time is what its clock should say. */
function expectTime(serverTime: number | undefined, skewSeconds: number): void {
  const difference = (serverTime ?? 0) - systemClock.seconds() - skewSeconds;
  expect(Math.abs(difference)).toBeLessThan(60);
}

/**
 * The tests that dig, kdig, dnspython and the suites' own client agree about each success and each failure of TSIG.
 * @param start starts the server, its clock ahead of the host's by so many seconds
 */
export function describeAgreement(name: string, start: (skewSeconds: number) => Promise<Subject>): void {
  describe(`TSIG at ${name}`, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await start(0);
    });
    afterAll(() => subject.stop());

    describe.each(CLIENTS)('$name', (client) => {
      for (const type of TYPES) {
        test.each(TSIG_ALGORITHMS)(`finds the ${type} answer signed with %s`, async (algorithm) => {
          const { zone, records } = subject;
          const outcome = await client.ask(subject, { zone, type, key: subject.keyFor(algorithm) });
          expect(outcome).toEqual({ result: 'ok', records: type === 'SOA' ? 1 : records });
        });

        const wrong: [string, (key: TsigKey) => TsigKey, string][] = [
          ['another name', (key) => ({ ...key, name: Name.parse('nobody.example.') }), 'BADKEY'],
          ["the key's other algorithm", (key) => ({ ...key, algorithm: 'hmac-sha384' }), 'BADKEY'],
          ['another secret', (key) => ({ ...key, secret: new Uint8Array(32).fill(1) }), 'BADSIG'],
        ];
        test.each(wrong)(`is told about %s at ${type}`, async (_, change, result) => {
          const key = change(subject.keyFor('hmac-sha256'));
          expect(await client.ask(subject, { zone: subject.zone, type, key })).toMatchObject({ result });
        });
      }
    });

    describe.each(TYPES)('truncated MACs at %s', (type) => {
      const whole = (): { zone: string; type: typeof type } => ({ zone: subject.zone, type });

      test.each([
        ['hmac-sha256', 'hmac-sha256-128', 16],
        ['hmac-sha384', 'hmac-sha384-192', 24],
        ['hmac-sha512', 'hmac-sha512-256', 32],
        ['hmac-sha1', 'hmac-sha1-160', 20],
      ] as const)('of %s are taken down to half', async (algorithm, digName, macOctets) => {
        const asked = { ...whole(), key: subject.keyFor(algorithm) };
        for (const client of [dig(digName), ownClient({ macOctets })]) {
          expect(await client.ask(subject, asked)).toMatchObject({ result: 'ok' });
        }
      });

      test('below 128 bits get BADTRUNC, signed', async () => {
        const asked = { ...whole(), key: subject.keyFor('hmac-sha1') };
        expect(await dig('hmac-sha1-80').ask(subject, asked)).toMatchObject({ result: 'BADTRUNC' });
        const own = await ownClient({ macOctets: 15 }).ask(subject, asked);
        expect(own).toMatchObject({ result: 'BADTRUNC', isProved: true });
      });

      test('below half, or longer than whole, are no TSIG at all', async () => {
        const asked = { ...whole(), key: subject.keyFor('hmac-sha256') };
        for (const macOctets of [0, 9, 15]) {
          expect(await ownClient({ macOctets }).ask(subject, asked)).toMatchObject({ result: 'FORMERR' });
        }
      });
    });

    test.each(TYPES)('BADTIME at %s for clocks that are an hour off', async (type) => {
      const asked = { zone: subject.zone, type, key: subject.keyFor('hmac-sha256') };
      for (const skewSeconds of [-HOUR, HOUR]) {
        const own = await ownClient({ skewSeconds }).ask(subject, asked);
        expect(own).toMatchObject({ result: 'BADTIME', isProved: true });
        expectTime(own.serverTime, 0);
        expect(await dnspython(skewSeconds).ask(subject, asked)).toMatchObject({ result: 'BADTIME' });
      }
      for (const skewSeconds of [-240, 240]) {
        expect(await ownClient({ skewSeconds }).ask(subject, asked)).toMatchObject({ result: 'ok' });
      }
    });
  });

  describe(`TSIG at ${name}, whose clock is an hour ahead`, () => {
    let subject: Subject;
    beforeAll(async () => {
      subject = await start(HOUR);
    });
    afterAll(() => subject.stop());

    for (const type of TYPES) {
      test.each(CLIENTS)(`$name is told BADTIME at ${type}, and the server's time`, async (client) => {
        const asked = { zone: subject.zone, type, key: subject.keyFor('hmac-sha256') };
        const outcome = await client.ask(subject, asked);
        expect(outcome.result).toBe('BADTIME');
        expect(outcome.isProved).not.toBe(false);
        // dnspython, and kdig for transfers, do not show it
        if (client.name !== 'dnspython' && !(client.name === 'kdig' && type === 'AXFR')) {
          expectTime(outcome.serverTime, HOUR);
        }
      });
    }
  });
}
