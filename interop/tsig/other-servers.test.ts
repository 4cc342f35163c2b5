import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { RCODE } from '../../src/dns/message.js';
import { TSIG_ALGORITHMS, TSIG_ERROR } from '../../src/dns/tsig.js';
import { query, transfer } from '../lib/dns-client.js';
import { HOST_COUNT, keyFor, PROGRAMS, type Primary, startPrimary, ZONE } from './primaries.js';

/**
 * The client's side of TSIG against other programs as primaries. That the client of these suites is right about them is
 * what its word about the gateway rests on.
 */
describe.each(PROGRAMS)('%s as a primary', (program) => {
  let primary: Primary;
  beforeAll(async () => {
    primary = await startPrimary(program);
  });
  afterAll(() => primary.stop());

  test.each(TSIG_ALGORITHMS)('its transfer with %s is whole and proved', async (algorithm) => {
    const key = keyFor(algorithm);
    const result = await transfer(primary, { name: ZONE, signing: { key }, timeoutMilliseconds: 20_000 });
    expect(result).toMatchObject({ rcode: RCODE.NOERROR, isWhole: true, isAuthentic: true });
    expect(result.records.length).toBe(HOST_COUNT + 4);
    expect(result.answers.length).toBeGreaterThan(2);
    expect(new Set(result.answers.map((it) => it.tsig?.status))).toEqual(new Set(['signed']));
  });

  test('a single answer is proved', async () => {
    const key = keyFor('hmac-sha256');
    const answer = await query(primary, { name: ZONE, type: 'SOA', signing: { key } });
    expect(answer).toMatchObject({ message: { rcode: RCODE.NOERROR }, tsig: { status: 'signed' } });
  });

  test('it says BADKEY to another name', async () => {
    const key = { ...keyFor('hmac-sha256'), name: keyFor('hmac-sha256').name.parent() };
    const answer = await query(primary, { name: ZONE, type: 'SOA', signing: { key } });
    expect(answer?.tsig).toEqual({ status: 'refused', tsigError: TSIG_ERROR.BADKEY, authentic: false });
  });

  test('it says BADSIG to another secret', async () => {
    const key = { ...keyFor('hmac-sha256'), secret: new Uint8Array(32) };
    const answer = await query(primary, { name: ZONE, type: 'SOA', signing: { key } });
    expect(answer?.tsig).toEqual({ status: 'refused', tsigError: TSIG_ERROR.BADSIG, authentic: false });
  });

  test('it says BADTIME to a clock that is an hour off', async () => {
    const key = keyFor('hmac-sha256');
    const answer = await query(primary, { name: ZONE, type: 'SOA', signing: { key, skewSeconds: 3600 } });
    // NSD sends that unsigned and without its time, against RFC 8945 §5.2.3
    const isSigned = program !== 'nsd';
    expect(answer?.tsig).toMatchObject({
      status: 'refused',
      tsigError: TSIG_ERROR.BADTIME,
      authentic: isSigned,
    });
    if (isSigned && answer?.tsig?.status === 'refused') {
      expect(Math.abs((answer.tsig.serverTime ?? 0) - systemClock.seconds())).toBeLessThan(60);
    }
  });
});
